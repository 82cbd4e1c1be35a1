"""What the fields of an object in a file may hold, in words for people and as tests."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """What one field of an object may hold, in words for people and as a test.

    Attributes:
        name: the field.
        expected: what it should hold, to stand after "expected".
        accepts: tells whether a value that is there (not null) is right.
        required: whether it has to be there.
    """

    name: str
    expected: str
    accepts: Callable[[object], bool]
    required: bool = False


def problem_with(fields: Iterable[Field], value: Mapping[str, object]) -> str | None:
    """Name the first field of an object that is missing or wrong, with what was expected; None where all are right."""
    for field in fields:
        held = value.get(field.name)
        if held is None:
            if field.required:
                there = "is null" if field.name in value else "is missing"
                return f"`{field.name}` {there}; expected {field.expected}"
        elif not field.accepts(held):
            return f"`{field.name}` is {shown(held)}; expected {field.expected}"
    return None


def is_text(value: object) -> bool:
    """Tell whether a JSON value is a string."""
    return isinstance(value, str)


def is_filled_text(value: object) -> bool:
    """Tell whether a JSON value is a string that is not blank."""
    return isinstance(value, str) and bool(value) and not value.isspace()


def is_number(value: object, low: float = -math.inf, high: float = math.inf) -> bool:
    """Tell whether a JSON value is a finite number (not true or false) from `low` to `high`."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high and _is_finite(value)


def shown(value: object, limit: int = 60) -> str:
    """Write a JSON value for a message: as it stands in the file, long ones cut."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of floats
        return False
