//! Decisions for new rows.

use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::kernel::rbf_of_products;
use super::short::ShortRows;
use super::{Kernel, Machines, add_weighted_rows};
use crate::error::ValueError;
use crate::matrix::{check_finite, check_width};
use crate::{Result, threads};

/// Vectors that stay in the second-level cache while the queries of a task go over them.
const TILE: usize = 64;
/// Queries that go over the vectors together.
const QUERIES_A_TASK: usize = 16;
/// Below this many multiplications a batch stays on the calling thread.
const WORTH_THREADS: usize = 1 << 24;

/// Trained machines of all models on the union of their support vectors; it never changes.
#[derive(Debug)]
pub struct SupportVectors {
    n_features: usize,
    biases: Array1<f64>,
    form: Form,
}

/// What a decision is computed from.
#[derive(Debug)]
enum Form {
    Rbf {
        gamma: f32,
        /// (n, d)
        vectors: ShortRows,
        /// (n, m)
        coefficients: Array2<f64>,
    },
    /// The vectors of a linear machine add up to one weight per feature, (d, m).
    Linear(Array2<f64>),
}

impl SupportVectors {
    /// Machines with `vectors` (n, d) and one column of coefficients (n, m) and one bias for each model.
    ///
    /// # Errors
    /// [`Error::Value`] for values that are not finite and shapes that do not fit.
    pub fn new(vectors: ArrayView2<'_, f32>, machines: &Machines, kernel: Kernel) -> Result<Self> {
        let (n_vectors, n_models) = machines.coefficients.dim();
        if n_vectors != vectors.nrows() || n_models != machines.biases.len() {
            let expected = (vectors.nrows(), machines.biases.len());
            let (name, others) = ("coefficients", "vectors and biases");
            return Err(ValueError::Shape { name, found: (n_vectors, n_models), expected, others }.into());
        }
        check_finite("vectors", vectors)?;
        if !machines.coefficients.iter().chain(&machines.biases).all(|value| value.is_finite()) {
            return Err(ValueError::SomeNotFinite("coefficients and biases").into());
        }
        let form = match kernel {
            Kernel::Rbf { gamma } => Form::Rbf {
                gamma,
                vectors: ShortRows::of(vectors),
                coefficients: machines.coefficients.as_standard_layout().into_owned(),
            },
            Kernel::Linear => {
                let weights = vectors.mapv(f64::from).t().dot(&machines.coefficients);
                Form::Linear(weights.as_standard_layout().into_owned())
            }
        };
        Ok(Self { n_features: vectors.ncols(), biases: machines.biases.clone(), form })
    }

    /// Decisions of all models for the rows of `features` (p, d): (p, m), above 0 where success is expected.
    ///
    /// A row's decisions do not depend on the rows beside it. A single row runs on the calling thread.
    ///
    /// # Errors
    /// [`Error::Value`] for another width or values that are not finite.
    pub fn decisions(&self, features: ArrayView2<'_, f32>) -> Result<Array2<f64>> {
        check_width("features", features.ncols(), self.n_features)?;
        check_finite("features", features)?;
        let features = features.as_standard_layout();
        let mut decisions = Array2::zeros((features.nrows(), self.biases.len()));
        let decide = |(queries, mut sums): (ArrayView2<'_, f32>, ArrayViewMut2<'_, f64>)| {
            sums.assign(&self.biases);
            match &self.form {
                Form::Rbf { gamma, vectors, coefficients } => {
                    add_rbf(*gamma, vectors, coefficients.view(), queries, sums);
                }
                Form::Linear(weights) => add_linear(weights.view(), queries, sums),
            }
        };
        let n_vectors = match &self.form {
            Form::Rbf { vectors, .. } => vectors.n_rows(),
            Form::Linear(_) => 1,
        };
        let tasks = features.axis_chunks_iter(Axis(0), QUERIES_A_TASK);
        let tasks = tasks.zip(decisions.axis_chunks_iter_mut(Axis(0), QUERIES_A_TASK));
        if features.nrows() <= 1 || features.len().saturating_mul(n_vectors) < WORTH_THREADS {
            tasks.for_each(decide);
        } else {
            let tasks: Vec<_> = tasks.collect();
            threads::install(|| tasks.into_par_iter().for_each(decide))?;
        }
        Ok(decisions)
    }
}

/// Adds the kernel values of all vectors (n, d), times their coefficients (n, m), to the sums (p, m).
///
/// Each query meets the vectors in the same order, whatever the other queries are.
fn add_rbf(
    gamma: f32,
    vectors: &ShortRows,
    coefficients: ArrayView2<'_, f64>,
    queries: ArrayView2<'_, f32>,
    mut sums: ArrayViewMut2<'_, f64>,
) {
    let queries: Vec<_> = queries.outer_iter().map(|query| vectors.query(query)).collect();
    let mut values = [0.0_f32; TILE];
    for (tile, coefficients) in coefficients.axis_chunks_iter(Axis(0), TILE).enumerate() {
        let rows = tile * TILE..tile * TILE + coefficients.nrows();
        let values = &mut values[..rows.len()];
        for (query, mut sums) in queries.iter().zip(sums.outer_iter_mut()) {
            vectors.products(rows.clone(), query, values);
            rbf_of_products(gamma, query.squared_norm, vectors.squared_norms(rows.clone()), values);
            if let (Some(coefficients), Some(sums)) = (coefficients.to_slice(), sums.as_slice_mut()) {
                add_weighted_rows(values, coefficients, sums);
            }
        }
    }
}

/// Adds the products of the queries (p, d) with the weights (d, m) to the sums (p, m), in order of the features.
fn add_linear(weights: ArrayView2<'_, f64>, queries: ArrayView2<'_, f32>, mut sums: ArrayViewMut2<'_, f64>) {
    for (query, mut sums) in queries.outer_iter().zip(sums.outer_iter_mut()) {
        if let (Some(query), Some(weights), Some(sums)) = (query.to_slice(), weights.to_slice(), sums.as_slice_mut()) {
            add_weighted_rows(query, weights, sums);
        }
    }
}
