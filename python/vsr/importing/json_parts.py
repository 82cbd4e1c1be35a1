"""Parts of a JSON document that is too large to be read whole: the elements of an array deep inside, one at a time."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from vsr.errors import RecordError

Place = tuple[str, ...]
"""Where a value stands: the keys on the way to it, `*` for any element of an array."""

_CHUNK = 1 << 20
_LONGEST = 64 << 20  # bytes of a part; logs of agents hold all their events
# A string, what is left of one at the end of the bytes at hand, or a sign of the structure.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|(?P<open>\\?\Z))|[{}\[\]:,]', re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A value of the document.

    Attributes:
        place: which of the wanted places it stands at.
        data: its bytes.
    """

    place: Place
    data: bytes

    def decode(self) -> object:
        """Read the value; NaN and Infinity are read too.

        Raises:
            ValueError: It is no JSON, or nested too deep.
        """
        try:
            try:
                return msgspec.json.decode(self.data)
            except msgspec.DecodeError:
                return json.loads(self.data)
        except RecursionError as error:
            raise ValueError("nested too deep") from error


class _Scanner:
    """Follows the structure of a document and cuts the wanted values out of it."""

    def __init__(self, wanted: Collection[Place]) -> None:
        self._wanted = wanted
        self._keys: list[str] = []  # of the containers that are open, `*` for an array
        self._is_key = False  # whether the next string is one
        self._depth = 0
        self._start: int | None = None  # of the part under way
        self._place: Place = ()
        self._part_depth = 0
        self.is_inside = False

    def scan(self, data: bytes, begin: int) -> Iterator[tuple[Part | None, int]]:
        """Give every part that ends in the data, and last None with the place up to which all is done."""
        done = begin
        for match in _TOKEN.finditer(data, begin):
            if match["open"] is not None:
                break
            token, done = data[match.start()], match.end()
            if token == 0x22:  # a quote
                if self._start is None:
                    yield from self._string(data, match.start(), match.end())
            elif token in b"{[":
                self._open(token, match.start())
            elif token in b"}]":
                self._close()
                if self._start is not None and self._depth == self._part_depth:
                    yield Part(self._place, data[self._start : match.end()]), match.end()
                    self._start = None
            elif self._start is None:
                self._is_key = token == 0x2C and bool(self._keys) and self._keys[-1] != "*"
        else:
            if self._start is None:
                done = len(data)
        yield None, done

    def _string(self, data: bytes, start: int, end: int) -> Iterator[tuple[Part | None, int]]:
        if self._is_key:
            self._keys[-1] = json.loads(data[start:end])
            self._is_key = False
        elif (place := tuple(self._keys)) in self._wanted:
            yield Part(place, data[start:end]), end

    def _open(self, token: int, start: int) -> None:
        self._depth += 1
        self.is_inside = True
        if self._start is not None:
            return
        place = tuple(self._keys)
        if place in self._wanted:
            self._start, self._place, self._part_depth = start, place, self._depth - 1
            return
        self._is_key = token == 0x7B
        self._keys.append("" if self._is_key else "*")

    def _close(self) -> None:
        self._depth -= 1
        self.is_inside = self._depth > 0
        if self._start is None and self._keys:
            self._keys.pop()
            self._is_key = False

    def kept_from(self, done: int) -> int:
        """Say from where on the data is still needed."""
        return done if self._start is None else self._start

    def shift(self, n_bytes: int) -> None:
        """Take note that so many bytes in front are gone."""
        if self._start is not None:
            self._start -= n_bytes


def json_parts(stream: BinaryIO, path: str, wanted: Collection[Place]) -> Iterator[Part]:
    """Read a JSON document in a stream and give the wanted parts in the order in which they stand.

    Memory holds one part. What lies between is followed, not checked.

    Args:
        stream: the document.
        path: its name, for errors.
        wanted: the places of the parts: objects, arrays or texts.

    Raises:
        RecordError: It ends inside a value, or is no JSON object or array.
    """
    scanner = _Scanner(wanted)
    data, done, chunk = b"", 0, _CHUNK
    first = True
    while piece := stream.read(chunk):
        if first:
            piece = piece.removeprefix(b"\xef\xbb\xbf")
            if piece.lstrip()[:1] not in (b"{", b"["):
                raise RecordError(f"{path}: is no JSON object or array; expected a JSON document")
            first = False
        data += piece
        for part, end in scanner.scan(data, done):
            done = end
            if part is not None:
                yield part
        begin = scanner.kept_from(done)
        if len(data) - begin > _LONGEST:
            raise RecordError(f"{path}: a part of it is longer than {_LONGEST >> 20} MiB; split the file")
        data, done = data[begin:], done - begin
        scanner.shift(begin)
        chunk = max(_CHUNK, len(data))  # a part of many chunks is not copied once for each of them
    if first:
        raise RecordError(f"{path}: is empty; expected a JSON document")
    if scanner.is_inside:
        raise RecordError(f"{path}: ends inside a value; is it whole?")
