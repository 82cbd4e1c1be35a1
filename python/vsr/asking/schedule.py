"""Which call comes next, and what a failed one leads to. Decides only: it sends nothing and looks at no clock."""

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from vsr.asking.client import Timed
from vsr.asking.models import AskedModel, AskedModels
from vsr.asking.queue import Call, EndpointState, ModelQueue, RetryPolicy
from vsr.providers.call import Answer, ErrorKind, FailedCall

_LONG_S = 2.0


@dataclass(frozen=True)
class Finished:
    """A call that has an outcome to record.

    Attributes:
        model: who was asked.
        question: index into the plan's questions.
        endpoint: the endpoint that gave the outcome.
        outcome: answer or failure.
        latency_s: seconds; None where nothing was measured.
        n_attempts: how often the call was sent.
        first_token_s: seconds to the first text of a streamed answer; None where that was not measured.
    """

    model: AskedModel
    question: int
    endpoint: str
    outcome: Answer | FailedCall
    latency_s: float | None
    n_attempts: int
    first_token_s: float | None = None


class Schedule:
    """The order of a run: interleaves endpoints and models, waits where it has to, gives up where there is no hope."""

    def __init__(
        self,
        asked: AskedModels,
        missing: Mapping[str, Iterable[int]],
        policy: RetryPolicy,
        seed: int = 0,
        *,
        is_warm: bool = False,
    ) -> None:
        """Queue the calls that are missing.

        Args:
            asked: who is asked, and what their endpoints allow.
            missing: indices of the plan's questions that are to be asked, by model.
            policy: limits and patience.
            seed: decides the draws by weight and the jitter of waits.
            is_warm: the models were asked a moment ago and need no call to warm up.
        """
        self.policy = policy
        self.stopped: dict[str, FailedCall] = {}
        self.news: list[str] = []
        self._rng = Random(seed)  # noqa: S311 jitter, no secret
        self._numbers = itertools.count()
        self._endpoints: dict[str, EndpointState] = {}
        self._queues: dict[str, list[ModelQueue]] = {}
        self._loaded: dict[str, str] = {}  # by host that loads on demand: the model it is busy with
        for model in asked.models:
            self._queues[model.name] = queues = [
                self._new_queue(asked, model, index) for index in range(len(model.targets))
            ]
            questions = list(missing.get(model.name, ()))
            if model.is_drawn and len(queues) > 1:
                weights = [target.weight for target in model.targets]
                for question, queue in zip(
                    questions, self._rng.choices(queues, weights, k=len(questions)), strict=True
                ):
                    queue.fresh.append(question)
            else:
                queues[0].fresh.extend(questions)
        if is_warm:
            for queues in self._queues.values():
                for queue in queues:
                    queue.warm = "yes"
        self._order: deque[EndpointState] = deque(self._endpoints.values())

    def _new_queue(self, asked: AskedModels, model: AskedModel, index: int) -> ModelQueue:
        target = model.targets[index]
        endpoint = self._endpoints.get(target.endpoint)
        if endpoint is None:
            host = target.host if target.provider.loads_on_demand else None
            endpoint = EndpointState(target.endpoint, asked.limits.get(target.endpoint), host=host)
            self._endpoints[target.endpoint] = endpoint
        queue = ModelQueue(model, index, endpoint)
        endpoint.queues.append(queue)
        return queue

    @property
    def n_waiting(self) -> int:
        """Questions that wait to be asked."""
        return sum(queue.n_waiting for queues in self._queues.values() for queue in queues if queue.stopped is None)

    @property
    def n_not_asked(self) -> dict[str, int]:
        """Questions that were given up with their model."""
        return {name: sum(queue.n_waiting for queue in self._queues[name]) for name in self.stopped}

    def waits(self, now: float) -> list[str]:
        """Say what is waited for, where that takes more than a moment."""
        return [
            f"{queue.model.name} at endpoint '{queue.endpoint.name}' waits {until - now:.0f} s: {queue.last_problem}"
            for queues in self._queues.values()
            for queue in queues
            if (until := queue.waits_until()) - now >= _LONG_S and (queue.fresh or queue.delayed)
        ]

    def take(self, now: float) -> Call | float | None:
        """Start the next call, if one may start.

        Args:
            now: seconds on any clock that only goes forward.

        Returns:
            The call, which counts as under way from now on; or the moment to ask again; or None, if only the end of a
            call under way can change anything.
        """
        soonest: float | None = None
        for _ in range(len(self._order)):
            endpoint = self._order[0]
            self._order.rotate(-1)
            if endpoint.limit is not None and endpoint.in_flight >= endpoint.limit:
                continue
            found = self._take_at(endpoint, now)
            if isinstance(found, Call):
                return found
            if found is not None:
                soonest = found if soonest is None else min(soonest, found)
        return soonest

    def _take_at(self, endpoint: EndpointState, now: float) -> Call | float | None:
        soonest: float | None = None
        for _ in range(len(endpoint.queues)):
            queue = endpoint.queues[0]
            endpoint.queues.rotate(-1)
            if queue.returns_at is not None and queue.returns_at <= now:
                self._come_back(queue, now)
            if endpoint.host is not None and not self._may_load(endpoint.host, queue):
                continue
            if endpoint.open_at > now and queue.stopped is None and (queue.fresh or queue.delayed):
                return endpoint.open_at
            found = queue.take(now)
            if isinstance(found, Call):
                queue.in_flight += 1
                endpoint.in_flight += 1
                endpoint.open_at = now + self.policy.delay_s
                found.limit_field, found.has_schema = queue.limit_field, queue.takes_schema
                found.n_attempts += 1
                found.n_here += 1
                return found
            if found is not None:
                soonest = found if soonest is None else min(soonest, found)
        return soonest

    def _may_load(self, host: str, queue: ModelQueue) -> bool:
        """Whether a model may be asked on a host that holds one model's weights at a time."""
        loaded = self._loaded.get(host)
        if loaded != queue.model.name and not (loaded is not None and self._has_work(host, loaded)) and queue.has_work:
            self._loaded[host] = loaded = queue.model.name
        return loaded == queue.model.name

    def _has_work(self, host: str, model: str) -> bool:
        return any(queue.has_work and queue.endpoint.host == host for queue in self._queues[model])

    def put_back(self, call: Call) -> None:
        """Undo `take`: the call was not sent."""
        self._land(call)
        call.n_attempts -= 1
        call.n_here -= 1
        if call.question is None:
            call.queue.warm = "no"
        else:
            call.queue.fresh.appendleft(call.question)

    def settle(self, call: Call, timed: Timed, now: float) -> Finished | None:
        """Take note of what an attempt brought and decide what follows.

        Returns:
            The call, if this was its end; None if it was a warm-up, or is tried again.
        """
        self._land(call)
        outcome = timed.outcome
        queue = call.queue
        is_corrupt = isinstance(outcome, FailedCall) and outcome.kind is ErrorKind.INVALID_ANSWER
        if isinstance(outcome, Answer) or not (outcome.is_retryable or outcome.hopeless or is_corrupt):
            queue.failing_since, queue.n_failing, queue.n_timeouts_in_row = None, 0, 0
        if isinstance(outcome, Answer):
            queue.n_refusals_in_row = 0
            if queue.n_stops and queue.stopped is None:
                self._welcome(queue)
        if isinstance(outcome, FailedCall):
            queue.last_problem = outcome.text
            if outcome.wants_completion_tokens and call.limit_field == "max_tokens":
                queue.limit_field = "max_completion_tokens"
                self._delay(call, now)
                return None
            if outcome.refuses_schema and call.has_schema and queue.model.answer_schema is not None:
                queue.takes_schema = False
                self._delay(call, now)
                return None
            if outcome.hopeless is not None:
                if self._is_odd(queue, outcome):
                    return self._after_odd_refusal(call, timed, now)
                self._stop_hopeless(queue, outcome)
                return self._elsewhere(call, timed)
            if call.question is None and outcome.kind is ErrorKind.BAD_REQUEST:
                # Even a greeting is refused: the settings do not suit the model.
                self._stop(queue, outcome)
                return None
            if outcome.is_retryable:
                return self._again(call, timed, outcome, now)
            if is_corrupt:
                self._note_failing(queue, outcome, now)  # one stops nothing, several in a row do
        return self._end(call, timed)

    def _is_odd(self, queue: ModelQueue, outcome: FailedCall) -> bool:
        """Whether a refusal contradicts answers that the same queue gave to the same key: then one alone stops nothing.

        Gateways refuse a single call now and then, while they start anew or since its prompt looks like an attack.
        """
        if queue.n_refusals_in_row is None or outcome.kind not in (ErrorKind.AUTHENTICATION, ErrorKind.MODEL_NOT_FOUND):
            return False
        queue.n_refusals_in_row += 1
        return queue.n_refusals_in_row < self.policy.n_refusals_in_row

    def _after_odd_refusal(self, call: Call, timed: Timed, now: float) -> Finished | None:
        call.n_refusals_here += 1
        if call.n_refusals_here < self.policy.n_refusals:
            self._delay(call, now + self._backoff_s(call.n_refusals_here))
            return None
        return self._elsewhere(call, timed)

    def _again(self, call: Call, timed: Timed, outcome: FailedCall, now: float) -> Finished | None:
        """Decide whether and when a call is tried again."""
        queue, policy = call.queue, self.policy
        asked_s = outcome.retry_after_s or 0.0
        wait_s = min(max(self._backoff_s(call.n_here), asked_s), policy.longest_wait_s)
        if outcome.kind is ErrorKind.RATE_LIMITED or outcome.retry_after_s is not None:
            # The limit is the endpoint's: others need not run into it.
            queue.endpoint.open_at = max(queue.endpoint.open_at, now + wait_s)
        if outcome.kind is ErrorKind.TIMEOUT:
            call.n_timeouts_here += 1
        elif outcome.kind is ErrorKind.ENDPOINT_DOWN or asked_s > policy.longest_wait_s:
            self._note_failing(queue, outcome, now)
        if queue.stopped is not None:
            return self._elsewhere(call, timed)
        if call.n_here < policy.n_attempts and call.n_timeouts_here < policy.n_timeouts:
            self._delay(call, now + wait_s)
            return None
        if outcome.kind is ErrorKind.TIMEOUT:
            queue.n_timeouts_in_row += 1
            if queue.n_timeouts_in_row >= policy.n_timeouts_in_row:
                message = f"{queue.n_timeouts_in_row} calls in a row: {outcome.message}"
                self._stop(queue, FailedCall(ErrorKind.TIMEOUT, message), now + policy.rest_s(queue.n_stops))
        return self._elsewhere(call, timed)

    def _note_failing(self, queue: ModelQueue, outcome: FailedCall, now: float) -> None:
        queue.n_failing += 1
        if queue.failing_since is None:
            queue.failing_since = now
        failing_s = now - queue.failing_since
        policy = self.policy
        if failing_s >= policy.patience_s * (1 if queue.n_failing >= policy.n_attempts else 10):
            message = f"{outcome.message}; for {failing_s:.0f} s without one success"
            self._stop(queue, FailedCall(outcome.kind, message), now + policy.rest_s(queue.n_stops))
        elif queue.is_probing():
            queue.open_at = now + self._backoff_s(queue.n_failing - 2)

    def _backoff_s(self, n_before: int) -> float:
        """Return how long to wait before trying again: exponential, half of it jitter."""
        longest = min(self.policy.longest_backoff_s, self.policy.backoff_s * 2.0 ** (n_before - 1))
        return longest * (0.5 + 0.5 * self._rng.random())

    def _land(self, call: Call) -> None:
        call.queue.in_flight -= 1
        call.queue.endpoint.in_flight -= 1

    def _delay(self, call: Call, moment: float) -> None:
        if call.question is None:
            call.queue.delayed_warm_up = (moment, call)
        elif call.queue.stopped is not None:
            (self._following(call.queue) or call.queue).fresh.append(call.question)
        else:
            heapq.heappush(call.queue.delayed, (moment, next(self._numbers), call))

    def _end(self, call: Call, timed: Timed) -> Finished | None:
        if call.question is None:
            call.queue.warm = "yes"
            return None
        return _finished(call, call.question, timed)

    def _elsewhere(self, call: Call, timed: Timed) -> Finished | None:
        """Try a call at the model's next endpoint, or end it."""
        queue = call.queue
        if call.question is None:
            queue.warm = "yes"  # it was tried often enough: the calls themselves will tell
            return None
        call.tried.add(queue.index)
        for other in self._queues[queue.model.name]:
            if other.stopped is None and other.index not in call.tried:
                call.queue, call.n_here, call.n_timeouts_here, call.n_refusals_here = other, 0, 0, 0
                self._delay(call, 0.0)
                return None
        if queue.stopped is not None and queue.n_stops > 1:
            queue.fresh.append(call.question)  # it was to show whether somebody is there again, and waits on
            return None
        return _finished(call, call.question, timed)

    def _stop_hopeless(self, queue: ModelQueue, outcome: FailedCall) -> None:
        """Stop what a refusal is about: one model at one endpoint, or all that come there with the same key."""
        if outcome.hopeless == "model":
            self._stop(queue, outcome)
            return
        for other in list(queue.endpoint.queues):
            if other.target.credential == queue.target.credential:
                self._stop(other, outcome)

    def _stop(self, queue: ModelQueue, outcome: FailedCall, returns_at: float | None = None) -> None:
        """Ask nothing more in a queue for now, or ever; what waits there goes to the model's next endpoint."""
        if queue.stopped is not None:
            return
        queue.stop(outcome, returns_at)
        name = queue.model.name
        following = self._following(queue)
        if following is None:
            self.stopped[name] = outcome
            return
        following.fresh.extend(queue.fresh)
        queue.fresh.clear()
        self.news.append(
            f"{name} goes on at endpoint '{following.endpoint.name}', for '{queue.endpoint.name}' is given up: "
            f"{outcome.text}"
        )

    def _following(self, queue: ModelQueue) -> ModelQueue | None:
        """Find the model's next endpoint that is asked."""
        queues = self._queues[queue.model.name]
        return next((other for other in queues[queue.index :] + queues[: queue.index] if other.stopped is None), None)

    def _come_back(self, queue: ModelQueue, now: float) -> None:
        """Let a queue that has rested ask one call, of its own or of the model's other endpoints: it has to show."""
        for other in self._queues[queue.model.name]:
            if other is not queue and other.fresh and (other.stopped is not None or not queue.fresh):
                queue.fresh.extend(other.fresh.pop() for _ in range(1 if other.stopped is None else len(other.fresh)))
        if not queue.fresh:
            return
        queue.try_again(now, self.policy)
        self.stopped.pop(queue.model.name, None)

    def _welcome(self, queue: ModelQueue) -> None:
        """Let a queue that answers again take its part: what waits at endpoints behind it, or its share of the draw."""
        queue.n_stops = 0
        self.news.append(f"{queue.model.name}: endpoint '{queue.endpoint.name}' answers again.")
        for other in self._queues[queue.model.name]:
            if other is queue:
                continue
            n = len(other.fresh) // 2 if queue.model.is_drawn else len(other.fresh) * (other.index > queue.index)
            queue.fresh.extend(other.fresh.pop() for _ in range(n))


def _finished(call: Call, question: int, timed: Timed) -> Finished:
    queue = call.queue
    return Finished(
        queue.model, question, queue.endpoint.name, timed.outcome, timed.latency_s, call.n_attempts, timed.first_token_s
    )
