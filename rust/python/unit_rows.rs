//! `unit_rows`.

use numpy::{IntoPyArray, PyArray2};
use pyo3::prelude::*;

use super::arrays::Matrix32;

/// Bring every row to unit length.
#[pyfunction]
pub(super) fn unit_rows<'py>(py: Python<'py>, rows: Matrix32<'py>) -> Bound<'py, PyArray2<f32>> {
    // One row takes less time than letting the interpreter go and copying the row before; many are as long as a copy.
    crate::unit_rows::unit_rows(rows.view()).into_pyarray(py)
}
