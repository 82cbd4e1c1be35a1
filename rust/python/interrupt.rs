//! Ctrl-C during long computations.

use pyo3::prelude::*;

use crate::stop::Stop;
use crate::{Result, threads};

/// Runs `work` in the pool, without the interpreter, and asks it to stop when a signal arrives.
pub(super) fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce(&Stop) -> Result<T> + Send) -> PyResult<T> {
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
    match signal {
        Some(signal) => Err(signal),
        None => Ok(result??),
    }
}
