"""One setting for all threads: those of the numerical core and those of NumPy's linear algebra."""

import os

from threadpoolctl import threadpool_limits

from vsr import _core


def set_n_threads(n_threads: int) -> None:
    """Limit how many threads this process computes with from now on.

    Args:
        n_threads: at least 1.
    """
    _core.set_n_threads(n_threads)
    threadpool_limits(limits=n_threads, user_api="blas")


def apply_environment() -> None:
    """Let VSR_NUM_THREADS, which the numerical core reads itself, limit NumPy's linear algebra too."""
    if os.environ.get("VSR_NUM_THREADS"):
        threadpool_limits(limits=_core.n_threads(), user_api="blas")
