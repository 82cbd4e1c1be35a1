"""One setting for all threads: those of the numerical core and those of NumPy's linear algebra.

Nothing else may limit them: the limits are the process's, and two that overlap leave the wrong one behind.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import LibController, ThreadpoolController

from vsr import _core


class _LinearAlgebra:
    """The threads of NumPy's linear algebra: a number for good, and one thread as long as anybody asks for it.

    Most libraries have one number for the process, some one for each thread that calls them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_holders = 0
        self._libraries: list[LibController] = []
        self._n_threads: list[int] = []  # of each library when nobody asks for one

    def limit(self, n_threads: int) -> None:
        with self._lock:
            if self._n_holders:
                self._n_threads = [n_threads] * len(self._libraries)
            else:
                for library in _libraries():
                    _set(library, n_threads)

    def enter(self) -> None:
        with self._lock:
            if not self._n_holders:
                self._libraries = _libraries()
                self._n_threads = [library.num_threads for library in self._libraries]
            self._n_holders += 1
            for library in self._libraries:
                _set(library, 1)

    def leave(self) -> None:
        with self._lock:
            self._n_holders -= 1
            for library, n_threads in zip(self._libraries, self._n_threads, strict=True):
                if not self._n_holders or _counts_per_thread(library):
                    _set(library, n_threads)

    def renew_lock(self) -> None:
        self._lock = threading.Lock()


def _libraries() -> list[LibController]:
    libraries: list[LibController] = ThreadpoolController().select(user_api="blas").lib_controllers
    return libraries


def _set(library: LibController, n_threads: int) -> None:
    # Newer versions of threadpoolctl let the first thread alone set the number; for others they do nothing, silently.
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)
    library.set_num_threads(n_threads)


def _counts_per_thread(library: LibController) -> bool:
    return library.internal_api == "mkl" or getattr(library, "threading_layer", None) == "openmp"


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
