//! Checks that every entry point makes of its matrices.

use ndarray::{Array2, ArrayView2};

use crate::Result;
use crate::error::ValueError;

/// Refuses a matrix with a value that is not finite and names its row.
///
/// # Errors
/// [`ValueError`] with the row and the column of the first such value.
pub fn check_finite(name: &'static str, matrix: ArrayView2<'_, f32>) -> Result<()> {
    for (index, row) in matrix.outer_iter().enumerate() {
        // A sum is finite only if all terms are (or, rarely, overflows): one branch a row.
        let suspicious = !row.sum().is_finite();
        if suspicious && let Some(column) = row.iter().position(|value| !value.is_finite()) {
            return Err(ValueError::NotFinite { name, row: index, column, value: row[column] }.into());
        }
    }
    Ok(())
}

/// Refuses a matrix of another width.
///
/// # Errors
/// [`ValueError`] with both widths.
pub fn check_width(name: &'static str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(ValueError::Width { name, found, expected }.into())
}

/// How wide [`with_padded_rows`] makes rows of `width` columns.
#[must_use]
pub fn padded_width(width: usize) -> usize {
    width.next_multiple_of(8)
}

/// A contiguous copy, its rows filled up with zeros to a multiple of eight columns.
///
/// Zeros change neither a distance nor a product, and a width of 784 spares the kernels the slow tail of 782.
#[must_use]
pub fn with_padded_rows(matrix: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut padded = Array2::zeros((matrix.nrows(), padded_width(matrix.ncols())));
    padded.slice_mut(ndarray::s![.., ..matrix.ncols()]).assign(&matrix);
    padded
}

/// A matrix of values that were computed row after row.
///
/// # Errors
/// [`ValueError`] for more or fewer values than the shape says.
pub fn matrix<T>(shape: (usize, usize), values: Vec<T>) -> Result<Array2<T>> {
    Array2::from_shape_vec(shape, values)
        .map_err(|error| ValueError::Refused { library: "matrix", cause: error.into() }.into())
}

/// A view of values as a matrix.
///
/// # Errors
/// As [`matrix`].
pub fn matrix_view<T>(shape: (usize, usize), values: &[T]) -> Result<ArrayView2<'_, T>> {
    ArrayView2::from_shape(shape, values)
        .map_err(|error| ValueError::Refused { library: "matrix", cause: error.into() }.into())
}
