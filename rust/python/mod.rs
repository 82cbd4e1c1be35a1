//! The binding: the only place that names `PyO3` or numpy. A wrapper takes, checks, detaches and gives.

use pyo3::prelude::*;

mod encoder;
mod error;

/// The extension module `vsr._core`.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::encoder::{TextEncoder, TokenizedTexts};
    use super::{PyResult, pyfunction};

    /// Set how many threads the core uses; 0 means one per available core.
    #[pyfunction]
    fn set_n_threads(n_threads: usize) {
        crate::threads::set_n_threads(n_threads);
    }

    /// How many threads the core uses.
    #[pyfunction]
    fn n_threads() -> PyResult<usize> {
        Ok(crate::threads::n_threads())
    }
}
