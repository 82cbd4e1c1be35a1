//! Arrays from Python, copied before the interpreter is let go: other threads may write to theirs.

use ndarray::{Array1, Array2};
use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::FromPyObject;

use crate::matrix::with_padded_rows;

/// A float32 matrix in C order.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub(super) struct Matrix32<'py>(PyReadonlyArray2<'py, f32>);

impl Matrix32<'_> {
    pub(super) fn copied(&self) -> Array2<f32> {
        self.0.as_array().as_standard_layout().into_owned()
    }

    pub(super) fn padded(&self) -> Array2<f32> {
        with_padded_rows(self.0.as_array())
    }

    pub(super) fn width(&self) -> usize {
        self.0.as_array().ncols()
    }
}

/// A float64 matrix.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub(super) struct Matrix64<'py>(PyReadonlyArray2<'py, f64>);

impl Matrix64<'_> {
    pub(super) fn copied(&self) -> Array2<f64> {
        self.0.as_array().as_standard_layout().into_owned()
    }
}

/// Row numbers.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub(super) struct Rows<'py>(PyReadonlyArray1<'py, u32>);

impl Rows<'_> {
    pub(super) fn copied(&self) -> Array1<u32> {
        self.0.as_array().to_owned()
    }
}

/// A float64 vector.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub(super) struct Vector64<'py>(PyReadonlyArray1<'py, f64>);

impl Vector64<'_> {
    pub(super) fn copied(&self) -> Array1<f64> {
        self.0.as_array().to_owned()
    }
}
