//! One private thread pool, because rayon's global one does not survive `fork` and cannot be resized.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::error::ValueError;
use crate::{Error, Result};

/// A pool with the process and size that it was made for.
struct Pool {
    process: u32,
    n_threads: usize,
    pool: Arc<rayon::ThreadPool>,
}

static POOL: Mutex<Option<Pool>> = Mutex::new(None);
static N_THREADS: Mutex<usize> = Mutex::new(0);

/// How many threads are used where nobody sets the number.
const VARIABLE: &str = "VSR_NUM_THREADS";

/// Sets how many threads the core uses from now on; 0 means `VSR_NUM_THREADS`, else one per available core.
pub fn set_n_threads(n_threads: usize) {
    *N_THREADS.lock().unwrap_or_else(PoisonError::into_inner) = n_threads;
}

/// How many threads the core uses.
#[must_use]
pub fn n_threads() -> usize {
    match *N_THREADS.lock().unwrap_or_else(PoisonError::into_inner) {
        0 => default_n_threads(),
        n => n,
    }
}

/// Read once: a gateway sets the variable before it starts.
fn default_n_threads() -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    *DEFAULT.get_or_init(|| {
        let wanted = std::env::var(VARIABLE).ok().and_then(|value| value.trim().parse().ok()).filter(|&n| n > 0);
        wanted.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
    })
}

/// Runs `work` inside the pool, made on first use and made again after a `fork` or a change of size.
///
/// # Errors
/// [`ValueError`] when the operating system gives no threads.
pub fn install<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    Ok(pool()?.install(work))
}

/// Runs `work` inside the pool while the calling thread calls `watch` ten times a second.
///
/// # Errors
/// As [`install`]; [`Error::Panic`] when `work` panicked, which only code of other libraries does.
pub fn install_watched<T: Send>(work: impl FnOnce() -> T + Send, mut watch: impl FnMut()) -> Result<T> {
    const INTERVAL: Duration = Duration::from_millis(100);
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let result = pool()?.in_place_scope(|scope| {
        scope.spawn(move |_| {
            // The receiver outlives this task: it waits below.
            let _ = sender.send(guarded(work));
        });
        loop {
            match receiver.recv_timeout(INTERVAL) {
                Err(RecvTimeoutError::Timeout) => watch(),
                done => break done,
            }
        }
    });
    result.unwrap_or_else(|_| Err(Error::Panic("a thread ended without a result".to_owned())))
}

/// Starts a thread for work that may be left alone before its end.
///
/// # Errors
/// [`ValueError`] when the operating system gives none.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name("vsr-alone".to_owned()).spawn(work);
    thread.map_err(|error| ValueError::Threads { wanted: 1, cause: error.into() })?;
    Ok(())
}

/// Runs code of another library that may panic.
///
/// # Errors
/// [`Error::Panic`] when it did, with its message.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Error::Panic(text.unwrap_or_else(|| "no message".to_owned()))
    })
}

fn pool() -> Result<Arc<rayon::ThreadPool>> {
    let wanted = n_threads();
    let process = std::process::id();
    let mut slot = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = &*slot
        && pool.process == process
        && pool.n_threads == wanted
    {
        return Ok(Arc::clone(&pool.pool));
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(wanted)
        .thread_name(|i| format!("vsr-{i}"))
        .build()
        .map_err(|error| ValueError::Threads { wanted, cause: error.into() })?;
    let pool = Arc::new(pool);
    // A pool of the parent process has no threads here; dropping it would wait for them.
    if let Some(old) = slot.take()
        && old.process != process
    {
        std::mem::forget(old);
    }
    *slot = Some(Pool { process, n_threads: wanted, pool: Arc::clone(&pool) });
    Ok(pool)
}
