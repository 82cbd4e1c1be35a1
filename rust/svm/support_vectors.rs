//! Decisions for new rows.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;

use super::kernel::rbf_of_squared_distances;
use super::{Kernel, Machines};
use crate::distance::squared_l2;
use crate::matrix::{check_finite, check_width, with_padded_rows};
use crate::{Error, Result, threads};

/// Vectors whose kernel values with one query are computed before they are summed up.
const TILE: usize = 64;
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
        /// (n, d), padded.
        vectors: Array2<f32>,
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
            return Err(Error::Value(format!(
                "coefficients: shape ({n_vectors}, {n_models}), expected ({}, {}) as of vectors and biases",
                vectors.nrows(),
                machines.biases.len()
            )));
        }
        check_finite("vectors", vectors)?;
        if !machines.coefficients.iter().chain(&machines.biases).all(|value| value.is_finite()) {
            return Err(Error::Value("coefficients and biases: every value must be a finite number".to_owned()));
        }
        let form = match kernel {
            Kernel::Rbf { gamma } => Form::Rbf {
                gamma,
                vectors: with_padded_rows(vectors),
                coefficients: machines.coefficients.as_standard_layout().into_owned(),
            },
            Kernel::Linear => Form::Linear(vectors.mapv(f64::from).t().dot(&machines.coefficients)),
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
        let mut decisions = Array2::zeros((features.nrows(), self.biases.len()));
        let queries = with_padded_rows(features);
        let mut tasks: Vec<_> = queries.outer_iter().zip(decisions.outer_iter_mut()).collect();
        let decide = |(query, out): &mut (ArrayView1<'_, f32>, ndarray::ArrayViewMut1<'_, f64>)| {
            out.assign(&self.biases);
            if let (Some(query), Some(out)) = (query.as_slice(), out.as_slice_mut()) {
                self.add_sums(query, out);
            }
        };
        let n_vectors = match &self.form {
            Form::Rbf { vectors, .. } => vectors.nrows(),
            Form::Linear(_) => 1,
        };
        if features.nrows() <= 1 || features.len().saturating_mul(n_vectors) < WORTH_THREADS {
            tasks.iter_mut().for_each(decide);
        } else {
            threads::install(|| tasks.par_iter_mut().for_each(decide))?;
        }
        Ok(decisions)
    }

    fn add_sums(&self, query: &[f32], sums: &mut [f64]) {
        match &self.form {
            Form::Rbf { gamma, vectors, coefficients } => {
                let mut values = [0.0_f32; TILE];
                let tiles = vectors.axis_chunks_iter(ndarray::Axis(0), TILE);
                for (vectors, coefficients) in tiles.zip(coefficients.axis_chunks_iter(ndarray::Axis(0), TILE)) {
                    let values = &mut values[..vectors.nrows()];
                    for (value, vector) in values.iter_mut().zip(vectors.outer_iter()) {
                        *value = squared_l2(query, vector.to_slice().unwrap_or_default());
                    }
                    rbf_of_squared_distances(*gamma, values);
                    for (value, coefficients) in values.iter().zip(coefficients.outer_iter()) {
                        let value = f64::from(*value);
                        sums.iter_mut().zip(coefficients).for_each(|(sum, coefficient)| *sum += value * coefficient);
                    }
                }
            }
            Form::Linear(weights) => {
                for (value, weights) in query.iter().zip(weights.outer_iter()) {
                    let value = f64::from(*value);
                    sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
                }
            }
        }
    }
}
