//! `TextEncoder` and `TokenizedTexts` of `vsr._core`.

use std::path::PathBuf;

use candle_core::Device;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use super::interrupt::interruptible_or;
use crate::embedding::ops::ProductDtype;
use crate::embedding::{self, EncoderOptions};
use crate::error::EmbeddingError;
use crate::stop::Stop;
use crate::{Error, Result};

/// Runs `work` in the pool until a signal comes; a panic is an `EmbeddingError`.
fn watched<T: Send>(py: Python<'_>, what: &str, work: impl FnOnce(&Stop) -> Result<T> + Send) -> PyResult<T> {
    interruptible_or(py, |panic| EmbeddingError::GaveUp { what: what.to_owned(), panic }.into(), work)
}

/// Texts as token numbers.
#[pyclass(frozen, module = "vsr._core")]
pub struct TokenizedTexts(embedding::TokenizedTexts);

#[pymethods]
impl TokenizedTexts {
    /// Tokens of each text, special ones included, after truncation; uint32 (n,).
    #[getter]
    fn lengths<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        PyArray1::from_iter(py, self.0.ids.iter().map(|ids| u32::try_from(ids.len()).unwrap_or(u32::MAX)))
    }

    /// Which texts were longer than the limit; bool (n,).
    #[getter]
    fn truncated<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<bool>> {
        PyArray1::from_slice(py, &self.0.truncated)
    }
}

/// A loaded embedding model.
#[pyclass(frozen, module = "vsr._core")]
pub struct TextEncoder(embedding::TextEncoder);

#[pymethods]
impl TextEncoder {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "Python names them")]
    #[pyo3(signature = (path, architecture=None, dim=None, prompt=None, max_tokens=None, device="cpu", dtype="float32"))]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        architecture: Option<String>,
        dim: Option<usize>,
        prompt: Option<String>,
        max_tokens: Option<usize>,
        device: &str,
        dtype: &str,
    ) -> PyResult<Self> {
        let dtype = product_dtype(dtype)?;
        let device = open_device(device)?;
        let options = EncoderOptions { dim, prompt, max_tokens, architecture, dtype };
        let encoder =
            watched(py, &path.display().to_string(), |_| embedding::TextEncoder::load(&path, &options, &device))?;
        Ok(Self(encoder))
    }

    /// Cut texts into tokens.
    fn tokenize(&self, py: Python<'_>, texts: Vec<PyBackedStr>) -> PyResult<TokenizedTexts> {
        Ok(TokenizedTexts(watched(py, "the model's tokenizer failed", |_| self.0.tokenize(&texts))?))
    }

    /// Embed some of the tokenized texts: float32 (len(rows), dim), rows of unit length.
    fn embed<'py>(
        &self,
        py: Python<'py>,
        texts: &TokenizedTexts,
        rows: PyReadonlyArray1<'py, u32>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let rows: Vec<usize> = rows.as_array().iter().map(|&row| row as usize).collect();
        let vectors = watched(py, "the network failed", |stop| self.0.embed(&texts.0, &rows, stop))?;
        PyArray1::from_vec(py, vectors).reshape([rows.len(), self.0.dim()])
    }

    /// Width of the vectors.
    #[getter]
    fn dim(&self) -> usize {
        self.0.dim()
    }

    /// Width of the model's own vectors.
    #[getter]
    fn native_dim(&self) -> usize {
        self.0.native_dim()
    }

    /// Longest text in tokens, special ones included.
    #[getter]
    fn token_limit(&self) -> usize {
        self.0.token_limit()
    }

    /// "mean", "cls" or "lasttoken".
    #[getter]
    fn pooling(&self) -> &'static str {
        self.0.pooling().name()
    }

    /// The text before every text.
    #[getter]
    fn prompt(&self) -> &str {
        self.0.prompt()
    }

    /// Digest of configuration, tokenizer, weights and dense layers.
    #[getter]
    fn digest(&self) -> &str {
        self.0.digest()
    }
}

fn product_dtype(name: &str) -> Result<ProductDtype> {
    match name {
        "float32" => Ok(ProductDtype::Float32),
        "bfloat16" => Ok(ProductDtype::Bfloat16),
        "int8" => Ok(ProductDtype::Int8),
        _ => Err(unknown("dtype", name, "float32, bfloat16 or int8")),
    }
}

fn open_device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" if cfg!(feature = "cuda") => {
            Ok(Device::new_cuda(0).map_err(|error| EmbeddingError::Cuda(format!("no CUDA device: {error}")))?)
        }
        "cuda" => {
            let what = "this build has no CUDA; install it with the feature 'cuda', or use the device 'cpu'";
            Err(EmbeddingError::Cuda(what.to_owned()).into())
        }
        _ => Err(unknown("device", name, "cpu or cuda")),
    }
}

fn unknown(option: &'static str, found: &str, known: &'static str) -> Error {
    EmbeddingError::Unknown { option, found: found.to_owned(), known }.into()
}
