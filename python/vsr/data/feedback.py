"""Feedback from a file: what an answer was worth, or which of two models was preferred, by decision or by query."""

import os
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

import msgspec

from vsr.data.field_forms import EXPECTED_TIME, is_time
from vsr.data.fields import Field, is_filled_text, is_number, is_text, problem_with
from vsr.data.json_lines import JsonLines


@dataclass(frozen=True, slots=True)
class Feedback:
    """One line of feedback: about a decision or about a query, a quality or a preference.

    Attributes:
        id: of the decision; None where it is about a query alone.
        query: the text of the query; None where it is about a decision alone.
        model: that answered; where None, with an id, the one that the decision chose.
        quality: of the answer, in [0, 1]; None for a preference.
        preferred: model whose answer was preferred; None for a quality.
        other: the model whose answer was not.
        latency_s: seconds that the answer took; None where nobody says.
        cost_usd: what it cost; None likewise.
        source: who says so.
        time: when.
    """

    id: str | None = None
    query: str | None = None
    model: str | None = None
    quality: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    preferred: str | None = None
    other: str | None = None
    latency_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    cost_usd: Annotated[float, msgspec.Meta(ge=0)] | None = None
    source: str | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


def read_feedback(path: str | os.PathLike[str], *, skip_bad_lines: bool = False) -> JsonLines[Feedback]:
    """Open a file of feedback, in any form of JSON Lines, `.gz` by name; other fields are passed over.

    Nothing is read yet: iterate, as often as needed.

    Args:
        path: the file; `-` is standard input.
        skip_bad_lines: leave bad lines out and count them instead of raising.

    Raises:
        RecordError: There is no such file; while iterating: a line cannot be used, or nothing is in the file.
    """
    return JsonLines(path, _read, _explain, noun="feedback", skip_bad_lines=skip_bad_lines)


_FIELDS = (
    Field("id", "the id of a decision, not blank", is_filled_text),
    Field("query", "the text of a query, not blank", is_filled_text),
    Field("model", "the name of the model that answered, not blank", is_filled_text),
    Field("quality", "a number from 0 to 1", partial(is_number, low=0, high=1)),
    Field("preferred", "the name of a model, not blank", is_filled_text),
    Field("other", "the name of a model, not blank", is_filled_text),
    Field("latency_s", "seconds, 0 or more", partial(is_number, low=0)),
    Field("cost_usd", "USD, 0 or more", partial(is_number, low=0)),
    Field("source", "text", is_text),
    Field("time", EXPECTED_TIME, is_time),
)
_decode = msgspec.json.Decoder(Feedback).decode


def _read(line: bytes) -> Feedback:
    feedback = _decode(line)
    names = (feedback.id, feedback.query, feedback.model, feedback.preferred, feedback.other)
    if any(name is not None and not name.strip() for name in names) or _lack(feedback) is not None:
        raise ValueError
    return feedback


def _explain(value: dict[str, object]) -> str | None:
    problem = problem_with(_FIELDS, value)
    return problem if problem is not None else _lack(msgspec.convert(value, Feedback))


def _lack(feedback: Feedback) -> str | None:
    """Say what a line of right fields lacks."""
    if feedback.id is None and feedback.query is None:
        return "has neither `id` nor `query`; expected the id of a decision, or the text of a query"
    if feedback.quality is None and feedback.preferred is None and feedback.other is None and _is_measured(feedback):
        return None
    if feedback.quality is None:
        if feedback.preferred is None or feedback.other is None:
            return "has no `quality`; expected a number from 0 to 1, or two models as `preferred` and `other`"
        if feedback.preferred == feedback.other:
            return f"`preferred` and `other` are both {feedback.other}; expected two models"
        return None
    if feedback.preferred is not None or feedback.other is not None:
        return "has a `quality` and a preference; expected one of them a line"
    if feedback.id is None and feedback.model is None:
        return "`model` is missing; expected the name of the model that answered, or the `id` of the decision"
    return None


def _is_measured(feedback: Feedback) -> bool:
    """Whether a line says of a decision how long its answer took, or what it cost, and nothing else."""
    return feedback.id is not None and not (feedback.latency_s is None and feedback.cost_usd is None)
