"""The output of a run as an append-only journal: a call is done when its line is written, and stays done."""

import contextlib
import errno
import fcntl
import glob
import itertools
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from vsr._files import atomic_writer, sync, sync_folder
from vsr.errors import BenchmarkError

_BLOCK = 1 << 20
_LONGEST_LINE = 64 << 20
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


LineType = TypeVar("LineType", bound=msgspec.Struct)


class Journal(Generic[LineType]):
    """A file of JSON objects that one run at a time appends to; use it as a context.

    Opening it takes the lock and proves that the file is a journal of ours; nothing is changed before the first
    `append` or `rewrite`, which puts a torn last line aside. Every `append` is one write, so that a killed process
    leaves at most one torn line behind; `sync` carries what was written through a power loss.

    Attributes:
        path: the file, as it was named.
        n_torn_bytes: length of a last line that was cut off by the end of an earlier run.
        is_regular: whether it is a file that can be read again, and no pipe or device.
    """

    def __init__(
        self, path: str | os.PathLike[str], line_type: type[LineType], opening: bytes, *, is_read_only: bool = False
    ) -> None:
        """Open the file, make it where there is none.

        Args:
            path: the output; not `.gz`, which cannot be appended to safely.
            line_type: what has to be known of a line.
            opening: how every line of ours begins: a torn line that is alone in its file is known by it.
            is_read_only: look only; the file has to exist.

        Raises:
            BenchmarkError: It cannot be written, is none of ours, or another run has it open.
        """
        self.path = Path(path)
        self._decode = msgspec.json.Decoder(line_type).decode
        self._opening = opening
        if self.path.suffix == ".gz":
            raise BenchmarkError(
                f"{path}: records are appended one by one, which .gz does not allow; name a .jsonl file and compress "
                "it afterwards."
            )
        self._real = Path(os.path.realpath(self.path))  # a link keeps pointing at the file that is rewritten
        self._descriptor = _open_locked(self.path, self._real, is_read_only=is_read_only)
        self._tail = b""
        self.n_torn_bytes = 0
        try:
            self.is_regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            self._length = os.fstat(self._descriptor).st_size if self.is_regular else 0
            if self._length:
                self._prove()
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def append(self, line: bytes) -> None:
        """Write one record; when this returns, it survives the end of the process.

        Args:
            line: a JSON object without line breaks and without its newline.

        Raises:
            BenchmarkError: The disk is full or fails; the journal is left as it was before.
        """
        try:
            self._mend()
            self._write(line + b"\n")
        except OSError as error:
            raise BenchmarkError(
                f"{self.path}: the record cannot be written ({error.strerror}); all earlier ones are kept. Free some "
                "space and start the same command again: it goes on from there."
            ) from error

    def sync(self) -> None:
        """Carry everything written so far to the disk.

        Raises:
            BenchmarkError: The disk is full or fails.
        """
        try:
            sync(self._descriptor)
        except OSError as error:
            raise BenchmarkError(
                f"{self.path}: what was written cannot be carried to the disk ({error.strerror}); the last records "
                "may be lost. Check the disk, and start the same command again."
            ) from error

    def close(self) -> None:
        """Sync, and let the next run have the file."""
        if self._descriptor >= 0:
            try:
                self.sync()
            finally:
                os.close(self._descriptor)
                self._descriptor = -1

    def clear(self) -> None:
        """Drop every line."""
        os.ftruncate(self._descriptor, 0)
        self._length = 0

    @property
    def n_bytes(self) -> int:
        """Length of the file."""
        return self._length

    def lines(self) -> Iterator[LineType]:
        """Read every record, one at a time.

        Raises:
            BenchmarkError: A line is no record; the message names it.
        """
        for number, raw in self._numbered():
            try:
                yield self._decode(raw)
            except _UNREADABLE as error:
                raise self._no_record(number, error) from error

    def raw_lines(self) -> Iterator[bytes]:
        """Read every line as it is, without its line break; a torn one is left out."""
        return (raw for _, raw in self._numbered())

    def rewrite(self, stays: Callable[[LineType], bool], aside: Path | None = None) -> int:
        """Keep some of the records, put the others aside; the file is the old one or the new one at any moment.

        The file aside is whole before a record leaves the journal, and holds each once: a run that is killed between
        the two leaves records in both, which the next one does not add again.

        Args:
            stays: whether a record stays.
            aside: the file that the others are added to; None drops them.

        Returns:
            How many records went.
        """
        n_gone = 0
        temporary = self._real.with_name(f".{self._real.name}.tmp")
        new = -1
        try:
            self._mend()
            new = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(new, stat.S_IMODE(os.fstat(self._descriptor).st_mode))
            with contextlib.ExitStack() as files:
                kept = files.enter_context(os.fdopen(os.dup(new), "wb", buffering=_BLOCK))
                put_aside = files.enter_context(_added_to(aside)) if aside is not None else None
                for raw in self.raw_lines():
                    if stays(self._decode(raw)):
                        kept.write(raw + b"\n")
                    else:
                        n_gone += 1
                        if put_aside is not None:
                            put_aside(raw)
            sync(new)
            temporary.replace(self._real)
            sync_folder(self._real.parent)
        except BaseException as error:
            if new >= 0:
                os.close(new)
                temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise BenchmarkError(
                    f"{self.path}: cannot be rewritten ({error.strerror}); nothing was changed."
                ) from error
            raise
        os.close(self._descriptor)
        self._descriptor = new
        self._length = os.fstat(new).st_size
        return n_gone

    def beside(self, suffix: str) -> Path:
        """Name a file of ours beside the output: `OUTPUT.suffix`."""
        return self._real.with_name(f"{self._real.name}.{suffix}")

    def what_happened(self) -> str | None:
        """Say what others have done to the file since it was opened; None while all is well."""
        mine = os.fstat(self._descriptor)
        try:
            named = self.path.stat()
        except OSError:
            return "was deleted"
        if not os.path.samestat(mine, named):
            return "was replaced by another file"
        if not self.is_regular:
            return None
        if named.st_size < self._length:
            return "was cut short"
        return None if named.st_mode & 0o222 else "was made read-only"

    def move(self, line: bytes | None = None) -> Path:
        """Go on in a new file beside the output, or in the folder for temporary files where there is no space.

        It holds what the output does not hold under its name any more: everything, if that was deleted or replaced.

        Args:
            line: the record that could not be written.

        Returns:
            The new file.

        Raises:
            BenchmarkError: Nothing can be written anywhere.
        """
        is_gone = self.what_happened() in ("was deleted", "was replaced by another file")
        for folder in (self.path.parent, Path(tempfile.gettempdir())):
            with contextlib.suppress(OSError):
                return self._move_to(folder, line, is_gone=is_gone)
        raise BenchmarkError(f"{self.path}: no new file can be written either, neither beside it nor in {folder}.")

    def _move_to(self, folder: Path, line: bytes | None, *, is_gone: bool) -> Path:
        for number in itertools.count(1):
            path = folder / f"{self.path.stem}.rescued{f'-{number}' if number > 1 else ''}.jsonl"
            try:
                new = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o666)
                break
            except FileExistsError:
                continue
        held = (self._descriptor, self._length)
        lines = itertools.chain(self.raw_lines() if is_gone else (), () if line is None else (line,))
        try:
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with os.fdopen(os.dup(new), "wb", buffering=_BLOCK) as stream:
                for raw in lines:
                    stream.write(raw + b"\n")
            sync_folder(folder)
        except OSError:
            self._descriptor, self._length = held
            os.close(new)
            path.unlink()
            raise
        os.close(self._descriptor)
        self.path = self._real = path
        self._descriptor, self._length, self.is_regular = new, os.fstat(new).st_size, True
        return path

    def _write(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._length)
            raise
        self._length += len(data)

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        if not self.is_regular:
            return
        with os.fdopen(os.dup(self._descriptor), "rb", buffering=_BLOCK) as stream:
            stream.seek(0)  # the offset is the descriptor's own, but whoever appends does not look at it
            for number, raw in enumerate(stream, start=1):
                line = raw.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw.strip()
                if line and not (self.n_torn_bytes and not raw.endswith(b"\n")):
                    yield number, line

    def _prove(self) -> None:
        """Make sure that the file is a journal of ours, as far as its two ends tell; change nothing.

        What stands between them is seen by whoever reads `lines`, which every run does before it writes.
        """
        tail = b""
        start = self._length
        while start > 0 and b"\n" not in tail[:_BLOCK] and len(tail) <= _LONGEST_LINE:
            step = min(start, _BLOCK)
            start -= step
            tail = os.pread(self._descriptor, step, start) + tail
        tail = tail[tail.rfind(b"\n") + 1 :]
        is_alone = len(tail) == self._length
        if tail.strip():
            self._tail = tail
            try:
                self._decode(self._tail)
            except _UNREADABLE as error:
                if _is_json(self._tail) or (is_alone and not self._tail.startswith(self._opening)):
                    raise self._no_record(None, error) from error
                self.n_torn_bytes = len(self._tail)
        next(self.lines(), None)

    def _no_record(self, number: int | None, error: Exception) -> BenchmarkError:
        where = f"{self.path}:{number}" if number else f"{self.path}: the last line"
        return BenchmarkError(
            f"{where}: this is no record ({error}); nothing was changed. Name another output, or, if the file is one "
            "of records, mend or delete the line."
        )

    def _mend(self) -> None:
        """Make the last line a whole one: end it, or put it into `OUTPUT.torn` and cut it off."""
        if not self._tail:
            return
        if self.n_torn_bytes:
            torn = self.beside("torn")
            with torn.open("ab") as stream:
                stream.write(self._tail + b"\n")
                stream.flush()
                sync(stream.fileno())
            sync_folder(torn.parent)
            self._length -= len(self._tail)
            os.ftruncate(self._descriptor, self._length)
        else:
            self._write(b"\n")  # whole but for its line break: an answer that was paid for
        self._tail = b""


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except _UNREADABLE:
        return False
    return True


