"""The fields of an artefact, read one by one with errors that name file and field."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from vsr.errors import ArtefactError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Fields:
    """An object of a document, read field by field with errors that name file and field.

    Attributes:
        source: the file, for messages.
        where: path of the object in the document, empty at the top.
        content: the object; arrays that were taken out are null in it.
        arrays: all arrays that were taken out, by their path in the document.
    """

    source: str
    where: str
    content: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]

    def renamed(self, names: Mapping[str, str]) -> "Fields":
        """Give the fields under other names where they stand under former ones.

        Args:
            names: path of a field in the document -> what its path is to be, in the same object.
        """
        arrays = dict(self.arrays)
        for former, name in names.items():
            *holders, key = former.split(".")
            holder: Any = self.content
            for part in holders:
                holder = holder.get(part) if isinstance(holder, Mapping) else None
            if isinstance(holder, dict) and key in holder:
                holder[name.rpartition(".")[2]] = holder.pop(key)
            for path in [path for path in arrays if path == former or path.startswith(f"{former}.")]:
                arrays[name + path.removeprefix(former)] = arrays.pop(path)
        return replace(self, arrays=arrays)

    def joined(self, arrays: Mapping[str, npt.NDArray[Any]]) -> "Fields":
        """Give the fields with arrays of another file beside its own, by their path in the document."""
        return replace(self, arrays={**self.arrays, **arrays})

    def path(self, name: str) -> str:
        """Path of a field in the document."""
        return f"{self.where}.{name}" if self.where else name

    def error(self, name: str, what: str) -> ArtefactError:
        """Make an error about a field."""
        return ArtefactError(f"{self.source}: field {self.path(name)!r} {what}")

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.content.get(name) is not None or self.path(name) in self.arrays

    def get(self, name: str, kind: type[T]) -> T:
        """Read a field of a type; an integer serves as a float.

        Raises:
            ArtefactError: Missing or of another type.
        """
        if name not in self.content:
            raise self.error(name, "is missing; the file is truncated or not an artefact of this kind")
        value = self.content[name]
        if kind is float and _is_number(value):
            value = _as_float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(name, f"is {_shown(value)}; expected {_NAMES.get(kind, kind.__name__)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error(name, "is not finite")
        return value

    def maybe(self, name: str, kind: type[T]) -> T | None:
        """Read a field that may be missing or null."""
        return self.get(name, kind) if self.content.get(name) is not None else None

    def nullable(self, name: str, kind: type[T]) -> T | None:
        """Read a field that has to be there but may be null.

        Raises:
            ArtefactError: Missing or of another type.
        """
        return None if name in self.content and not self.has(name) else self.get(name, kind)

    def object(self, name: str) -> "Fields":
        """Go into an object."""
        return Fields(self.source, self.path(name), self.get(name, dict), self.arrays)

    def strings(self, name: str) -> tuple[str, ...]:
        """Read a list of strings."""
        values = self.get(name, list)
        if not all(isinstance(value, str) for value in values):
            raise self.error(name, "holds something that is no text; expected a list of texts")
        return tuple(values)

    def array(self, name: str, shape: Sequence[int | None]) -> npt.NDArray[Any]:
        """Give an array that was taken out.

        Args:
            name: the field.
            shape: expected sizes, None for any.

        Raises:
            ArtefactError: Missing or of another shape.
        """
        path = self.path(name)
        array = self.arrays.get(path)
        if array is None:
            raise self.error(name, "is missing or no array of numbers")
        fits = array.ndim == len(shape) and all(
            wanted is None or wanted == size for wanted, size in zip(shape, array.shape, strict=True)
        )
        if not fits:
            expected = " x ".join("any" if size is None else str(size) for size in shape)
            found = " x ".join(str(size) for size in array.shape)
            raise self.error(name, f"has shape {found}; expected {expected}")
        return array

    def matrix(self, name: str, n_columns: int | None) -> npt.NDArray[np.float32]:
        """Give a matrix of at least one number that was taken out, (any, n_columns)."""
        matrix = self.array(name, (None, n_columns))
        if not matrix.size:
            raise self.error(name, "is empty")
        return matrix

    def columns(self, name: str, chosen: Sequence[str], models: tuple[str, ...]) -> npt.NDArray[np.int64]:
        """Turn names of models, which a field holds, into their columns: (n,)."""
        column_of = {model: column for column, model in enumerate(models)}
        unknown = sorted(set(chosen) - set(models))
        if unknown:
            raise self.error(name, f"names {', '.join(unknown)}; expected models among {', '.join(models)}")
        return np.array([column_of[model] for model in chosen], dtype=np.int64)

    def numbers(self, name: str, n_numbers: int) -> npt.NDArray[np.float64]:
        """Read a short list of finite numbers, (n_numbers,) float64."""
        values = self.get(name, list)
        if len(values) != n_numbers or not all(_is_number(value) for value in values):
            raise self.error(name, f"is no list of {n_numbers} numbers")
        array = np.array([_as_float(value) for value in values], dtype=np.float64)
        if not np.isfinite(array).all():
            raise self.error(name, "holds a number that is not finite")
        return array

    def integers(self, name: str, end: int = 2**53, *, n_numbers: int | None = None) -> list[int]:
        """Read a list of whole numbers from 0 to below `end`."""
        values = self.get(name, list)
        if n_numbers is not None and len(values) != n_numbers:
            raise self.error(name, f"has {len(values)} entries; expected {n_numbers}")
        for value in values:
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < end:
                raise self.error(name, f"holds {_shown(value)}; expected whole numbers from 0 to below {end}")
        return values

    def optional_numbers(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Read a small matrix or a row of numbers, in which null stands for "not known"."""
        rows = self.get(name, list)
        try:
            values = [_or_nan(row) if len(shape) == 1 else [_or_nan(value) for value in row] for row in rows]
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            noun = "row" if len(shape) == 1 else "matrix"
            raise self.error(name, f"is no {noun} of numbers and nulls") from error
        if array.shape != shape:
            raise self.error(name, f"has shape {array.shape}; expected {shape}")
        return array


def _or_nan(value: Any) -> float:  # noqa: ANN401 -- whatever stands in a file
    return math.nan if value is None else float(value)


_NAMES: dict[type, str] = {
    float: "a number",
    int: "an integer",
    str: "a text",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float(value: float) -> float:
    """Turn a number into a float, infinite where it is beyond all floats."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _shown(value: Any) -> str:  # noqa: ANN401 -- whatever stands in the file
    text = "an endless number" if isinstance(value, int) and abs(value) >= 10**40 else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
