"""The decision log: a line of JSON for every choice, written by one thread; a request never waits for the disk."""

import contextlib
import fcntl
import hashlib
import hmac
import logging
import os
import queue
import secrets
import stat
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from vsr.choice.chooser import Choice
from vsr.choice.exploration import as_exploration
from vsr.choice.objective import Objective
from vsr.errors import OutputError
from vsr.routing.decisions import DecisionRouter
from vsr.routing.distances import Distance, Distances, Measurable
from vsr.routing.parts import parts_of
from vsr.routing.protocol import ModelRouter
from vsr.routing.reloading import ReloadingRouter
from vsr.routing.request import Request
from vsr.routing.router import Router

_LOGGER = logging.getLogger(__name__)
LOG_NAME = "decisions.jsonl"
KEY_VARIABLE = "VSR_LOG_KEY"
_MOST_WAITING = 10_000
_MOST_WAITING_BYTES = 64 << 20
_MOST_BYTES = 256 << 20
_MOST_AT_ONCE = 500  # lines of one write
_MOST_MEASURED = 64  # of these: a server under load has better things to do than to measure distances
_TAIL_BYTES = 1 << 20
_OWN_MODE = 0o600
_STOP = None
_AGE_S = 86_400.0


@dataclass(frozen=True, eq=False, slots=True)
class Decision:
    """A choice and what belongs to it.

    Attributes:
        id: of this choice; whoever gives feedback names it.
        request: what was asked.
        choice: what was answered.
        router: that chose.
        time_s: when, in seconds of Unix time.
        duration_s: how long choosing took; of requests that were chosen for together, of all of them.
        request_id: the caller's own name of the request, where the request itself does not say it.
        answered: the model that was answered in place of the choice, which is logged alone; None where that reached
            the caller.
    """

    id: str
    request: Request
    choice: Choice
    router: ModelRouter
    time_s: float
    duration_s: float
    request_id: str | None = None
    answered: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class _Waiting:
    """A line that waits to be written: all of it but the distance, and what that is measured from."""

    line: bytes
    query: Measurable | None

    @property
    def n_bytes(self) -> int:
        return len(self.line) + (0 if self.query is None else self.query.vector.nbytes)


