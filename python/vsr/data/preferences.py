"""Preference pairs from a file: which of two models was preferred on a query."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

from vsr.data.fields import Field, is_filled_text, is_number, is_text, problem_with
from vsr.data.json_lines import JsonLines, decode_object
from vsr.data.prompts import unique_key
from vsr.errors import RecordError


@dataclass(frozen=True)
class PreferencePairs:
    """Pairs as a file holds them, columns of equal length.

    Attributes:
        queries: the query of each pair.
        categories: its category, None where the file has none.
        preferred: name of the model that was preferred.
        other: name of the other one.
        confidence: weight of the pair, above 0.
        n_measured: pairs left out because records of their queries exist.
        n_bad_lines: lines left out because they cannot be read.
    """

    queries: tuple[str, ...]
    categories: tuple[str | None, ...]
    preferred: tuple[str, ...]
    other: tuple[str, ...]
    confidence: tuple[float, ...]
    n_measured: int
    n_bad_lines: int

    def weighted(self, weight: float) -> "PreferencePairs":
        """Give the same pairs with every confidence multiplied."""
        return replace(self, confidence=tuple(weight * each for each in self.confidence))

    def followed_by(self, further: "PreferencePairs") -> "PreferencePairs":
        """Give these pairs and then others."""
        return PreferencePairs(
            *(getattr(self, each.name) + getattr(further, each.name) for each in fields(self)),
        )


def read_preferences(
    path: str | os.PathLike[str],
    models: Sequence[str],
    measured_queries: Sequence[str] = (),
    *,
    skip_bad_lines: bool = False,
) -> PreferencePairs:
    """Read a file of pairs: `query, category, preferred, other, confidence`, the second and the last optional.

    Pairs on queries that were measured are left out: the records say more, and what is learnt from the pairs could
    otherwise not be compared on held-out queries.

    Args:
        path: JSON Lines, also `.gz`.
        models: names that may occur.
        measured_queries: rendered prompts of the records.
        skip_bad_lines: leave lines out that cannot be read.

    Raises:
        RecordError: A line is bad, or no pair is left.
    """
    measured = {unique_key(query) for query in measured_queries}
    fields = _fields(models)
    lines = JsonLines(
        path,
        partial(_read_pair, fields),
        partial(_explain, fields),
        noun="preference pairs",
        skip_bad_lines=skip_bad_lines,
    )
    pairs = list(lines)
    kept = [pair for pair in pairs if unique_key(pair.query) not in measured]
    if not kept:
        raise RecordError(f"{lines.path}: no preference pair is left: all {len(pairs)} are about measured queries")
    return PreferencePairs(
        queries=tuple(pair.query for pair in kept),
        categories=tuple(pair.category for pair in kept),
        preferred=tuple(pair.preferred for pair in kept),
        other=tuple(pair.other for pair in kept),
        confidence=tuple(pair.confidence for pair in kept),
        n_measured=len(pairs) - len(kept),
        n_bad_lines=lines.n_bad_lines,
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    query: str
    category: str | None
    preferred: str
    other: str
    confidence: float


def _fields(models: Sequence[str]) -> tuple[Field, ...]:
    known = frozenset(models)

    def is_model(value: object) -> bool:
        return isinstance(value, str) and value in known

    def is_weight(value: object) -> bool:
        return is_number(value, low=0) and value != 0

    a_model = f"one of the models of the records: {', '.join(models)}"
    return (
        Field("query", "the text of the query, not blank", is_filled_text, required=True),
        Field("preferred", a_model, is_model, required=True),
        Field("other", a_model, is_model, required=True),
        Field("category", "text", is_text),
        Field("confidence", "a number above 0", is_weight),
    )


def _explain(fields: Sequence[Field], value: dict[str, object]) -> str | None:
    problem = problem_with(fields, value)
    if problem is None and value["preferred"] == value["other"]:
        return f"`preferred` and `other` are both {value['other']}; expected two models"
    return problem


def _read_pair(fields: Sequence[Field], line: bytes) -> _Pair:
    value = decode_object(line)
    if _explain(fields, value) is not None:
        raise ValueError
    category = value.get("category")
    return _Pair(
        query=str(value["query"]),
        category=None if category is None else str(category),
        preferred=str(value["preferred"]),
        other=str(value["other"]),
        confidence=float(str(value.get("confidence") or 1.0)),
    )
