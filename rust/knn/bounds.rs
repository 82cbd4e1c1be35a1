//! Lower bounds of the distances of all rows of a group to one query, and which rows they leave over.

use std::ops::Range;

/// Rows whose codes stay in the second-level cache while all queries of a batch go over them.
pub(super) const ROWS_A_TILE: usize = 256;
/// Bounds that are computed side by side.
pub(super) const LANES: usize = 16;

/// A lower bound (not squared) for each row, never above the true distance.
///
/// Row `tile * ROWS_A_TILE + step * LANES + lane` belongs to the stripe `tile * LANES + lane`. The least bound of every
/// stripe costs nothing while the bounds are computed, and lets most rows be passed over 16 at a time.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    lower: Vec<f32>,
    minima: Vec<[f32; LANES]>,
}

impl Bounds {
    /// Prepares for a group of `n_rows`, all bounds 0.
    pub(super) fn reset(&mut self, n_rows: usize) {
        self.lower.clear();
        self.lower.resize(n_rows, 0.0);
        self.minima.clear();
        self.minima.resize(n_rows.div_ceil(ROWS_A_TILE), [0.0; LANES]);
    }

    /// The bounds of the rows of one tile, and the least of its stripes.
    pub(super) fn tile_mut(&mut self, rows: Range<usize>) -> (&mut [f32], &mut [f32; LANES]) {
        let minima = &mut self.minima[rows.start / ROWS_A_TILE];
        (&mut self.lower[rows], minima)
    }

    /// The k-th least bound, or something slightly larger; infinite where that leaves out nothing or `k` is 0.
    ///
    /// The k-th least among the minima of stripes serves where there are enough of them: k rows lie at or below it.
    pub(super) fn kth(&self, k: usize) -> f32 {
        if k == 0 || self.lower.len() <= k {
            return f32::INFINITY;
        }
        let minima = self.minima.as_flattened();
        let mut values = if minima.len() >= 2 * k { minima.to_vec() } else { self.lower.clone() };
        *values.select_nth_unstable_by(k - 1, f32::total_cmp).1
    }

    /// Positions of the rows with a bound above `above` and up to `limit`.
    pub(super) fn rows_within(&self, above: f32, limit: f32) -> impl Iterator<Item = usize> {
        let stripes = self.minima.as_flattened().iter().enumerate().filter(move |(_, least)| **least <= limit);
        let rows = stripes.flat_map(|(stripe, _)| {
            let first = stripe / LANES * ROWS_A_TILE + stripe % LANES;
            (first..self.lower.len().min(first + ROWS_A_TILE)).step_by(LANES)
        });
        rows.filter(move |row| self.lower[*row] > above && self.lower[*row] <= limit)
    }
}