class DecisionLog:
    """A file of decisions that is only ever added to; safe from several threads.

    Texts are kept as HMAC-SHA256 under a key, so that equal texts can be told without being read.

    Attributes:
        path: the file.
        has_random_key: whether hashes cannot be compared with those of any other run.
        n_written: lines that are in the file.
        n_dropped: decisions that are not, because the queue was full or the disk refused them.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        key: str | None = None,
        with_text: bool = False,
        most_waiting: int = _MOST_WAITING,
        most_bytes: int = _MOST_BYTES,
        age_s: float = _AGE_S,
    ) -> None:
        """Open the file, with mode 0600, and start the thread that writes.

        Args:
            path: the file; its folder is made.
            key: of the hashes; that in VSR_LOG_KEY without one, and a random one without that.
            with_text: write texts themselves.
            most_waiting: decisions that may wait to be written; further ones are dropped and counted.
            most_bytes: size above which the file is put aside, with the time in its name, and a new one is begun;
                nothing is ever deleted.
            age_s: likewise, a new file is begun with each period of so many seconds of Unix time; a day begins at
                midnight UTC.

        Raises:
            OutputError: The file cannot be written, is no regular file, or another process logs to it.
        """
        self.path = Path(path)
        given = key or os.environ.get(KEY_VARIABLE)
        self.has_random_key = not given and not with_text
        self.n_written = 0
        self._n_refused = 0
        self._n_lost = 0
        self._key = given.encode() if given else secrets.token_bytes(32)
        self._with_text = with_text
        self._most_bytes = most_bytes
        self._age_s = age_s
        self._descriptor = _open(self.path)
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(most_waiting)
        self._distances = Distances()  # of the thread that writes
        self._n_waiting_bytes = 0
        self._lock = threading.Lock()  # of the counts
        self._is_closed = False
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="decision log", daemon=True)
        self._thread.start()

    @property
    def n_dropped(self) -> int:
        """Decisions that are not in the file."""
        return self._n_refused + self._n_lost

    def add(self, decisions: Sequence[Decision]) -> None:
        """Take decisions to be written; where too many wait, or after `close`, they are counted and dropped."""
        for decision in decisions:
            try:
                waiting = _Waiting(_encode(self._line(decision)), _measurable(decision))
            except Exception as error:  # a log that fails must not stop the choosing
                self._lose(1, f"{type(error).__name__}: {error}")
                continue
            self._enqueue(waiting)

    def _enqueue(self, waiting: _Waiting) -> None:
        with self._lock:
            if not self._is_closed and self._n_waiting_bytes + waiting.n_bytes <= _MOST_WAITING_BYTES:
                with contextlib.suppress(queue.Full):
                    self._waiting.put_nowait(waiting)
                    self._n_waiting_bytes += waiting.n_bytes
                    return
            self._n_refused += 1

    def close(self) -> None:
        """Write what waits, and close the file."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._waiting.put(_STOP)
        self._thread.join()
        os.close(self._descriptor)

    def _run(self) -> None:
        is_open = True
        while is_open:
            taken: list[_Waiting] = []
            item = self._waiting.get()
            while item is not _STOP:
                taken.append(item)
                if len(taken) >= _MOST_AT_ONCE:
                    break
                try:
                    item = self._waiting.get_nowait()
                except queue.Empty:
                    break
            is_open = item is not _STOP
            if taken:
                with self._lock:
                    self._n_waiting_bytes -= sum(waiting.n_bytes for waiting in taken)
                self._write(self._with_distances(taken))

    def _with_distances(self, taken: Sequence[_Waiting]) -> list[bytes]:
        """Complete lines by the distances of their queries, measured all at once."""
        step = -(-len(taken) // _MOST_MEASURED)
        try:
            found = self._distances.of([None if row % step else waiting.query for row, waiting in enumerate(taken)])
        except Exception as error:  # a line without its distance is better than none
            _LOGGER.warning("%s: distances are not known (%s: %s)", self.path, type(error).__name__, error)
            found = [None] * len(taken)
        return [waiting.line[:-1] + _fields(distance) for waiting, distance in zip(taken, found, strict=True)]

    def _write(self, lines: Sequence[bytes]) -> None:
        """Write lines whole or not at all: half a line would spoil the next one."""
        content = memoryview(b"".join(lines))
        before = -1
        try:
            if self._is_of_another_period():
                self._begin_anew()
            before = os.fstat(self._descriptor).st_size
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError as error:
            if before >= 0:
                with contextlib.suppress(OSError):  # the next start mends the end of the file
                    os.ftruncate(self._descriptor, before)
            self._lose(len(lines), error.strerror or str(error))
            return
        if self._is_failing:
            _LOGGER.warning("%s: decisions are written again; %s are lost", self.path, f"{self._n_lost:,}")
        self._is_failing = False
        self.n_written += len(lines)
        if before + sum(map(len, lines)) > self._most_bytes:
            self._begin_anew()

    def _is_of_another_period(self) -> bool:
        """Whether the file holds lines, and the last of them is of a day before."""
        state = os.fstat(self._descriptor)
        return state.st_size > 0 and state.st_mtime // self._age_s < time.time() // self._age_s

    def _begin_anew(self) -> None:
        """Put a full or old file aside; where that fails the log goes on in it."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        try:
            self.path.rename(self.path.with_name(f"{self.path.stem}-{stamp}{self.path.suffix}"))
            fresh = _open(self.path)
        except (OSError, OutputError) as error:
            self._most_bytes *= 2  # until the next try
            _LOGGER.warning("%s: cannot be put aside (%s); the log goes on in it", self.path, error)
            return
        os.close(self._descriptor)
        self._descriptor = fresh

    def _lose(self, count: int, why: str) -> None:
        """Count decisions that are lost, and say so once until some are written again."""
        with self._lock:
            self._n_lost += count
            is_news, self._is_failing = not self._is_failing, True
        if is_news:
            _LOGGER.warning("%s: decisions are lost (%s); choices go on without them", self.path, why)

    def _line(self, decision: Decision) -> dict[str, object]:
        request, choice = decision.request, decision.choice
        chose = _chose(decision.router, choice)
        text = request.text("last" if chose is None else chose.artefact.text)
        objective = request.objective or (None if chose is None else chose.objective)
        line: dict[str, object] = {
            "id": decision.id,
            "time": datetime.fromtimestamp(decision.time_s, UTC).isoformat(timespec="milliseconds"),
            "request_id": request.request_id if decision.request_id is None else decision.request_id,
            "decision": choice.decision,
            "category": choice.category,
            "category_source": choice.category_source,
            "candidates": _candidates(choice),
            "scores": choice.scores,
            "utilities": choice.utilities,
            "model": choice.model if decision.answered is None else decision.answered,
            "margin": choice.margin,
            "reason": choice.reason if decision.answered is None else "shadow",
            "excluded": choice.excluded,
            "previous": request.previous,
            "objective": _document(objective),
            "propensity": choice.propensity,
            **_explored(request),
            "duration_ms": round(1e3 * decision.duration_s, 3),
            "run_id": None if chose is None or chose.artefact.header is None else chose.artefact.header.run_id,
        }
        if decision.answered is not None:
            line["shadow_model"] = choice.model
        if self._with_text:
            line["text"] = text
        else:
            line["text_hash"] = None if text is None else self._hash(text)
        return line

    def _hash(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


_encode = msgspec.json.Encoder().encode


def _open(path: Path) -> int:
    """Open a log to add to, which nobody else may read and no other process adds to."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags, _OWN_MODE)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}); expected a file, or a folder to make it in"
        ) from error
    try:
        _require_regular(path, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(descriptor, _OWN_MODE)
        _drop_torn_line(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        raise OutputError(f"{path}: another process logs to it; name another file") from None
    except OSError as error:
        os.close(descriptor)
        raise OutputError(f"{path}: cannot be written ({error.strerror}); name another file") from error
    except OutputError:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(path: Path, descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OutputError(f"{path}: is no regular file; expected the name of a file to add decisions to")


def _drop_torn_line(descriptor: int) -> None:
    """Take away the half of a line that a killed process may have left at the end."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(descriptor, size - start, start)
    whole = tail.rfind(b"\n") + 1
    if tail[whole:].startswith(b'{"id":'[: len(tail) - whole]) and whole < len(tail):
        os.ftruncate(descriptor, start + whole)


def _fields(distance: Distance | None) -> bytes:
    """Write the end of a line."""
    if distance is None:
        return b',"distance":null,"distance_rank":null}\n'
    return b',"distance":%.4f,"distance_rank":%.5f}\n' % (distance.cosine, distance.rank)


def _measurable(decision: Decision) -> Measurable | None:
    """Find the vector that a choice rests on; None where it rests on none, or that is not kept."""
    if not decision.choice.scores:
        return None
    own = decision.router.current if isinstance(decision.router, ReloadingRouter) else decision.router
    parts = parts_of(own)  # of which the first embeds for all
    vector = parts[0].vector_of(decision.request) if parts else None
    return None if vector is None else Measurable(parts[0], vector)


def _chose(router: ModelRouter, choice: Choice) -> Router | None:
    """Give the router of one training that a choice rests on; None where nothing was compared."""
    own = router.current if isinstance(router, ReloadingRouter) else router
    if isinstance(own, DecisionRouter):
        return own.router_of(choice) or next(iter(parts_of(own) if choice.scores else ()), None)
    return own if isinstance(own, Router) else None


def _candidates(choice: Choice) -> list[str]:
    """Name what was on offer: what was compared, what was left out, and the only one."""
    only = () if choice.reason == "default" else (choice.model,)
    return list(dict.fromkeys((*choice.utilities, *choice.excluded, *only)))


def _explored(request: Request) -> dict[str, float]:
    """Say within which margin others could have been drawn; nothing where nothing was left to chance."""
    exploration = as_exploration(request.explore)
    return {} if exploration is None else {"explore_margin": exploration.margin}


def _document(objective: Objective | None) -> dict[str, object] | None:
    return None if objective is None else objective.document()
