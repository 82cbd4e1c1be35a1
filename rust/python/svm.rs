//! `KernelMatrix`, `SupportVectors` and `svm_fit_linfa`.

use numpy::{IntoPyArray, PyArray1, PyArray2};
use pyo3::prelude::*;

use super::arrays::{Matrix32, Matrix64, Rows, Vector64};
use super::interrupt::interruptible;
use crate::Result;
use crate::svm::{self, Kernel, Machines, SvmParams};

/// libsvm's own limit.
const MAX_ITERATIONS: usize = 10_000_000;

type PyMachines<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<f64>>);

fn give(py: Python<'_>, machines: Machines) -> PyMachines<'_> {
    (machines.coefficients.into_pyarray(py), machines.biases.into_pyarray(py))
}

/// One kernel matrix that all models and folds share.
#[pyclass(frozen, module = "vsr._core")]
pub(super) struct KernelMatrix(svm::KernelMatrix);

#[pymethods]
impl KernelMatrix {
    #[new]
    #[pyo3(signature = (features, kernel, gamma = 1.0))]
    fn new(py: Python<'_>, features: Matrix32<'_>, kernel: &str, gamma: f64) -> PyResult<Self> {
        let kernel = Kernel::named(kernel, gamma)?;
        let features = features.copied();
        interruptible(py, |stop| svm::KernelMatrix::new(features.view(), kernel, stop)).map(Self)
    }

    #[getter]
    fn n_rows(&self) -> usize {
        self.0.n_rows()
    }

    #[pyo3(signature = (rows, quality, c, tolerance = 1e-3, max_iterations = 10_000_000, weights = None))]
    #[expect(clippy::too_many_arguments, reason = "they are Python's keywords")]
    fn fit<'py>(
        &self,
        py: Python<'py>,
        rows: Rows<'py>,
        quality: Matrix64<'py>,
        c: f64,
        tolerance: f64,
        max_iterations: usize,
        weights: Option<Vector64<'py>>,
    ) -> PyResult<PyMachines<'py>> {
        let (rows, quality) = (rows.copied(), quality.copied());
        let weights = weights.map(|weights| weights.copied());
        let weights = weights.as_ref().map(|weights| weights.view());
        let params = SvmParams { c, tolerance, max_iterations };
        let machines = interruptible(py, |stop| self.0.fit(rows.view(), quality.view(), weights, &params, stop))?;
        Ok(give(py, machines))
    }

    fn decisions<'py>(
        &self,
        py: Python<'py>,
        rows: Rows<'py>,
        fit_rows: Rows<'py>,
        coefficients: Matrix64<'py>,
        biases: Vector64<'py>,
    ) -> Result<Bound<'py, PyArray2<f64>>> {
        let (rows, fit_rows) = (rows.copied(), fit_rows.copied());
        let machines = Machines { coefficients: coefficients.copied(), biases: biases.copied() };
        let decisions = py.detach(|| self.0.decisions(rows.view(), fit_rows.view(), &machines))?;
        Ok(decisions.into_pyarray(py))
    }
}

/// Train one machine per model by linfa-svm.
#[pyfunction]
#[pyo3(signature = (features, quality, kernel, gamma, c, tolerance = 1e-3))]
pub(super) fn svm_fit_linfa<'py>(
    py: Python<'py>,
    features: Matrix32<'py>,
    quality: Matrix64<'py>,
    kernel: &str,
    gamma: f64,
    c: f64,
    tolerance: f64,
) -> PyResult<PyMachines<'py>> {
    let kernel = Kernel::named(kernel, gamma)?;
    let (features, quality) = (features.copied(), quality.copied());
    let params = SvmParams { c, tolerance, max_iterations: MAX_ITERATIONS };
    let machines = interruptible(py, |stop| svm::fit_linfa(features.view(), quality.view(), kernel, &params, stop))?;
    Ok(give(py, machines))
}

/// Trained machines of all models on the union of their support vectors.
#[pyclass(frozen, module = "vsr._core")]
pub(super) struct SupportVectors(svm::SupportVectors);

#[pymethods]
impl SupportVectors {
    #[new]
    #[pyo3(signature = (vectors, coefficients, biases, kernel, gamma = 1.0))]
    fn new(
        py: Python<'_>,
        vectors: Matrix32<'_>,
        coefficients: Matrix64<'_>,
        biases: Vector64<'_>,
        kernel: &str,
        gamma: f64,
    ) -> Result<Self> {
        let kernel = Kernel::named(kernel, gamma)?;
        let vectors = vectors.copied();
        let machines = Machines { coefficients: coefficients.copied(), biases: biases.copied() };
        py.detach(|| svm::SupportVectors::new(vectors.view(), &machines, kernel)).map(Self)
    }

    fn decisions<'py>(&self, py: Python<'py>, features: Matrix32<'py>) -> Result<Bound<'py, PyArray2<f64>>> {
        let features = features.copied();
        py.detach(|| self.0.decisions(features.view())).map(|decisions| decisions.into_pyarray(py))
    }
}
