"""What an importer gives for every row that it reads: a record, a pair of models, or why there is neither."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from vsr.data.categories import normalise_category

_MOST_S, _MOST_USD, _MOST_TOKENS = 1e9, 1e6, 1e9  # beyond these a record would be refused


@dataclass(frozen=True)
class ImportedRecord:
    """One model on one query, under the names that the fields have in our files.

    Attributes:
        model_name: the LLM.
        query: what it was asked; empty where `messages` say it.
        messages: the conversation that was asked, in the place of the query.
        choices: the options of a multiple-choice query that does not list them itself.
        task_name: of which task the query is.
        category: one of the fourteen, as people write them; others are dropped.
        response: what the model answered.
        ground_truth: the right answer.
        metric: by which of our rules the response can be scored again; None where none of them is the file's.
        performance: the quality that the file gives, in [0, 1].
        response_time: seconds.
        time_to_first_token: seconds.
        input_tokens: length of the prompt.
        output_tokens: length of the answer.
        cost: USD.
        error: why the call failed.
        group: names the queries that belong together, such as the turns of a conversation.
        draw: which of several answers to the same query this is, from 1.
    """

    model_name: str
    query: str = ""
    messages: Sequence[Mapping[str, object]] | None = None
    choices: Sequence[str] | None = None
    task_name: str | None = None
    category: str | None = None
    response: str | None = None
    ground_truth: str | None = None
    metric: str | None = None
    performance: float | None = None
    response_time: float | None = None
    time_to_first_token: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    error: str | None = None
    group: str | None = None
    draw: int | None = None

    def row(self) -> dict[str, object]:
        """Give the fields that say something, in the order of our records."""
        values = {name: getattr(self, name) for name in _ORDER}
        if self.messages is not None:
            del values["query"]
        return {name: value for name, value in values.items() if value is not None}


_FIRST = ("task_name", "query", "messages", "category", "model_name", "response", "ground_truth", "response_time")
_ORDER = (*_FIRST, *(each.name for each in fields(ImportedRecord) if each.name not in _FIRST))


@dataclass(frozen=True)
class ImportedPair:
    """Which of two models was preferred on a query.

    Attributes:
        query: the text.
        preferred: the model that won.
        other: the one that lost.
        category: of the query.
        source: who judged.
    """

    query: str
    preferred: str
    other: str
    category: str | None = None
    source: str | None = None

    def row(self) -> dict[str, object]:
        """Give the fields that say something."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class LeftOut:
    """A row, or a part of a file, of which nothing was taken.

    Attributes:
        reason: what they are, in the plural and in the same words for all of a kind.
        place: where, and what exactly, of this one.
        n_rows: how many rows.
    """

    reason: str
    place: str
    n_rows: int = 1


Imported = ImportedRecord | ImportedPair | LeftOut


def quality(value: object) -> float | None:
    """Read a score as a quality: a number from 0 to 1, true or false; None for what is none."""
    number = _number(value)
    return number if number is not None and 0.0 <= number <= 1.0 else None


def seconds(value: object, scale: float = 1.0) -> float | None:
    """Read a duration above 0, in seconds after multiplying by `scale`."""
    number = _number(value)
    return round(number * scale, 6) if number is not None and 0.0 < number * scale <= _MOST_S else None


def usd(value: object) -> float | None:
    """Read a cost above 0; 0 is what programs write that know no price."""
    number = _number(value)
    return number if number is not None and 0.0 < number <= _MOST_USD else None


def n_tokens(value: object) -> int | None:
    """Read a count of tokens above 0."""
    number = _number(value)
    return int(number) if number is not None and 0.0 < number <= _MOST_TOKENS else None


def text(value: object) -> str | None:
    """Read a text that is not blank, without changing it."""
    return value if isinstance(value, str) and not value.isspace() and value else None


def truth(value: object) -> str | None:
    """Read a right answer: a text, a number, or a list of one."""
    if isinstance(value, list) and len(value) == 1:
        return truth(value[0])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return text(value)


def known_category(*names: object) -> str | None:
    """Give the first of some names that is one of the fourteen categories."""
    return next((name for name in names if isinstance(name, str) and normalise_category(name) is not None), None)


def _number(value: object) -> float | None:
    """Read a finite number; CSV files hold them, and true and false, as text."""
    if isinstance(value, str):
        value = {"true": 1.0, "false": 0.0}.get(value.strip().lower(), value)
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever is no number says so
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
