"""A request to a router, and how it is checked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy.typing as npt

from vsr._checks import require_kind, require_whole_number
from vsr.choice.candidates import Candidate
from vsr.choice.chooser import Terms
from vsr.choice.expectations import VISION, Demand
from vsr.choice.limits import Limits, as_limits
from vsr.choice.objective import Objective
from vsr.data.messages import Message, TextOf, checked_messages, has_images, n_characters, n_characters_before, text_of
from vsr.errors import RecordError, SelectionError

NOTHING_ASKED = "neither a query nor an embedding was given; expected one of them"
_TEXT_ONLY: frozenset[str] = frozenset()
_WITH_IMAGES = frozenset({VISION})


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """One query, and what is asked of the choice.

    Attributes:
        query: the text; not read where there is an embedding.
        category: its category; None to have it predicted.
        signals: for the rules of decisions, type of a condition -> names of that type that hold for the query.
        candidates: models on offer, names or references; None offers all.
        default: the model to answer with when no candidate is known.
        objective: what is maximised; the router's own without it.
        embedding: (dim,) ready vector of the query.
        limits: what the chosen model has to keep.
        previous: name of the model that has answered in this conversation so far.
        messages: the conversation in OpenAI's form, in the place of the text; images in it need a model that the
            configuration says can see (`capabilities: [vision]`).
        input_tokens: length of the prompt, for the cost of this request; without it estimated from the characters, by
            the tokens for each of them in the training records.
    """

    query: str | None = None
    category: str | None = None
    signals: Mapping[str, Collection[str]] | None = None
    candidates: Sequence[Candidate] | None = None
    default: str | None = None
    objective: Objective | None = None
    embedding: npt.ArrayLike | None = None
    limits: Limits | None = None
    previous: str | None = None
    messages: Sequence[Message] | None = None
    input_tokens: int | None = None

    def text(self, which: TextOf) -> str | None:
        """Give what is embedded: the text, or that of the messages.

        Raises:
            SelectionError: Text and messages are both given, or the messages have another form or no text of a user.
        """
        if self.messages is None:
            return self.query
        if self.query is not None:
            raise SelectionError("a query and messages were given; expected one of them")
        try:
            return text_of(self.messages, which)
        except RecordError as error:
            raise SelectionError(str(error)) from error

    @property
    def terms(self) -> Terms | None:
        """What it sets beyond objective and candidates; None where that is nothing.

        Raises:
            SelectionError: Limits or messages are of another kind, the previous model is no name, or the number of
                tokens is none.
        """
        capabilities = self._capabilities()
        if self.limits is None and self.previous is None and not capabilities and self.input_tokens is None:
            return None
        if self.previous is not None:
            require_kind(self.previous, str, "previous", "the name of a model", SelectionError)
        if self.input_tokens is not None:
            expected = "a number of tokens, 0 or more"
            require_whole_number(self.input_tokens, "input_tokens", expected, SelectionError)
            if self.input_tokens < 0:
                raise SelectionError(f"input_tokens is {self.input_tokens}; expected {expected}")
        if self.messages is None:
            demand = Demand(None if self.query is None else len(self.query), n_input_tokens=self.input_tokens)
        else:
            before = 0 if self.previous is None else n_characters_before(self.messages)
            demand = Demand(n_characters(self.messages), before, capabilities, self.input_tokens)
        return Terms(as_limits(self.limits), self.previous, demand)

    def _capabilities(self) -> frozenset[str]:
        if self.messages is None:
            return _TEXT_ONLY
        try:
            return _WITH_IMAGES if has_images(checked_messages(self.messages)) else _TEXT_ONLY
        except RecordError as error:
            raise SelectionError(str(error)) from error


def checked_signals(signals: Mapping[str, Collection[str]] | None) -> dict[str, frozenset[str]]:
    """Take signals as callers pass them.

    Raises:
        SelectionError: They are no mapping of names to lists of names.
    """
    expected = 'expected a mapping such as {"keyword": ["urgent"]}'
    if signals is None:
        return {}
    if not isinstance(signals, Mapping):
        raise SelectionError(f"signals are {signals!r}; {expected}")
    checked = {}
    for kind, names in signals.items():
        if isinstance(names, str) or not isinstance(names, Collection) or not all(isinstance(n, str) for n in names):
            raise SelectionError(f"signals of type {kind!r} are {names!r}; {expected}")
        checked[str(kind).strip().lower()] = frozenset(names)
    return checked
