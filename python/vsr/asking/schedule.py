"""Which call comes next, and what a failed one leads to. Decides only: it sends nothing and looks at no clock."""

import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random

from vsr.asking.client import Timed
from vsr.asking.models import AskedModel, AskedModels
from vsr.asking.queue import Call, EndpointState, Lane, Pace
from vsr.providers.call import Answer, ErrorKind, FailedCall


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
    """

    model: AskedModel
    question: int
    endpoint: str
    outcome: Answer | FailedCall
    latency_s: float | None
    n_attempts: int


@dataclass(frozen=True)
class Move:
    """A model that goes on at its next endpoint.

    Attributes:
        model: its name.
        given_up: the endpoint that is not asked any more.
        following: the endpoint that takes its calls.
        reason: why.
    """

    model: str
    given_up: str
    following: str
    reason: FailedCall


class Schedule:
    """The queue of a run: interleaves endpoints and models, waits where it has to, gives up where there is no hope."""

    def __init__(self, asked: AskedModels, missing: Mapping[str, Iterable[int]], pace: Pace, seed: int = 0) -> None:
        """Queue the calls that are missing.

        Args:
            asked: who is asked, and what their endpoints allow.
            missing: indices of the plan's questions that are to be asked, by model.
            pace: limits and patience.
            seed: decides the draws by weight and the jitter of waits.
        """
        self.pace = pace
        self.stopped: dict[str, FailedCall] = {}
        self.n_not_asked: dict[str, int] = {}
        self.moves: list[Move] = []
        self._rng = Random(seed)  # noqa: S311 jitter, no secret
        self._numbers = itertools.count()
        self._endpoints: dict[str, EndpointState] = {}
        self._lanes: dict[str, list[Lane]] = {}
        self._loaded: dict[str, str] = {}  # by host that loads on demand: the model it is busy with
        for model in asked.models:
            self._lanes[model.name] = lanes = [
                self._new_lane(asked, model, index) for index in range(len(model.targets))
            ]
            questions = list(missing.get(model.name, ()))
            if model.is_drawn and len(lanes) > 1:
                weights = [target.weight for target in model.targets]
                for question, lane in zip(questions, self._rng.choices(lanes, weights, k=len(questions)), strict=True):
                    lane.fresh.append(question)
            else:
                lanes[0].fresh.extend(questions)
        self._order: deque[EndpointState] = deque(self._endpoints.values())

    def _new_lane(self, asked: AskedModels, model: AskedModel, index: int) -> Lane:
        target = model.targets[index]
        endpoint = self._endpoints.get(target.endpoint)
        if endpoint is None:
            host = target.host if target.provider.loads_on_demand else None
            endpoint = EndpointState(target.endpoint, asked.limits.get(target.endpoint), host=host)
            self._endpoints[target.endpoint] = endpoint
        lane = Lane(model, index, endpoint)
        endpoint.lanes.append(lane)
        return lane

    @property
    def n_waiting(self) -> int:
        """Questions that wait to be asked."""
        return sum(lane.n_waiting for lanes in self._lanes.values() for lane in lanes if lane.stopped is None)

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
        for _ in range(len(endpoint.lanes)):
            lane = endpoint.lanes[0]
            endpoint.lanes.rotate(-1)
            if endpoint.host is not None and not self._may_load(endpoint.host, lane):
                continue
            if endpoint.open_at > now and lane.stopped is None and (lane.fresh or lane.delayed):
                return endpoint.open_at
            found = lane.take(now)
            if isinstance(found, Call):
                lane.in_flight += 1
                endpoint.in_flight += 1
                endpoint.open_at = now + self.pace.delay_s
                found.limit_field = lane.limit_field
                found.n_attempts += 1
                found.n_here += 1
                return found
            if found is not None:
                soonest = found if soonest is None else min(soonest, found)
        return soonest

    def _may_load(self, host: str, lane: Lane) -> bool:
        """Whether a model may be asked on a host that holds one model's weights at a time."""
        loaded = self._loaded.get(host)
        if loaded != lane.model.name and not (loaded is not None and self._has_work(host, loaded)) and lane.has_work:
            self._loaded[host] = loaded = lane.model.name
        return loaded == lane.model.name

    def _has_work(self, host: str, model: str) -> bool:
        return any(lane.has_work and lane.endpoint.host == host for lane in self._lanes[model])

    def put_back(self, call: Call) -> None:
        """Undo `take`: the call was not sent."""
        self._land(call)
        call.n_attempts -= 1
        call.n_here -= 1
        if call.question is None:
            call.lane.warm = "no"
        else:
            call.lane.fresh.appendleft(call.question)

    def settle(self, call: Call, timed: Timed, now: float) -> Finished | None:
        """Take note of what an attempt brought and decide what follows.

        Returns:
            The call, if this was its end; None if it was a warm-up, or is tried again.
        """
        self._land(call)
        outcome = timed.outcome
        lane = call.lane
        if isinstance(outcome, Answer) or not (outcome.is_retryable or outcome.hopeless):
            lane.failing_since, lane.n_failing, lane.n_timeouts_in_row = None, 0, 0
        if isinstance(outcome, Answer):
            lane.n_refusals_in_row = 0
        if isinstance(outcome, FailedCall):
            if outcome.wants_completion_tokens and call.limit_field == "max_tokens":
                lane.limit_field = "max_completion_tokens"
                self._delay(call, now)
                return None
            if outcome.hopeless is not None:
                if self._is_odd(lane, outcome):
                    return self._after_odd_refusal(call, timed, now)
                self._stop_hopeless(lane, outcome)
                return self._elsewhere(call, timed)
            if call.question is None and outcome.kind is ErrorKind.BAD_REQUEST:
                # Even a greeting is refused: the settings do not suit the model.
                self._stop(lane, outcome)
                return None
            if outcome.is_retryable:
                return self._again(call, timed, outcome, now)
        return self._end(call, timed)

    def _is_odd(self, lane: Lane, outcome: FailedCall) -> bool:
        """Whether a refusal contradicts answers that the same lane gave to the same key: then one alone stops nothing.

        Gateways refuse a single call now and then, while they start anew or since its prompt looks like an attack.
        """
        if lane.n_refusals_in_row is None or outcome.kind not in (ErrorKind.AUTHENTICATION, ErrorKind.MODEL_NOT_FOUND):
            return False
        lane.n_refusals_in_row += 1
        return lane.n_refusals_in_row < self.pace.n_refusals_in_row

    def _after_odd_refusal(self, call: Call, timed: Timed, now: float) -> Finished | None:
        call.n_refusals_here += 1
        if call.n_refusals_here < self.pace.n_refusals:
            self._delay(call, now + self._backoff_s(call.n_refusals_here))
            return None
        return self._elsewhere(call, timed)

    def _again(self, call: Call, timed: Timed, outcome: FailedCall, now: float) -> Finished | None:
        """Decide whether and when a call is tried again."""
        lane, pace = call.lane, self.pace
        wait_s = outcome.retry_after_s
        if wait_s is not None and wait_s > pace.longest_wait_s:
            message = f"{outcome.message}; asks to come back in {wait_s / 60:.0f} minutes"
            self._stop_hopeless(lane, FailedCall(outcome.kind, message, hopeless="endpoint"))
            return self._elsewhere(call, timed)
        if wait_s is None:
            wait_s = self._backoff_s(call.n_here)
        if outcome.kind is ErrorKind.RATE_LIMITED or outcome.retry_after_s is not None:
            # The limit is the endpoint's: others need not run into it.
            lane.endpoint.open_at = max(lane.endpoint.open_at, now + wait_s)
        if outcome.kind is ErrorKind.TIMEOUT:
            call.n_timeouts_here += 1
        elif outcome.kind is ErrorKind.ENDPOINT_DOWN:
            self._note_failing(lane, outcome, now)
        if lane.stopped is not None:
            return self._elsewhere(call, timed)
        if call.n_here < pace.n_attempts and call.n_timeouts_here < pace.n_timeouts:
            self._delay(call, now + wait_s)
            return None
        if outcome.kind is ErrorKind.TIMEOUT:
            lane.n_timeouts_in_row += 1
            if lane.n_timeouts_in_row >= pace.n_timeouts_in_row:
                message = f"{lane.n_timeouts_in_row} calls in a row: {outcome.message}"
                self._stop(lane, FailedCall(ErrorKind.TIMEOUT, message))
        return self._elsewhere(call, timed)

    def _note_failing(self, lane: Lane, outcome: FailedCall, now: float) -> None:
        lane.n_failing += 1
        if lane.failing_since is None:
            lane.failing_since = now
        failing_s = now - lane.failing_since
        if lane.n_failing >= self.pace.n_attempts and failing_s >= self.pace.patience_s:
            self._stop(lane, FailedCall(outcome.kind, f"{outcome.message}; for {failing_s:.0f} s without one success"))
        elif lane.is_probing():
            lane.open_at = now + self._backoff_s(lane.n_failing - 2)

    def _backoff_s(self, n_before: int) -> float:
        """Return how long to wait before trying again: exponential, half of it jitter."""
        longest = min(self.pace.longest_backoff_s, self.pace.backoff_s * 2.0 ** (n_before - 1))
        return longest * (0.5 + 0.5 * self._rng.random())

    def _land(self, call: Call) -> None:
        call.lane.in_flight -= 1
        call.lane.endpoint.in_flight -= 1

    def _delay(self, call: Call, moment: float) -> None:
        if call.question is None:
            call.lane.delayed_warm_up = (moment, call)
        else:
            heapq.heappush(call.lane.delayed, (moment, next(self._numbers), call))

    def _end(self, call: Call, timed: Timed) -> Finished | None:
        if call.question is None:
            call.lane.warm = "yes"
            return None
        lane = call.lane
        return Finished(lane.model, call.question, lane.endpoint.name, timed.outcome, timed.latency_s, call.n_attempts)

    def _elsewhere(self, call: Call, timed: Timed) -> Finished | None:
        """Try a call at the model's next endpoint, or end it."""
        lane = call.lane
        if call.question is None:
            lane.warm = "yes"  # it was tried often enough: the calls themselves will tell
            return None
        call.tried.add(lane.index)
        for other in self._lanes[lane.model.name]:
            if other.stopped is None and other.index not in call.tried:
                call.lane, call.n_here, call.n_timeouts_here, call.n_refusals_here = other, 0, 0, 0
                self._delay(call, 0.0)
                return None
        return Finished(lane.model, call.question, lane.endpoint.name, timed.outcome, timed.latency_s, call.n_attempts)

    def _stop_hopeless(self, lane: Lane, outcome: FailedCall) -> None:
        """Stop what a refusal is about: one model at one endpoint, or all that come there with the same key."""
        if outcome.hopeless == "model":
            self._stop(lane, outcome)
            return
        for other in list(lane.endpoint.lanes):
            if other.target.credential == lane.target.credential:
                self._stop(other, outcome)

    def _stop(self, lane: Lane, outcome: FailedCall) -> None:
        """Ask nothing more in a lane; what waits there goes to the model's next endpoint."""
        if lane.stopped is not None:
            return
        lane.stopped = outcome
        waiting = list(lane.fresh)
        waiting += [call.question for _, _, call in sorted(lane.delayed) if call.question is not None]
        lane.fresh.clear()
        lane.delayed.clear()
        lanes = self._lanes[lane.model.name]
        following = next((other for other in lanes[lane.index :] + lanes[: lane.index] if other.stopped is None), None)
        if following is not None:
            following.fresh.extend(waiting)
            self.moves.append(Move(lane.model.name, lane.endpoint.name, following.endpoint.name, outcome))
            return
        self.stopped[lane.model.name] = outcome
        self.n_not_asked[lane.model.name] = len(waiting)
