//! What is held of every record: 8 bytes for its place, 8 for every kind of measurement that occurs.

/// How many kinds of measurements there are.
const N_KINDS: usize = 6;

/// Quality, latency in seconds, cost in US dollars, tokens of the prompt and of the answer, seconds until the answer began.
pub type Measured = [Option<f64>; N_KINDS];

/// All records of a table, in order.
pub struct Cells {
    /// Row x number of models + column of each.
    pub cells: Vec<i64>,
    /// Each kind of measurement, NaN where a record has none; empty where no record has any.
    pub measured: [Vec<f64>; N_KINDS],
}

#[derive(Default)]
pub(super) struct Columns {
    places: Vec<(u32, u32)>,
    /// Shorter than `places` as long as nothing follows.
    measured: [Vec<f64>; N_KINDS],
}

impl Columns {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn push(&mut self, row: u32, column: u32, measured: &Measured) {
        for (values, value) in self.measured.iter_mut().zip(measured) {
            if let Some(value) = value {
                values.resize(self.places.len(), f64::NAN);
                values.push(*value);
            }
        }
        self.places.push((row, column));
    }

    pub(super) fn finish(mut self, n_models: usize) -> Cells {
        for values in self.measured.iter_mut().filter(|values| !values.is_empty()) {
            values.resize(self.places.len(), f64::NAN);
        }
        let cell = |(row, column): (u32, u32)| i64::from(row) * n_models as i64 + i64::from(column);
        Cells { cells: self.places.into_iter().map(cell).collect(), measured: self.measured }
    }
}
