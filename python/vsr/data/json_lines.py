"""JSON Lines files, read in every form in which people write them, and the words for lines that cannot be read."""

import contextlib
import gzip
import io
import json
import os
import re
import sys
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from vsr._checks import require_path
from vsr._files import atomic_writer
from vsr.data.fields import shown
from vsr.data.parquet import is_parquet, parquet_lines, write_parquet
from vsr.errors import RecordError

if TYPE_CHECKING:
    from vsr._core import RecordTable

Item = TypeVar("Item")

_BOM = b"\xef\xbb\xbf"
_BUFFER_BYTES = 1 << 20
_N_BAD_LINES_KEPT = 1000
_MOST_BYTES = 16 << 20  # of an object
_DEEPEST = 64  # brackets inside one another
# A whole string, the rest of a line after an open quote, or a bracket: enough to know where an object ends.
_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|(?P<open>\\?\Z))|[{}\[\]]', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_decode_any = msgspec.json.Decoder(dict[str, object]).decode
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class BadLine:
    """A line that could not be used: where it stands, and what is wrong, was expected and can be done."""

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


class JsonLines(Generic[Item]):
    """The objects of a JSON Lines file, streamed; every iteration reads the file anew.

    Blank lines and byte-order marks are passed over, `.gz` is unpacked by name, an object may be spread over several
    lines. The rows of a `.parquet` count as lines. A path of `-` is standard input, which can be read once.

    Attributes:
        path: the file, as it was named.
        line: number (from 1) of the line where the object that was given last begins.
        n_bad_lines: lines left out by the latest iteration; 0 unless `skip_bad_lines`.
        bad_lines: the first thousand of them.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        decode: Callable[[bytes], Item],
        explain: Callable[[dict[str, object]], str | None],
        *,
        noun: str,
        skip_bad_lines: bool = False,
    ) -> None:
        """Name the file and its kind of line.

        Args:
            path: the file.
            decode: turns the bytes of one object into an item; any ValueError makes it a bad line.
            explain: says what is wrong with an object that `decode` refused, None where it finds nothing.
            noun: what the file should hold, in the plural, for messages.
            skip_bad_lines: count and keep bad lines in `bad_lines` instead of raising.

        Raises:
            RecordError: There is no such file, it is a folder, or `path` is no path.
        """
        require_path(path, f"file of {noun}", RecordError)
        self.path = os.fspath(path)
        self.line = 0
        self.n_bad_lines = 0
        self._bad_lines: list[BadLine] = []
        self._decode = decode
        self._explain = explain
        self._noun = noun
        self._skip_bad_lines = skip_bad_lines
        if self.path != "-":
            if Path(path).is_dir():
                raise RecordError(f"{self.path}: is a folder; expected a JSON Lines file of {noun}")
            if not Path(path).exists():
                raise RecordError(f"{self.path}: no such file; expected a JSON Lines file of {noun}")

    @property
    def bad_lines(self) -> tuple[BadLine, ...]:
        """The lines that the latest iteration left out, at most the first thousand."""
        return tuple(self._bad_lines)

    def __iter__(self) -> Iterator[Item]:
        """Read the file from its beginning.

        Raises:
            RecordError: A line cannot be used (and bad ones are not skipped), the file cannot be read or is empty.
        """
        return self._items(None)

    def _items(self, taker: "RecordTable | None") -> Iterator[Item]:
        """Read the file from its beginning, but for the lines that `taker` takes in by itself.

        Raises:
            RecordError: As `__iter__`.
        """
        self.n_bad_lines, self._bad_lines = 0, []
        decode = self._decode
        n_items = number = 0
        waiting: deque[bytes] = deque()  # lines that are to be read again, before those of the stream
        with _pieces(self.path, taker) as (pieces, every):
            source: Iterator[bytes] | None = pieces
            try:
                # One loop without a generator for the lines: 0.2 of 3 microseconds a record.
                while source is not None:
                    lines, source = source, None
                    for line in lines:
                        number += 1
                        self.line = number if taker is None else number + taker.n_taken
                        try:
                            # msgspec does not look into the strings that it skips, so UTF-8 is checked here.
                            if not line.isascii():
                                line.decode()
                            item = decode(line)
                        except (ValueError, RecursionError):
                            recovered, n_more = self._recover(line, chain(_drained(waiting), every), waiting)
                            number += n_more
                            if recovered is not None:
                                n_items += 1
                                yield recovered
                            if waiting:
                                source = chain(_drained(waiting), pieces)
                                break
                            continue
                        n_items += 1
                        yield item
            except (EOFError, zlib.error, OSError) as error:
                self.line = number if taker is None else number + taker.n_taken
                raise RecordError(
                    f"{self.path}: cannot be read beyond line {self.line} ({error}); is it whole?"
                ) from error
        if n_items == 0 and (taker is None or taker.n_taken == 0):
            left_out = f" ({self.n_bad_lines} bad lines left out)" if self.n_bad_lines else ""
            raise RecordError(f"{self.path}: holds no {self._noun}{left_out}; expected one JSON object a line")

    def _recover(self, line: bytes, lines: Iterator[bytes], waiting: "deque[bytes]") -> tuple[Item | None, int]:
        """Read what is not simply one object on one line: the item, if any, and how many more lines it took."""
        first = line.removeprefix(_BOM)
        if not first.strip():
            return None, 0
        if len(line) > _MOST_BYTES:
            self._pass_over(line, lines)
            return None, 0
        parts = [first]
        is_end = first.lstrip().startswith(b"{") and self._gather(parts, lines)
        data = b"".join(parts)
        problem = self._read_slowly(data)
        if not isinstance(problem, str):
            return problem.item, len(parts) - 1
        if is_end and _may_go_on(data):
            problem = (
                "is not valid JSON (the file ends inside the object that begins here); expected one JSON object a line"
            )
        # Nothing is guessed about the lines that were tried: each of them is read as a line of its own.
        waiting.extendleft(reversed(parts[1:]))
        self._leave_out(problem)
        return None, 0

    def _pass_over(self, line: bytes, lines: Iterator[bytes]) -> None:
        """Leave out a line that is too long, piece by piece."""
        while line and not line.endswith(b"\n"):
            line = next(lines, b"")
        self._leave_out(
            f"is longer than {_MOST_BYTES >> 20} MiB; expected one JSON object a line, each far shorter. "
            "Is it a JSON Lines file?"
        )

    def _leave_out(self, problem: str) -> None:
        """Note a bad line.

        Raises:
            RecordError: Bad lines are not skipped.
        """
        bad = BadLine(self.path, self.line, problem)
        if not self._skip_bad_lines:
            raise RecordError(f"{bad}. Mend the line, or leave bad lines out with --skip-bad-lines")
        self.n_bad_lines += 1
        if len(self._bad_lines) < _N_BAD_LINES_KEPT:
            self._bad_lines.append(bad)

    def _gather(self, parts: list[bytes], lines: Iterator[bytes]) -> bool:
        """Append the lines over which the object in `parts` is spread, as long as what is there can become one.

        Returns:
            Whether the file ends there.
        """
        depth = _depth(parts[0])
        n_bytes = len(parts[0])
        check_at = 2
        while depth is not None and depth > 0:
            following = next(lines, None)
            if following is None:
                return True
            parts.append(following)
            n_bytes += len(following)
            if n_bytes > _MOST_BYTES:
                return False
            deeper = _depth(following)
            depth = None if deeper is None else depth + deeper
            # After a torn line everything that follows would be swallowed: look again at 2, 4, 8 ... lines.
            if len(parts) == check_at and depth:
                check_at *= 2
                if not _may_go_on(b"".join(parts)):
                    return False
        return not parts[-1].endswith(b"\n")

    def _read_slowly(self, data: bytes) -> "str | _Found[Item]":
        """Read one object in Python: the item, or what is wrong with it."""
        parsed = _parse(data)
        if isinstance(parsed, str):
            return parsed
        problem = self._explain(parsed.value)
        if problem is not None:
            return problem
        if parsed.has_constant:
            return "holds NaN or Infinity; expected a number or null"
        # Half of a pair of surrogates, as Python's json writes for a text that was cut there, is not a character.
        clean = _LONE_SURROGATE.sub("\ufffd", json.dumps(parsed.value, ensure_ascii=False))
        try:
            return _Found(self._decode(clean.encode()))
        except (ValueError, RecursionError) as error:
            return f"cannot be read ({error}); expected one JSON object a line"


@dataclass(frozen=True)
class _Found(Generic[Item]):
    item: Item


@dataclass(frozen=True)
class _Parsed:
    value: dict[str, object]
    has_constant: bool


@contextlib.contextmanager
def _pieces(path: str, taker: "RecordTable | None") -> Iterator[tuple[Iterator[bytes], Iterator[bytes]]]:
    """Open a file: the lines that `taker` leaves, and every one. A row of parquet is the line that says the same."""
    if is_parquet(path):
        with contextlib.closing(parquet_lines(path)) as rows:
            yield rows, rows
        return
    with _open(path) as stream:
        # A line that is longer comes in pieces, of which only one is held at a time.
        if taker is None:
            lines = iter(partial(stream.readline, _MOST_BYTES + 1), b"")
            yield lines, lines
            return
        taker.open(stream.read1)
        yield taker, iter(taker.read_line, b"")


def _open(path: str) -> io.BufferedReader:
    if path == "-":
        return io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False), _BUFFER_BYTES)
    try:
        if path.endswith(".gz"):
            # Lines from GzipFile itself are four times slower: it makes each in Python.
            return io.BufferedReader(gzip.open(path, "rb"), _BUFFER_BYTES)
        return io.BufferedReader(io.FileIO(path), _BUFFER_BYTES)
    except OSError as error:
        raise RecordError(f"{path}: cannot be opened ({error.strerror})") from error


def _drained(lines: "deque[bytes]") -> Iterator[bytes]:
    while lines:
        yield lines.popleft()


def _depth(line: bytes) -> int | None:
    """Count the brackets that a line leaves open (outside strings); None where it ends inside a string."""
    depth = 0
    for match in _STRUCTURE.finditer(line):
        token = match[0]
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
        elif match["open"] is not None or b"\n" in token:
            return None  # JSON has no line breaks inside strings: the line is torn
    return depth


def decode_object(line: bytes) -> dict[str, object]:
    """Decode a line whose object is kept whole.

    Raises:
        ValueError: It is no object, or nested too deep. Of a record, msgspec skips what nobody reads, however deep; to
            count the brackets of every record would take a fifth of the time of reading it.
    """
    if is_deeper(line, _DEEPEST):
        raise ValueError
    return _decode_any(line)


def is_deeper(data: bytes, most: int) -> bool:
    """Tell whether more than `most` brackets outside strings are nested; 16 MiB take a tenth of a second."""
    if data.count(b"[") + data.count(b"{") <= most:
        return False
    import numpy as np  # noqa: PLC0415 -- hardly any line has so many brackets

    signs = np.frombuffer(_STRING.sub(b"", data), dtype=np.uint8)
    opened = np.isin(signs, np.frombuffer(b"[{", dtype=np.uint8)).astype(np.int32)
    closed = np.isin(signs, np.frombuffer(b"]}", dtype=np.uint8)).astype(np.int32)
    return bool(np.cumsum(opened - closed).max(initial=0) > most)


def _may_go_on(data: bytes) -> bool:
    """Tell whether this is no object yet but more lines could make one: msgspec found nothing wrong before the end."""
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except (ValueError, RecursionError):
        return False
    return False


def _parse(data: bytes) -> _Parsed | str:
    """Parse one object with Python's own parser, whose errors say where: the object, or what is wrong."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16; expected UTF-8. `iconv -f UTF-16 -t UTF-8 FILE` converts it"
    if data.startswith(b"\x1f\x8b"):
        return "is packed by gzip; expected text. Give the file a name that ends in .gz"
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (byte 0x{data[error.start]:02x} at column {error.start + 1}); expected UTF-8 text"
    if is_deeper(data, _DEEPEST):
        return f"is nested more than {_DEEPEST} deep; expected one JSON object a line"
    constants: list[str] = []

    def constant(name: str) -> float:
        constants.append(name)
        return float(name.replace("Infinity", "inf"))

    try:
        value = json.loads(text, parse_constant=constant)
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("["):
            return "is a JSON array; expected one object a line. `jq -c '.[]' FILE` writes it in that form"
        place = f"column {error.colno}" if error.lineno == 1 else f"column {error.colno} of its line {error.lineno}"
        return f"is not valid JSON ({_in_sentence(error.msg)} at {place}); expected one JSON object a line"
    except (ValueError, RecursionError) as error:
        return f"is not valid JSON ({_in_sentence(str(error))}); expected one JSON object a line"
    if isinstance(value, list):
        return "is a JSON array; expected one object a line. `jq -c '.[]' FILE` writes it in that form"
    if not isinstance(value, dict):
        return f"is {shown(value)}; expected one JSON object a line"
    return _Parsed(value, bool(constants))


def _in_sentence(message: str) -> str:
    return message[:1].lower() + message[1:].removesuffix(" at")  # some of Python's messages end in it already


def write_json_lines(path: str | os.PathLike[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write one JSON object a line, as UTF-8, whole or not at all; `.gz` by name.

    Raises:
        OutputError: The file cannot be written.
    """
    encoder = msgspec.json.Encoder()
    with atomic_writer(path) as out:
        for row in rows:
            out.write(encoder.encode(row))
            out.write(b"\n")


def write_rows(path: str | os.PathLike[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write objects as JSON Lines, or as parquet where the name ends so; whole or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    (write_parquet if is_parquet(path) else write_json_lines)(path, rows)
