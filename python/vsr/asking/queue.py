"""The state of a run: endpoints with their limits, and queues of calls that wait (one per model at one endpoint)."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from vsr.asking.models import AskedModel, Target
from vsr.providers.call import FailedCall


@dataclass(frozen=True)
class RetryPolicy:
    """How hard a run asks, and how patiently.

    Attributes:
        concurrency: requests in flight at a time.
        delay_s: seconds between the starts of two requests to one endpoint.
        n_attempts: how often a call is tried at one endpoint.
        n_timeouts: how often of these it may run into the time limit.
        backoff_s: first wait before a call is tried again; doubles each time.
        longest_backoff_s: no wait of our own is longer.
        longest_wait_s: what a server may ask for with `Retry-After`; of more, so much is waited.
        patience_s: how long a queue may fail without one success before it is stopped; and how long it rests then, the
            first time, before it is tried again, if the run still lasts.
        n_timeouts_in_row: how many calls in a row may time out before a queue is given up.
        n_refusals: how often one call may be refused its key or model where others were answered.
        n_refusals_in_row: how many such refusals, without an answer between them, stop the queue all the same.
    """

    concurrency: int = 1
    delay_s: float = 0.0
    n_attempts: int = 6
    n_timeouts: int = 3
    backoff_s: float = 0.5
    longest_backoff_s: float = 30.0
    longest_wait_s: float = 600.0
    patience_s: float = 60.0
    n_timeouts_in_row: int = 5
    n_refusals: int = 3
    n_refusals_in_row: int = 5

    def rest_s(self, n_stops: int) -> float:
        """Return how long a queue rests that was stopped, before it is tried again: longer each time."""
        return min(self.patience_s * 2.0**n_stops, self.longest_wait_s)


@dataclass
class Call:
    """A call on its way.

    Attributes:
        queue: where it is asked.
        question: index into the plan's questions; None for the call that warms a model up.
        n_attempts: how often it was sent, anywhere.
        n_here: how often it was sent in this queue.
        n_timeouts_here: how often of these it ran into the time limit.
        n_refusals_here: how often of these it was refused its key or model.
        tried: indices of the model's targets that have given up on it.
        limit_field: the name under which its limit was last sent.
        has_schema: whether the form of its answer was last sent along.
    """

    queue: "ModelQueue"
    question: int | None
    n_attempts: int = 0
    n_here: int = 0
    n_timeouts_here: int = 0
    n_refusals_here: int = 0
    tried: set[int] = field(default_factory=set)
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    has_schema: bool = True


@dataclass
class EndpointState:
    """One endpoint and what it allows at the moment.

    Attributes:
        name: as in the configuration.
        limit: requests at a time; None for no limit of its own.
        queues: the models that are asked here; the first one is asked next.
        host: endpoints of one host that load weights on demand share its name, and go model by model.
        in_flight: requests under way.
        open_at: no request starts before this moment.
    """

    name: str
    limit: int | None
    queues: deque["ModelQueue"] = field(default_factory=deque)
    host: str | None = None
    in_flight: int = 0
    open_at: float = 0.0


@dataclass(eq=False)
class ModelQueue:
    """One model at one of its endpoints.

    Attributes:
        model: the model.
        index: place of the target among the model's targets.
        endpoint: the endpoint's state.
        fresh: questions that were not asked yet.
        delayed: calls that wait to be tried again: a heap by moment.
        delayed_warm_up: the warm-up call, where it waits to be tried again, with its moment.
        in_flight: requests under way.
        warm: whether the first, unrecorded call has been made.
        limit_field: the name under which the server wants the limit.
        takes_schema: whether the server can make an answer follow a schema, as far as is known.
        stopped: why nothing more is asked here.
        returns_at: when it is tried again all the same; None for never.
        n_stops: how often it was stopped since the last answer.
        last_problem: of the failure before.
        failing_since: moment of the first failure since the last success; None while all is well.
        n_failing: failures since then.
        n_timeouts_in_row: calls that timed out for good since the last success.
        n_refusals_in_row: refusals of key or model since the last answer; None before there was any answer.
        open_at: no request starts before this moment.
    """

    model: AskedModel
    index: int
    endpoint: EndpointState
    fresh: deque[int] = field(default_factory=deque)
    delayed: list[tuple[float, int, Call]] = field(default_factory=list)
    delayed_warm_up: tuple[float, Call] | None = None
    in_flight: int = 0
    warm: Literal["no", "asked", "yes"] = "no"
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    takes_schema: bool = True
    stopped: FailedCall | None = None
    returns_at: float | None = None
    n_stops: int = 0
    last_problem: str = ""
    failing_since: float | None = None
    n_failing: int = 0
    n_timeouts_in_row: int = 0
    n_refusals_in_row: int | None = None
    open_at: float = 0.0

    @property
    def target(self) -> Target:
        """Where requests go."""
        return self.model.targets[self.index]

    @property
    def has_work(self) -> bool:
        """Whether calls wait here or are under way."""
        return self.stopped is None and bool(self.fresh or self.delayed or self.in_flight)

    @property
    def n_waiting(self) -> int:
        """Questions that wait here, warm-up calls not counted."""
        return len(self.fresh) + len(self.delayed)

    def is_probing(self) -> bool:
        """Whether the queue has failed so often that one request at a time has to show that it is alive."""
        return self.n_failing >= 3

    def waits_until(self) -> float:
        """Return the moment before which nothing is asked here."""
        if self.stopped is not None:
            return self.returns_at or 0.0
        return max(self.open_at, self.endpoint.open_at, 0.0 if self.fresh or not self.delayed else self.delayed[0][0])

    def stop(self, outcome: FailedCall, returns_at: float | None) -> None:
        """Ask nothing more here, before a moment or ever; calls that were tried wait with those that were not."""
        self.stopped, self.returns_at = outcome, returns_at
        self.n_stops += 1
        self.fresh.extend(call.question for _, _, call in sorted(self.delayed) if call.question is not None)
        self.delayed.clear()

    def try_again(self, now: float, policy: RetryPolicy) -> None:
        """Ask again after a rest, one call at a time; the first failure is enough to stop again."""
        self.stopped = self.returns_at = self.delayed_warm_up = None
        self.warm = "yes"
        self.n_failing, self.failing_since = max(policy.n_attempts, 3), now - policy.patience_s
        self.n_timeouts_in_row = policy.n_timeouts_in_row
        self.open_at = now

    def take(self, now: float) -> Call | float | None:
        """Take the next call out of the queue.

        Returns:
            The call; or the moment at which there will be one; or None where nothing waits.
        """
        if self.stopped is not None or not (self.fresh or self.delayed):
            return None
        if self.is_probing() and self.in_flight:
            return None
        if self.open_at > now:
            return self.open_at
        if self.warm == "no":
            self.warm = "asked"
            return Call(self, None)
        if self.warm == "asked":
            return self._due_warm_up(now)
        if self.delayed:
            moment = self.delayed[0][0]
            if moment <= now:
                return heapq.heappop(self.delayed)[2]
            if not self.fresh:
                return moment
        return Call(self, self.fresh.popleft())

    def _due_warm_up(self, now: float) -> Call | float | None:
        if self.delayed_warm_up is None:
            return None
        moment, call = self.delayed_warm_up
        if moment > now:
            return moment
        self.delayed_warm_up = None
        return call
