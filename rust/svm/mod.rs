//! One-vs-all support vector machines: one per model, all on the same rows.
//!
//! A row's quality q in [0, 1] enters a model's machine as a positive example of weight `C q` and a negative one of
//! weight `C (1 - q)`; a missing quality (NaN) does not enter. Two solvers give the same decisions: linfa-svm, which
//! computes a kernel matrix for each model, and an SMO of our own on one matrix that all models and folds share, and
//! which alone knows rows that count less than others.

mod kernel;
mod kernel_matrix;
mod linfa;
mod short;
mod smo;
mod support_vectors;
mod working_set;

use ndarray::{Array1, Array2, ArrayView2};

use crate::Result;
use crate::cpu::for_each_cpu;
use crate::error::ValueError;

pub use self::linfa::fit_linfa;
pub use kernel::Kernel;
pub use kernel_matrix::KernelMatrix;
pub use support_vectors::SupportVectors;

/// Machines of all models: `decision = sum of coefficient * kernel + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct Machines {
    /// Signed, one row per fitted row and one column per model (r, m).
    pub coefficients: Array2<f64>,
    /// (m,)
    pub biases: Array1<f64>,
}

/// When a fit ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SvmParams {
    /// Weight of a row, above 0.
    pub c: f64,
    /// The largest violation of the optimality conditions that is accepted, above 0.
    pub tolerance: f64,
    /// Upper limit of pair updates for each model.
    pub max_iterations: usize,
}

impl SvmParams {
    fn check(&self) -> Result<()> {
        for (name, value) in [("c", self.c), ("tolerance", self.tolerance)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(ValueError::not_above_zero(name, value).into());
            }
        }
        Ok(())
    }
}

/// Refuses qualities outside [0, 1] and shapes that do not fit.
fn check_quality(quality: ArrayView2<'_, f64>, n_rows: usize) -> Result<()> {
    if quality.nrows() != n_rows {
        return Err(ValueError::QualityRows { found: quality.nrows(), expected: n_rows }.into());
    }
    match quality.indexed_iter().find(|(_, q)| !(q.is_nan() || (0.0..=1.0).contains(*q))) {
        Some(((row, column), &value)) => Err(ValueError::Quality { row, column, value }.into()),
        None => Ok(()),
    }
}

/// Refuses weights of rows that are not finite numbers above 0, and another number of them than of rows.
fn check_weights(weights: Option<&[f64]>, n_rows: usize) -> Result<()> {
    let Some(weights) = weights else { return Ok(()) };
    if weights.len() != n_rows {
        return Err(ValueError::WeightRows { found: weights.len(), expected: n_rows }.into());
    }
    match weights.iter().find(|weight| !(**weight > 0.0 && weight.is_finite())) {
        Some(&weight) => Err(ValueError::not_above_zero("weights", weight).into()),
        None => Ok(()),
    }
}

/// The constant decision where there is nothing to separate: only one class, or no row at all.
fn constant_decision(qualities: impl Iterator<Item = f64>) -> Option<f64> {
    let observed: Vec<f64> = qualities.filter(|q| !q.is_nan()).collect();
    match (observed.iter().any(|q| *q > 0.0), observed.iter().any(|q| *q < 1.0)) {
        (true, true) => None,
        (true, false) => Some(1.0),
        (false, true) => Some(-1.0),
        (false, false) => Some(0.0),
    }
}

#[expect(clippy::inline_always, reason = "must be compiled with the features of its caller")]
#[inline(always)]
fn add_weighted_rows_body(weights: &[f32], rows: &[f64], sums: &mut [f64]) {
    for (weight, row) in weights.iter().zip(rows.chunks_exact(sums.len().max(1))) {
        let weight = f64::from(*weight);
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += weight * value;
        }
    }
}

for_each_cpu! {
    /// Adds `weights` (n,) times `rows` (n, m) to `sums` (m,), row after row.
    fn add_weighted_rows(weights: &[f32], rows: &[f64], sums: &mut [f64]) = add_weighted_rows_body
}

#[cfg(test)]
mod tests {
    use super::kernel::rbf_of_products;
    use super::smo::product;
    use super::working_set::{find_partner, move_and_find_up};
    use crate::cpu::Tier;
    use crate::cpu::forced::{bits, numbers, same_on_every_tier};

    #[test]
    fn every_tier_gives_the_same_bits() {
        for n in [1, 15, 16, 33, 255, 256, 700] {
            let (a, b, c, d) = (numbers(n, 37), numbers(n, 101), numbers(n, 7), numbers(n, 53));
            let wide: Vec<f64> = numbers(5 * n, 13).into_iter().map(f64::from).collect();
            same_on_every_tier(Tier::Baseline, || {
                let mut sums = [0.0; 5];
                super::add_weighted_rows(&a, &wide, &mut sums);
                let (mut products, mut f) = (c.clone(), d.clone());
                rbf_of_products(0.9, 1.5, &a, &mut products);
                let up = move_and_find_up(0.3, &a, &b, &c, &mut f);
                let down = find_partner(up, &a, &b, &c, &f);
                let single = [up.value, down.violation];
                let sums = sums.iter().chain([&product(&a, &wide[..n])]).map(|sum| sum.to_bits()).collect::<Vec<_>>();
                (sums, [bits(&products), bits(&f), bits(&single)], [up.row, down.row])
            });
        }
    }
}
