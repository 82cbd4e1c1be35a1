//! One kernel matrix that all models and folds share.

use std::borrow::Cow;

use gemm::Parallelism;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use super::kernel::rbf_of_products;
use super::smo::{self, Problem};
use super::{Kernel, Machines, SvmParams, add_weighted_rows, check_quality, check_weights, constant_decision};
use crate::error::ValueError;
use crate::matrix::{check_finite, matrix, with_padded_rows};
use crate::product::{Matrix, multiply};
use crate::stop::Stop;
use crate::{Error, Result, threads};

/// Rows that one task multiplies with all later ones.
const BAND: usize = 128;

/// Kernel values of all pairs of rows, (n, n) float32.
#[derive(Debug)]
pub struct KernelMatrix {
    n_rows: usize,
    values: Vec<f32>,
}

impl KernelMatrix {
    /// Computes the matrix of `features` (n, d): half of it by matrix products, the other half by symmetry.
    ///
    /// # Errors
    /// [`Error::Value`] for no rows, values that are not finite, or more rows than there is memory for;
    /// [`Error::Interrupted`].
    pub fn new(features: ArrayView2<'_, f32>, kernel: Kernel, stop: &Stop) -> Result<Self> {
        if features.is_empty() {
            return Err(ValueError::Empty { name: "features", shape: features.dim() }.into());
        }
        check_finite("features", features)?;
        let n_rows = features.nrows();
        let mut values = Vec::new();
        let n_values = n_rows.checked_mul(n_rows).filter(|n| values.try_reserve_exact(*n).is_ok());
        let Some(n_values) = n_values else {
            let what = format!("a kernel matrix of {n_rows} rows does not fit into memory; train on fewer rows");
            return Err(ValueError::TooLarge { name: "features", what }.into());
        };
        values.resize(n_values, 0.0);
        let mut rows = with_padded_rows(features);
        if matches!(kernel, Kernel::Rbf { .. })
            && let Some(mean) = rows.mean_axis(Axis(0))
        {
            // Distances stay the same, and |a|^2 + |b|^2 - 2 a.b loses fewer digits.
            rows -= &mean;
        }
        let norms: Vec<f32> = rows.outer_iter().map(|row| row.dot(&row)).collect();
        threads::install(|| {
            values
                .par_chunks_mut(BAND * n_rows)
                .enumerate()
                .try_for_each(|(band, values)| fill_band(kernel, &rows, &norms, band * BAND, values, stop))?;
            mirror(n_rows, &mut values);
            Ok::<(), Error>(())
        })??;
        Ok(Self { n_rows, values })
    }

