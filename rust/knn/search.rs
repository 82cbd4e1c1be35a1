//! Queries on their way through the groups of an index.

use std::ops::Range;

use ndarray::ArrayView2;

use super::bounds::{Bounds, Place, ROWS_A_TILE};
use super::codes::{Origin, QueryCodes};
use super::group::Group;
use super::nearest::Nearest;
use crate::Result;
use crate::distance::{relative_error, squared_l2};

/// How many rows ahead of the one that is measured are asked for: they lie all over the memory.
const ROWS_AHEAD: usize = 2;

/// A row that can be among the nearest.
#[derive(Debug, Clone, Copy)]
struct Proposed {
    /// The group, and the tile there.
    tile: (usize, usize),
    row: u32,
}

/// One query.
#[derive(Debug)]
pub(super) struct Search<'q> {
    /// Padded.
    pub(super) query: &'q [f32],
    codes: QueryCodes,
    pub(super) nearest: Nearest,
    /// Groups with the squared distances of their trailing columns, nearest first.
    order: Vec<(f32, usize)>,
    /// Those of them that are being visited: all whose trailing columns are as far.
    ring: Range<usize>,
    /// Of the rows of these groups.
    bounds: Bounds,
    /// The rows that a bound up to this has been enough for.
    looked_at: f32,
    proposed: Vec<Proposed>,
    n_measured: usize,
}

impl<'q> Search<'q> {
    /// Starts a search for the `k` nearest rows of all `groups`, whose rows are `n_features` wide.
    pub(super) fn new(query: &'q [f32], n_features: usize, k: usize, groups: &[Group], origin: &Origin) -> Self {
        let distance = |group: &Group| squared_l2(&query[group.head_width()..n_features], group.tail());
        let mut order: Vec<_> = groups.iter().enumerate().map(|(index, group)| (distance(group), index)).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let scans = groups.iter().any(|group| group.scanned().is_some());
        let codes = if scans { QueryCodes::of(&query[..origin.width()], origin) } else { QueryCodes::default() };
        Self {
            query,
            codes,
            nearest: Nearest::of(k),
            order,
            ring: 0..0,
            bounds: Bounds::default(),
            looked_at: f32::NEG_INFINITY,
            proposed: Vec::new(),
            n_measured: 0,
        }
    }

    /// Moves on to the next groups; false once no group can hold a nearer row.
    fn advance(&mut self) -> bool {
        self.ring = self.ring.end..self.ring.end;
        let Some(&(tail, _)) = self.order.get(self.ring.start) else { return false };
        let n_alike = self.order[self.ring.start..].iter().take_while(|(other, _)| *other == tail).count();
        self.ring.end += n_alike.max(1);
        if self.head_limit().is_none() {
            self.ring.end = self.ring.start;
            return false;
        }
        self.bounds.clear();
        self.looked_at = f32::NEG_INFINITY;
        true
    }

    /// How far (not squared) the head of a row of these groups may be for the whole row to be among the nearest.
    ///
    /// `None`: no row can be. Rounded so that it errs towards looking at a row.
    pub(super) fn head_limit(&mut self) -> Option<f32> {
        let limit = self.nearest.limit();
        if limit.is_infinite() {
            return Some(f32::INFINITY);
        }
        // Differences below about 1e-19 square to nothing in float32; the constant covers thousands of them.
        let tiny = 1e-34;
        let error = f64::from(relative_error(self.query.len()));
        let (tail, _) = self.order[self.ring.start];
        let squared = f64::from(limit) * (1.0 + error) + tiny - f64::from(tail) * (1.0 - error);
        #[expect(clippy::cast_possible_truncation, reason = "rounded up by the factor")]
        (squared >= 0.0).then(|| squared.sqrt() as f32 * (1.0 + 4.0 * f32::EPSILON))
    }

    /// Proposes the rows with bounds up to `limit` that were not proposed before.
    fn propose(&mut self, groups: &[Group], limit: f32) {
        let places = self.bounds.rows_within(self.looked_at, limit);
        let proposed = places.map(|Place { group, position }| Proposed {
            tile: (group, position / ROWS_A_TILE),
            row: groups[group].rows()[position],
        });
        self.proposed.extend(proposed);
        self.looked_at = self.looked_at.max(limit);
    }

    /// Measures the rows that are proposed next, as long as they lie in one tile.
    fn measure(&mut self, features: ArrayView2<'_, f32>, tile: (usize, usize), is_alone: bool) {
        while let Some(&proposed) = self.proposed.get(self.n_measured).filter(|proposed| proposed.tile == tile) {
            let row = |proposed: &Proposed| features.row(proposed.row as usize).to_slice();
            // Of a batch most rows are near already, and a hint takes as long as a distance.
            if is_alone && let Some(ahead) = self.proposed.get(self.n_measured + ROWS_AHEAD).and_then(row) {
                prefetch(ahead);
            }
            if let Some(row) = row(&proposed) {
                self.nearest.offer(squared_l2(self.query, row), proposed.row);
            }
            self.n_measured += 1;
        }
    }
}

/// Searches the `groups` of an index, whose padded rows are `features`, for all queries.
pub(super) fn search_groups(
    features: ArrayView2<'_, f32>,
    groups: &[Group],
    searches: &mut [Search<'_>],
) -> Result<()> {
    loop {
        let mut visits = Vec::new();
        for (number, search) in searches.iter_mut().enumerate() {
            if search.advance() {
                visits.extend(search.order[search.ring.clone()].iter().map(|(_, group)| (*group, number)));
            }
        }
        if visits.is_empty() {
            return Ok(());
        }
        visits.sort_unstable();
        for visits in visits.chunk_by(|(a, _), (b, _)| a == b) {
            let (number, group) = (visits[0].0, &groups[visits[0].0]);
            let mut asked = visits.iter().map(|(_, search)| *search).peekable();
            let together = searches.iter_mut().enumerate().filter(|(search, _)| asked.next_if_eq(search).is_some());
            let mut together: Vec<_> = together.map(|(_, search)| search).collect();
            match group.scanned() {
                Some(codes) => {
                    let mut queries: Vec<_> =
                        together.iter_mut().map(|search| (&search.codes, &mut search.bounds)).collect();
                    codes.bound(number, &mut queries);
                }
                None => together.iter_mut().try_for_each(|search| group.search_tree(features, search))?,
            }
        }
        // First as many rows as are missing, those with the least bounds; their true distances then say which others
        // must be looked at.
        for search in searches.iter_mut().filter(|search| !search.ring.is_empty()) {
            let limit = search.head_limit().unwrap_or(0.0).min(search.bounds.kth(search.nearest.missing()));
            search.propose(groups, limit);
        }
        measure(features, searches);
        for search in searches.iter_mut().filter(|search| !search.ring.is_empty()) {
            let limit = search.head_limit().unwrap_or(0.0);
            search.propose(groups, limit);
        }
        measure(features, searches);
    }
}

/// Measures all rows that were proposed, tile by tile, so that one that several queries ask for is read once.
fn measure(features: ArrayView2<'_, f32>, searches: &mut [Search<'_>]) {
    let next = |search: &Search<'_>| search.proposed.get(search.n_measured).map(|proposed| proposed.tile);
    let is_alone = searches.len() == 1;
    while let Some(tile) = searches.iter().filter_map(next).min() {
        searches.iter_mut().for_each(|search| search.measure(features, tile, is_alone));
    }
    for search in searches {
        search.proposed.clear();
        search.n_measured = 0;
    }
}

/// Asks for a row before it is needed.
fn prefetch(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which every processor of the target knows, and no access.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}
