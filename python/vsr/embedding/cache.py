"""Vectors that earlier runs computed: one SQLite file an embedder, which several processes may use at once.

Every row carries a checksum, and a file with anything wrong in it is replaced, not mended. The files are numbered
because of that: a process that still has the old one open must not meet the new one under the same name. They use
SQLite's rollback journal and not its write-ahead log, which does not work on network file systems.
"""

import contextlib
import hashlib
import os
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vsr.embedding.fingerprint import Fingerprint
from vsr.errors import OutputError

_FORMAT = 1  # counts up when the table changes, or the vectors that an embedder of equal fingerprint computes
_TABLE = """
    CREATE TABLE IF NOT EXISTS vectors (
        text BLOB PRIMARY KEY, vector BLOB NOT NULL, truncated INTEGER NOT NULL, checksum BLOB NOT NULL
    )
"""
_PAGE_BYTES = 16_384  # five vectors of 768 numbers; SQLite's own 4,096 would hold one and a quarter
_MOST_VARIABLES = 500  # of one statement; older versions of SQLite take 999
_PATIENCE_S = 10.0  # how long another process may hold the file; its transactions take milliseconds
_KEY_BYTES = 16
_CHECKSUM_BYTES = 8

# What SQLite answers to a file that is not what it was when it was written: no database, or no table of ours.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT})


class _DamagedError(Exception):
    """A file whose content is not what was written."""


@dataclass(frozen=True, eq=False)
class Found:
    """What the cache has of some texts.

    Attributes:
        rows: (n,) the places of the texts that it has.
        vectors: float32 (n, width), their vectors.
        truncated: bool (n,), whether they were cut to the token limit.
    """

    rows: NDArray[np.intp]
    vectors: NDArray[np.float32]
    truncated: NDArray[np.bool_]


class VectorCache:
    """The cache of one embedder in a folder. It holds nothing open between two uses, so it survives a fork."""

    def __init__(self, folder: Path, fingerprint: Fingerprint) -> None:
        """Name the folder and whose vectors they are; vectors of another fingerprint are in another file.

        Args:
            folder: Made if it is missing.
            fingerprint: Of the embedder.
        """
        self._folder = folder
        self._fingerprint = fingerprint

    @contextlib.contextmanager
    def opened(self) -> Iterator["OpenCache"]:
        """Open the file, made if it is missing and made anew if it is damaged.

        Raises:
            OutputError: The folder cannot be made or written to.
        """
        cache = OpenCache(self._folder, self._fingerprint)
        try:
            yield cache
        finally:
            cache.close()


