"""What a server does with requests, apart from HTTP: choose in a pool of threads, count, log."""

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec

from vsr.choice.chooser import Choice
from vsr.routing.choice_document import choice_document
from vsr.routing.conversations import ConversationKey, Conversations
from vsr.routing.decision_log import Decision, DecisionLog
from vsr.routing.decisions import DecisionRouter
from vsr.routing.disabled import DisabledRouter
from vsr.routing.parts import answering_models, known_models, parts_of
from vsr.routing.protocol import ModelRouter
from vsr.routing.reloading import ReloadingRouter
from vsr.routing.request import Request
from vsr.routing.router import Router
from vsr.serving.bodies import Asked, read_requests
from vsr.serving.feedback import FeedbackLog, Receipt
from vsr.serving.feedback_bodies import read_feedback_body
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
        feedback: where feedback on them is kept; None keeps none.
        metrics: the counters.
        pool: threads in which choices are made.
    """

    def __init__(
        self,
        router: ModelRouter,
        log: DecisionLog | None = None,
        feedback: FeedbackLog | None = None,
        conversations: Conversations | None = None,
        owner: str | None = None,
    ) -> None:
        """Make the pool.

        Args:
            router: that chooses.
            log: where decisions are kept.
            feedback: where feedback on them is kept.
            conversations: where the last model of each is kept; without it callers have to say it (`previous`).
            owner: whose conversations these are: the key that callers know.
        """
        self.router = router
        self.log = log
        self.feedback = feedback
        self._conversations = conversations
        self._owner = owner
        self.metrics = Metrics(router if isinstance(router, ReloadingRouter) else None, log)
        self._known: tuple[ModelRouter, frozenset[str]] = (self.current, known_models(self.current))
        self.pool = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="choice")

    @property
    def current(self) -> ModelRouter:
        """The router of the training that is served now."""
        return self.router.current if isinstance(self.router, ReloadingRouter) else self.router

    def answer(self, body: bytes, session: str | None = None) -> bytes:
        """Read the body of a request, choose, and write the answer: all that takes time, for a thread of the pool.

        Args:
            body: one request or a list of them.
            session: id of the conversation of those that do not name one.

        Raises:
            VsrError: The body is no request, or the request cannot be met.
        """
        asked = read_requests(body)
        answers = self.select(asked if session is None else asked.of_session(session))
        return _encode(answers if asked.is_list else answers[0])

    def select(self, asked: Asked) -> list[dict[str, Any]]:
        """Choose for requests, and give what is answered.

        Raises:
            VsrError: A request cannot be met, as `ModelRouter.select` says.
        """
        router = self.current  # one training for all of a list
        started_s, now_s = time.perf_counter(), time.time()
        conversations = self._conversations_of(asked)
        requests = self._staying(asked.requests, conversations)
        choices = router.route(requests) if requests else []
        duration_s = time.perf_counter() - started_s
        self.metrics.chosen(choices, duration_s, self.known(router))
        self._remember(conversations, choices)
        ids = [uuid.uuid4().hex if self.feedback is None else self.feedback.ids.new(each.model) for each in choices]
        if self.log is not None:
            rows = zip(ids, requests, choices, asked.ids, strict=True)
            self.log.add(
                [Decision(new, request, choice, router, now_s, duration_s, own) for new, request, choice, own in rows]
            )
        return [
            {"id": new, **({} if own is None else {"request_id": own}), **choice_document(choice)}
            for new, own, choice in zip(ids, asked.ids, choices, strict=True)
        ]

    def _conversations_of(self, asked: Asked) -> list[ConversationKey | None]:
        """Say to which conversations requests belong; None for those of none, and for all where none are kept."""
        held = self._conversations
        if held is None:
            return [None] * len(asked.requests)
        return [
            None if session is None and messages is None else held.key(messages or (), session, self._owner)
            for session, messages in zip(asked.sessions, asked.messages, strict=True)
        ]

    def _staying(self, requests: list[Request], conversations: list[ConversationKey | None]) -> list[Request]:
        """Add the model that answered last, where the caller does not say it."""
        held = self._conversations
        if held is None:
            return requests
        last = [
            None if key is None or request.previous is not None else held.find(key)
            for request, key in zip(requests, conversations, strict=True)
        ]
        return [
            request if model is None else replace(request, previous=model)
            for request, model in zip(requests, last, strict=True)
        ]

    def _remember(self, conversations: list[ConversationKey | None], choices: Sequence[Choice]) -> None:
        if self._conversations is not None:
            for key, choice in zip(conversations, choices, strict=True):
                if key is not None:
                    self._conversations.remember(key, choice.model)

    def take_feedback(self, feedback: FeedbackLog, body: bytes) -> tuple[list[Receipt], bool]:
        """Read the body of feedback and keep what counts, in a thread of the pool.

        Returns:
            A receipt for each piece, and whether it was a list.

        Raises:
            RecordError: The body is no feedback.
            OutputError: It cannot be kept.
        """
        given, is_list = read_feedback_body(body)
        receipts = feedback.add(given, answering_models(self.current))
        self.metrics.judged(receipts)
        return receipts, is_list

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
        if self.feedback is not None:
            self.feedback.close()


def _best(router: Router) -> str:
    return router.models[int(router.artefact.selector.statistics.quality.argmax())]
