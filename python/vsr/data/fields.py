"""What the fields of an object in a file may hold, in words for people and as tests."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vsr._spelling import nearest


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


# What other tools and people call our fields.
_ALSO_CALLED = {
    "query": ("question", "prompt", "text", "input", "instruction", "problem", "user_query"),
    "ground_truth": (
        "answer", "answers", "label", "target", "gold", "gold_answer", "reference", "reference_answer", "expected",
        "expected_answer", "correct_answer", "correct", "truth", "answer_key", "answerkey", "solution",
    ),
    "choices": ("options", "answer_choices", "candidates", "alternatives"),
    "category": ("subject", "domain", "topic", "class"),
    "metric": ("scoring", "scorer", "eval", "evaluation", "eval_metric", "metric_name"),
    "model_name": ("model", "llm", "model_id", "llm_name", "engine"),
    "performance": ("score", "quality", "accuracy", "reward", "grade", "is_correct", "acc"),
    "response": ("output", "completion", "generation", "model_output", "prediction", "llm_response"),
    "response_time": (
        "latency", "latency_s", "latency_ms", "duration", "duration_s", "elapsed", "response_time_ms",
        "response_time_s",
    ),
    "cost": ("cost_usd", "price", "total_cost", "usd"),
}  # fmt: skip
_MEANT_BY = {other: name for name, others in _ALSO_CALLED.items() for other in others}


def meant_field(name: str, known: Iterable[str]) -> str | None:
    """Return which of our fields somebody means by a name that is none of them, if it looks like one.

    Args:
        name: the unknown field.
        known: the fields of such a line.
    """
    known = tuple(known)
    meant = _MEANT_BY.get(name.lower().replace("-", "_").replace(" ", "_"))
    return meant if meant in known else nearest(name, known)


def in_place_of(missing: str, value: Iterable[str], fields: Iterable[Field]) -> str:
    """Name the field of an object that may be the missing one, to stand behind "is missing"; else nothing."""
    known = [field.name for field in fields]
    found = next((name for name in value if name not in known and meant_field(name, known) == missing), None)
    return "" if found is None else f" (did you mean it by `{found[:60]}`?)"


def problem_with(fields: Sequence[Field], value: Mapping[str, object]) -> str | None:
    """Name the first field of an object that is missing or wrong, with what was expected; None where all are right."""
    for field in fields:
        held = value.get(field.name)
        if held is None:
            if field.required:
                there = "is null" if field.name in value else "is missing"
                return f"`{field.name}` {there}{in_place_of(field.name, value, fields)}; expected {field.expected}"
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
