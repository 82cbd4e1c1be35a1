"""Several processes that answer on one address, and the parent that keeps them up.

The parent holds the address and loads nothing: no encoder, no artefact. A worker is the same command started anew,
which finds in its environment that it is one; what it says goes to the same terminal.
"""

import logging
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vsr.errors import OutputError
from vsr.serving.listening import SharedAddress

_LOGGER = logging.getLogger(__name__)
_VARIABLE = "VSR_SERVE_WORKER"
_THREADS_VARIABLE = "VSR_NUM_THREADS"
_STEADY_S = 10.0  # whoever has answered for so long is started again at once
_LONGEST_PAUSE_S = 30.0
_GRACE_S = 5.0  # on top of what requests may take
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


@dataclass(frozen=True)
class Worker:
    """What a worker process knows of itself.

    Attributes:
        number: from 1; whoever is started in the place of a dead one has its number.
        is_first: whether it speaks for all: the first one, at its first start.
        parent: process that keeps it up.
        address: descriptor of the socket to accept from.
        ready: descriptor to tell the parent that it answers.
        folder: where the workers keep their metrics, which add up.
        log_key: of the hashes of texts, where nobody gave one: all workers have to hash alike.
    """

    number: int
    is_first: bool
    parent: int
    address: int
    ready: int
    folder: Path
    log_key: str

    @classmethod
    def from_environment(cls) -> "Worker | None":
        """Find out whether this process is one; None where it is not."""
        said = os.environ.pop(_VARIABLE, None)
        return None if said is None else msgspec.json.decode(said, type=cls, dec_hook=lambda kind, text: kind(text))

    @property
    def is_orphan(self) -> bool:
        """Whether the parent has gone."""
        return os.getppid() != self.parent

    def socket(self) -> socket.socket:
        """Give the socket that the parent bound."""
        return socket.socket(fileno=self.address)

    def tell_ready(self) -> None:
        """Tell the parent that requests are answered from now on."""
        os.write(self.ready, b"r")
        os.close(self.ready)


