//! `kmeans_fit`.

use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::prelude::*;

use super::arrays::Matrix32;
use super::interrupt::interruptible;
use crate::kmeans::{self, KMeansParams};

/// Cluster rows by k-means from several starts.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "two arrays and a number")]
pub(super) fn kmeans_fit<'py>(
    py: Python<'py>,
    features: Matrix32<'py>,
    n_clusters: usize,
    n_starts: usize,
    max_iterations: u64,
    tolerance: f64,
    seed: u64,
) -> PyResult<(Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<u32>>, f64)> {
    let features = features.copied();
    let params = KMeansParams { n_clusters, n_starts, max_iterations, tolerance, seed };
    let clusters = interruptible(py, |stop| kmeans::fit(features.view(), &params, stop))?;
    Ok((clusters.centroids.into_pyarray(py), clusters.labels.into_pyarray(py), clusters.inertia))
}
