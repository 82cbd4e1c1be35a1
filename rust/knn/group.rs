//! Rows with equal trailing columns, and how the nearest among them are found.

use ndarray::{ArrayView2, Axis, s};

use super::ball_tree::Tree;
use super::codes::{Codes, Origin};
use super::engine::Engine;
use super::search::Search;
use super::stored::Stored;
use crate::Result;
use crate::distance::squared_l2;

/// What proposes rows.
#[derive(Debug)]
enum Store {
    Scan(Codes),
    Tree(Tree),
}

/// Rows with equal trailing columns; the index holds the rows themselves.
#[derive(Debug)]
pub(super) struct Group {
    /// Position in the index's matrix of each row here, ascending.
    rows: Stored<u32>,
    /// Columns before the trailing ones.
    head_width: usize,
    tail: Vec<f32>,
    store: Store,
}

impl Group {
    /// The given `rows` of `features` (n, d), whose columns from `head_width` on are equal.
    pub(super) fn new(
        features: ArrayView2<'_, f32>,
        head_width: usize,
        rows: Vec<u32>,
        origin: &Origin,
        engine: Engine,
    ) -> Result<Self> {
        let heads = features.slice(s![.., ..head_width]);
        let tail = rows.first().map(|row| features.slice(s![*row as usize, head_width..]).to_vec()).unwrap_or_default();
        let tree = if engine == Engine::BallTree {
            let positions: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
            Tree::of(heads.select(Axis(0), &positions).into_shared())?
        } else {
            None
        };
        let store = match tree {
            Some(tree) => Store::Tree(tree),
            None => Store::Scan(Codes::of(heads, &rows, origin)),
        };
        Ok(Self { rows: rows.into(), head_width, tail, store })
    }

    /// A group whose codes were computed before; its columns from `head_width` on are `tail`.
    pub(super) fn stored(rows: Stored<u32>, head_width: usize, tail: Vec<f32>, codes: Codes) -> Self {
        Self { rows, head_width, tail, store: Store::Scan(codes) }
    }

    /// Which rows of the index they are.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Squared distance of their trailing columns from those of `query`, without its padding.
    pub(super) fn squared_distance(&self, query: &[f32]) -> f32 {
        squared_l2(&query[self.head_width..], &self.tail)
    }

    /// The codes of the rows; none where a tree stands for them.
    pub(super) fn scanned(&self) -> Option<&Codes> {
        match &self.store {
            Store::Scan(codes) => Some(codes),
            Store::Tree(_) => None,
        }
    }

    /// Offers to a search every row, out of the index's padded `features`, that can be among its nearest; nothing where
    /// there is no tree.
    ///
    /// First as many rows as are missing, whose true distances bound the range; then all rows within it, because the
    /// tree measures the head alone and breaks ties in an order of its own.
    pub(super) fn search_tree(&self, features: ArrayView2<'_, f32>, search: &mut Search<'_>) -> Result<()> {
        let Store::Tree(tree) = &self.store else { return Ok(()) };
        let head = &search.query[..self.head_width];
        if !tree.accepts(head) {
            (0..self.rows.len()).for_each(|position| self.offer(features, position, search));
            return Ok(());
        }
        let mut seen = Vec::new();
        let missing = search.nearest.missing();
        if missing > 0 {
            seen = tree.nearest(head, missing)?;
            seen.iter().for_each(|position| self.offer(features, *position, search));
            seen.sort_unstable();
        }
        let range = search.head_limit().unwrap_or(0.0);
        if range.is_infinite() {
            return Ok(()); // every row was among the missing ones
        }
        for position in tree.within(head, range)? {
            if seen.binary_search(&position).is_err() {
                self.offer(features, position, search);
            }
        }
        Ok(())
    }

    fn offer(&self, features: ArrayView2<'_, f32>, position: usize, search: &mut Search<'_>) {
        let number = self.rows[position];
        if let Some(row) = features.row(number as usize).to_slice() {
            search.nearest.offer(squared_l2(search.query, row), number);
        }
    }
}