@contextlib.contextmanager
def _added_to(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Give a function that adds lines to a file, each once; the file is replaced as a whole at the end."""
    seen: set[bytes] = set()
    for half in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):  # of a run that was killed; the lock is ours
        half.unlink()
    with atomic_writer(path) as out:

        def add(line: bytes) -> None:
            digest = blake2b(line, digest_size=16).digest()
            if digest not in seen:
                seen.add(digest)
                out.write(line + b"\n")

        if path.exists():
            with path.open("rb", buffering=_BLOCK) as old:
                for line in old:
                    add(line.rstrip(b"\n"))
        yield add


def _open_locked(path: Path, real: Path, *, is_read_only: bool) -> int:
    """Open a file for appending and lock it against a second run.

    The lock is on the file itself, so none is left behind; after locking, the name must still lead to the same file,
    for a run that rewrites it puts a new one in its place.
    """
    flags = os.O_RDONLY if is_read_only else os.O_RDWR | os.O_APPEND
    try:
        if not is_read_only:
            real.parent.mkdir(parents=True, exist_ok=True)
        while True:
            is_new = not is_read_only and not real.exists()
            descriptor = os.open(real, flags | os.O_CLOEXEC | (os.O_CREAT if is_new else 0), 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if real.exists() and os.path.samestat(os.fstat(descriptor), real.stat()):
                    if is_new:
                        sync_folder(real.parent)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES) and isinstance(error, BlockingIOError):
            raise BenchmarkError(
                f"{path}: another run is writing to this file; wait for its end, or name another output."
            ) from error
        raise BenchmarkError(
            f"{path}: the output cannot be written ({error.strerror}); name a file in a folder that you may write to."
        ) from error