@dataclass(eq=False)
class _Place:
    """A worker that is to be there, and the process that is."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    ready: int | None = None
    is_ready: bool = False
    ready_s: float = 0.0
    due_s: float = 0.0
    n_short_lives: int = 0
    has_missed_hangup: bool = False


class Supervisor:
    """Starts workers, starts anew whoever dies, passes signals on, and ends when all have ended."""

    def __init__(
        self, n_workers: int, address: SharedAddress, drain_s: float, command: Sequence[str] | None = None
    ) -> None:
        """Say what is wanted; `run` does it.

        Args:
            n_workers: at least 1.
            address: on which they listen.
            drain_s: how long requests may take at the end.
            command: of a worker; that of this process without one.
        """
        self._places = [_Place(number) for number in range(1, n_workers + 1)]
        self._address = address
        self._drain_s = drain_s
        self._command = [sys.executable, "-m", "vsr", *sys.argv[1:]] if command is None else list(command)
        self._log_key = secrets.token_hex(32)
        self._has_answered = False
        self._code = 0
        self._ends_s: float | None = None
        self._ended_by: int | None = None

    def run(self, announce: Callable[[], None]) -> int:
        """Keep the workers up until SIGTERM or SIGINT.

        Args:
            announce: called when all of them answer for the first time.

        Returns:
            The exit code: 0, or that of a worker that could not start, which has said why.

        Raises:
            OutputError: There is no folder for temporary files.
            KeyboardInterrupt: SIGINT came, and all have ended.
        """
        try:
            self._folder = Path(tempfile.mkdtemp(prefix="vsr-serve-"))
        except OSError as error:
            raise OutputError(
                f"{tempfile.gettempdir()}: the workers' counts cannot be kept there ({error.strerror}); set TMPDIR to "
                "a folder that can be written to"
            ) from error
        self._woken, waking = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(waking, False)
        before = {number: signal.signal(number, _note) for number in _SIGNALS}
        before_fd = signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
        try:
            self._keep_up(announce)
        finally:
            for place in self._places:
                if place.process is not None:
                    place.process.kill()
                    place.process.wait()
            signal.set_wakeup_fd(before_fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._woken)
            os.close(waking)
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._ended_by == signal.SIGINT:
            raise KeyboardInterrupt(signal.SIGINT)
        return self._code

    def _keep_up(self, announce: Callable[[], None]) -> None:
        self._start(self._places[0])  # alone: what is wrong with all of them is said once
        while self._ends_s is None or any(place.process for place in self._places):
            self._wait()
            for place in self._places:
                self._look_after(place)
            if not self._has_answered and all(place.is_ready for place in self._places):
                self._has_answered = True
                announce()

    def _wait(self) -> None:
        """Sleep until a signal comes, a worker is ready, or somebody is due to be started; take the signals in."""
        now_s = time.monotonic()
        due = [place.due_s for place in self._places if place.process is None and place.due_s]
        due += [] if self._ends_s is None else [self._ends_s]
        timeout_s = max(0.0, min(due) - now_s) if due else None
        ready = [place.ready for place in self._places if place.ready is not None]
        found, _, _ = select.select([self._woken, *ready], [], [], timeout_s)
        for place in self._places:
            if place.ready is not None and place.ready in found:
                self._take_word(place)
        if self._woken in found:
            for number in os.read(self._woken, 4096):
                self._take_signal(number)

    def _take_word(self, place: _Place) -> None:
        assert place.ready is not None
        is_word = os.read(place.ready, 1) == b"r"
        os.close(place.ready)
        place.ready = None
        if not is_word:  # it has ended, which another signal says
            return
        place.is_ready = True
        place.ready_s = time.monotonic()
        if place.has_missed_hangup:
            self._send(place, signal.SIGHUP)
        for other in self._places:
            if not self._has_answered and other.process is None:
                self._start(other)

    def _take_signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            for place in self._places:
                place.has_missed_hangup = not place.is_ready
                if place.is_ready:
                    self._send(place, signal.SIGHUP)
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._ended_by = number
            self._end(0)

    def _end(self, code: int) -> None:
        if self._ends_s is None:
            self._code = code
            self._ends_s = time.monotonic() + self._drain_s + _GRACE_S
            for place in self._places:
                self._send(place, signal.SIGTERM)

    def _look_after(self, place: _Place) -> None:
        if place.process is not None and place.process.poll() is not None:
            self._bury(place, place.process.returncode)
        now_s = time.monotonic()
        if self._ends_s is not None:
            if place.process is not None and now_s >= self._ends_s:
                _LOGGER.warning("worker %d does not end, and is killed", place.number)
                place.process.kill()
                place.process.wait()
        elif place.process is None and place.due_s and now_s >= place.due_s:
            self._start(place)

    def _bury(self, place: _Place, code: int) -> None:
        """Note that a worker has ended, and when another is to take its place."""
        place.process = None
        was_ready, place.is_ready = place.is_ready, False
        for gauges in self._folder.glob(f"gauge_*_{place.number}.db"):  # what it counts stays, what it holds is gone
            gauges.unlink()
        if self._ends_s is not None:
            return
        how = f"was ended by signal {-code}" if code < 0 else f"has ended with exit code {code}"
        is_last = not any(other.process for other in self._places)
        if not was_ready and (not self._has_answered or is_last):
            if code <= 0:
                _LOGGER.warning("worker %d %s before it answered", place.number, how)
            self._end(code if code > 0 else 1)
            return
        now_s = time.monotonic()
        is_steady = was_ready and now_s - place.ready_s >= _STEADY_S
        place.n_short_lives = 0 if is_steady else place.n_short_lives + 1
        pause_s = min(_LONGEST_PAUSE_S, 0.5 * 2.0 ** (place.n_short_lives - 1)) if place.n_short_lives else 0.0
        place.due_s = now_s + pause_s
        when = f"in {pause_s:g} s" if pause_s else "now"
        _LOGGER.warning("worker %d %s; another takes its place %s", place.number, how, when)

    def _start(self, place: _Place) -> None:
        bound = self._address.another()
        place.ready, telling = os.pipe()
        worker = Worker(
            number=place.number,
            is_first=place.number == 1 and not self._has_answered,
            parent=os.getpid(),
            address=bound.fileno(),
            ready=telling,
            folder=self._folder,
            log_key=self._log_key,
        )
        place.has_missed_hangup = False
        try:
            # In a session of its own: a Ctrl-C reaches the parent alone, which lets the workers finish.
            place.process = subprocess.Popen(  # noqa: S603 -- this very command
                self._command,
                env=self._environment(worker),
                pass_fds=(worker.address, worker.ready),
                start_new_session=True,
            )
        finally:  # what the worker alone holds ends with it: nobody waits on the socket of a dead one
            os.close(telling)
            bound.close()

    def _environment(self, worker: Worker) -> Mapping[str, str]:
        said = msgspec.json.encode(worker, enc_hook=str).decode()
        n_threads = max(1, _n_cores() // len(self._places))
        return {_THREADS_VARIABLE: str(n_threads), **os.environ, _VARIABLE: said}

    def _send(self, place: _Place, number: int) -> None:
        if place.process is not None:
            place.process.send_signal(number)


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _note(_number: int, _frame: object) -> None:
    """Do nothing: the number is read where signals wake the parent."""
