//! Rows with equal trailing columns, and how the nearest among them are found.

use ndarray::{ArrayView2, Axis, s};

use super::ball_tree::Tree;
use super::bounds::Bounds;
use super::codes::{Codes, Origin, QueryCodes};
use super::engine::Engine;
use super::nearest::Nearest;
use super::stored::Stored;
use crate::Result;
use crate::distance::{relative_error, squared_l2};

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

/// One query on its way through the groups.
#[derive(Debug)]
pub(super) struct Search<'q> {
    /// Padded.
    query: &'q [f32],
    codes: QueryCodes,
    pub(super) nearest: Nearest,
    /// Groups with the squared distances of their trailing columns, nearest first.
    order: Vec<(f32, usize)>,
    /// How many of them were visited.
    n_visited: usize,
    /// Of the group that is being visited.
    bounds: Bounds,
}

impl<'q> Search<'q> {
    /// Starts a search for the `k` nearest rows of all `groups`, whose rows are `n_features` wide.
    pub(super) fn new(query: &'q [f32], n_features: usize, k: usize, groups: &[Group], origin: &Origin) -> Self {
        let distance = |group: &Group| squared_l2(&query[group.head_width..n_features], &group.tail);
        let mut order: Vec<_> = groups.iter().enumerate().map(|(index, group)| (distance(group), index)).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let scans = groups.iter().any(|group| matches!(group.store, Store::Scan(_)));
        let codes = if scans { QueryCodes::of(&query[..origin.width()], origin) } else { QueryCodes::default() };
        Self { query, codes, nearest: Nearest::of(k), order, n_visited: 0, bounds: Bounds::default() }
    }

    /// The group to visit next; none once no group can hold a nearer row.
    pub(super) fn next_group(&mut self) -> Option<usize> {
        let (_, group) = *self.order.get(self.n_visited)?;
        self.head_limit().map(|_| group)
    }

    /// How far (not squared) the head of a row of the next group may be for the whole row to be among the nearest.
    ///
    /// `None`: no row can be. Rounded so that it errs towards looking at a row.
    fn head_limit(&mut self) -> Option<f32> {
        let limit = self.nearest.limit();
        if limit.is_infinite() {
            return Some(f32::INFINITY);
        }
        // Differences below about 1e-19 square to nothing in float32; the constant covers thousands of them.
        let tiny = 1e-34;
        let error = f64::from(relative_error(self.query.len()));
        let (tail, _) = self.order[self.n_visited];
        let squared = f64::from(limit) * (1.0 + error) + tiny - f64::from(tail) * (1.0 - error);
        #[expect(clippy::cast_possible_truncation, reason = "rounded up by the factor")]
        (squared >= 0.0).then(|| squared.sqrt() as f32 * (1.0 + 4.0 * f32::EPSILON))
    }
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

    /// Its rows and their codes; none where a tree stands for them.
    pub(super) fn scanned(&self) -> Option<(&[u32], &Codes)> {
        match &self.store {
            Store::Scan(codes) => Some((&self.rows, codes)),
            Store::Tree(_) => None,
        }
    }

    /// Offers to each search every row of this group, out of the index's padded `features`, that can be among its
    /// nearest.
    pub(super) fn visit(&self, features: ArrayView2<'_, f32>, searches: &mut [&mut Search<'_>]) -> Result<()> {
        match &self.store {
            Store::Tree(tree) => {
                searches.iter_mut().try_for_each(|search| self.propose_by_tree(features, tree, search))?;
            }
            Store::Scan(codes) => {
                let mut queries: Vec<_> =
                    searches.iter_mut().map(|search| (&search.codes, &mut search.bounds)).collect();
                codes.bound(&mut queries);
                searches.iter_mut().for_each(|search| self.propose_by_bounds(features, search));
            }
        }
        searches.iter_mut().for_each(|search| search.n_visited += 1);
        Ok(())
    }

    /// First as many rows as are missing, those with the least bounds; their true distances then say which others
    /// must be looked at.
    fn propose_by_bounds(&self, features: ArrayView2<'_, f32>, search: &mut Search<'_>) {
        let bounds = std::mem::take(&mut search.bounds);
        let limit = search.head_limit().unwrap_or(0.0);
        let first = limit.min(bounds.kth(search.nearest.missing()));
        bounds.rows_within(f32::NEG_INFINITY, first).for_each(|position| self.offer(features, position, search));
        let second = search.head_limit().unwrap_or(0.0);
        if second > first {
            bounds.rows_within(first, second).for_each(|position| self.offer(features, position, search));
        }
        search.bounds = bounds;
    }

    /// First as many rows as are missing, whose true distances bound the range; then all rows within it, because the
    /// tree measures the head alone and breaks ties in an order of its own.
    fn propose_by_tree(&self, features: ArrayView2<'_, f32>, tree: &Tree, search: &mut Search<'_>) -> Result<()> {
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
