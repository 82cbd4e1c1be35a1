//! Numerical core of vsr-train: embeddings, nearest neighbours, clusters and support vectors.
//!
//! Everything here builds, tests and benches without Python; `python` holds the binding.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod embedding;
pub mod error;
#[cfg(feature = "python")]
mod python;
pub mod stop;
pub mod threads;

pub use error::{Error, Result};
