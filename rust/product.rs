//! Products of float32 matrices by the `gemm` library, with its twenty arguments in one place and their lengths checked.

use gemm::Parallelism;

/// A matrix inside a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    /// From its first number on.
    pub(crate) values: &'a [f32],
    /// Rows and columns.
    pub(crate) shape: (usize, usize),
    /// How far two rows and two columns are apart.
    pub(crate) strides: (usize, usize),
}

impl<'a> Matrix<'a> {
    /// Rows of `width` numbers, `stride` apart.
    pub(crate) fn rows(values: &'a [f32], n: usize, width: usize, stride: usize) -> Self {
        Self { values, shape: (n, width), strides: (stride, 1) }
    }

    /// Rows as columns.
    pub(crate) fn transposed(self) -> Self {
        let ((rows, columns), (row, column)) = (self.shape, self.strides);
        Self { values: self.values, shape: (columns, rows), strides: (column, row) }
    }

    /// How many numbers from the first to the last.
    fn extent(&self) -> usize {
        let ((rows, columns), (row, column)) = (self.shape, self.strides);
        if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row + (columns - 1) * column + 1 }
    }
}

/// `out (+)= a b`, rows of `out` being `stride` apart.
///
/// # Safety
/// `out` has as many rows as `a` and as many columns as `b`, and nobody else touches them meanwhile.
///
/// # Panics
/// Where the shapes do not fit each other or their slices.
pub(crate) unsafe fn multiply(
    out: *mut f32,
    stride: usize,
    a: Matrix,
    b: Matrix,
    accumulate: bool,
    parallelism: Parallelism,
) {
    assert!(
        a.extent() <= a.values.len() && b.extent() <= b.values.len() && a.shape.1 == b.shape.0,
        "{:?} {:?} and {:?} {:?}",
        a.shape,
        a.strides,
        b.shape,
        b.strides
    );
    // SAFETY: both operands were checked to lie inside their slices; the output is the caller's promise.
    unsafe {
        gemm::gemm(
            a.shape.0,
            b.shape.1,
            a.shape.1,
            out,
            1,
            stride.cast_signed(),
            accumulate,
            a.values.as_ptr(),
            a.strides.1.cast_signed(),
            a.strides.0.cast_signed(),
            b.values.as_ptr(),
            b.strides.1.cast_signed(),
            b.strides.0.cast_signed(),
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}
