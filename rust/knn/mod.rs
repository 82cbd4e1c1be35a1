//! Exact nearest neighbours by squared Euclidean distance.
//!
//! Rows with equal trailing columns (the category one-hot) form a group. The distance of the trailing parts is a
//! lower bound for the whole group, so groups are visited nearest first and the visit ends once the k-th best row is
//! nearer than the next group can be: with a category given, after about 1/14 of the rows.
//!
//! Inside a group one of two engines proposes rows, by bounds that hold for the rounding of float32 too; every
//! proposed row is then measured by [`squared_l2`] on the whole row. So both give the same rows and the same bits.

mod ball_tree;
mod bounds;
mod codes;
mod engine;
mod group;
mod nearest;
mod products;
mod search;
mod stored;
mod votes;

use std::collections::HashMap;

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;

use crate::error::ValueError;
use crate::matrix::{check_finite, check_width, matrix, matrix_view, padded_width, with_padded_rows};
use crate::{Result, threads};
use codes::{Codes, Origin};
pub use engine::Engine;
use group::Group;
use search::{Search, search_groups};
pub use stored::{Numbers, Parts, Stored};
pub use votes::{WeightedSums, weighted_sums, weights};

/// With more patterns of trailing columns than this, the rows stay one group.
const MOST_GROUPS: usize = 256;
/// Batches that read fewer bytes of codes than this stay on the calling thread: waking others would cost more.
const BYTES_WORTH_THREADS: usize = 4 << 20;
/// Queries that go over the same codes together, at most.
const QUERIES_A_TASK: usize = 64;
/// Bounds that a task holds at most where none can be left out, unless it has only four queries: 64 MB.
const BOUNDS_A_TASK: usize = 1 << 23;

/// An index over the rows of a matrix; it never changes.
#[derive(Debug)]
pub struct KnnIndex {
    engine: Engine,
    n_features: usize,
    n_rows: usize,
    /// All rows in the caller's order, padded.
    features: Stored<f32>,
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

/// A padded query, and where its neighbours and their squared distances belong.
type Asked<'a> = (&'a [f32], (&'a mut [u32], &'a mut [f32]));

impl KnnIndex {
    /// Builds an index of `features` (n, d) whose last `n_category_columns` columns say which group a row is in.
    ///
    /// # Errors
    /// [`Error::Value`] for no rows, more than `u32::MAX` rows, more category columns than columns, or values that
    /// are not finite.
    pub fn new(features: ArrayView2<'_, f32>, n_category_columns: usize, engine: Engine) -> Result<Self> {
        Self::of_padded(with_padded_rows(features), features.ncols(), n_category_columns, engine)
    }

