//! Tests of the numerical core against slow and plain references, without Python.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod data;
mod distance;
mod embedding;
mod hash;
mod json_arrays;
mod kmeans;
mod knn;
mod records;
mod svm;
mod threads;
