//! One private thread pool, because rayon's global one does not survive `fork` and cannot be resized.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Error, Result};

/// A pool with the process and size that it was made for.
struct Pool {
    process: u32,
    n_threads: usize,
    pool: Arc<rayon::ThreadPool>,
}

static POOL: Mutex<Option<Pool>> = Mutex::new(None);
static N_THREADS: Mutex<usize> = Mutex::new(0);

/// Sets how many threads the core uses from now on; 0 means one per available core.
pub fn set_n_threads(n_threads: usize) {
    *N_THREADS.lock().unwrap_or_else(PoisonError::into_inner) = n_threads;
}

/// How many threads the core uses.
#[must_use]
pub fn n_threads() -> usize {
    match *N_THREADS.lock().unwrap_or_else(PoisonError::into_inner) {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        n => n,
    }
}

/// Runs `work` inside the pool, made on first use and made again after a `fork` or a change of size.
///
/// # Errors
/// [`Error::Value`] when the operating system gives no threads.
pub fn install<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    let wanted = n_threads();
    let process = std::process::id();
    let pool = {
        let mut slot = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Some(pool) if pool.process == process && pool.n_threads == wanted => Arc::clone(&pool.pool),
            _ => {
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(wanted)
                    .thread_name(|i| format!("vsr-{i}"))
                    .build()
                    .map_err(|e| Error::Value(format!("cannot start {wanted} threads: {e}")))?;
                let pool = Arc::new(pool);
                // A pool of the parent process has no threads here; dropping it would wait for them.
                if let Some(old) = slot.take()
                    && old.process != process
                {
                    std::mem::forget(old);
                }
                *slot = Some(Pool { process, n_threads: wanted, pool: Arc::clone(&pool) });
                pool
            }
        }
    };
    Ok(pool.install(work))
}
