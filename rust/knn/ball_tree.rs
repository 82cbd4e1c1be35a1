//! Linfa's ball tree over one group of rows, held together with the rows that it borrows.

use linfa_nn::distance::Distance;
use linfa_nn::{BallTree, NearestNeighbour, NearestNeighbourIndex};
use ndarray::{ArcArray2, ArrayView2, aview1};
use self_cell::self_cell;

use crate::distance::{Euclidean, relative_error};
use crate::error::{Cause, ValueError};
use crate::{Error, Result, threads};

/// Linfa's own default.
const LEAF_SIZE: usize = 16;
/// Distances up to this have squares that are finite in float32, with room to spare.
const LARGEST: f32 = 1e18;

type BorrowedTree<'a> = Box<dyn NearestNeighbourIndex<f32> + Send + Sync + 'a>;

self_cell! {
    struct OwnedTree {
        owner: ArcArray2<f32>,
        #[covariant]
        dependent: BorrowedTree,
    }
}

/// A tree with its rows.
pub(super) struct Tree {
    tree: OwnedTree,
    /// No two rows are farther apart than this, and no ball is wider.
    diameter: f32,
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Tree").field(&self.tree.borrow_owner().dim()).finish()
    }
}

impl Tree {
    /// Builds the tree over `rows` (n, width), or nothing where Linfa's splits would not halve the rows.
    pub(super) fn of(rows: ArcArray2<f32>) -> Result<Option<Self>> {
        let to_first = |row| Euclidean.distance(row, rows.row(0));
        let diameter = 2.0 * rows.outer_iter().map(to_first).fold(0.0, f32::max);
        // Linfa panics on distances that overflow float32.
        if rows.ncols() == 0 || diameter > LARGEST || !splits_evenly(rows.view()) {
            return Ok(None);
        }
        let build =
            |rows| OwnedTree::try_new(rows, |rows| BallTree.from_batch_with_leaf_size(rows, LEAF_SIZE, Euclidean));
        let tree = threads::guarded(|| build(rows))?.map_err(refused)?;
        Ok(Some(Self { tree, diameter }))
    }

    /// Whether Linfa's arithmetic can take `query`, as wide as the rows.
    pub(super) fn accepts(&self, query: &[f32]) -> bool {
        Euclidean.distance(aview1(query), self.tree.borrow_owner().row(0)) < LARGEST
    }

    /// Positions of the `k` rows that are nearest, up to rounding.
    pub(super) fn nearest(&self, query: &[f32], k: usize) -> Result<Vec<usize>> {
        let found = threads::guarded(|| self.tree.borrow_dependent().k_nearest(aview1(query), k))?;
        Ok(found.map_err(refused)?.into_iter().map(|(_, position)| position).collect())
    }

    /// Positions of all rows within `range`, and perhaps of some just beyond it.
    pub(super) fn within(&self, query: &[f32], range: f32) -> Result<Vec<usize>> {
        // The tree's bounds are differences of distances to centres, each with a relative rounding error of its own.
        let range = range + 4.0 * relative_error(query.len()) * (range + self.diameter);
        let found = threads::guarded(|| self.tree.borrow_dependent().within_range(aview1(query), range))?;
        Ok(found.map_err(refused)?.into_iter().map(|(_, position)| position).collect())
    }
}

fn refused(error: impl Into<Cause>) -> Error {
    ValueError::Refused { library: "ball tree", cause: error.into() }.into()
}

/// Whether Linfa's rule of splitting (widest column, at its median) ends after about log n levels.
///
/// Columns that hold one value in most rows (one-hots, sparse hashes, repeated rows) make it split off one row a
/// level: seconds to build, and recursion as deep as there are rows. The rule is followed here without building.
fn splits_evenly(rows: ArrayView2<'_, f32>) -> bool {
    let deepest = 2 * rows.nrows().max(1).ilog2() + 8;
    let mut open = vec![((0..rows.nrows()).collect::<Vec<_>>(), 0)];
    while let Some((mut positions, depth)) = open.pop() {
        if positions.len() <= LEAF_SIZE {
            continue;
        }
        if depth >= deepest {
            return false;
        }
        let column = widest_column(rows, &positions);
        let value = |position: &usize| rows[(*position, column)];
        let middle = positions.len() / 2;
        positions.select_nth_unstable_by(middle, |a, b| value(a).total_cmp(&value(b)));
        let median = value(&positions[middle]);
        let (mut left, mut right): (Vec<_>, Vec<_>) = positions.into_iter().partition(|p| value(p) < median);
        if left.is_empty() {
            left.extend(right.pop());
        }
        open.push((left, depth + 1));
        open.push((right, depth + 1));
    }
    true
}

fn widest_column(rows: ArrayView2<'_, f32>, positions: &[usize]) -> usize {
    let mut least = vec![f32::INFINITY; rows.ncols()];
    let mut most = vec![f32::NEG_INFINITY; rows.ncols()];
    for position in positions {
        for ((value, least), most) in rows.row(*position).iter().zip(&mut least).zip(&mut most) {
            *least = least.min(*value);
            *most = most.max(*value);
        }
    }
    let widths = least.iter().zip(&most).map(|(least, most)| most - least);
    widths.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(column, _)| column)
}
