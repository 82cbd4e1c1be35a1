//! linfa-svm, one model after another.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::{Kernel, Machines, SvmParams, check_quality, constant_decision};
use crate::error::ValueError;
use crate::matrix::check_finite;
use crate::stop::Stop;
use crate::{Result, threads};

/// Graded rows enter as up to this many copies.
const MOST_COPIES: u8 = 10;
/// How often somebody looks whether to stop.
const INTERVAL: Duration = Duration::from_millis(50);

/// Trains one machine per column of `quality` (n, m) on all rows of `features` (n, d).
///
/// linfa-svm knows one weight for each class and no weights of rows. A quality of a/b therefore enters as `a` positive
/// and `b - a` negative copies of the row, each of weight `C / b`, which has the same solution.
///
/// linfa-svm looks at no flag while it fits. So it runs in threads of its own, as many as the core uses: when a stop is
/// requested they are left alone, and each ends after the model that it is at.
///
/// # Errors
/// [`ValueError`] for values that are not finite, qualities outside [0, 1], shapes that do not fit, parameters out of
/// range, or qualities that are not multiples of 1/b for one b up to 10; [`crate::Error::Interrupted`]; [`crate::Error::Panic`] when
/// linfa-svm gave up.
pub fn fit_linfa(
    features: ArrayView2<'_, f32>,
    quality: ArrayView2<'_, f64>,
    kernel: Kernel,
    params: &SvmParams,
    stop: &Stop,
) -> Result<Machines> {
    params.check()?;
    check_quality(quality, features.nrows())?;
    check_finite("features", features)?;
    let features = Arc::new(features.mapv(f64::from));
    let waiting: Vec<_> = quality.axis_iter(Axis(1)).map(|column| column.to_owned()).enumerate().collect();
    let (n_models, waiting) = (waiting.len(), Arc::new(Mutex::new(waiting)));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..threads::n_threads().min(n_models) {
        let (features, waiting, sender) = (Arc::clone(&features), Arc::clone(&waiting), sender.clone());
        let (params, stop) = (*params, stop.clone());
        threads::spawn(move || {
            let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some((model, column)) = next() {
                let fitted = threads::guarded(|| fit_column(&features, column.view(), kernel, &params));
                if stop.requested() || sender.send((model, fitted)).is_err() {
                    return;
                }
            }
        })?;
    }
    drop(sender);
    let mut machines = Machines { coefficients: Array2::zeros(quality.dim()), biases: Array1::zeros(n_models) };
    loop {
        match receiver.recv_timeout(INTERVAL) {
            Ok((model, fitted)) => {
                let (coefficients, bias) = fitted??;
                machines.coefficients.column_mut(model).assign(&Array1::from(coefficients));
                machines.biases[model] = bias;
            }
            Err(RecvTimeoutError::Timeout) => stop.check()?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    stop.check()?;
    Ok(machines)
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
    let fitted = svm.fit(&data).map_err(|error| ValueError::Refused { library: "linfa-svm", cause: error.into() })?;
    for (row, alpha) in rows.iter().zip(&fitted.alpha) {
        coefficients[*row] += alpha;
    }
    Ok((coefficients, -fitted.rho))
}

/// The least number of copies that can express every quality.
fn copies(quality: ArrayView1<'_, f64>) -> Result<u8> {
    let is_whole = |value: f64| (value - value.round()).abs() < 1e-9;
    let fits = |n: &u8| quality.iter().all(|q| q.is_nan() || is_whole(q * f64::from(*n)));
    Ok((1..=MOST_COPIES).find(fits).ok_or(ValueError::Grades { most: MOST_COPIES })?)
}
