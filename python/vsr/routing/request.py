"""A request to a router, and how it is checked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy.typing as npt

from vsr._checks import require_kind, require_whole_number
from vsr.choice.candidates import Candidate
from vsr.choice.chooser import Terms
from vsr.choice.expectations import VISION, Demand
from vsr.choice.exploration import Exploration, as_exploration
from vsr.choice.limits import Limits, as_limits
from vsr.choice.objective import Objective
from vsr.data.messages import Conversation, Text
from vsr.errors import RecordError, SelectionError

Messages = Conversation | Sequence[Mapping[str, object]]
"""A conversation in OpenAI's form: messages with role and content, content as text or parts."""

NOTHING_ASKED = "neither a query nor an embedding was given; expected one of them, or messages"


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
        messages: the conversation in OpenAI's form, in the place of the text.
        input_tokens: length of the prompt, for the cost of this request; without it estimated from the characters, by
            the tokens for each of them in the training records.
        explore: probability of drawing among the models that are nearly as good as the best, or an `Exploration` that
            also says what nearly is; never in the middle of a conversation, that is with a `previous` model.
        request_id: the caller's own name of the request, for the decision log.
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
    messages: Messages | None = None
    input_tokens: int | None = None
    explore: Exploration | float | None = None
    request_id: str | None = None

    def __post_init__(self) -> None:
        """Read the messages once.

        Raises:
            SelectionError: They are none, or there is a query as well; or the name of the request is no text.
        """
        if self.request_id is not None:
            require_kind(self.request_id, str, "request_id", "a text", SelectionError)
        if self.messages is None:
            return
        if self.query is not None:
            raise SelectionError("a query and messages were given; expected one of them")
        try:
            object.__setattr__(self, "messages", Conversation.parse(self.messages))
        except RecordError as error:
            raise SelectionError(str(error)) from error

    def text(self, which: Text) -> str | None:
        """Give the text that is embedded: the query, or what `which` says of the conversation."""
        return self.messages.text(which) if isinstance(self.messages, Conversation) else self.query

    @property
    def terms(self) -> Terms | None:
        """What it sets beyond objective and candidates; None where that is nothing.

        Raises:
            SelectionError: The limits are of another kind, the previous model is no name, the number of tokens none, or
                `explore` no probability.
        """
        exploration = as_exploration(self.explore)
        conversation = self.messages if isinstance(self.messages, Conversation) else None
        has_images = conversation is not None and bool(conversation.images)
        own = (self.limits, self.previous, self.input_tokens, exploration)
        if not has_images and all(each is None for each in own):
            return None
        if self.previous is not None:
            require_kind(self.previous, str, "previous", "the name of a model", SelectionError)
        if self.input_tokens is not None:
            expected = "a number of tokens, 0 or more"
            require_whole_number(self.input_tokens, "input_tokens", expected, SelectionError)
            if self.input_tokens < 0:
                raise SelectionError(f"input_tokens is {self.input_tokens}; expected {expected}")
        if conversation is not None:
            needed = frozenset({VISION}) if has_images else frozenset()
            demand = Demand(conversation.n_characters, conversation.n_earlier_characters, needed, self.input_tokens)
        else:
            demand = Demand(None if self.query is None else len(self.query), n_input_tokens=self.input_tokens)
        return Terms(as_limits(self.limits), self.previous, demand, exploration)


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
