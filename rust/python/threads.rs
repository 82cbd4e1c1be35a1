//! How many threads the core uses.

use pyo3::prelude::*;

/// Set how many threads the core uses; 0 means that of `VSR_NUM_THREADS`, and without it one per available core.
#[pyfunction]
#[pyo3(signature = (n_threads, /))]
pub(super) fn set_n_threads(n_threads: usize) {
    crate::threads::set_n_threads(n_threads);
}

/// How many threads the core uses.
#[pyfunction]
pub(super) fn n_threads() -> usize {
    crate::threads::n_threads()
}
