//! Numerical core of vsr-train: embeddings, nearest neighbours, clusters and support vectors.
//!
//! Everything here builds, tests and benches without Python; `python` holds the binding.

pub mod distance;
pub mod embedding;
pub mod error;
pub mod json_arrays;
pub mod kmeans;
pub mod knn;
pub mod matrix;
pub mod records;
pub mod stop;
pub mod svm;
pub mod threads;
pub mod unit_rows;

mod cpu;
mod product;
#[cfg(feature = "python")]
mod python;

pub use error::{Error, Result};
