"""The plug-in for models that share a LiteLLM group: narrows them to the choice, and lets every request pass."""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, Literal, Protocol

from vsr.choice.chooser import Choice
from vsr.routing import DecisionRouter, DisabledRouter, ModelRouter, Request, Router
from vsr.routing.conversations import Conversations
from vsr.routing.parts import known_models, parts_of
from vsr.routing.reloading import ReloadingRouter

_LOGGER = logging.getLogger(__name__)
_LONG_TEXT = "word " * 600  # an embedding model cuts it: what follows is not slower
_SHORTEST_TIMEOUT_S = 0.2  # on a busy machine a thread waits longer for its turn than hashing a text takes

Outcome = Literal["routed", "single", "unknown", "disabled", "full", "late", "failed"]
_COMPLAINTS: dict[Outcome, str] = {
    "unknown": "no model that is on offer is known to the artefact",
    "full": "every thread is busy and as many requests wait as may",
    "late": "the choice was not made in time",
    "failed": "the choice failed",
}


class Context(Protocol):
    """What LiteLLM passes to its plug-ins: `litellm.types.router.RoutingContext`."""

    structured_messages: list[dict[str, object]]
    candidate_models: list[str]
    metadata: dict[str, object]
    signals: dict[str, object]


class RoutingPlugin:
    """Narrows the models of a LiteLLM group to the router's choice.

    Attributes:
        router: what chooses.
        timeout_s: how long a request waits for the choice.
        counts: how many requests ended how: `routed`, or passed on as they were because there was a `single` model,
            every model was `unknown`, routing is `disabled`, all threads were busy (`full`), the choice was `late` or
            `failed`.
    """

    def __init__(
        self,
        router: ModelRouter,
        timeout_s: float | None = None,
        *,
        names: Mapping[str, str] | None = None,
        n_threads: int = 2,
        max_waiting: int = 32,
        conversations: Conversations | None = None,
        reload_s: float = 5.0,
    ) -> None:
        """Warm the router up.

        Args:
            router: what chooses; a `ReloadingRouter` goes over to new trainings while requests go on.
            timeout_s: how long a request waits for the choice; three times the warm-up (a long text) without it, and at
                least 0.2.
            names: LiteLLM's names of models -> ours, where they differ by more than the provider in front.
            n_threads: how many texts are embedded at a time.
            max_waiting: how many requests wait for a thread before others are passed on.
            conversations: where the last model of each is kept; without it, for this process and its forks alone.
            reload_s: how often at most a request has the folder of a `ReloadingRouter` looked at.

        Raises:
            VsrError: The router cannot choose for a text.
        """
        self.router = router
        self.counts: Counter[Outcome] = Counter()
        self._names = dict(names or {})
        self._models = known_models(_current(router))
        warm_up_s = _warm_up_s(_current(router))
        self.timeout_s = max(3 * warm_up_s, _SHORTEST_TIMEOUT_S) if timeout_s is None else timeout_s
        self._conversations = Conversations() if conversations is None else conversations
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="vsr")
        self._places = BoundedSemaphore(n_threads + max_waiting)
        self._reload_s = reload_s
        self._look_at_s = 0.0 if isinstance(router, ReloadingRouter) else math.inf
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="vsr-reload")

    async def run(self, context: Context) -> Context:
        """Narrow the candidates of a request to the choice; LiteLLM calls this before it picks a deployment."""
        try:
            # A request that falls back to another group still carries the list of the first, and LiteLLM would find no
            # deployment of the second in it. The list is LiteLLM's own object, the mapping around it a copy.
            stale = context.metadata.get("_routing_plugin_candidate_models")
            if isinstance(stale, list):
                stale[:] = context.candidate_models
            ranked = await self.rank(context.structured_messages, context.candidate_models, context.metadata)
            if ranked:
                names, context.signals["vsr"] = ranked[0]
                context.candidate_models = [name for name in context.candidate_models if name in names]
        except Exception:
            self.fail()
        return context

    async def rank(
        self, messages: Sequence[Mapping[str, object]], offered: Sequence[str], metadata: Mapping[str, object]
    ) -> list[tuple[list[str], dict[str, object]]]:
        """Rank the models on offer for a request, the one to ask now first.

        Args:
            messages: the conversation.
            offered: LiteLLM's names of the models.
            metadata: LiteLLM's, with the session id, the hash of the key and the count of retries.

        Returns:
            LiteLLM's names of each model and what to say of the choice; empty where the request should pass as it is.
        """
        self._look_for_a_training()
        theirs: dict[str, list[str]] = {}
        for name in dict.fromkeys(offered):
            theirs.setdefault(self._our_name(name) or "", []).append(name)
        theirs.pop("", None)
        if isinstance(_current(self.router), DisabledRouter):
            return self._count("disabled")
        if len(set(offered)) < 2:
            return self._count("single")
        if not theirs:
            return self._count("unknown")
        if not self._places.acquire(blocking=False):
            return self._count("full")
        session, owner = _text(metadata.get("session_id")), _text(metadata.get("user_api_key_hash"))
        conversation = self._conversations.key(messages, session, owner)
        previous = self._conversations.find(conversation)
        future = self._threads.submit(self._choose, messages, tuple(theirs), previous)
        future.add_done_callback(lambda _: self._places.release())
        try:
            choice = await asyncio.wait_for(asyncio.wrap_future(future), self.timeout_s)
        except TimeoutError:
            return self._count("late")
        except Exception:
            self.fail()
            return []
        # A configuration's default model may not be on offer here.
        order = [model for model in choice.ranking if model in theirs]
        if not order:
            return self._count("unknown")
        start = _n_retries(metadata) % len(order)
        order = order[start:] + order[:start]
        self._conversations.remember(conversation, order[0])
        self._count("routed")
        return [(theirs[model], _said(choice, model)) for model in order]

    def _choose(self, messages: Sequence[Mapping[str, object]], models: Sequence[str], previous: str | None) -> Choice:
        return self.router.route([Request(messages=messages, candidates=models, previous=previous)])[0]

    def _look_for_a_training(self) -> None:
        """Have the folder looked at in a thread of its own; this request and others go on with the old training."""
        if time.monotonic() >= self._look_at_s:
            self._look_at_s = math.inf  # one look at a time
            self._looks.submit(self._reload)

    def _reload(self) -> None:
        try:
            if isinstance(self.router, ReloadingRouter) and self.router.reload_if_changed():
                self._models = known_models(self.router.current)
        except Exception:
            _LOGGER.warning("vsr: the folder of the artefacts cannot be looked at", exc_info=True)
        finally:
            self._look_at_s = time.monotonic() + self._reload_s

    def known(self, names: Sequence[str]) -> list[str]:
        """Give those of LiteLLM's names that are models that the router knows."""
        return [name for name in names if self._our_name(name) is not None]

    def fail(self) -> None:
        """Count the exception that is being handled as a failure."""
        self._count("failed", is_caught=True)

    def _our_name(self, name: str) -> str | None:
        """Find our name of a model: LiteLLM puts one or more providers in front."""
        rest = name
        while rest:
            ours = self._names.get(rest, rest)
            if ours in self._models:
                return ours
            rest = rest.partition("/")[2]
        return None

    def _count(self, outcome: Outcome, *, is_caught: bool = False) -> list[Any]:
        """Count an outcome, and complain of it the first, second, fourth, eighth, ... time."""
        self.counts[outcome] += 1
        times = self.counts[outcome]
        if outcome in _COMPLAINTS and times & (times - 1) == 0:
            said = "vsr: %s, so LiteLLM chose itself (%d so far)"
            _LOGGER.warning(said, _COMPLAINTS[outcome], times, exc_info=is_caught)
        return []


def _current(router: ModelRouter) -> ModelRouter:
    return router.current if isinstance(router, ReloadingRouter) else router


def _warm_up_s(router: ModelRouter) -> float:
    started = time.perf_counter()
    is_ours = isinstance(router, Router | DecisionRouter | DisabledRouter)
    for part in parts_of(router) if is_ours else (router,):  # each has a warm-up of its own
        part.select(_LONG_TEXT)
    return time.perf_counter() - started


def _n_retries(metadata: Mapping[str, object]) -> int:
    """Count how often LiteLLM has tried this request already."""
    retries = metadata.get("request_retry_count")
    if isinstance(retries, int):
        return retries
    failed = metadata.get("previous_models")  # LiteLLM 1.94 does not count
    return len(failed) if isinstance(failed, list | tuple) else 0


def _said(choice: Choice, model: str) -> dict[str, object]:
    """What other plug-ins and logs read of a choice."""
    return {
        "model": model,
        "quality": choice.scores.get(model),
        "utility": choice.utilities.get(model),
        "reason": choice.reason,
        "category": choice.category,
        "decision": choice.decision,
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
