//! Large arrays of numbers inside JSON documents, read and written without a detour over Python objects.
//!
//! The documents stay ordinary JSON; everything but the arrays is left to an ordinary parser.

mod array;
mod lists;
mod pattern;
mod read;
mod window;
mod write;

pub use read::read;
pub use write::{Part, write};

/// Numbers of an array, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision.
    Float32(Vec<f32>),
    /// Double precision.
    Float64(Vec<f64>),
}

/// The type that the numbers of an array are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Single precision.
    Float32,
    /// Double precision.
    Float64,
}

/// A rectangular array of rank 1 or more.
#[derive(Debug, Clone, PartialEq)]
pub struct NumberArray {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// As many as the shape says.
    pub values: Values,
}
