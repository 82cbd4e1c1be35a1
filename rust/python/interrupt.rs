//! Ctrl-C during long computations.

use pyo3::prelude::*;

use crate::stop::Stop;
use crate::{Error, Result, threads};

/// Runs `work` in the pool, without the interpreter, and asks it to stop when a signal arrives.
pub(super) fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce(&Stop) -> Result<T> + Send) -> PyResult<T> {
    interruptible_or(py, Error::Panic, work)
}

/// The same, with an error of one's own for a panic, which only code of other libraries makes.
pub(super) fn interruptible_or<T: Send>(
    py: Python<'_>,
    gave_up: impl FnOnce(String) -> Error,
    work: impl FnOnce(&Stop) -> Result<T> + Send,
) -> PyResult<T> {
    let stop = Stop::default();
    let mut signal = None;
    let result = py.detach(|| {
        let look = || {
            if let Err(error) = Python::attach(|py| py.check_signals()) {
                stop.request();
                signal = Some(error);
            }
        };
        threads::install_watched(|| work(&stop), look)
    });
    match (signal, result) {
        (Some(signal), _) => Err(signal),
        (None, Err(Error::Panic(panic))) => Err(gave_up(panic).into()),
        (None, result) => Ok(result??),
    }
}