    /// As [`KnnIndex::new`], of rows that [`with_padded_rows`] has copied already and that are `n_features` wide.
    ///
    /// # Errors
    /// As [`KnnIndex::new`].
    pub fn of_padded(
        padded: Array2<f32>,
        n_features: usize,
        n_category_columns: usize,
        engine: Engine,
    ) -> Result<Self> {
        let features = padded.slice(s![.., ..n_features]);
        let n_rows = features.nrows();
        if n_rows == 0 || n_features == 0 {
            return Err(ValueError::Empty { name: "features", shape: (n_rows, n_features) }.into());
        }
        if u32::try_from(n_rows).is_err() {
            let what = format!("{n_rows} rows, at most {} are supported", u32::MAX);
            return Err(ValueError::TooLarge { name: "features", what }.into());
        }
        let Some(mut head_width) = n_features.checked_sub(n_category_columns) else {
            return Err(ValueError::CategoryColumns { found: n_category_columns, width: n_features }.into());
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
        let features = if padded.is_standard_layout() { padded } else { padded.as_standard_layout().into_owned() };
        let (features, _) = features.into_raw_vec_and_offset();
        Ok(Self { engine, n_features, n_rows, features: features.into(), origin, groups })
    }

    /// Takes an index for the scan as it lies in a file; what its rows and codes hold is believed.
    ///
    /// # Errors
    /// [`Error::Value`] for parts that do not fit together.
    pub fn of_parts(parts: &Parts) -> Result<Self> {
        let (n_rows, n_features, head_width) = (parts.order.len(), parts.n_features, parts.origin.len());
        let (padded_width, code_width) = (padded_width(n_features), Codes::width_of(head_width));
        parts.check(padded_width, code_width)?;
        let mut groups = Vec::with_capacity(parts.group_sizes.len());
        let mut start = 0;
        for size in parts.group_sizes.iter() {
            let end = start + *size as usize;
            let scaling = |number| parts.scalings.part(number * n_rows + start..number * n_rows + end);
            let codes = parts.codes.part(start * code_width..end * code_width);
            let codes = Codes::stored(head_width, codes, [scaling(0), scaling(1), scaling(2)]);
            let first = parts.order[start] as usize * padded_width;
            let tail = parts.rows[first + head_width..first + n_features].to_vec();
            groups.push(Group::stored(parts.order.part(start..end), head_width, tail, codes));
            start = end;
        }
        let (features, origin) = (parts.rows.clone(), Origin::at(&parts.origin, &parts.units));
        Ok(Self { engine: Engine::Flat, n_features, n_rows, features, origin, groups })
    }

    /// Gives what [`KnnIndex::of_parts`] takes; nothing where a tree stands for a group.
    #[must_use]
    pub fn parts(&self) -> Option<Parts> {
        let groups: Vec<_> =
            self.groups.iter().map(|group| Some((group.rows(), group.scanned()?))).collect::<Option<_>>()?;
        let columns = [
            |codes: &Codes| codes.scale.clone(),
            |codes: &Codes| codes.squared_norm.clone(),
            |codes: &Codes| codes.error.clone(),
        ];
        let mut scalings = Vec::with_capacity(3 * self.n_rows);
        for column in columns {
            groups.iter().for_each(|(_, codes)| scalings.extend_from_slice(&column(codes)));
        }
        let sizes: Vec<_> = groups.iter().filter_map(|(rows, _)| u32::try_from(rows.len()).ok()).collect();
        Some(Parts {
            rows: self.features.clone(),
            n_features: self.n_features,
            origin: self.origin.point().to_vec().into(),
            units: self.origin.units().to_vec().into(),
            group_sizes: sizes.into(),
            order: groups.iter().flat_map(|(rows, _)| rows.iter().copied()).collect::<Vec<_>>().into(),
            codes: groups.iter().map(|(_, codes)| &*codes.codes).collect::<Vec<_>>().concat().into(),
            scalings: scalings.into(),
        })
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

    /// The rows, (n, d), in the order in which they were given.
    ///
    /// # Errors
    /// None: the shape was checked when the index was made.
    pub fn features(&self) -> Result<ArrayView2<'_, f32>> {
        Ok(self.padded()?.slice_move(s![.., ..self.n_features]))
    }

    /// The rows, filled up with zeros: (n, padded width).
    ///
    /// # Errors
    /// As [`KnnIndex::features`].
    pub fn padded(&self) -> Result<ArrayView2<'_, f32>> {
        matrix_view((self.n_rows, padded_width(self.n_features)), &self.features)
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
            return Err(ValueError::at_least_one("k").into());
        }
        check_finite("features", queries)?;
        let queries = with_padded_rows(queries);
        let k = k.min(self.n_rows());
        let shape = (queries.nrows(), k);
        let mut rows = vec![0; shape.0 * k];
        let mut distances = vec![0.0; shape.0 * k];
        let outputs = rows.chunks_exact_mut(k).zip(distances.chunks_exact_mut(k));
        let mut asked: Vec<_> = queries.outer_iter().filter_map(|query| query.to_slice()).zip(outputs).collect();
        if shape.0 > 1 && self.groups.len() > 1 {
            // Queries that go over the same group first go over it together.
            asked.sort_by_cached_key(|(query, _)| self.nearest_group(query));
        }
        // Several tasks a thread, so that all end at about the same time.
        let n_together = shape.0.div_ceil(2 * threads::n_threads()).clamp(4, QUERIES_A_TASK);
        let n_together = n_together.min((BOUNDS_A_TASK / self.n_rows).max(4));
        let n_bytes = shape.0 * self.n_rows() / self.groups.len() * self.n_features;
        if shape.0 <= n_together || n_bytes < BYTES_WORTH_THREADS {
            asked.chunks_mut(n_together).try_for_each(|asked| self.answer(asked, k))?;
        } else {
            threads::install(|| asked.par_chunks_mut(n_together).try_for_each(|asked| self.answer(asked, k)))??;
        }
        Ok(Neighbours { rows: matrix(shape, rows)?, squared_distances: matrix(shape, distances)? })
    }

    /// The group whose trailing columns are nearest to those of a padded query.
    fn nearest_group(&self, query: &[f32]) -> usize {
        let distances = self.groups.iter().map(|group| group.squared_distance(&query[..self.n_features]));
        distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(group, _)| group)
    }

    /// Writes the neighbours of a few padded queries.
    fn answer(&self, asked: &mut [Asked<'_>], k: usize) -> Result<()> {
        let start = |query| Search::new(query, self.n_features, k, &self.groups, &self.origin);
        let mut searches: Vec<_> = asked.iter().map(|(query, _)| start(*query)).collect();
        search_groups(self.padded()?, &self.groups, &mut searches)?;
        searches
            .iter_mut()
            .zip(asked)
            .for_each(|(search, (_, (rows, distances)))| search.nearest.write(rows, distances));
        Ok(())
    }
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
