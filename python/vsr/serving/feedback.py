"""Feedback on choices: whether it counts, and the file that it is added to, `feedback.jsonl`."""

import contextlib
import logging
import os
import secrets
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import msgspec

from vsr.errors import OutputError
from vsr.serving.feedback_bodies import FeedbackBody
from vsr.serving.ids import DecisionIds

FEEDBACK_NAME = "feedback.jsonl"
SEEN_NAME = "feedback.sqlite"
KEEP_DAYS = 7
_KEEP_S = KEEP_DAYS * 86_400
_OWN_MODE = 0o600
_BUSY_S = 10.0
_TAIL_BYTES = 1 << 16
_encode = msgspec.json.Encoder().encode
_LOGGER = logging.getLogger(__name__)

Outcome = Literal["counted", "unknown", "other_model", "late", "repeated"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one piece of feedback.

    Attributes:
        id: that it named.
        outcome: whether it counts; else why not.
        error: the same in words; None where it counts.
    """

    id: str
    outcome: Outcome
    error: str | None = None


class FeedbackLog:
    """A file of feedback that is only ever added to; safe from several threads and processes.

    Every id counts once: a database beside the file keeps those that have, for as long as they could count again.

    Attributes:
        path: the file.
        ids: makes the ids that feedback may name.
    """

    def __init__(
        self, folder: str | os.PathLike[str], key: str | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """Make what is missing, with mode 0600.

        Args:
            folder: of the file; made if it is missing.
            key: of the ids; without one a random one that is kept in the folder.
            clock: seconds of Unix time.

        Raises:
            OutputError: The folder or a file in it cannot be written.
        """
        self.path = Path(folder) / FEEDBACK_NAME
        self._seen_path = Path(folder) / SEEN_NAME
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        kept = self._make()
        self.ids = DecisionIds(kept if key is None else key.encode("utf-8", "surrogatepass"), clock)

    def add(self, given: Sequence[FeedbackBody], known: Collection[str]) -> list[Receipt]:
        """Add what counts to the file.

        Args:
            given: the feedback.
            known: models that may have answered where it does not say which.

        Returns:
            A receipt for each, in order.

        Raises:
            OutputError: The disk is full or fails; nothing of it counts then.
        """
        try:
            with self._lock, self._writing() as (connection, descriptor):
                self._forget(connection)
                checked = [self._check(each, known, connection) for each in given]
                content = memoryview(b"".join(_encode(line) + b"\n" for _, line in checked if line is not None))
                while content:
                    content = content[os.write(descriptor, content) :]
        except (OSError, sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            _LOGGER.warning("%s: feedback is lost (%s)", self.path, why)
            raise OutputError(f"feedback cannot be kept ({why}); send it again later") from error
        return [receipt for receipt, _ in checked]

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _check(
        self, given: FeedbackBody, known: Collection[str], connection: sqlite3.Connection
    ) -> tuple[Receipt, dict[str, object] | None]:
        """Say whether feedback counts, and give its line if it does."""
        named = given.models
        model = self.ids.model_of(given.id, named or known)
        if model is None:
            answered = self.ids.model_of(given.id, known) if named else None
            if answered is not None:
                said = f"{answered} was chosen under this id, not {' or '.join(named)}; only feedback on it counts"
                return Receipt(given.id, "other_model", said), None
            said = "no choice of this server has this id; expected the `id` of an answer of /v1/select"
            return Receipt(given.id, "unknown", said if named else f"{said}, and `model` where only you know it"), None
        if self.ids.age_s(given.id) > _KEEP_S:
            said = f"the choice is more than {KEEP_DAYS} days old: feedback on it does not count any more"
            return Receipt(given.id, "late", said), None
        added = connection.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?)", (bytes.fromhex(given.id), int(self._clock()))
        )
        if not added.rowcount:
            return Receipt(given.id, "repeated", "there was feedback under this id before: it counts once"), None
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        line = {"id": given.id, "model": model, **given.judgement, "time": now}
        return Receipt(given.id, "counted"), line

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Keep all other processes out; what was inserted and appended stays only if all went well."""
        if self._connection is None:  # in the process that uses it: a connection does not survive a fork
            self._connection = self._connect()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        descriptor = size = -1
        try:
            descriptor = _open(self.path)
            _drop_torn_line(descriptor)
            size = os.fstat(descriptor).st_size
            yield connection, descriptor
            connection.execute("COMMIT")
        except BaseException:
            if size >= 0:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, size)
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _forget(self, connection: sqlite3.Connection) -> None:
        """Drop ids that are too old to count again."""
        connection.execute("DELETE FROM seen WHERE time < ?", (int(self._clock()) - 2 * _KEEP_S,))

    def _make(self) -> bytes:
        """Make files and key where they are missing, and give the key that is kept."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in (self._seen_path, self.path):
                os.close(_open(path))
            with contextlib.closing(self._connect()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("CREATE TABLE IF NOT EXISTS seen (id BLOB PRIMARY KEY, time INTEGER) WITHOUT ROWID")
                connection.execute("CREATE INDEX IF NOT EXISTS seen_time ON seen (time)")
                connection.execute("CREATE TABLE IF NOT EXISTS secret (one INTEGER PRIMARY KEY CHECK (one = 1), key)")
                connection.execute("INSERT OR IGNORE INTO secret VALUES (1, ?)", (secrets.token_bytes(32),))
                [(key,)] = connection.execute("SELECT key FROM secret")
                connection.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise OutputError(
                f"{self._seen_path}: cannot be used ({why}); name another folder, or remove it: ids that were given "
                "before do not count then"
            ) from error
        return bytes(key)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._seen_path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


def _open(path: Path) -> int:
    """Open a file to add to, which nobody else may read.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, _OWN_MODE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(0, "it is no regular file")
    os.fchmod(descriptor, _OWN_MODE)
    return descriptor


def _drop_torn_line(descriptor: int) -> None:
    """Take away the half of a line that a killed process may have left at the end."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(descriptor, size - start, start)
    if not tail.endswith(b"\n") and tail:
        os.ftruncate(descriptor, start + tail.rfind(b"\n") + 1)
