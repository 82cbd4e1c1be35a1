//! The one map from the core's errors to Python's.

use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::Error;

/// Makes an instance of a class of `vsr.errors`.
fn own_class(name: &str, message: &str) -> PyErr {
    Python::attach(|py| {
        let class = py
            .import("vsr.errors")
            .and_then(|module| module.getattr(name))
            .and_then(|class| Ok(class.cast_into::<PyType>()?));
        match class {
            Ok(class) => PyErr::from_type(class, message.to_owned()),
            Err(error) => error,
        }
    })
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Value(_) => PyValueError::new_err(message),
            Error::Embedding(_) => own_class("EmbeddingError", &message),
            Error::Artefact(_) => own_class("ArtefactError", &message),
            Error::Io { path, source } => match source.raw_os_error() {
                Some(number) => PyOSError::new_err((number, source.to_string(), path)),
                None => PyOSError::new_err(message),
            },
            Error::Panic(_) => PyRuntimeError::new_err(message),
            Error::Interrupted => PyKeyboardInterrupt::new_err(()),
        }
    }
}
