"""Requests as JSON, and answers."""

from dataclasses import replace
from typing import Any

import msgspec

from vsr.choice.exploration import Exploration
from vsr.choice.limits import Limits, NobodyLeft
from vsr.choice.objective import DEFAULT_SWITCH_MARGIN, Objective
from vsr.data.json_lines import is_deeper
from vsr.errors import SelectionError, VsrError
from vsr.routing.request import Request

MOST_REQUESTS = 256
NO_EXPLORATION = Exploration()
_DEEPEST = 32
_LONGEST_ID = 256
_LONGEST_MESSAGE = 500


class _Objective(msgspec.Struct, forbid_unknown_fields=True):
    quality_weight: float = 0.9
    cost_share: float = 0.0
    model_penalty: dict[str, float] = msgspec.field(default_factory=dict)
    switch_margin: float = DEFAULT_SWITCH_MARGIN

    def read(self) -> Objective:
        return Objective(self.quality_weight, self.cost_share, self.model_penalty, self.switch_margin)


class _Limits(msgspec.Struct, forbid_unknown_fields=True):
    max_cost_usd: float | None = None
    max_latency_s: float | None = None
    min_quality: float | None = None
    capabilities: list[str] = msgspec.field(default_factory=list)
    context_tokens: int | None = None
    nobody_left: NobodyLeft = "relax"

    def read(self) -> Limits:
        return Limits(
            self.max_cost_usd,
            self.max_latency_s,
            self.min_quality,
            self.capabilities,
            self.context_tokens,
            self.nobody_left,
        )


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of `vsr.Request`, and the caller's own name of the request."""

    query: str | None = None
    messages: list[dict[str, Any]] | None = None
    embedding: list[float] | None = None
    category: str | None = None
    signals: dict[str, list[str]] | None = None
    candidates: list[str] | None = None
    default: str | None = None
    limits: _Limits | None = None
    objective: _Objective | None = None
    previous: str | None = None
    request_id: str | None = None
    explore: float | None = None

    def read(self, exploration: Exploration) -> Request:
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


class Asked(msgspec.Struct, frozen=True):
    """What a body asks.

    Attributes:
        requests: in order.
        ids: the callers' own names of them.
        is_list: whether it was a list, even of one.
    """

    requests: list[Request]
    ids: list[str | None]
    is_list: bool


_decode = msgspec.json.Decoder(_Body | list[_Body]).decode


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
        if each.request_id is not None and len(each.request_id) > _LONGEST_ID:
            raise SelectionError(f"request_id has {len(each.request_id):,} characters; expected at most {_LONGEST_ID}")
        try:
            requests.append(each.read(exploration))
        except VsrError as error:
            if not isinstance(read, list):
                raise
            raise SelectionError(f"request {number}: {error}") from error
    return Asked(requests, [each.request_id for each in bodies], isinstance(read, list))


def _shortened(error: Exception) -> str:
    return str(error)[:_LONGEST_MESSAGE]
