"""Feedback as JSON, as `POST /v1/feedback` takes it."""

from typing import Annotated

import msgspec

from vsr.data.json_lines import is_deeper
from vsr.errors import RecordError

MOST_FEEDBACK = 256
_DEEPEST = 4
_LONGEST_MESSAGE = 500

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=r"\S")]


class FeedbackBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the answer was worth: a quality, or which of two models was preferred."""

    id: Annotated[str, msgspec.Meta(description="`id` of the choice.", max_length=256)]
    model: Annotated[Name | None, msgspec.Meta(description="The model that answered: the one that was chosen.")] = None
    quality: Annotated[
        Annotated[float, msgspec.Meta(ge=0, le=1)] | None, msgspec.Meta(description="From 0 (useless) to 1 (perfect).")
    ] = None
    preferred: Annotated[Name | None, msgspec.Meta(description="The better of two models, one of them chosen.")] = None
    other: Annotated[Name | None, msgspec.Meta(description="The worse of the two.")] = None
    source: Annotated[Name | None, msgspec.Meta(description="Who says so.")] = None

    @property
    def models(self) -> tuple[str, ...]:
        """Models that may be the chosen one, as far as it says; empty where it says nothing."""
        named = (self.preferred, self.other) if self.model is None else (self.model,)
        return tuple(name for name in named if name is not None)

    @property
    def judgement(self) -> dict[str, object]:
        """What it says, as fields of a line."""
        said = {"quality": self.quality, "preferred": self.preferred, "other": self.other, "source": self.source}
        return {name: value for name, value in said.items() if value is not None}

    def problem(self) -> str | None:
        """Say what is wrong with it; None where nothing is."""
        if (self.preferred is None) != (self.other is None):
            return "has one of `preferred` and `other`; expected both, the names of two models"
        if (self.quality is None) == (self.preferred is None):
            return "expected either `quality`, a number from 0 to 1, or two models as `preferred` and `other`"
        if self.preferred is not None and self.preferred == self.other:
            return f"`preferred` and `other` are both {self.other}; expected two models"
        if self.preferred is not None and self.model is not None and self.model not in (self.preferred, self.other):
            return f"{self.model} answered, but neither `preferred` nor `other` names it"
        return None


_decode = msgspec.json.Decoder(FeedbackBody | list[FeedbackBody]).decode


def read_feedback_body(body: bytes) -> tuple[list[FeedbackBody], bool]:
    """Read the body of `POST /v1/feedback`.

    Returns:
        The feedback, and whether it was a list.

    Raises:
        RecordError: It is something else.
    """
    if is_deeper(body, _DEEPEST):
        raise RecordError(f"the body is nested more than {_DEEPEST} deep; expected feedback, or a list of it")
    try:
        read = _decode(body)
    except (ValueError, RecursionError) as error:
        said = str(error)[:_LONGEST_MESSAGE]
        raise RecordError(f"the body cannot be read: {said}; expected feedback as JSON") from error
    given = read if isinstance(read, list) else [read]
    if len(given) > MOST_FEEDBACK:
        raise RecordError(f"the body holds {len(given):,} pieces of feedback; expected at most {MOST_FEEDBACK}")
    for number, each in enumerate(given):
        problem = each.problem()
        if problem is not None:
            raise RecordError(f"feedback {number}: {problem}" if isinstance(read, list) else problem)
    return given, isinstance(read, list)
