//! Lower bounds of the distances of the rows of some groups to one query, and which rows they leave over.

use crate::distance::relative_error;

/// Rows whose codes stay in the second-level cache while all queries of a batch go over them.
pub(super) const ROWS_A_TILE: usize = 256;
/// Bounds that are computed side by side.
pub(super) const LANES: usize = 16;
/// Beside four times as many rows as are wanted, this many are collected before those too far are sorted out.
const MORE_ROWS: usize = 256;
/// Covers the rounding of a handful of float32 operations on numbers of the same sign, generously.
pub(super) const SLACK: f32 = 2e-6;

/// What lies between the distance of the columns that are bounded and the one that is measured on whole rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measure {
    /// How wide what is measured is.
    pub(super) width: usize,
    /// Squared distance of the columns that all these rows have in common.
    pub(super) tail: f32,
}

impl Measure {
    /// How far (not squared) the bounded columns may be for a row to be measured at up to `limit` (squared).
    ///
    /// `None`: no row can be. Rounded so that it errs towards looking at a row.
    pub(super) fn head_limit(self, limit: f64) -> Option<f32> {
        // Differences below about 1e-19 square to nothing in float32; the constant covers thousands of them.
        let tiny = 1e-34;
        let error = f64::from(relative_error(self.width));
        let squared = limit * (1.0 + error) + tiny - f64::from(self.tail) * (1.0 - error);
        (squared >= 0.0).then(|| squared.sqrt() as f32 * (1.0 + 4.0 * f32::EPSILON))
    }

    /// The largest squared distance that a row can be measured at whose bounded columns are `farthest` away.
    fn largest(self, farthest: f32) -> f64 {
        let squared = f64::from(farthest) * f64::from(farthest) + f64::from(self.tail);
        squared * (1.0 + f64::from(relative_error(self.width)))
    }
}

/// How far rows can be beyond their bounds: the largest of what codes leave out and of squared norms, each of a row and
/// the query together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reach {
    pub(super) error: f32,
    pub(super) squared_norms: f32,
}

impl Reach {
    /// How far (not squared) a row with this bound is at most, up to float32's rounding of the bound.
    fn farthest(self, bound: f32) -> f32 {
        let decoded = (bound + self.error) * (1.0 + 2.0 * SLACK);
        (decoded * decoded + 4.0 * SLACK * self.squared_norms).sqrt() * (1.0 + SLACK) + self.error
    }
}

/// Rows with lower bounds (not squared), never above the true distance; without those that cannot be among the nearest.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// A bound's bits, which are in the order of what they mean, and the row.
    rows: Vec<u64>,
    /// How many rows are wanted.
    n_wanted: usize,
    /// Rows with bounds above this are left out.
    limit: f32,
    /// With so many rows it is time to lower the limit.
    n_enough: usize,
    measure: Measure,
    reach: Reach,
}

impl Bounds {
    /// Forgets all rows; of those to come the `n_wanted` nearest are looked for, none with a bound above `limit`.
    pub(super) fn restart(&mut self, n_wanted: usize, limit: f32, measure: Measure) {
        self.rows.clear();
        (self.n_wanted, self.limit, self.measure, self.reach) = (n_wanted, limit, measure, Reach::default());
        self.n_enough = 4 * n_wanted + MORE_ROWS;
    }

    /// Takes in `rows` with their bounds, the least of every [`LANES`] of these, and how far such rows can be beyond.
    pub(super) fn add(&mut self, rows: &[u32], lower: &[f32], minima: &[f32], reach: Reach) {
        let known = self.reach;
        self.reach.error = known.error.max(reach.error);
        self.reach.squared_norms = known.squared_norms.max(reach.squared_norms);
        for ((rows, lower), least) in rows.chunks(LANES).zip(lower.chunks(LANES)).zip(minima) {
            if *least > self.limit {
                continue;
            }
            // Which rows they are is hard to foresee for a processor: no branches.
            let (mut found, mut n_found) = ([0; LANES], 0);
            for (row, bound) in rows.iter().zip(lower) {
                found[n_found % LANES] = u64::from(bound.to_bits()) << 32 | u64::from(*row);
                n_found += usize::from(*bound <= self.limit);
            }
            self.rows.extend_from_slice(&found[..n_found]);
        }
        if self.rows.len() >= self.n_enough {
            self.lower_limit();
        }
    }

    /// Leaves out what is farther than as many rows as are wanted, wherever these are above their bounds.
    fn lower_limit(&mut self) {
        let farthest = self.reach.farthest(self.kth(self.n_wanted));
        let limit = self.measure.head_limit(self.measure.largest(farthest)).unwrap_or(f32::INFINITY);
        if limit < self.limit {
            self.limit = limit;
            self.rows.retain(|row| bound_of(*row) <= limit);
        }
        self.n_enough = self.n_enough.max(2 * self.rows.len());
    }

    /// The k-th least bound; infinite where that leaves out nothing or `k` is 0.
    pub(super) fn kth(&mut self, k: usize) -> f32 {
        if k == 0 || self.rows.len() <= k {
            return f32::INFINITY;
        }
        bound_of(*self.rows.select_nth_unstable(k - 1).1)
    }

    /// The rows with a bound above `above` and up to `limit`.
    pub(super) fn rows_within(&self, above: f32, limit: f32) -> impl Iterator<Item = u32> {
        let rows = self.rows.iter().filter(move |row| bound_of(**row) > above && bound_of(**row) <= limit);
        rows.map(|row| *row as u32)
    }
}

fn bound_of(row: u64) -> f32 {
    f32::from_bits((row >> 32) as u32)
}
