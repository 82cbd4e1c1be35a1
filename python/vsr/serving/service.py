"""What a server does with requests, apart from HTTP: choose in a pool of threads, count, log."""

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec

from vsr.choice.chooser import Choice
from vsr.choice.exploration import Exploration
from vsr.routing.choice_document import choice_document
from vsr.routing.decision_log import Decision, DecisionLog
from vsr.routing.decisions import DecisionRouter
from vsr.routing.disabled import DisabledRouter
from vsr.routing.parts import known_models, parts_of
from vsr.routing.protocol import ModelRouter
from vsr.routing.reloading import ReloadingRouter
from vsr.routing.request import Request
from vsr.routing.router import Router
from vsr.serving.bodies import NO_EXPLORATION, Asked, read_requests
from vsr.serving.metrics import Metrics

_N_THREADS = 4  # on two cores, two carry a fifth less and one a third less; most of a choice is native code
_encode = msgspec.json.Encoder().encode


class FixedRouter(DisabledRouter):
    """Answers everything with one model, whatever a request says: routing is switched off."""

    def route(self, requests: Sequence[Request]) -> list[Choice]:
        """Give the model for every request; errors as those of any router without artefacts."""
        return super().route([replace(request, default=None) for request in requests])


class Service:
    """Chooses models for requests; knows nothing of HTTP.

    Attributes:
        router: that chooses.
        log: where decisions are kept; None keeps none.
        metrics: the counters.
        pool: threads in which choices are made.
    """

    def __init__(
        self, router: ModelRouter, log: DecisionLog | None = None, exploration: Exploration = NO_EXPLORATION
    ) -> None:
        """Make the pool; `exploration` is of requests that say nothing of it themselves, its margin of all."""
        self._exploration = exploration
        self.router = router
        self.log = log
        self.metrics = Metrics(router if isinstance(router, ReloadingRouter) else None, log)
        self._known: tuple[ModelRouter, frozenset[str]] = (self.current, known_models(self.current))
        self.pool = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="choice")

    @property
    def current(self) -> ModelRouter:
        """The router of the training that is served now."""
        return self.router.current if isinstance(self.router, ReloadingRouter) else self.router

    def answer(self, body: bytes) -> bytes:
        """Read the body of a request, choose, and write the answer: all that takes time, for a thread of the pool.

        Raises:
            VsrError: The body is no request, or the request cannot be met.
        """
        asked = read_requests(body, self._exploration)
        answers = self.select(asked)
        return _encode(answers if asked.is_list else answers[0])

    def select(self, asked: Asked) -> list[dict[str, Any]]:
        """Choose for requests, and give what is answered.

        Raises:
            VsrError: A request cannot be met, as `ModelRouter.select` says.
        """
        router = self.current  # one training for all of a list
        started_s, now_s = time.perf_counter(), time.time()
        choices = router.route(asked.requests) if asked.requests else []
        duration_s = time.perf_counter() - started_s
        self.metrics.chosen(choices, duration_s, self.known(router))
        ids = [uuid.uuid4().hex for _ in choices]
        if self.log is not None:
            rows = zip(ids, asked.requests, choices, asked.ids, strict=True)
            self.log.add(
                [Decision(new, request, choice, router, now_s, duration_s, own) for new, request, choice, own in rows]
            )
        return [
            {"id": new, **({} if own is None else {"request_id": own}), **choice_document(choice)}
            for new, own, choice in zip(ids, asked.ids, choices, strict=True)
        ]

    def known(self, router: ModelRouter) -> frozenset[str]:
        """Name the models that a router can choose; worked out once a training."""
        if self._known[0] is not router:
            self._known = (router, known_models(router))
        return self._known[1]

    def default(self) -> str | None:
        """Name the model to ask where no choice can be made: the configured one, else the best on average."""
        router = self.current
        if isinstance(router, DisabledRouter):
            return router.default
        if isinstance(router, DecisionRouter) and router.config.default_model is not None:
            return router.config.default_model
        return next((_best(part) for part in parts_of(router)), None)

    def close(self) -> None:
        """End what is under way, and write the log out."""
        self.pool.shutdown()
        if self.log is not None:
            self.log.close()


def _best(router: Router) -> str:
    return router.models[int(router.artefact.selector.statistics.quality.argmax())]
