//! The one map from the core's errors to Python's.

use pyo3::PyErr;
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyValueError};

use crate::Error;

mod own {
    pyo3::import_exception!(vsr.errors, ArtefactError);
    pyo3::import_exception!(vsr.errors, EmbeddingError);
    pyo3::import_exception!(vsr.errors, TrainingError);
}

impl From<Error> for PyErr {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Value(_) => PyValueError::new_err(message),
            Error::Embedding(_) => own::EmbeddingError::new_err(message),
            Error::Artefact { .. } => own::ArtefactError::new_err(message),
            Error::Io { path, source } => match source.raw_os_error() {
                Some(number) => PyOSError::new_err((number, source.to_string(), path)),
                None => PyOSError::new_err(message),
            },
            Error::Panic { .. } => own::TrainingError::new_err(message),
            Error::Interrupted => PyKeyboardInterrupt::new_err(()),
        }
    }
}
