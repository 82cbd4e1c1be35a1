"""The output of a run as an append-only journal: a call is done when its line is written, and stays done."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

from vsr.data.prompts import RawChoices
from vsr.errors import BenchmarkError

_BLOCK = 1 << 20


class Line(msgspec.Struct, frozen=True, gc=False):
    """What a run has to know of a record that it finds; responses are not kept.

    Attributes:
        query: the query's text.
        model_name: the LLM.
        call_id: the key of the call; None for records from elsewhere.
        error: why the call failed, if it did.
        error_kind: the same in one word.
        choices: the options of the query.
        cost: USD.
        response_time: seconds.
        output_tokens: length of the answer.
        embedding_id: groups the records of one query.
        ground_truth: what the answer was scored against.
        performance: the score it got.
        unscored: whether that is a filler.
    """

    query: str
    model_name: str
    call_id: str | None = None
    error: str | None = None
    error_kind: str | None = None
    choices: RawChoices = None
    cost: float | None = None
    response_time: float | None = None
    output_tokens: int | None = None
    embedding_id: int | str | None = None
    ground_truth: str | int | float | None = None
    performance: float | None = None
    unscored: bool | None = None


LineType = TypeVar("LineType", bound=msgspec.Struct)


class Journal(Generic[LineType]):
    """A file of JSON objects that one run at a time appends to; use it as a context.

    Opening it takes the lock and mends a torn last line. Every `append` is one write, so that a killed process leaves
    at most one torn line behind; `sync` carries what was written through a power loss.
    """

    def __init__(self, path: str | os.PathLike[str], line_type: type[LineType]) -> None:
        """Open the file, make it where there is none.

        Args:
            path: the output; not `.gz`, which cannot be appended to safely.
            line_type: what has to be known of a line.

        Raises:
            BenchmarkError: It cannot be written, or another run has it open.
        """
        self.path = Path(path)
        self._decode = msgspec.json.Decoder(line_type).decode
        if self.path.suffix == ".gz":
            raise BenchmarkError(
                f"{path}: records are appended one by one, which .gz does not allow; name a .jsonl file and compress "
                "it afterwards."
            )
        self._descriptor = _open_locked(self.path)
        self.n_mended_bytes = 0
        try:
            self._length = self._mended_length()
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
        data = line + b"\n"
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._length)
            raise BenchmarkError(
                f"{self.path}: the record cannot be written ({error.strerror}); all earlier ones are kept. Free some "
                "space and start the same command again: it goes on from there."
            ) from error
        self._length += len(data)

    def sync(self) -> None:
        """Carry everything written so far to the disk."""
        with contextlib.suppress(OSError):  # a pipe or a special file has nothing to sync
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Sync, and let the next run have the file."""
        if self._descriptor >= 0:
            self.sync()
            os.close(self._descriptor)
            self._descriptor = -1

    def lines(self) -> Iterator[LineType]:
        """Read every record, one at a time.

        Raises:
            BenchmarkError: A line is no record; the message names it.
        """
        for number, raw in self._raw_lines():
            try:
                yield self._decode(raw)
            except msgspec.MsgspecError as error:
                raise BenchmarkError(
                    f"{self.path}:{number}: this is no record ({error}); mend or delete the line, or name another "
                    "output."
                ) from error

    def rewrite(self, verdict: Callable[[LineType], bool], aside: Path | None = None) -> int:
        """Keep some of the records, put the others aside; the file is the old one or the new one at any moment.

        Args:
            verdict: whether a record stays.
            aside: the file that the others are appended to; None drops them.

        Returns:
            How many records went.
        """
        n_gone = 0
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        try:
            new = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o666)
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.ExitStack() as stack:
                kept = stack.enter_context(os.fdopen(os.dup(new), "wb", buffering=_BLOCK))
                gone = stack.enter_context(aside.open("ab", buffering=_BLOCK)) if aside is not None else None
                for _, raw in self._raw_lines():
                    if verdict(self._decode(raw)):
                        kept.write(raw + b"\n")
                    else:
                        n_gone += 1
                        if gone is not None:
                            gone.write(raw + b"\n")
                if gone is not None:
                    gone.flush()
                    os.fsync(gone.fileno())
            os.fsync(new)
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise BenchmarkError(
                f"{self.path}: cannot be rewritten ({error.strerror}); nothing was changed."
            ) from error
        os.close(self._descriptor)
        self._descriptor = new
        self._length = os.fstat(new).st_size
        return n_gone

    def _raw_lines(self) -> Iterator[tuple[int, bytes]]:
        with self.path.open("rb", buffering=_BLOCK) as stream:
            for number, raw in enumerate(stream, start=1):
                line = raw.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw.strip()
                if line:
                    yield number, line

    def _mended_length(self) -> int:
        """Complete or cut off a last line without newline; return the length of the file."""
        length = os.fstat(self._descriptor).st_size
        tail = b""
        start = length
        while start > 0 and b"\n" not in tail:
            step = min(start, _BLOCK)
            start -= step
            tail = os.pread(self._descriptor, step, start) + tail
        tail = tail[tail.rfind(b"\n") + 1 :]
        if not tail:
            return length
        try:
            self._decode(tail)
        except msgspec.MsgspecError:
            self.n_mended_bytes = len(tail)
            os.ftruncate(self._descriptor, length - len(tail))
            return length - len(tail)
        # Whole but for its newline: an answer that was paid for.
        os.write(self._descriptor, b"\n")
        return length + 1


def _open_locked(path: Path) -> int:
    """Open a file for appending and lock it against a second run.

    The lock is on the file itself, so none is left behind; after locking, the name must still lead to the same file,
    for a run that rewrites it puts a new one in its place.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
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
