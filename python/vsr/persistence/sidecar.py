"""Sidecars: the big arrays of an artefact, in a safetensors file beside its JSON.

The name of a sidecar holds its digest, and the JSON says the digest too. So a new sidecar never takes the place of
another one: it is written whole, synced and renamed before the JSON that names it is, and the old one goes after that.
A crash leaves the old pair or the new one.

The header holds the digest of the numbers behind it. So whoever loads a sidecar compares a few kilobytes, the header
with what the JSON says of it, and knows another file from the right one; only `verify` reads all of it.
"""

import contextlib
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from vsr._files import replaced_file
from vsr.selectors.artefact_fields import Fields

#: How an artefact is written: `json` whole as text, `binary` with a sidecar, `auto` as its size asks for.
ArtefactFormat = Literal["auto", "json", "binary"]
ARTEFACT_FORMATS: tuple[ArtefactFormat, ...] = get_args(ArtefactFormat)
#: Of `auto`: up to here JSON loads in about a second.
MOST_JSON_ROWS = 20_000

#: Name of a type in safetensors files -> of NumPy.
DTYPES = {"F64": "float64", "F32": "float32", "I64": "int64", "U32": "uint32", "I8": "int8", "U8": "uint8"}
#: Where the numbers begin is a multiple of this: of every type's size, and of a cache line.
ALIGNMENT = 64
CONTENT_DIGEST = "content_sha256"

_CHUNK_BYTES = 64 << 20
_NAME_DIGITS = 16
_SHA256 = re.compile("[0-9a-f]{64}")
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Sidecar:
    """What a JSON file says of its sidecar.

    Attributes:
        file: its name, in the same folder.
        size_bytes: its size.
        sha256: digest of all of it.
        header_sha256: digest of its beginning, up to the numbers.
    """

    file: str
    size_bytes: int
    sha256: str
    header_sha256: str

    @classmethod
    def read(cls, fields: Fields) -> "Sidecar":
        """Read it from the block of a JSON file.

        Raises:
            ArtefactError: Something is missing, or the name is not one of a file in the same folder with that digest.
        """
        held = cls(
            fields.get("file", str),
            fields.get("size_bytes", int),
            fields.get("sha256", str),
            fields.get("header_sha256", str),
        )
        for name in ("sha256", "header_sha256"):
            if not _SHA256.fullmatch(getattr(held, name)):
                raise fields.error(name, "is no SHA-256 digest; expected 64 hexadecimal digits")
        stem = held.file.removesuffix(_suffix(held.sha256))
        if not stem or stem == held.file or Path(held.file).name != held.file or "\0" in held.file:
            raise fields.error("file", f"is {held.file[:80]!r}; expected a name that ends with {_suffix(held.sha256)}")
        return held

    def document(self) -> dict[str, Any]:
        """As it stands in the JSON file."""
        return asdict(self)


def beside(path: str | os.PathLike[str], name: str) -> Path:
    """Where the sidecar of an artefact lies: in the folder of the file itself, where `path` is a link to it."""
    return Path(os.path.realpath(path)).parent / name


def write_sidecar(path: Path, arrays: Mapping[str, npt.NDArray[Any]], new: list[Path]) -> Sidecar:
    """Write a sidecar to the disk, under a name of its own.

    Args:
        path: the JSON file that is going to name it.
        arrays: name -> array, not empty.
        new: gets its place, where there was no file of that name; for `remove_new`.

    Raises:
        OutputError: It cannot be written.
    """
    # Wide types first: then every array begins at a multiple of the size of its type.
    names = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    ordered = {name: np.ascontiguousarray(arrays[name]) for name in names}
    content = hashlib.sha256()
    for chunk in _chunks(ordered):
        content.update(chunk)
    header = _header(ordered, content.hexdigest())
    digest = hashlib.sha256(header)
    header_sha256 = digest.hexdigest()
    for chunk in _chunks(ordered):
        digest.update(chunk)
    sha256 = digest.hexdigest()
    place = beside(path, path.stem + _suffix(sha256))
    if not place.exists():
        new.append(place)
    with replaced_file(place, like=path) as temporary, temporary.open("wb", buffering=0) as file:
        file.write(header)
        for chunk in _chunks(ordered):
            written = 0
            while written < len(chunk):
                written += file.write(chunk[written:])
    return Sidecar(place.name, len(header) + sum(array.nbytes for array in ordered.values()), sha256, header_sha256)


def remove_new(places: list[Path]) -> None:
    """Remove sidecars that were written for JSON files which then were not."""
    for place in places:
        with contextlib.suppress(OSError):
            place.unlink()


def remove_others(path: Path, kept: Sidecar | None) -> None:
    """Remove the sidecars that an artefact had before, and what crashes have left of unfinished ones.

    Args:
        path: the JSON file, which names the new one already.
        kept: the new one.
    """
    folder = Path(os.path.realpath(path)).parent
    pattern = re.compile(rf"{re.escape(path.stem)}\.[0-9a-f]{{{_NAME_DIGITS}}}\.safetensors")
    for each in folder.glob(f"*{path.stem}.*.safetensors*"):
        is_former = pattern.fullmatch(each.name) is not None and (kept is None or each.name != kept.file)
        is_unfinished = each.name.startswith(f".{path.stem}.") and each.name.endswith(".tmp")
        with contextlib.suppress(OSError):  # whoever cleans the folder up as well, or does not let us
            if is_former or (is_unfinished and time.time() - each.lstat().st_mtime > _DAY_S):
                each.unlink()


def _suffix(sha256: str) -> str:
    return f".{sha256[:_NAME_DIGITS]}.safetensors"


def _header(arrays: Mapping[str, npt.NDArray[Any]], content_sha256: str) -> bytes:
    """Everything before the numbers: the length of the description, and the description."""
    described: dict[str, Any] = {"__metadata__": {CONTENT_DIGEST: content_sha256}}
    names = {kind: name for name, kind in DTYPES.items()}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        described[name] = {
            "dtype": names[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _chunks(arrays: Mapping[str, npt.NDArray[Any]]) -> Iterator[memoryview]:
    for array in arrays.values():
        plain = array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8)
        for start in range(0, len(plain), _CHUNK_BYTES):
            yield plain[start : start + _CHUNK_BYTES].data
