//! Checks that every entry point makes of its matrices.

use ndarray::{Array2, ArrayView2};

use crate::{Error, Result};

/// Refuses a matrix with a value that is not finite and names its row.
///
/// # Errors
/// [`Error::Value`] with the row and the column of the first such value.
pub fn check_finite(name: &str, matrix: ArrayView2<'_, f32>) -> Result<()> {
    for (index, row) in matrix.outer_iter().enumerate() {
        // A sum is finite only if all terms are (or, rarely, overflows): one branch a row.
        let suspicious = !row.sum().is_finite();
        if suspicious && let Some(column) = row.iter().position(|value| !value.is_finite()) {
            return Err(Error::Value(format!(
                "{name}: row {index}, column {column} is {}; every value must be a finite number",
                row[column]
            )));
        }
    }
    Ok(())
}

/// Refuses a matrix of another width.
///
/// # Errors
/// [`Error::Value`] with both widths.
pub fn check_width(name: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Value(format!("{name}: rows of width {found}, expected {expected}")))
}

/// A contiguous copy, its rows filled up with zeros to a multiple of eight columns.
///
/// Zeros change neither a distance nor a product, and a width of 784 spares the kernels the slow tail of 782.
#[must_use]
pub fn with_padded_rows(matrix: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut padded = Array2::zeros((matrix.nrows(), matrix.ncols().next_multiple_of(8)));
    padded.slice_mut(ndarray::s![.., ..matrix.ncols()]).assign(&matrix);
    padded
}
