//! `hash_embed`.

use numpy::{IntoPyArray, PyArray2};
use pyo3::prelude::*;

use crate::Result;
use crate::embedding::hash;

/// Embed texts by signed feature hashing of word and character n-grams.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "extracted from Python as owned strings")]
pub(super) fn hash_embed(py: Python<'_>, texts: Vec<String>, dim: usize) -> Result<Bound<'_, PyArray2<f32>>> {
    py.detach(|| hash::embed(&texts, dim)).map(|vectors| vectors.into_pyarray(py))
}
