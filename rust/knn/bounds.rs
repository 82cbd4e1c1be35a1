//! Lower bounds of the distances of the rows of some groups to one query, and which rows they leave over.

/// Rows whose codes, and rows themselves, stay in the second-level cache while all queries of a batch go over them.
pub(super) const ROWS_A_TILE: usize = 256;
/// Bounds that are computed side by side.
pub(super) const LANES: usize = 16;

/// A row of the index, by its group and its position there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: usize,
    pub(super) position: usize,
}

/// Consecutive rows of one group.
#[derive(Debug)]
struct Tile {
    first: Place,
    /// Where their bounds start.
    start: usize,
    n_rows: usize,
    /// The least bound of the rows `lane`, `lane + LANES` and so on: it costs nothing while bounds are computed, and lets
    /// most rows be passed over 16 at a time.
    minima: [f32; LANES],
}

/// A lower bound (not squared) for each row, never above the true distance.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    lower: Vec<f32>,
    tiles: Vec<Tile>,
}

impl Bounds {
    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.lower.clear();
        self.tiles.clear();
    }

    /// Takes in the next `n_rows` of a group, at most [`ROWS_A_TILE`], whose first one is `first`: their bounds, all 0,
    /// and the least of their stripes.
    pub(super) fn add(&mut self, first: Place, n_rows: usize) -> (&mut [f32], &mut [f32; LANES]) {
        let start = self.lower.len();
        self.lower.resize(start + n_rows, 0.0);
        self.tiles.push(Tile { first, start, n_rows, minima: [0.0; LANES] });
        let tile = self.tiles.len() - 1;
        (&mut self.lower[start..], &mut self.tiles[tile].minima)
    }

    /// The k-th least bound, or something slightly larger; infinite where that leaves out nothing or `k` is 0.
    ///
    /// The k-th least among the minima of stripes serves where there are enough of them: k rows lie at or below it.
    pub(super) fn kth(&self, k: usize) -> f32 {
        if k == 0 || self.lower.len() <= k {
            return f32::INFINITY;
        }
        let mut values: Vec<f32> =
            self.tiles.iter().flat_map(|tile| &tile.minima[..tile.n_rows.min(LANES)]).copied().collect();
        if values.len() < 2 * k {
            values.clone_from(&self.lower);
        }
        *values.select_nth_unstable_by(k - 1, f32::total_cmp).1
    }

    /// The rows with a bound above `above` and up to `limit`, tile by tile in the order in which they were added.
    pub(super) fn rows_within(&self, above: f32, limit: f32) -> impl Iterator<Item = Place> {
        self.tiles.iter().flat_map(move |tile| {
            let lower = &self.lower[tile.start..tile.start + tile.n_rows];
            let stripes = tile.minima.iter().enumerate().filter(move |(_, least)| **least <= limit);
            let rows = stripes.flat_map(move |(lane, _)| (lane..lower.len()).step_by(LANES));
            rows.filter(move |row| lower[*row] > above && lower[*row] <= limit)
                .map(|row| Place { position: tile.first.position + row, ..tile.first })
        })
    }
}
