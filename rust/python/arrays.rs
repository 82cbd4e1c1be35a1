//! Arrays from Python, copied before the interpreter is let go: other threads may write to theirs.

use std::sync::Arc;

use ndarray::{Array1, Array2, ArrayView2};
use numpy::{Element, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::Result;
use crate::error::ValueError;
use crate::knn::Stored;
use crate::matrix::{matrix_view, with_padded_rows};

/// A float32 matrix in C order.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub(super) struct Matrix32<'py>(PyReadonlyArray2<'py, f32>);

impl Matrix32<'_> {
    pub(super) fn copied(&self) -> Array2<f32> {
        self.0.as_array().as_standard_layout().into_owned()
    }

    pub(super) fn view(&self) -> ArrayView2<'_, f32> {
        self.0.as_array()
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

/// Row numbers, some for each query.
#[derive(FromPyObject)]
#[pyo3(transparent)]
pub(super) struct RowMatrix<'py>(PyReadonlyArray2<'py, u32>);

impl RowMatrix<'_> {
    pub(super) fn copied(&self) -> Array2<u32> {
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

/// A float64 matrix that nobody writes to; read without a copy.
pub(super) struct Stored64 {
    values: Stored<f64>,
    shape: (usize, usize),
}

impl Stored64 {
    pub(super) fn of(array: &Bound<'_, PyArrayDyn<f64>>) -> PyResult<Self> {
        let shape = (array.shape().first().copied().unwrap_or_default(), array.shape().iter().skip(1).product());
        Ok(Self { values: stored(array)?, shape })
    }

    pub(super) fn view(&self) -> Result<ArrayView2<'_, f64>> {
        matrix_view(self.shape, &self.values)
    }
}

/// Numbers of an array that nobody writes to, such as one over a file that is mapped for reading.
struct Held<T: Element> {
    _array: Py<PyArrayDyn<T>>,
    start: *const T,
    len: usize,
}

// SAFETY: the numbers are never written to (`stored` lets no other array in) and are plain values; the reference to the
// array is only kept, and given up as PyO3 does it on any thread.
unsafe impl<T: Element> Send for Held<T> {}
// SAFETY: as above.
unsafe impl<T: Element> Sync for Held<T> {}

impl<T: Element> AsRef<[T]> for Held<T> {
    fn as_ref(&self) -> &[T] {
        // SAFETY: the array is contiguous, of this length, never written to, and kept alive by `_array`.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

/// Keeps an array of any shape as the run of its numbers, without a copy.
pub(super) fn stored<T: Element + Send + Sync + 'static>(array: &Bound<'_, PyArrayDyn<T>>) -> PyResult<Stored<T>> {
    let flags = array.getattr("flags")?;
    let is_fit = array.is_c_contiguous() && flags.getattr("aligned")?.is_truthy()?;
    if !is_fit || flags.getattr("writeable")?.is_truthy()? {
        let what = "an array is not in C order, not aligned, or may be written to".to_owned();
        return Err(crate::Error::from(ValueError::Parts { what }).into());
    }
    let held = Held { _array: array.clone().unbind(), start: array.data().cast_const(), len: array.len() };
    Ok(Stored::of(Arc::new(held)))
}
