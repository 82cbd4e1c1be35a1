//! linfa-svm, one model after another.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

use super::{Kernel, Machines, SvmParams, check_quality, constant_decision};
use crate::matrix::check_finite;
use crate::{Error, Result, threads};

/// Graded rows enter as up to this many copies.
const MOST_COPIES: u8 = 10;

/// Trains one machine per column of `quality` (n, m) on all rows of `features` (n, d).
///
/// linfa-svm knows one weight for each class and no weights of rows. A quality of a/b therefore enters as `a` positive
/// and `b - a` negative copies of the row, each of weight `C / b`, which has the same solution.
///
/// # Errors
/// [`Error::Value`] for values that are not finite, qualities outside [0, 1], shapes that do not fit, parameters out
/// of range, or qualities that are not multiples of 1/b for one b up to 10.
pub fn fit_linfa(
    features: ArrayView2<'_, f32>,
    quality: ArrayView2<'_, f64>,
    kernel: Kernel,
    params: &SvmParams,
) -> Result<Machines> {
    params.check()?;
    check_quality(quality, features.nrows())?;
    check_finite("features", features)?;
    let features = features.mapv(f64::from);
    let columns: Vec<_> = quality.axis_iter(Axis(1)).collect();
    let fit = |column: ArrayView1<'_, f64>| fit_column(&features, column, kernel, params);
    let fitted: Vec<(Vec<f64>, f64)> = threads::install(|| columns.into_par_iter().map(fit).collect::<Result<_>>())??;
    let mut coefficients = Array2::zeros(quality.dim());
    for (mut column, (solution, _)) in coefficients.axis_iter_mut(Axis(1)).zip(&fitted) {
        column.assign(&ArrayView1::from(solution));
    }
    Ok(Machines { coefficients, biases: fitted.iter().map(|(_, bias)| *bias).collect() })
}

fn fit_column(
    features: &Array2<f64>,
    quality: ArrayView1<'_, f64>,
    kernel: Kernel,
    params: &SvmParams,
) -> Result<(Vec<f64>, f64)> {
    let mut coefficients = vec![0.0; quality.len()];
    if let Some(bias) = constant_decision(quality.iter().copied()) {
        return Ok((coefficients, bias));
    }
    let n_copies = copies(quality)?;
    let mut rows = Vec::new();
    let mut labels = Vec::new();
    for (row, quality) in quality.iter().enumerate().filter(|(_, quality)| !quality.is_nan()) {
        for copy in 0..n_copies {
            rows.push(row);
            labels.push(f64::from(copy) + 0.5 < quality * f64::from(n_copies));
        }
    }
    let weight = params.c / f64::from(n_copies);
    let svm = Svm::<f64, bool>::params().eps(params.tolerance).pos_neg_weights(weight, weight);
    let svm = match kernel {
        Kernel::Rbf { gamma } => svm.gaussian_kernel(1.0 / f64::from(gamma)),
        Kernel::Linear => svm.linear_kernel(),
    };
    let data = DatasetBase::new(features.select(Axis(0), &rows), Array1::from(labels));
    let fitted = svm.fit(&data).map_err(|error| Error::Value(format!("linfa-svm: {error}")))?;
    for (row, alpha) in rows.iter().zip(&fitted.alpha) {
        coefficients[*row] += alpha;
    }
    Ok((coefficients, -fitted.rho))
}

/// The least number of copies that can express every quality.
fn copies(quality: ArrayView1<'_, f64>) -> Result<u8> {
    let is_whole = |value: f64| (value - value.round()).abs() < 1e-9;
    let fits = |n: &u8| quality.iter().all(|q| q.is_nan() || is_whole(q * f64::from(*n)));
    (1..=MOST_COPIES).find(fits).ok_or_else(|| {
        Error::Value(format!(
            "quality: linfa-svm has no weights of rows and can take multiples of 1/b, b up to {MOST_COPIES}, alone; \
             use the solver shared-gram for such grades"
        ))
    })
}
