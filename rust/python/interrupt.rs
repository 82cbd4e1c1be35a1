//! Ctrl-C during long computations.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use pyo3::prelude::*;

use crate::stop::Stop;
use crate::{Error, Result};

/// How long a Ctrl-C may go unnoticed here; the computation then ends at its own next check.
const LOOK: Duration = Duration::from_millis(50);

/// Runs `work` on a thread of its own, without the interpreter, and asks it to stop when a signal arrives.
pub(super) fn interruptible<T: Send>(py: Python<'_>, work: impl FnOnce(&Stop) -> Result<T> + Send) -> PyResult<T> {
    let stop = Stop::default();
    let (sender, mut receiver) = channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The receiver outlives this thread.
            let _ = sender.send(work(&stop));
        });
        loop {
            let (waited, back) = py.detach(move || (receiver.recv_timeout(LOOK), receiver));
            match waited {
                Ok(result) => return result.map_err(PyErr::from),
                Err(RecvTimeoutError::Timeout) => {
                    if let Err(signal) = py.check_signals() {
                        stop.request();
                        py.detach(move || back.recv()).ok();
                        return Err(signal);
                    }
                }
                // The thread panicked; the scope passes that on.
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Interrupted.into()),
            }
            receiver = back;
        }
    })
}
