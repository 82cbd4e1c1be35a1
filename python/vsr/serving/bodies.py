"""Requests as JSON, and answers."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from vsr.choice.exploration import Exploration
from vsr.choice.limits import Limits, NobodyLeft
from vsr.choice.objective import DEFAULT_SWITCH_MARGIN, Objective
from vsr.data.json_lines import is_deeper
from vsr.errors import SelectionError, VsrError
from vsr.routing.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_REQUESTS = 256
NO_EXPLORATION = Exploration()
_DEEPEST = 32
_LONGEST_ID = 256
_LONGEST_MESSAGE = 500


class ObjectiveBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the choice maximises."""

    quality_weight: Annotated[float, Meta(description="1 counts quality alone, 0 latency and cost alone.")] = 0.9
    cost_share: Annotated[float, Meta(description="Share of cost in what is not quality.")] = 0.0
    model_penalty: Annotated[dict[str, float], Meta(description="By model, what is taken off its utility.")] = (
        msgspec.field(default_factory=dict)
    )
    switch_margin: Annotated[
        float, Meta(description="Gain of utility from which on a conversation changes models.")
    ] = DEFAULT_SWITCH_MARGIN

    def read(self) -> Objective:
        """Give what a router takes."""
        return Objective(self.quality_weight, self.cost_share, self.model_penalty, self.switch_margin)


class LimitsBody(msgspec.Struct, forbid_unknown_fields=True):
    """What the chosen model has to keep."""

    max_cost_usd: Annotated[float | None, Meta(description="Of this request.")] = None
    max_latency_s: Annotated[float | None, Meta(description="Of the whole answer.")] = None
    min_quality: Annotated[float | None, Meta(description="As predicted, from 0 to 1.")] = None
    capabilities: Annotated[list[str], Meta(description="As the configuration names them, `vision` for example.")] = (
        msgspec.field(default_factory=list)
    )
    context_tokens: Annotated[int | None, Meta(description="That have to fit.")] = None
    nobody_left: Annotated[NobodyLeft, Meta(description="What happens when no model keeps them all.")] = "relax"

    def read(self) -> Limits:
        """Give what a router takes."""
        return Limits(
            self.max_cost_usd,
            self.max_latency_s,
            self.min_quality,
            self.capabilities,
            self.context_tokens,
            self.nobody_left,
        )


class SelectBody(msgspec.Struct, forbid_unknown_fields=True):
    """A request: `query`, `messages` or `embedding`, and what is asked of the choice."""

    query: Annotated[str | None, Meta(description="The text.")] = None
    messages: Annotated[list[dict[str, Any]] | None, Meta(description="The conversation in OpenAI's form.")] = None
    embedding: Annotated[list[float] | None, Meta(description="Ready vector of the query.")] = None
    category: Annotated[str | None, Meta(description="Of the query; predicted without it.")] = None
    signals: Annotated[
        dict[str, list[str]] | None,
        Meta(description="For the rules of decisions: type of a condition, and the names of that type that hold."),
    ] = None
    candidates: Annotated[list[str] | None, Meta(description="Models on offer; all without it.")] = None
    default: Annotated[str | None, Meta(description="The model to answer with when no candidate is known.")] = None
    limits: LimitsBody | None = None
    objective: ObjectiveBody | None = None
    previous: Annotated[
        str | None, Meta(description="The model that answered last; the server remembers it where it is not said.")
    ] = None
    request_id: Annotated[str | None, Meta(description="The caller's own name of the request.")] = None
    session_id: Annotated[
        str | None, Meta(description="Id of the conversation; without it known by its first messages.")
    ] = None

    explore: Annotated[
        float | None, Meta(description="With which probability a nearly best model is drawn; the server's without it.")
    ] = None

    def read(self, exploration: Exploration) -> Request:
        """Give what a router takes; `exploration` holds where the request says nothing of it."""
        explore = exploration if self.explore is None else replace(exploration, probability=self.explore)
        return Request(
            query=self.query,
            category=self.category,
            signals=self.signals,
            candidates=self.candidates,
            default=self.default,
            objective=None if self.objective is None else self.objective.read(),
            embedding=self.embedding,
            limits=None if self.limits is None else self.limits.read(),
            previous=self.previous,
            messages=self.messages,
            explore=explore,
            request_id=self.request_id,
        )


class BodyOfSession(bytes):
    """The body of requests that a header says to be of one conversation.

    Attributes:
        session: its id.
    """

    session: str

    @classmethod
    def of(cls, body: bytes, session: str | None) -> bytes:
        """Add the id of the conversation to a body, where there is one."""
        if session is None:
            return body
        made = cls(body)
        made.session = session
        return made


class Asked(msgspec.Struct, frozen=True):
    """What a body asks.

    Attributes:
        requests: in order.
        ids: the callers' own names of them.
        sessions: the ids of their conversations.
        messages: the conversations, of those that are one.
        is_list: whether it was a list, even of one.
    """

    requests: list[Request]
    ids: list[str | None]
    sessions: list[str | None]
    messages: list[list[dict[str, Any]] | None]
    is_list: bool

    @classmethod
    def of_all(cls, bodies: "Sequence[Asked]") -> "Asked":
        """Join what several bodies ask."""
        return cls(
            [each for one in bodies for each in one.requests],
            [each for one in bodies for each in one.ids],
            [each for one in bodies for each in one.sessions],
            [each for one in bodies for each in one.messages],
            is_list=True,
        )


_decode = msgspec.json.Decoder(SelectBody | list[SelectBody]).decode


def read_requests(body: bytes, exploration: Exploration = NO_EXPLORATION) -> Asked:
    """Read the body of `POST /v1/select`: one request or a list of them.

    Args:
        body: the bytes.
        exploration: of requests that say nothing of it themselves; its margin holds for all.

    Raises:
        SelectionError: It is something else.
    """
    if is_deeper(body, _DEEPEST):
        raise SelectionError(f"the body is nested more than {_DEEPEST} deep; expected a request, or a list of requests")
    try:
        read = _decode(body)
    except (ValueError, RecursionError) as error:
        raise SelectionError(f"the body cannot be read: {_shortened(error)}; expected a request as JSON") from error
    bodies = read if isinstance(read, list) else [read]
    if len(bodies) > MOST_REQUESTS:
        raise SelectionError(f"the body holds {len(bodies):,} requests; expected at most {MOST_REQUESTS} in one list")
    requests = []
    for number, each in enumerate(bodies):
        for name, given in (("request_id", each.request_id), ("session_id", each.session_id)):
            if given is not None and len(given) > _LONGEST_ID:
                raise SelectionError(f"{name} has {len(given):,} characters; expected at most {_LONGEST_ID}")
        try:
            requests.append(each.read(exploration))
        except VsrError as error:
            if not isinstance(read, list):
                raise
            raise SelectionError(f"request {number}: {error}") from error
    session = body.session if isinstance(body, BodyOfSession) else None
    return Asked(
        requests,
        [each.request_id for each in bodies],
        [each.session_id or session for each in bodies],
        [each.messages for each in bodies],
        isinstance(read, list),
    )


def _shortened(error: Exception) -> str:
    return str(error)[:_LONGEST_MESSAGE]
