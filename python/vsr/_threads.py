"""One setting for all threads: those of the numerical core and those of NumPy's linear algebra.

Nothing else may call `threadpool_limits`: its limits are the process's, and two that overlap leave the wrong one behind.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

from vsr import _core


class _LinearAlgebra:
    """The threads of NumPy's linear algebra: a limit for good, and one thread as long as anybody asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_holders = 0
        self._before: threadpool_limits | None = None

    def limit(self, n_threads: int) -> None:
        with self._lock:
            if self._n_holders:
                self._restore()
            threadpool_limits(limits=n_threads, user_api="blas")
            if self._n_holders:
                self._hold()

    def enter(self) -> None:
        with self._lock:
            if not self._n_holders:
                self._hold()
            self._n_holders += 1

    def leave(self) -> None:
        with self._lock:
            self._n_holders -= 1
            if not self._n_holders:
                self._restore()

    def renew_lock(self) -> None:
        self._lock = threading.Lock()

    def _hold(self) -> None:
        self._before = threadpool_limits(limits=1, user_api="blas")

    def _restore(self) -> None:
        if self._before is not None:
            self._before.restore_original_limits()


_linear_algebra = _LinearAlgebra()
os.register_at_fork(after_in_child=_linear_algebra.renew_lock)  # another thread may hold it at that moment


@contextmanager
def one_linear_algebra_thread() -> Iterator[None]:
    """Compute NumPy's linear algebra on one thread inside; any number of threads may be inside at a time.

    The number of threads from before comes back when the last one leaves, or what `set_n_threads` said meanwhile.
    """
    _linear_algebra.enter()
    try:
        yield
    finally:
        _linear_algebra.leave()


def set_n_threads(n_threads: int) -> None:
    """Limit how many threads this process computes with from now on.

    Args:
        n_threads: at least 1.
    """
    _core.set_n_threads(n_threads)
    _linear_algebra.limit(n_threads)


def apply_environment() -> None:
    """Let VSR_NUM_THREADS, which the numerical core reads itself, limit NumPy's linear algebra too."""
    if os.environ.get("VSR_NUM_THREADS"):
        _linear_algebra.limit(_core.n_threads())
