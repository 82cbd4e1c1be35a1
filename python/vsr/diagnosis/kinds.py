"""What kind of file it is, told by what stands in it."""

import contextlib
import gzip
import io
import os
import zlib
from pathlib import Path
from typing import Literal

import msgspec

from vsr.config import SECTIONS
from vsr.data.parquet import is_parquet, parquet_lines
from vsr.errors import RecordError

Kind = Literal["queries", "records", "configuration"]

_HEAD_BYTES = 1 << 20
_RECORD_MARKS = frozenset({"model_name", "performance", "response", "response_time"})
_BOM = b"\xef\xbb\xbf"


def kind_of(path: str | os.PathLike[str]) -> Kind:
    """Tell whether a file holds queries, records or a configuration; the name decides only where the text does not.

    Args:
        path: the file; `.gz` is unpacked and `.parquet` read by name.

    Raises:
        RecordError: There is no such file, it cannot be read, is empty, or holds something else.
    """
    path = Path(path)
    head = _head(path).removeprefix(_BOM).lstrip()
    if not head:
        raise RecordError(f"{path}: is empty; expected queries, records or a configuration")
    if not head.startswith((b"{", b"[")):
        is_text = b"\x00" not in head[:1000]
        if path.suffix in (".yaml", ".yml") or (is_text and any(f"{name}:".encode() in head for name in SECTIONS)):
            return "configuration"
        raise RecordError(
            f"{path}: is neither JSON Lines nor a configuration; expected queries or records, one JSON object a line, "
            f"or YAML with {', '.join(sorted(SECTIONS))}"
        )
    first = _first_object(head)
    if first is None:  # reading it says what is wrong
        return "configuration" if path.suffix in (".yaml", ".yml") else "queries"
    if first.keys() & SECTIONS:
        return "configuration"
    foreign = _other_kind(first)
    if foreign is not None:
        raise RecordError(f"{path}: holds {foreign}; expected queries, records or a configuration")
    return "records" if first.keys() & _RECORD_MARKS else "queries"


def _other_kind(first: dict[str, object]) -> str | None:
    """Name what else of ours the first object of a file can be."""
    if {"preferred", "other"} <= first.keys():
        return "preference pairs"
    if {"algorithm", "trained"} <= first.keys():
        return "an artefact (`vsr-train inspect` shows it)"
    if "recommended" in first and "files" in first:
        return "the manifest of a training (`vsr-train inspect` shows it)"
    return None


def _head(path: Path) -> bytes:
    if is_parquet(path) and path.is_file():
        with contextlib.closing(parquet_lines(str(path))) as rows:
            return next(rows, b"")
    try:
        with path.open("rb") as stream:
            if path.suffix == ".gz":
                return gzip.GzipFile(fileobj=stream).read(_HEAD_BYTES)
            return stream.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; expected queries, records or a configuration") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise RecordError(f"{path}: cannot be read ({reason})") from error


def _first_object(head: bytes) -> dict[str, object] | None:
    """Read the first object that can be read: of the first lines, or the whole head."""
    decode = msgspec.json.Decoder(dict[str, object]).decode
    lines = [line for line in io.BytesIO(head).readlines()[:20] if line.strip()]
    for text in (*lines, head, *(head[: end + 1] for end in _ends(head))):
        try:
            return decode(text)
        except (ValueError, RecursionError):
            continue
    return None


def _ends(head: bytes) -> list[int]:
    """Give the places where an object that is spread over lines may end."""
    ends: list[int] = []
    place = head.find(b"}")
    while place >= 0 and len(ends) < 50:
        ends.append(place)
        place = head.find(b"}", place + 1)
    return ends
