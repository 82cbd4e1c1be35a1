//! Numbers that an index reads and may not own: parts of a mapped file, whose pages several processes share.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::error::ValueError;

/// What keeps numbers where they are, as they are, for as long as it lives.
pub type Numbers<T> = Arc<dyn AsRef<[T]> + Send + Sync>;

/// A run of numbers, and what keeps them.
#[derive(Clone)]
pub struct Stored<T> {
    numbers: Numbers<T>,
    range: Range<usize>,
}

impl<T> Stored<T> {
    /// All of somebody's numbers.
    #[must_use]
    pub fn of(numbers: Numbers<T>) -> Self {
        let range = 0..(*numbers).as_ref().len();
        Self { numbers, range }
    }

    /// Some of them, without a copy; empty where `range` lies beyond them.
    pub(super) fn part(&self, range: Range<usize>) -> Self {
        let (start, end) = (self.range.start + range.start, self.range.start + range.end);
        let range = if start <= end && end <= self.range.end { start..end } else { 0..0 };
        Self { numbers: Arc::clone(&self.numbers), range }
    }
}

impl<T: Send + Sync + 'static> From<Vec<T>> for Stored<T> {
    fn from(numbers: Vec<T>) -> Self {
        Self::of(Arc::new(numbers))
    }
}

impl<T> Deref for Stored<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &(*self.numbers).as_ref()[self.range.clone()]
    }
}

impl<T: fmt::Debug> fmt::Debug for Stored<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

/// An index for the scan, as it can lie in a file: nothing of it is computed again.
///
/// Rows are those of the matrix; everything but `rows` is in the order of the groups, one group after the other.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Padded rows in the caller's order, (n, padded width).
    pub rows: Stored<f32>,
    /// How wide a row is without the padding.
    pub n_features: usize,
    /// The point that codes are relative to, as wide as what is encoded of a row.
    pub origin: Stored<f32>,
    /// The unit of codes in each of these columns, above 0.
    pub units: Stored<f32>,
    /// How many rows every group has.
    pub group_sizes: Stored<u32>,
    /// Which row it is, (n,).
    pub order: Stored<u32>,
    /// Bytes, (n, width of the origin filled up).
    pub codes: Stored<i8>,
    /// What they mean: scale, squared norm and error, (3, n).
    pub scalings: Stored<f32>,
}

impl Parts {
    /// Refuses parts that do not fit together, without a look at the rows and the codes themselves.
    pub(super) fn check(&self, padded_width: usize, code_width: usize) -> Result<(), ValueError> {
        let n_rows = self.order.len();
        let refused = |what: String| Err(ValueError::Parts { what });
        if n_rows == 0 || self.n_features == 0 {
            return Err(ValueError::Empty { name: "rows", shape: (n_rows, self.n_features) });
        }
        if self.origin.len() > self.n_features {
            return refused(format!("the origin has {} columns, rows have {}", self.origin.len(), self.n_features));
        }
        let sizes = [
            ("units", self.units.len(), Some(self.origin.len())),
            ("rows", self.rows.len(), n_rows.checked_mul(padded_width)),
            ("codes", self.codes.len(), n_rows.checked_mul(code_width)),
            ("scalings", self.scalings.len(), n_rows.checked_mul(3)),
            ("groups", self.group_sizes.iter().map(|size| *size as usize).sum(), Some(n_rows)),
        ];
        for (name, found, expected) in sizes {
            if Some(found) != expected {
                return refused(format!("{found} numbers in the {name}, expected {expected:?} of {n_rows} rows"));
            }
        }
        let mut seen = vec![false; n_rows];
        for row in self.order.iter() {
            match seen.get_mut(*row as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => return refused(format!("row {row} occurs twice in the order, or there is none of that number")),
            }
        }
        if self.group_sizes.contains(&0) {
            return refused("a group is empty".to_owned());
        }
        Ok(())
    }
}
