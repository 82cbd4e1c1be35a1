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
    /// Where their bounds start, a multiple of [`LANES`].
    start: usize,
    n_rows: usize,
}

/// A lower bound (not squared) for each row, never above the true distance.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// Every tile filled up to a multiple of [`LANES`] with infinity.
    lower: Vec<f32>,
    /// The least of every [`LANES`] bounds: most rows are passed over so many at a time.
    minima: Vec<f32>,
    tiles: Vec<Tile>,
    n_rows: usize,
}

impl Bounds {
    /// Forgets all rows and makes room for others.
    pub(super) fn clear(&mut self, n_rows: usize) {
        self.lower.clear();
        self.lower.reserve(n_rows);
        self.minima.clear();
        self.tiles.clear();
        self.n_rows = 0;
    }

    /// Takes in the next `n_rows` of a group, at most [`ROWS_A_TILE`], whose first one is `first`: their bounds and the
    /// least of every [`LANES`] of them, all 0.
    pub(super) fn add(&mut self, first: Place, n_rows: usize) -> (&mut [f32], &mut [f32]) {
        let (start, first_minimum) = (self.lower.len(), self.minima.len());
        self.lower.resize(start + n_rows, 0.0);
        self.lower.resize(start + n_rows.next_multiple_of(LANES), f32::INFINITY);
        self.minima.resize(first_minimum + n_rows.div_ceil(LANES), 0.0);
        self.tiles.push(Tile { first, start, n_rows });
        self.n_rows += n_rows;
        (&mut self.lower[start..start + n_rows], &mut self.minima[first_minimum..])
    }

    /// The k-th least bound, or something slightly larger; infinite where that leaves out nothing or `k` is 0.
    ///
    /// The k-th least among the minima serves where there are enough of them: k rows lie at or below it.
    pub(super) fn kth(&self, k: usize) -> f32 {
        if k == 0 || self.n_rows <= k {
            return f32::INFINITY;
        }
        let mut values = if self.minima.len() < 2 * k { self.lower.clone() } else { self.minima.clone() };
        *values.select_nth_unstable_by(k - 1, f32::total_cmp).1
    }

    /// Hands over the rows with a bound above `above` and up to `limit`, in the order in which they were added.
    pub(super) fn rows_within(&self, above: f32, limit: f32, mut take: impl FnMut(Place)) {
        for tile in &self.tiles {
            let lower = &self.lower[tile.start..tile.start + tile.n_rows];
            for (block, (lower, least)) in lower.chunks(LANES).zip(&self.minima[tile.start / LANES..]).enumerate() {
                if *least > limit {
                    continue;
                }
                // Which rows they are is hard to foresee for a processor: no branches.
                let (mut found, mut n_found) = ([0; LANES], 0);
                for (row, bound) in lower.iter().enumerate() {
                    found[n_found % LANES] = block * LANES + row;
                    n_found += usize::from(*bound > above) & usize::from(*bound <= limit);
                }
                for row in &found[..n_found] {
                    take(Place { position: tile.first.position + row, ..tile.first });
                }
            }
        }
    }
}
