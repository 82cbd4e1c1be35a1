//! Exact nearest neighbours by squared Euclidean distance.
//!
//! Rows with equal trailing columns (the category one-hot) form a group. The distance of the trailing parts is a
//! lower bound for the whole group, so groups are visited nearest first and the visit ends once the k-th best row is
//! nearer than the next group can be: with a category given, after about 1/14 of the rows.
//!
//! Inside a group one of two engines proposes rows, by bounds that hold for the rounding of float32 too; every
//! proposed row is then measured by [`squared_l2`] on the whole row. So both give the same rows and the same bits.

mod ball_tree;
mod codes;
mod nearest;

use std::collections::HashMap;
use std::str::FromStr;

use ndarray::{ArcArray2, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::distance::{relative_error, squared_l2};
use crate::matrix::{check_finite, check_width, with_padded_rows};
use crate::{Error, Result, threads};
use ball_tree::Tree;
use codes::{Codes, Origin, QueryCodes};
use nearest::Nearest;

/// With more patterns of trailing columns than this, the rows stay one group.
const MOST_GROUPS: usize = 256;
/// Batches that read fewer bytes of codes than this stay on the calling thread: waking others would cost more.
const BYTES_WORTH_THREADS: usize = 4 << 20;

/// How rows within a group are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A scan of byte codes with proven bounds, then float32 for the rows within them.
    Flat,
    /// Linfa's ball tree.
    BallTree,
}

impl Engine {
    /// The name in files and flags.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::BallTree => "ball-tree",
        }
    }
}

impl FromStr for Engine {
    type Err = Error;

    /// `auto` is the scan: at the widths of embeddings a ball tree visits nearly every row and was slower at every
    /// size measured (benches/README.md).
    fn from_str(name: &str) -> Result<Self> {
        match name {
            "auto" | "flat" => Ok(Self::Flat),
            "ball-tree" => Ok(Self::BallTree),
            _ => Err(Error::Value(format!("engine: {name:?} is none of auto, flat, ball-tree"))),
        }
    }
}

/// What finds rows inside one group.
#[derive(Debug)]
enum Store {
    Scan(Codes),
    Tree(Tree),
}

/// Rows with equal trailing columns.
#[derive(Debug)]
struct Group {
    /// Position in the caller's matrix of each row here, ascending.
    rows: Vec<u32>,
    /// Whole rows, padded.
    features: ArcArray2<f32>,
    tail: Vec<f32>,
    store: Store,
}

/// An index over the rows of a matrix; it never changes.
#[derive(Debug)]
pub struct KnnIndex {
    engine: Engine,
    n_rows: usize,
    n_features: usize,
    /// Columns before the trailing ones.
    head_width: usize,
    origin: Origin,
    groups: Vec<Group>,
}

/// Neighbours of a batch of queries, nearest first, ties by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbours {
    /// Rows of the index, (m, min(k, n)).
    pub rows: Array2<u32>,
    /// Squared distances, (m, min(k, n)).
    pub squared_distances: Array2<f32>,
}

/// Buffers of one search, reused by the next.
#[derive(Debug, Default)]
struct Scratch {
    nearest: Nearest,
    order: Vec<(f32, usize)>,
    query: QueryCodes,
    products: Vec<i32>,
    lower: Vec<f32>,
    minima: Vec<f32>,
}

impl KnnIndex {
    /// Builds an index of `features` (n, d) whose last `n_category_columns` columns say which group a row is in.
    ///
    /// # Errors
    /// [`Error::Value`] for no rows, more than `u32::MAX` rows, more category columns than columns, or values that
    /// are not finite.
    pub fn new(features: ArrayView2<'_, f32>, n_category_columns: usize, engine: Engine) -> Result<Self> {
        let (n_rows, n_features) = features.dim();
        if n_rows == 0 || n_features == 0 {
            return Err(Error::Value(format!(
                "features: shape ({n_rows}, {n_features}), expected at least one row and one column"
            )));
        }
        if u32::try_from(n_rows).is_err() {
            return Err(Error::Value(format!("features: {n_rows} rows, at most {} are supported", u32::MAX)));
        }
        let Some(mut head_width) = n_features.checked_sub(n_category_columns) else {
            return Err(Error::Value(format!(
                "n_category_columns: {n_category_columns}, but features have {n_features} columns only"
            )));
        };
        check_finite("features", features)?;
        let mut members = group_rows(features.slice(s![.., head_width..]));
        if members.len() > MOST_GROUPS {
            head_width = n_features;
            members = group_rows(features.slice(s![.., head_width..]));
        }
        let origin = Origin::mean_of(features.slice(s![.., ..head_width]));
        let build = |rows: Vec<u32>| Group::new(features, head_width, rows, &origin, engine);
        let groups = threads::install(|| members.into_par_iter().map(build).collect::<Result<_>>())??;
        Ok(Self { engine, n_rows, n_features, head_width, origin, groups })
    }

