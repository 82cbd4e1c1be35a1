//! The binding: the only place that names `PyO3` or numpy. A wrapper takes, checks, detaches and gives.

use pyo3::prelude::*;

mod arrays;
mod encoder;
mod error;
mod hash;
mod interrupt;
mod json_arrays;
mod kmeans;
mod knn;
mod records;
mod svm;
mod threads;
mod unit_rows;

/// The extension module `vsr._core`.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::encoder::{TextEncoder, TokenizedTexts};
    #[pymodule_export]
    use super::hash::hash_embed;
    #[pymodule_export]
    use super::json_arrays::{read_json_arrays, write_json_parts};
    #[pymodule_export]
    use super::kmeans::kmeans_fit;
    #[pymodule_export]
    use super::knn::{KnnIndex, squared_distances, weighted_sums};
    #[pymodule_export]
    use super::records::RecordTable;
    #[pymodule_export]
    use super::svm::{KernelMatrix, SupportVectors, svm_fit_linfa};
    #[pymodule_export]
    use super::threads::{n_threads, set_n_threads};
    #[pymodule_export]
    use super::unit_rows::unit_rows;
}
