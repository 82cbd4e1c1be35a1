"""What a server does with requests, apart from HTTP: choose in a pool of threads, count, log."""

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from vsr.choice.chooser import Choice
from vsr.choice.exploration import Exploration
from vsr.errors import SelectionError
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
from vsr.serving.bodies import NO_EXPLORATION, Asked, read_requests
from vsr.serving.feedback import FeedbackLog, Receipt
from vsr.serving.feedback_bodies import read_feedback_body
from vsr.serving.metrics import Metrics
from vsr.serving.switch import State, Switch

_N_THREADS = 4  # two for batches, two for large bodies
_encode = msgspec.json.Encoder().encode


class Service:
    """Chooses models for requests; knows nothing of HTTP.

    Attributes:
        router: that chooses.
        log: where decisions are kept; None keeps none.
        feedback: where feedback on them is kept; None keeps none.
        switch: whether choices reach the callers.
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
        *,
        exploration: Exploration = NO_EXPLORATION,
        switch: Switch | None = None,
        metrics_folder: Path | None = None,
    ) -> None:
        """Make the pool.

        Args:
            router: that chooses.
            log: where decisions are kept.
            feedback: where feedback on them is kept.
            conversations: where the last model of each is kept; without it callers have to say it (`previous`).
            owner: whose conversations these are: the key that callers know.
            exploration: of requests that say nothing of it themselves; its margin is that of all.
            switch: whether choices reach the callers; they do without one.
            metrics_folder: where workers keep their counts together, after `share_metrics`.
        """
        self.router = router
        self.log = log
        self.feedback = feedback
        self._conversations = conversations
        self._owner = owner
        self._exploration = exploration
        self.switch = switch or Switch()
        reloading = router if isinstance(router, ReloadingRouter) else None
        self.metrics = Metrics(reloading, log, self.switch, metrics_folder)
        self._known: tuple[ModelRouter, frozenset[str]] = (self.current, known_models(self.current))
        self.pool = ThreadPoolExecutor(_N_THREADS, thread_name_prefix="choice")

    @property
    def current(self) -> ModelRouter:
        """The router of the training that is served now."""
        return self.router.current if isinstance(self.router, ReloadingRouter) else self.router

    def answer(self, bodies: Sequence[bytes]) -> list[bytes | Exception]:
        """Read bodies, choose for all of them together, and write the answers: all that takes time, for a thread.

        Returns:
            For every body its answer, or the error that it met: a `VsrError` where it is no request, or one that cannot
            be met.
        """
        if len(bodies) == 1:
            return [self._answer_alone(bodies[0])]
        try:
            read = [read_requests(body, self._exploration) for body in bodies]
            answers = self.select(Asked.of_all(read))
        except Exception:  # whoever it was, the others have their answers
            return [self._answer_alone(body) for body in bodies]
        written: list[bytes | Exception] = []
        first = 0
        for one in read:
            own = answers[first : first + len(one.requests)]
            first += len(own)
            written.append(_encode(own if one.is_list else own[0]))
        return written

    def _answer_alone(self, body: bytes) -> bytes | Exception:
        try:
            asked = read_requests(body, self._exploration)
            answers = self.select(asked)
            return _encode(answers if asked.is_list else answers[0])
        except Exception as error:
            return error

    def select(self, asked: Asked) -> list[dict[str, Any]]:
        """Choose for requests, and give what is answered.

        Raises:
            VsrError: A request cannot be met, as `ModelRouter.select` says.
        """
        state = self.switch.state
        # One training for all of a list.
        router = state.fixed if state.routing == "fixed" and state.fixed is not None else self.current
        started_s, now_s = time.perf_counter(), time.time()
        conversations = self._conversations_of(asked)
        requests = self._staying(asked.requests, conversations)
        choices = router.route(requests) if requests else []
        duration_s = time.perf_counter() - started_s
        answered = choices
        if state.routing == "shadow":
            answered = [self._shadowed(request, state) for request in requests]
        self.metrics.chosen(answered, duration_s, self.known(router) if state.model is None else {state.model})
        self._remember(conversations, answered)
        ids = [uuid.uuid4().hex if self.feedback is None else self.feedback.ids.new(each.model) for each in answered]
        if self.log is not None:
            rows = zip(ids, requests, choices, answered, asked.ids, strict=True)
            self.log.add(
                [
                    Decision(
                        new, request, choice, router, now_s, duration_s, own, None if answer is choice else answer.model
                    )
                    for new, request, choice, answer, own in rows
                ]
            )
        return [
            {"id": new, **({} if own is None else {"request_id": own}), **choice_document(choice)}
            for new, own, choice in zip(ids, asked.ids, answered, strict=True)
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

    def _shadowed(self, request: Request, state: State) -> Choice:
        """Answer a request as if nothing were chosen."""
        model = state.model or request.default or self.default()
        if model is None:
            raise SelectionError(
                "choices are logged alone, and there is no default model to answer with; name one in the request "
                "(default), in the configuration (default_model) or by --fixed"
            )
        return Choice(model=model, quality=None, utility=None, margin=None, reason="shadow")

    def known(self, router: ModelRouter) -> frozenset[str]:
        """Name the models that a router can choose; worked out once a training."""
        known = self._known
        if known[0] is not router:
            known = self._known = (router, known_models(router))
        return known[1]

    def default(self) -> str | None:
        """Name the model to ask where no choice can be made: the configured one, else the best on average."""
        if self.switch.state.model is not None:
            return self.switch.state.model
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