    /// The engine in use.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// How many rows are indexed.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// How wide a row is.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Finds the `k` nearest rows of every query in `queries` (m, d).
    ///
    /// A single query, and a batch that is small, runs on the calling thread.
    ///
    /// # Errors
    /// [`Error::Value`] for `k` = 0, another width, or values that are not finite.
    pub fn search(&self, queries: ArrayView2<'_, f32>, k: usize) -> Result<Neighbours> {
        check_width("features", queries.ncols(), self.n_features)?;
        if k == 0 {
            return Err(Error::Value("k: 0, expected at least 1".to_owned()));
        }
        check_finite("features", queries)?;
        let queries = with_padded_rows(queries);
        let k = k.min(self.n_rows);
        let shape = (queries.nrows(), k);
        let mut rows = vec![0; shape.0 * k];
        let mut distances = vec![0.0; shape.0 * k];
        let outputs = rows.chunks_exact_mut(k).zip(distances.chunks_exact_mut(k));
        let mut tasks: Vec<_> = queries.outer_iter().zip(outputs).collect();
        let answer = |scratch: &mut Scratch, query: ArrayView1<'_, f32>, rows: &mut [u32], distances: &mut [f32]| {
            self.search_one(query.to_slice().unwrap_or_default(), k, scratch)?;
            scratch.nearest.write(rows, distances);
            Ok(())
        };
        if shape.0 == 1 || shape.0 * self.n_rows / self.groups.len() * self.n_features < BYTES_WORTH_THREADS {
            let mut scratch = Scratch::default();
            for (query, (rows, distances)) in tasks {
                answer(&mut scratch, query, rows, distances)?;
            }
        } else {
            threads::install(|| {
                tasks.par_iter_mut().try_for_each_init(Scratch::default, |scratch, (query, (rows, distances))| {
                    answer(scratch, *query, rows, distances)
                })
            })??;
        }
        let wrong_shape = |error: ndarray::ShapeError| Error::Value(error.to_string());
        let found = Neighbours {
            rows: Array2::from_shape_vec(shape, rows).map_err(wrong_shape)?,
            squared_distances: Array2::from_shape_vec(shape, distances).map_err(wrong_shape)?,
        };
        Ok(found)
    }

    /// Leaves the neighbours of one padded query in `scratch`.
    fn search_one(&self, query: &[f32], k: usize, scratch: &mut Scratch) -> Result<()> {
        let error = relative_error(self.n_features);
        let tail = &query[self.head_width..self.n_features];
        scratch.nearest.reset(k);
        scratch.order.clear();
        scratch.order.extend(self.groups.iter().enumerate().map(|(i, group)| (squared_l2(tail, &group.tail), i)));
        scratch.order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        if self.engine == Engine::Flat || self.groups.iter().any(|group| matches!(group.store, Store::Scan(_))) {
            scratch.query.encode(&query[..self.head_width], &self.origin);
        }
        for position in 0..scratch.order.len() {
            let (tail_distance, group) = scratch.order[position];
            let limit = scratch.nearest.limit();
            if head_limit(limit, tail_distance, error).is_none() {
                break;
            }
            self.groups[group].search(query, self.head_width, tail_distance, error, scratch)?;
        }
        Ok(())
    }
}

/// How far (not squared) the head of a row may be for the whole row to be measured at `limit` (squared) or nearer.
///
/// `None`: no row can. Rounded so that it errs towards looking at a row.
fn head_limit(limit: f32, tail_distance: f32, error: f32) -> Option<f32> {
    if limit.is_infinite() {
        return Some(f32::INFINITY);
    }
    // Differences below about 1e-19 square to nothing in float32; the constant covers thousands of them.
    let tiny = 1e-34;
    let squared = f64::from(limit) * f64::from(1.0 + error) + tiny - f64::from(tail_distance) * f64::from(1.0 - error);
    #[expect(clippy::cast_possible_truncation, reason = "rounded up by the factor")]
    (squared >= 0.0).then(|| squared.sqrt() as f32 * (1.0 + 4.0 * f32::EPSILON))
}

