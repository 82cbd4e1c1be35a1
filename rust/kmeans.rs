//! K-means: Linfa's algorithm from starting centroids of our own.
//!
//! Linfa's k-means++ measures every row against every centroid chosen so far at each step; here each step measures
//! the rows against the new centroids alone, which gives Linfa's [`KMeansInit::Precomputed`] the same start sooner.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans, KMeansInit};
use linfa_nn::distance::Distance;
use ndarray::{Array1, Array2, ArrayView, ArrayView2, Axis, Dimension, s};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;
use rayon::prelude::*;

use crate::distance::{Euclidean, squared_l2};
use crate::error::ValueError;
use crate::matrix::{check_finite, with_padded_rows};
use crate::stop::Stop;
use crate::{Result, threads};

/// Rows that one task measures.
const ROWS_A_PART: usize = 256;

/// What to fit and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KMeansParams {
    /// Clusters, at least 1.
    pub n_clusters: usize,
    /// Independent starts, of which the one with the least inertia is kept; at least 1.
    pub n_starts: usize,
    /// Upper limit of iterations of each start; at least 1.
    pub max_iterations: u64,
    /// A start ends when the centroids together move by less than the root of this times the columns' mean variance.
    pub tolerance: f64,
    /// Same seed, same result, whatever the number of threads.
    pub seed: u64,
}

/// A fitted clustering.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// (k, d)
    pub centroids: Array2<f32>,
    /// Nearest centroid of every row, the first among equals; (n,).
    pub labels: Array1<u32>,
    /// Sum of the squared distances of all rows to their centroids.
    pub inertia: f64,
}

impl KMeansParams {
    fn check(&self) -> Result<()> {
        let wrong = |name, found, expected| Err(ValueError::OutOfRange { name, found, expected }.into());
        if self.n_clusters == 0 || u32::try_from(self.n_clusters).is_err() {
            return wrong("n_clusters", self.n_clusters.to_string(), "at least 1");
        }
        for (name, found) in [("n_starts", self.n_starts as u64), ("max_iterations", self.max_iterations)] {
            if found == 0 {
                return Err(ValueError::at_least_one(name).into());
            }
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return wrong("tolerance", self.tolerance.to_string(), "a finite number, 0 or more");
        }
        Ok(())
    }
}

/// Clusters the rows of `features` (n, d).
///
/// With fewer distinct rows than clusters, some centroids repeat and the later ones get no rows.
///
/// # Errors
/// [`Error::Value`] for no rows, values that are not finite or parameters out of range; [`Error::Interrupted`].
pub fn fit(features: ArrayView2<'_, f32>, params: &KMeansParams, stop: &Stop) -> Result<Clusters> {
    params.check()?;
    if features.is_empty() {
        return Err(ValueError::Empty { name: "features", shape: features.dim() }.into());
    }
    check_finite("features", features)?;
    let rows = with_padded_rows(features);
    let tolerance = absolute_tolerance(features, params.tolerance);
    let start = |start: u64| {
        // Streams of their own, so that the starts can run in any order.
        let mut rng = Xoshiro256Plus::seed_from_u64(params.seed);
        (0..start).for_each(|_| rng.jump());
        fit_once(rows.view(), params, tolerance, rng, stop)
    };
    let fitted =
        threads::install(|| (0..params.n_starts as u64).into_par_iter().map(start).collect::<Result<Vec<_>>>())??;
    let best = fitted.into_iter().reduce(|best, next| if next.inertia < best.inertia { next } else { best });
    let mut best = best.ok_or_else(|| ValueError::at_least_one("n_starts"))?;
    best.centroids = best.centroids.slice(s![.., ..features.ncols()]).to_owned();
    Ok(best)
}

/// Scales the tolerance to the data, as scikit-learn does.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a tolerance")]
fn absolute_tolerance(features: ArrayView2<'_, f32>, tolerance: f64) -> f32 {
    let count = features.nrows() as f64;
    let mut sums = vec![(0.0_f64, 0.0_f64); features.ncols()];
    for row in features.outer_iter() {
        for ((sum, squares), value) in sums.iter_mut().zip(row) {
            *sum += f64::from(*value);
            *squares += f64::from(*value) * f64::from(*value);
        }
    }
    let variances = sums.iter().map(|(sum, squares)| (squares / count - (sum / count).powi(2)).max(0.0));
    let mean_variance = variances.sum::<f64>() / features.ncols() as f64;
    // Linfa asks for more than 0.
    ((tolerance * mean_variance).sqrt() as f32).max(f32::MIN_POSITIVE)
}

/// Linfa's distance with an emergency exit: once a stop is requested, centroids seem not to move any more.
#[derive(Debug, Clone)]
struct StoppableEuclidean(Stop);

impl Distance<f32> for StoppableEuclidean {
    fn distance<D: Dimension>(&self, a: ArrayView<f32, D>, b: ArrayView<f32, D>) -> f32 {
        if self.0.requested() { 0.0 } else { Euclidean.distance(a, b) }
    }

    fn rdistance<D: Dimension>(&self, a: ArrayView<f32, D>, b: ArrayView<f32, D>) -> f32 {
        Euclidean.rdistance(a, b)
    }