class OpenCache:
    """An open file of vectors, for one thread."""

    def __init__(self, folder: Path, fingerprint: Fingerprint) -> None:
        """Open the newest file; `VectorCache.opened` is the usual way, and says what is raised."""
        self._folder = folder
        self._name = f"{fingerprint.name}-{fingerprint.key()}"
        self._secret = fingerprint.key().encode()  # a file that was renamed has no checksum right
        self._width = fingerprint.width
        self._connection: sqlite3.Connection | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._path = self._newest()
            self._connect()
        except _DamagedError as error:
            self._replace(str(error))
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise OutputError(
                f"{os.fspath(folder)}: no cache of vectors can be kept there ({reason}); name a folder that this user "
                "may write to (--cache-dir), or leave the cache out"
            ) from error

    def read(self, texts: Sequence[str]) -> Found:
        """Look texts up.

        A file that turns out to be damaged is replaced by an empty one, with a warning, and has none of them.

        Args:
            texts: All different.
        """
        keys = [self._key(text) for text in texts]
        try:
            held = self._select(keys)
        except (_DamagedError, sqlite3.Error) as error:
            self._recover(error)
            held = {}
        rows = [row for row, key in enumerate(keys) if key in held]
        vectors = np.empty((len(rows), self._width), dtype=np.float32)
        truncated = np.empty(len(rows), dtype=np.bool_)
        for place, row in enumerate(rows):
            vector, truncated[place] = held[keys[row]]
            vectors[place] = np.frombuffer(vector, dtype="<f4")
        return Found(np.array(rows, dtype=np.intp), vectors, truncated)

    def write(self, texts: Sequence[str], vectors: NDArray[np.float32], truncated: NDArray[np.bool_]) -> None:
        """Keep vectors, all of them or none; from then on they outlive this process.

        A disk that is full or gone is a warning, once: the vectors are computed, and whoever waits for them gets them.

        Args:
            texts: All different.
            vectors: float32 (len(texts), width).
            truncated: bool (len(texts),), whether they were cut to the token limit.
        """
        rows = []
        for text, values, is_cut in zip(texts, vectors, truncated, strict=True):
            key, vector, flag = self._key(text), values.astype("<f4").tobytes(), int(is_cut)
            rows.append((key, vector, flag, self._checksum(key, vector, flag)))
        try:
            self._insert(rows)
        except (_DamagedError, sqlite3.Error) as error:
            self._recover(error)
            with contextlib.suppress(sqlite3.Error):  # once more into the new file, where there is one
                self._insert(rows)

    def close(self) -> None:
        """Close the file; what was written stays."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        connection = sqlite3.connect(self._path, timeout=_PATIENCE_S, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute("PRAGMA synchronous = NORMAL")
            (found,) = connection.execute("PRAGMA user_version").fetchone()
            if found == 0:
                # New, or another process is making it at this moment and this waits for it.
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
                connection.execute("COMMIT")
                found = _FORMAT
        except BaseException as error:
            connection.close()
            if _is_damage(error):
                raise _DamagedError(str(error)) from error
            raise
        if found != _FORMAT:
            connection.close()
            raise _DamagedError(f"its format is {found}, expected {_FORMAT}")
        self._connection = connection

    def _select(self, keys: Sequence[bytes]) -> dict[bytes, tuple[bytes, bool]]:
        held: dict[bytes, tuple[bytes, bool]] = {}
        if self._connection is None:
            return held
        for begin in range(0, len(keys), _MOST_VARIABLES):
            part = keys[begin : begin + _MOST_VARIABLES]
            marks = ",".join("?" * len(part))
            query = f"SELECT text, vector, truncated, checksum FROM vectors WHERE text IN ({marks})"  # noqa: S608 (marks)
            for key, vector, flag, checksum in self._connection.execute(query, part):
                if not isinstance(vector, bytes) or len(vector) != 4 * self._width or flag not in (0, 1):
                    raise _DamagedError("a row is not what was written")
                if self._checksum(key, vector, flag) != checksum:
                    raise _DamagedError("a vector does not have its checksum")
                held[key] = vector, bool(flag)
        return held

    def _insert(self, rows: Sequence[tuple[bytes, bytes, int, bytes]]) -> None:
        if self._connection is None:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _recover(self, error: Exception) -> None:
        """Go on with a new file after damage, and without a cache after anything else."""
        if isinstance(error, _DamagedError) or _is_damage(error):
            self._replace(str(error))
        elif getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_DBMOVED:
            self._reopen()  # another process found the damage first
        else:
            self._give_up(str(error))

    def _replace(self, reason: str) -> None:
        damaged = self._path
        warnings.warn(
            f"{damaged}: this cache of vectors is damaged ({reason}); it is made anew, and vectors are computed again",
            stacklevel=2,
        )
        self.close()
        self._path = self._numbered(_number(damaged) + 1)
        try:
            self._connect()
            damaged.unlink(missing_ok=True)
        except (_DamagedError, OSError, sqlite3.Error) as error:
            self._give_up(str(error))

    def _reopen(self) -> None:
        self.close()
        try:
            self._path = self._newest()
            self._connect()
        except (_DamagedError, OSError, sqlite3.Error) as error:
            self._give_up(str(error))

    def _give_up(self, reason: str) -> None:
        self.close()
        warnings.warn(
            f"{self._path}: this cache of vectors cannot be used ({reason}); what is computed from now on is not kept",
            stacklevel=2,
        )

    def _newest(self) -> Path:
        return max(self._folder.glob(f"{self._name}.*.sqlite3"), key=_number, default=self._numbered(0))

    def _numbered(self, number: int) -> Path:
        return self._folder / f"{self._name}.{number}.sqlite3"

    def _key(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES, key=self._secret).digest()

    def _checksum(self, key: bytes, vector: bytes, flag: int) -> bytes:
        content = b"".join((key, vector, bytes([flag])))
        return hashlib.blake2b(content, digest_size=_CHECKSUM_BYTES, key=self._secret).digest()


def _number(path: Path) -> int:
    """Give the number in the name of a file; -1 for one that is not ours."""
    number = path.name.split(".")[-2]
    return int(number) if number.isdecimal() else -1


def _is_damage(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _DAMAGE
