"""One setting for all threads: those of the numerical core and those of NumPy's linear algebra."""

from threadpoolctl import threadpool_limits

from vsr import _core


def set_n_threads(n_threads: int) -> None:
    """Limit how many threads this process computes with from now on.

    Args:
        n_threads: at least 1.
    """
    _core.set_n_threads(n_threads)
    threadpool_limits(limits=n_threads, user_api="blas")
