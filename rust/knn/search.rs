//! Queries on their way through the groups of an index.

use std::ops::Range;

use ndarray::ArrayView2;

use super::bounds::{Bounds, Measure};
use super::codes::{Origin, QueryCodes};
use super::group::Group;
use super::nearest::Nearest;
use crate::Result;
use crate::distance::squared_l2;

/// How many rows ahead of the one that is measured are asked for: they lie all over the memory.
const ROWS_AHEAD: usize = 2;

/// Into how many parts of consecutive rows those to be measured are sorted.
const MOST_NEIGHBOURHOODS: usize = 2048;

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
}

impl<'q> Search<'q> {
    /// Starts a search for the `k` nearest rows of all `groups`, whose rows are `n_features` wide.
    pub(super) fn new(query: &'q [f32], n_features: usize, k: usize, groups: &[Group], origin: &Origin) -> Self {
        let distances = groups.iter().map(|group| group.squared_distance(&query[..n_features]));
        let mut order: Vec<_> = distances.zip(0..).collect();
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
        }
    }

    /// Moves on to the next groups; false once no group can hold a nearer row.
    fn advance(&mut self) -> bool {
        self.ring = self.ring.end..self.ring.end;
        let Some(&(tail, _)) = self.order.get(self.ring.start) else { return false };
        let n_alike = self.order[self.ring.start..].iter().take_while(|(other, _)| *other == tail).count();
        self.ring.end += n_alike.max(1);
        let Some(limit) = self.head_limit() else {
            self.ring.end = self.ring.start;
            return false;
        };
        self.bounds.restart(self.nearest.missing(), limit, self.measure());
        self.looked_at = f32::NEG_INFINITY;
        true
    }

    fn measure(&self) -> Measure {
        Measure { width: self.query.len(), tail: self.order[self.ring.start].0 }
    }

    /// How far (not squared) the head of a row of these groups may be for the whole row to be among the nearest.
    ///
    /// `None`: no row can be.
    pub(super) fn head_limit(&mut self) -> Option<f32> {
        let limit = self.nearest.limit();
        if limit.is_infinite() { Some(f32::INFINITY) } else { self.measure().head_limit(f64::from(limit)) }
    }

    /// The rows with bounds up to `limit` that were not proposed before.
    fn propose(&mut self, limit: f32) -> impl Iterator<Item = u32> {
        let above = self.looked_at;
        self.looked_at = above.max(limit);
        self.bounds.rows_within(above, limit)
    }
}

/// Searches the `groups` of an index, whose padded rows are `features`, for all queries.
pub(super) fn search_groups(
    features: ArrayView2<'_, f32>,
    groups: &[Group],
    searches: &mut [Search<'_>],
) -> Result<()> {
    let (mut proposed, mut sorted) = (Vec::new(), Vec::new());
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
            let group = &groups[visits[0].0];
            let mut asked = visits.iter().map(|(_, search)| *search).peekable();
            let together = searches.iter_mut().enumerate().filter(|(search, _)| asked.next_if_eq(search).is_some());
            let mut together: Vec<_> = together.map(|(_, search)| search).collect();
            match group.scanned() {
                Some(codes) => {
                    let mut queries: Vec<_> =
                        together.iter_mut().map(|search| (&search.codes, &mut search.bounds)).collect();
                    codes.bound(group.rows(), &mut queries);
                }
                None => together.iter_mut().try_for_each(|search| group.search_tree(features, search))?,
            }
        }
        // First as many rows as are missing, those with the least bounds; their true distances then say which others
        // must be looked at.
        for is_first in [true, false] {
            for (number, search) in searches.iter_mut().enumerate().filter(|(_, search)| !search.ring.is_empty()) {
                let limit = search.head_limit().unwrap_or(0.0);
                let limit = if is_first { limit.min(search.bounds.kth(search.nearest.missing())) } else { limit };
                proposed.extend(search.propose(limit).map(|row| u64::from(row) << 32 | number as u64));
            }
            by_row(&mut proposed, &mut sorted, features.nrows());
            measure(features, searches, &sorted);
        }
    }
}

/// Measures the rows that were `proposed`, each in the upper half of a number whose lower half says for which search:
/// sorted, one that several queries ask for is read once.
fn measure(features: ArrayView2<'_, f32>, searches: &mut [Search<'_>], proposed: &[u64]) {
    let row_of = |proposed: u64| (proposed >> 32) as u32;
    let mut read = None;
    for (asked, ahead) in proposed.iter().zip(proposed.iter().skip(ROWS_AHEAD).map(Some).chain([None; ROWS_AHEAD])) {
        let ahead = ahead.map(|ahead| row_of(*ahead)).filter(|ahead| read.replace(*ahead) != Some(*ahead));
        if let Some(ahead) = ahead.and_then(|row| features.row(row as usize).to_slice()) {
            prefetch(ahead);
        }
        if let Some(row) = features.row(row_of(*asked) as usize).to_slice() {
            let search = &mut searches[(asked & u64::from(u32::MAX)) as usize];
            search.nearest.offer(squared_l2(search.query, row), row_of(*asked));
        }
    }
}

/// Moves what was `proposed` to `sorted`, in the order of the rows up to neighbourhoods: sorting took a tenth of a search.
fn by_row(proposed: &mut Vec<u64>, sorted: &mut Vec<u64>, n_rows: usize) {
    sorted.clear();
    if proposed.len() < MOST_NEIGHBOURHOODS {
        proposed.sort_unstable();
        std::mem::swap(proposed, sorted);
        return;
    }
    let shift = 32 + (n_rows / MOST_NEIGHBOURHOODS).checked_ilog2().map_or(0, |power| power + 1);
    let mut starts = [0_u32; MOST_NEIGHBOURHOODS + 1];
    proposed.iter().for_each(|proposed| starts[(proposed >> shift) as usize + 1] += 1);
    (1..starts.len()).for_each(|next| starts[next] += starts[next - 1]);
    sorted.resize(proposed.len(), 0);
    for proposed in proposed.drain(..) {
        let place = &mut starts[(proposed >> shift) as usize];
        sorted[*place as usize] = proposed;
        *place += 1;
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
