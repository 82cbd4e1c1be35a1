"""Sidecars mapped into memory: checked without reading their numbers, whose pages all processes share."""

import hashlib
import json
import mmap
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr.errors import ArtefactError
from vsr.persistence.sidecar import DTYPES, Sidecar, beside

_LARGEST_HEADER = 1 << 20
_COPY_TOGETHER = "copy both files of the training together, or train again"


def map_sidecar(path: Path, sidecar: Sidecar, expected: Mapping[str, str]) -> dict[str, npt.NDArray[Any]]:
    """Map the arrays of a sidecar: quick, because none of their numbers is read.

    Args:
        path: the JSON file that names it.
        sidecar: what it says of it.
        expected: name of every array that the algorithm can have -> its type in NumPy.

    Returns:
        Name -> array, read-only; the map lives as long as one of them.

    Raises:
        ArtefactError: It is missing, a link, of another user than the JSON file, of another size or not the one that
            the JSON file names; or its header is not one of such arrays.
    """
    place = beside(path, sidecar.file)
    descriptor = _opened(path, place)
    try:
        found = os.fstat(descriptor)
        _require_own(path, place, found)
        if found.st_size != sidecar.size_bytes:
            raise ArtefactError(
                f"{place}: has {found.st_size:,} bytes, but {path.name} names one of {sidecar.size_bytes:,}; "
                f"{_COPY_TOGETHER}"
            )
        header = _header(place, descriptor, found.st_size)
        if hashlib.sha256(header).hexdigest() != sidecar.header_sha256:
            raise ArtefactError(f"{place}: is not the file that {path.name} names; {_COPY_TOGETHER}")
        content = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise ArtefactError(f"{place}: cannot be read ({error.strerror}); {_COPY_TOGETHER}") from error
    finally:
        os.close(descriptor)
    return _arrays(place, header, content, expected)


def verify_sidecar(path: Path, sidecar: Sidecar) -> Path:
    """Read all of a sidecar and compare its digest.

    Args:
        path: the JSON file that names it.
        sidecar: what it says of it.

    Returns:
        Where the sidecar lies.

    Raises:
        ArtefactError: It cannot be read, or is damaged.
    """
    place = beside(path, sidecar.file)
    with os.fdopen(_opened(path, place), "rb") as file:
        try:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ArtefactError(f"{place}: cannot be read ({error.strerror}); {_COPY_TOGETHER}") from error
    if found != sidecar.sha256:
        raise ArtefactError(
            f"{place}: is damaged: its SHA-256 is {found}, expected {sidecar.sha256} as {path.name} says; copy it "
            "anew, or train again"
        )
    return place


def _opened(path: Path, place: Path) -> int:
    try:
        return os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        what = "is a link; expected the file itself" if place.is_symlink() else f"cannot be read ({error.strerror})"
        raise ArtefactError(f"{place}: {what}; {path.name} has its big arrays there, {_COPY_TOGETHER}") from error


def _require_own(path: Path, place: Path, found: os.stat_result) -> None:
    """Refuse what somebody else could cut or change while it is mapped."""
    if not stat.S_ISREG(found.st_mode):
        raise ArtefactError(f"{place}: is no regular file; expected the file itself, no link and no device")
    owner = path.stat().st_uid
    if found.st_uid != owner:
        raise ArtefactError(
            f"{place}: belongs to user {found.st_uid}, but {path.name} to user {owner}; {_COPY_TOGETHER}"
        )


def _header(place: Path, descriptor: int, size: int) -> bytes:
    """The length of the description, and the description."""
    first = os.pread(descriptor, 8, 0)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or length > min(_LARGEST_HEADER, size - 8):
        raise ArtefactError(f"{place}: is no safetensors file; {_COPY_TOGETHER}")
    return first + os.pread(descriptor, length, 8)


def _arrays(place: Path, header: bytes, content: mmap.mmap, expected: Mapping[str, str]) -> dict[str, npt.NDArray[Any]]:
    """Arrays over the map; they lie side by side, without gap or overlap, to the end of the file."""
    try:
        described = json.loads(header[8:])
        described.pop("__metadata__", None)
        entries = sorted((*_offsets(each["data_offsets"]), name) for name, each in described.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ArtefactError(f"{place}: its header is no description of arrays ({error})") from error
    arrays = {}
    end = 0
    for start, stop, name in entries:
        dtype = DTYPES.get(str(described[name].get("dtype")))
        if name not in expected or dtype != expected[name]:
            raise ArtefactError(f"{place}: array {name[:80]!r} is unknown, or not of the type that it has to be of")
        shape, itemsize = described[name].get("shape"), np.dtype(dtype).itemsize
        n_numbers = 1
        for length in shape if isinstance(shape, list) else [0]:
            n_numbers *= length if isinstance(length, int) and not isinstance(length, bool) and length > 0 else 0
        if start != end or not n_numbers or stop - start != n_numbers * itemsize or (len(header) + start) % itemsize:
            raise ArtefactError(f"{place}: array {name!r} does not lie where its shape says")
        if len(header) + stop > len(content):
            raise ArtefactError(f"{place}: array {name!r} ends beyond the end of the file")
        flat = np.frombuffer(content, np.dtype(dtype).newbyteorder("<"), n_numbers, len(header) + start)
        arrays[name] = flat.reshape(shape)
        end = stop
    if len(header) + end != len(content):
        raise ArtefactError(f"{place}: its arrays end at byte {len(header) + end:,} of {len(content):,}")
    return arrays


def _offsets(value: Any) -> tuple[int, int]:  # noqa: ANN401 -- whatever stands in the file
    start, stop = value
    for each in (start, stop):
        if not isinstance(each, int) or isinstance(each, bool) or not 0 <= each < 2**62:
            raise ValueError(f"{str(each)[:40]} is no offset")
    return start, stop