    /// How many rows the matrix is of.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Trains one machine per column of `quality` (r, m) on the matrix's `rows` (r,), whose C is multiplied by
    /// `weights` (r,) where these are given.
    ///
    /// Only one class seen: coefficients 0 and a bias of 1 or -1 (0 with nothing seen).
    ///
    /// # Errors
    /// [`Error::Value`] for rows that the matrix does not have, qualities outside [0, 1], weights that are not finite and
    /// above 0, shapes that do not fit or parameters out of range; [`Error::Interrupted`].
    pub fn fit(
        &self,
        rows: ArrayView1<'_, u32>,
        quality: ArrayView2<'_, f64>,
        weights: Option<ArrayView1<'_, f64>>,
        params: &SvmParams,
        stop: &Stop,
    ) -> Result<Machines> {
        params.check()?;
        self.check_rows("rows", rows)?;
        check_quality(quality, rows.len())?;
        let weights = weights.map(|weights| weights.to_vec());
        check_weights(weights.as_deref(), rows.len())?;
        threads::install(|| {
            let values = self.part(rows);
            let n_rows = rows.len();
            let diagonal: Vec<f32> = (0..n_rows).map(|row| values[row * n_rows + row]).collect();
            let fit_column = |column: ArrayView1<'_, f64>| {
                if let Some(bias) = constant_decision(column.iter().copied()) {
                    return Ok((vec![0.0; n_rows], bias));
                }
                let problem = Problem {
                    kernel: &values,
                    diagonal: &diagonal,
                    quality: &column.to_vec(),
                    weights: weights.as_deref(),
                    params: *params,
                };
                smo::solve(&problem, stop)
            };
            let columns: Vec<_> = quality.axis_iter(Axis(1)).collect();
            let solved: Vec<(Vec<f64>, f64)> = columns.into_par_iter().map(fit_column).collect::<Result<_>>()?;
            let mut coefficients = Array2::zeros(quality.dim());
            for (mut column, (solution, _)) in coefficients.axis_iter_mut(Axis(1)).zip(&solved) {
                column.assign(&ArrayView1::from(solution));
            }
            Ok(Machines { coefficients, biases: solved.iter().map(|(_, bias)| *bias).collect() })
        })?
    }

    /// Decisions for the matrix's `rows` (p,) by machines that were fitted on its `fit_rows` (r,): (p, m).
    ///
    /// # Errors
    /// [`Error::Value`] for rows that the matrix does not have and shapes that do not fit.
    pub fn decisions(
        &self,
        rows: ArrayView1<'_, u32>,
        fit_rows: ArrayView1<'_, u32>,
        machines: &Machines,
    ) -> Result<Array2<f64>> {
        self.check_rows("rows", rows)?;
        self.check_rows("fit_rows", fit_rows)?;
        let (n_fit_rows, n_models) = machines.coefficients.dim();
        if n_fit_rows != fit_rows.len() || n_models != machines.biases.len() {
            let expected = (fit_rows.len(), machines.biases.len());
            let (name, others) = ("coefficients", "fit_rows and biases");
            return Err(ValueError::Shape { name, found: (n_fit_rows, n_models), expected, others }.into());
        }
        let coefficients = machines.coefficients.as_standard_layout();
        let coefficients = coefficients.as_slice().unwrap_or_default();
        let (rows, fit_rows) = (rows.to_vec(), fit_rows.to_vec());
        let mut decisions = vec![0.0; rows.len() * n_models];
        let decide = |values: &mut Vec<f32>, (row, sums): (&u32, &mut [f64])| {
            let kernel = &self.values[*row as usize * self.n_rows..][..self.n_rows];
            values.clear();
            values.extend(fit_rows.iter().map(|fit_row| kernel[*fit_row as usize]));
            sums.iter_mut().zip(&machines.biases).for_each(|(sum, bias)| *sum = *bias);
            add_weighted_rows(values, coefficients, sums);
        };
        let tasks = rows.par_iter().zip(decisions.par_chunks_exact_mut(n_models.max(1)));
        threads::install(|| tasks.for_each_init(Vec::new, decide))?;
        matrix((rows.len(), n_models), decisions)
    }

    fn check_rows(&self, name: &'static str, rows: ArrayView1<'_, u32>) -> Result<()> {
        match rows.iter().find(|row| **row as usize >= self.n_rows) {
            Some(&row) => Err(ValueError::NoSuchRow { name, row, n_rows: self.n_rows }.into()),
            None => Ok(()),
        }
    }

    /// The matrix of `rows` alone, (r, r): itself where these are all rows in order, else a copy.
    fn part(&self, rows: ArrayView1<'_, u32>) -> Cow<'_, [f32]> {
        if rows.len() == self.n_rows && rows.iter().zip(0..).all(|(row, position)| *row == position) {
            return Cow::Borrowed(&self.values);
        }
        let mut part = vec![0.0; rows.len() * rows.len()];
        let rows = rows.to_vec();
        part.par_chunks_mut(rows.len().max(1)).zip(&rows).for_each(|(part, row)| {
            let from = &self.values[*row as usize * self.n_rows..][..self.n_rows];
            part.iter_mut().zip(&rows).for_each(|(value, column)| *value = from[*column as usize]);
        });
        Cow::Owned(part)
    }
}

/// Fills the rows from `first` on, from the diagonal to the right.
fn fill_band(
    kernel: Kernel,
    rows: &Array2<f32>,
    norms: &[f32],
    first: usize,
    values: &mut [f32],
    stop: &Stop,
) -> Result<()> {
    stop.check()?;
    let (n_rows, width) = rows.dim();
    let band = values.len() / n_rows;
    let features = &rows.as_slice().unwrap_or_default()[first * width..];
    let products = &mut values[first..];
    let left = Matrix::rows(features, band, width, width);
    let right = Matrix::rows(features, n_rows - first, width, width).transposed();
    // SAFETY: the last product written is at (band - 1) * n_rows + (n_rows - first) - 1, the end of `products`.
    unsafe { multiply(products.as_mut_ptr(), n_rows, left, right, false, Parallelism::None) };
    if let Kernel::Rbf { gamma } = kernel {
        for (row, values) in (first..).zip(values.chunks_exact_mut(n_rows)) {
            rbf_of_products(gamma, norms[row], &norms[first..], &mut values[first..]);
            values[row] = 1.0;
        }
    }
    Ok(())
}

/// Copies everything right of the diagonal to the left of it.
fn mirror(n_rows: usize, values: &mut [f32]) {
    // Inside the bands on the diagonal both halves were computed, but not to the same bits; one of them is kept.
    for first in (0..n_rows).step_by(BAND) {
        let last = n_rows.min(first + BAND);
        for row in first..last {
            for column in first..row {
                values[row * n_rows + column] = values[column * n_rows + row];
            }
        }
        let (above, below) = values.split_at_mut(first * n_rows);
        below[..(last - first) * n_rows].par_chunks_mut(16 * n_rows).enumerate().for_each(|(part, below)| {
            let from = first + 16 * part;
            for (column, above) in above.chunks_exact(n_rows).enumerate() {
                for (row, below) in below.chunks_exact_mut(n_rows).enumerate() {
                    below[column] = above[from + row];
                }
            }
        });
    }
}