    fn rdist_to_dist(&self, rdist: f32) -> f32 {
        rdist.sqrt()
    }

    fn dist_to_rdist(&self, dist: f32) -> f32 {
        dist * dist
    }
}

fn fit_once(
    rows: ArrayView2<'_, f32>,
    params: &KMeansParams,
    tolerance: f32,
    mut rng: Xoshiro256Plus,
    stop: &Stop,
) -> Result<Clusters> {
    let start = starting_centroids(rows, params.n_clusters, &mut rng, stop)?;
    let linfas = KMeans::params_with(params.n_clusters, rng, StoppableEuclidean(stop.clone()))
        .n_runs(1)
        .max_n_iterations(params.max_iterations)
        .tolerance(tolerance)
        .init_method(KMeansInit::Precomputed(start));
    let fitted = threads::guarded(|| linfas.fit(&DatasetBase::from(rows)))?
        .map_err(|error| ValueError::Refused { library: "k-means", cause: error.into() })?;
    stop.check()?;
    // Linfa's own inertia is that of the centroids before the last update.
    let centroids = fitted.centroids().clone();
    let nearest: Vec<(u32, f32)> = rows
        .axis_iter(Axis(0))
        .into_par_iter()
        .map(|row| nearest(row.to_slice().unwrap_or_default(), &centroids))
        .collect();
    Ok(Clusters {
        labels: nearest.iter().map(|(label, _)| *label).collect(),
        inertia: nearest.iter().map(|(_, distance)| f64::from(*distance)).sum(),
        centroids,
    })
}

/// The nearest of `centroids`, the first among equals, and its squared distance.
fn nearest(row: &[f32], centroids: &Array2<f32>) -> (u32, f32) {
    let measured = (0..)
        .zip(centroids.outer_iter())
        .map(|(label, centroid)| (label, squared_l2(row, centroid.to_slice().unwrap_or_default())));
    measured.reduce(|best, next| if next.1 < best.1 { next } else { best }).unwrap_or_default()
}

/// Rows far from each other, by greedy k-means++: each next one is drawn with a probability in proportion to its
/// squared distance from those drawn before, and of a few draws the one that reduces the sum of these distances most
/// is taken (Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding", section 5; as many draws
/// as scikit-learn makes).
fn starting_centroids(
    rows: ArrayView2<'_, f32>,
    n_clusters: usize,
    rng: &mut Xoshiro256Plus,
    stop: &Stop,
) -> Result<Array2<f32>> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
    let n_draws = 2 + (n_clusters as f64).ln() as usize;
    let mut chosen = vec![rng.gen_range(0..rows.nrows())];
    let unmeasured = vec![f32::INFINITY; rows.nrows()];
    let (mut distances, mut total) = nearer(rows, &chosen, &unmeasured).swap_remove(0);
    while chosen.len() < n_clusters {
        stop.check()?;
        let drawn: Vec<usize> = (0..n_draws).map(|_| draw(&distances, rng.gen_range(0.0..1.0) * total)).collect();
        let measured = nearer(rows, &drawn, &distances).into_iter().zip(drawn);
        let best = measured.reduce(|best, next| if next.0.1 < best.0.1 { next } else { best });
        let Some((after, row)) = best else { break };
        (distances, total) = after;
        chosen.push(row);
    }
    Ok(rows.select(Axis(0), &chosen))
}

/// For each candidate row: what the least squared distances of all rows become with it, and their sum.
///
/// All candidates are measured in one pass, because reading the rows takes longer than the arithmetic.
fn nearer(rows: ArrayView2<'_, f32>, candidates: &[usize], distances: &[f32]) -> Vec<(Vec<f32>, f64)> {
    let row = |index: usize| rows.row(index).to_slice().unwrap_or_default();
    let candidates: Vec<&[f32]> = candidates.iter().map(|candidate| row(*candidate)).collect();
    // Parts of one size and summed in order: the sums do not depend on the number of threads.
    let parts: Vec<Vec<(Vec<f32>, f64)>> = distances
        .par_chunks(ROWS_A_PART)
        .enumerate()
        .map(|(part, distances)| {
            let mut measured = vec![(Vec::with_capacity(distances.len()), 0.0); candidates.len()];
            for (index, distance) in (part * ROWS_A_PART..).zip(distances) {
                for ((nearest, sum), candidate) in measured.iter_mut().zip(&candidates) {
                    let least = distance.min(squared_l2(row(index), candidate));
                    nearest.push(least);
                    *sum += f64::from(least);
                }
            }
            measured
        })
        .collect();
    let joined = |candidate: usize| {
        let parts = parts.iter().map(|part| &part[candidate]);
        (parts.clone().flat_map(|(nearest, _)| nearest).copied().collect(), parts.map(|(_, sum)| sum).sum())
    };
    (0..candidates.len()).map(joined).collect()
}

/// The index at which the running sum of `weights` passes `target`; the last index with a weight at the latest.
fn draw(weights: &[f32], target: f64) -> usize {
    let mut sum = 0.0;
    let mut last = 0;
    for (index, weight) in weights.iter().enumerate() {
        if *weight > 0.0 {
            last = index;
            sum += f64::from(*weight);
            if sum > target {
                break;
            }
        }
    }
    last
}
