"""JSON documents with big arrays: text from Python, numbers from Rust."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from vsr._core import read_json_arrays, write_json_parts
from vsr._files import replaced_file
from vsr.data.fields import shown
from vsr.errors import ArtefactError, OutputError
from vsr.selectors.artefact_fields import Fields


def write_documents(documents: Mapping[Path, Mapping[str, Any]]) -> None:
    """Write objects whose values may be arrays, all of them or none.

    Every file is written before the first of them gets its name: a disk that is full in the middle leaves all older
    files as they are.

    Args:
        documents: path of a file -> what `json` takes, and float32, float64 or int64 arrays anywhere.

    Raises:
        OutputError: A file cannot be written.
        ArtefactError: A number is not finite.
    """
    with ExitStack() as files:
        for path, document in documents.items():
            _write(path, files.enter_context(replaced_file(path)), document)


def _write(path: Path, temporary: Path, document: Mapping[str, Any]) -> None:
    parts: list[str | npt.NDArray[Any]] = []
    _flatten(document, parts, indent=0)
    parts.append("\n")
    try:
        write_json_parts(os.fspath(temporary), _joined(parts))
    except ValueError as error:
        raise ArtefactError(f"{path}: cannot be written: {error}") from error
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({_reason(error)}); older files are untouched. "
            "Free some space there, or name another folder"
        ) from error


def _flatten(value: Any, parts: list[str | npt.NDArray[Any]], indent: int) -> None:  # noqa: ANN401 -- JSON has any type
    """Append the pieces of a value; objects get a line per key, so that people can read the small ones."""
    if isinstance(value, np.ndarray):
        parts.append(np.ascontiguousarray(value))
    elif isinstance(value, Mapping):
        pad = "  " * (indent + 1)
        separator = "{\n"
        for key, item in value.items():
            parts.append(f"{separator}{pad}{json.dumps(str(key), ensure_ascii=False)}: ")
            _flatten(item, parts, indent + 1)
            separator = ",\n"
        parts.append("{}" if separator == "{\n" else "\n" + "  " * indent + "}")
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | np.ndarray) for item in value):
        pad = "  " * (indent + 1)
        separator = "[\n"
        for item in value:
            parts.append(separator + pad)
            _flatten(item, parts, indent + 1)
            separator = ",\n"
        parts.append("\n" + "  " * indent + "]")
    else:
        try:
            parts.append(json.dumps(value, ensure_ascii=False, allow_nan=False))
        except ValueError as error:
            raise ArtefactError(f"an artefact cannot hold {value!r}: {error}") from error


def _joined(parts: list[str | npt.NDArray[Any]]) -> list[str | npt.NDArray[Any]]:
    """Join neighbouring pieces of text."""
    joined: list[str | npt.NDArray[Any]] = []
    texts: list[str] = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
        else:
            joined += ["".join(texts), part]
            texts = []
    return [*joined, "".join(texts)]


_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_fields(path: str | os.PathLike[str], patterns: Mapping[str, str]) -> Fields:
    """Read a file.

    Args:
        path: the file.
        patterns: path of an array in the document -> `float32` or `float64`; `*` is any key, `[]` every item of a list,
            stacked.

    Raises:
        ArtefactError: Not there, not to be read, no JSON object, or an array is ragged.
    """
    source = os.fspath(path)
    try:
        text, arrays = read_json_arrays(source, dict(patterns))
    except OSError as error:
        raise ArtefactError(
            f"{source}: cannot be read ({_reason(error)}); expected an artefact of `vsr-train train`"
        ) from error
    except ArtefactError as error:
        message = str(error)
        raise ArtefactError(message if source in message else f"{source}: {message}") from error
    try:
        content = _LazyObject(source, _decode_object(text))
    except msgspec.ValidationError:
        raise ArtefactError(f"{source}: expected a JSON object, found {type(json.loads(text)).__name__}") from None
    except ValueError as error:
        raise ArtefactError(f"{source}: is no JSON ({error}); expected an artefact of `vsr-train train`") from error
    return Fields(source, "", content, arrays)


class _LazyObject(Mapping[str, Any]):
    """An object whose fields are built when somebody reads them: what nobody reads costs its text and no more."""

    def __init__(self, source: str, fields: dict[str, Any]) -> None:
        self._source = source
        self._fields = fields

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 -- JSON has any type
        value = self._fields[name]
        if isinstance(value, msgspec.Raw):
            try:
                value = self._fields[name] = json.loads(bytes(value))
            except (ValueError, RecursionError, MemoryError) as error:  # a number of 5,000 digits, for one
                reason = str(error) or type(error).__name__
                raise ArtefactError(f"{self._source}: field {shown(name)} cannot be read ({reason})") from None
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _reason(error: OSError) -> str:
    """What the operating system says, in its own words: Rust's add the number of the error."""
    return os.strerror(error.errno) if error.errno else str(error)


def null_for_nan(values: npt.NDArray[np.float64]) -> list[list[float | None]]:
    """Turn a small matrix into lists with None for NaN."""
    return [[None if math.isnan(value) else value for value in row] for row in values.tolist()]