/// Positions of the rows with equal trailing columns, groups in order of first appearance.
fn group_rows(tails: ArrayView2<'_, f32>) -> Vec<Vec<u32>> {
    let mut groups: Vec<Vec<u32>> = Vec::new();
    let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
    for (row, tail) in (0..).zip(tails.outer_iter()) {
        // Adding 0 makes -0 and 0 the same pattern.
        let pattern = tail.iter().map(|value| (value + 0.0).to_bits()).collect();
        let group = *known.entry(pattern).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(row);
    }
    groups
}

impl Group {
    fn new(
        features: ArrayView2<'_, f32>,
        head_width: usize,
        rows: Vec<u32>,
        origin: &Origin,
        engine: Engine,
    ) -> Result<Self> {
        let positions: Vec<usize> = rows.iter().map(|row| *row as usize).collect();
        let own = features.select(Axis(0), &positions);
        let tail = own.slice(s![0, head_width..]).to_vec();
        let features = with_padded_rows(own.view()).into_shared();
        let heads = features.clone().slice_move(s![.., ..head_width]);
        let tree = if engine == Engine::BallTree { Tree::of(heads.clone())? } else { None };
        let store = match tree {
            Some(tree) => Store::Tree(tree),
            None => Store::Scan(Codes::of(heads.view(), origin)),
        };
        Ok(Self { rows, features, tail, store })
    }

    /// Offers every row of this group that can be among the nearest.
    fn search(
        &self,
        query: &[f32],
        head_width: usize,
        tail_distance: f32,
        error: f32,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let limit = |nearest: &mut Nearest| head_limit(nearest.limit(), tail_distance, error).unwrap_or(0.0);
        match &self.store {
            Store::Tree(tree) => {
                let head = &query[..head_width];
                if !tree.accepts(head) {
                    (0..self.rows.len()).for_each(|position| self.offer(query, position, &mut scratch.nearest));
                    return Ok(());
                }
                // First any k rows, whose true distances bound the range; then all rows within it, because the tree
                // measures the head alone and breaks ties in an order of its own.
                let mut seen = Vec::new();
                let missing = scratch.nearest.missing();
                if missing > 0 {
                    seen = tree.nearest(head, missing)?;
                    seen.iter().for_each(|position| self.offer(query, *position, &mut scratch.nearest));
                    seen.sort_unstable();
                }
                let range = limit(&mut scratch.nearest);
                if range.is_infinite() {
                    return Ok(()); // every row was among the `missing`
                }
                for position in tree.within(head, range)? {
                    if seen.binary_search(&position).is_err() {
                        self.offer(query, position, &mut scratch.nearest);
                    }
                }
            }
            Store::Scan(codes) => {
                codes.lower_bounds(&scratch.query, &mut scratch.products, &mut scratch.lower);
                // First the rows with the least bounds, as many as are missing: their true distances then say how
                // far the others must be looked at.
                let first = limit(&mut scratch.nearest).min(kth_smallest(
                    &scratch.lower,
                    scratch.nearest.missing(),
                    &mut scratch.minima,
                ));
                for (position, lower) in scratch.lower.iter().enumerate() {
                    if *lower <= first {
                        self.offer(query, position, &mut scratch.nearest);
                    }
                }
                let second = limit(&mut scratch.nearest);
                if second > first {
                    for (position, lower) in scratch.lower.iter().enumerate() {
                        if *lower > first && *lower <= second {
                            self.offer(query, position, &mut scratch.nearest);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn offer(&self, query: &[f32], position: usize, nearest: &mut Nearest) {
        if let Some(row) = self.features.row(position).to_slice() {
            nearest.offer(squared_l2(query, row), self.rows[position]);
        }
    }
}

/// The k-th smallest value, or something slightly larger; infinite where that leaves out nothing or `k` is 0.
///
/// The k-th smallest among the minima of short chunks: k values lie at or below it, found in a sixteenth of the time.
fn kth_smallest(values: &[f32], k: usize, minima: &mut Vec<f32>) -> f32 {
    if k == 0 || values.len() <= k {
        return f32::INFINITY;
    }
    let chunk = [16, 4].into_iter().find(|chunk| values.len() / chunk >= 2 * k).unwrap_or(1);
    minima.clear();
    minima.extend(values.chunks(chunk).map(|chunk| chunk.iter().copied().fold(f32::INFINITY, f32::min)));
    *minima.select_nth_unstable_by(k - 1, f32::total_cmp).1
}
