//! The k nearest rows seen so far.

/// Collects rows with their squared distances and keeps the `k` first by (distance, row).
///
/// A distance is never negative, so its bits order like its value; distance and row in one integer sort as one.
#[derive(Debug, Default)]
pub(super) struct Nearest {
    k: usize,
    keys: Vec<u64>,
    /// The k-th key, once `k` rows are known; only the rows before it still matter.
    worst: Option<u64>,
}

impl Nearest {
    /// Collects `k` rows, at least 1.
    pub(super) fn of(k: usize) -> Self {
        Self { k, ..Self::default() }
    }

    /// Offers a row.
    pub(super) fn offer(&mut self, distance: f32, row: u32) {
        let key = u64::from(distance.to_bits()) << 32 | u64::from(row);
        if self.worst.is_none_or(|worst| key < worst) {
            self.keys.push(key);
            // Cutting at twice the size makes the cost of an offer constant.
            if self.keys.len() >= 2 * self.k + 32 {
                self.cut();
            }
        }
    }

    /// Squared distance of the k-th nearest row so far; infinite while there are fewer.
    pub(super) fn limit(&mut self) -> f32 {
        self.cut();
        self.worst.map_or(f32::INFINITY, distance_of)
    }

    /// How many more rows are needed before anything can be left out.
    pub(super) fn missing(&self) -> usize {
        self.k.saturating_sub(self.keys.len())
    }

    fn cut(&mut self) {
        if self.keys.len() >= self.k {
            let (_, worst, _) = self.keys.select_nth_unstable(self.k - 1);
            self.worst = Some(*worst);
            self.keys.truncate(self.k);
        }
    }

    /// Writes the rows and their squared distances, nearest first, ties by row.
    pub(super) fn write(&mut self, rows: &mut [u32], distances: &mut [f32]) {
        self.cut();
        self.keys.sort_unstable();
        for ((key, row), distance) in self.keys.iter().zip(rows).zip(distances) {
            *row = (key & u64::from(u32::MAX)) as u32;
            *distance = distance_of(*key);
        }
    }
}

fn distance_of(key: u64) -> f32 {
    f32::from_bits((key >> 32) as u32)
}
