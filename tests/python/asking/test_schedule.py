"""The decisions of a run, on a clock of the test's own."""

import itertools
from collections import Counter

import pytest

from servers.scripted import config_for
from vsr.asking.client import Timed
from vsr.asking.queue import Call, RetryPolicy
from vsr.asking.schedule import Schedule
from vsr.benchmark.plan import make_plan
from vsr.data.records import Query
from vsr.providers.call import Answer, ErrorKind, FailedCall

ANSWER = Timed(Answer("yes"), 0.1)
DOWN = Timed(FailedCall(ErrorKind.ENDPOINT_DOWN, "HTTP 500", is_retryable=True), None)
LATE = Timed(FailedCall(ErrorKind.TIMEOUT, "no whole answer within 5 s", is_retryable=True), 5.0)
NO_MODEL = Timed(FailedCall(ErrorKind.MODEL_NOT_FOUND, "HTTP 404", hopeless="model"), None)
NO_KEY = Timed(FailedCall(ErrorKind.AUTHENTICATION, "HTTP 401", hopeless="endpoint"), None)
CORRUPT = Timed(FailedCall(ErrorKind.INVALID_ANSWER, "no JSON"), 0.1)
WRONG = Timed(FailedCall(ErrorKind.BAD_REQUEST, "HTTP 400"), None)


def limited(seconds=None):
    return Timed(FailedCall(ErrorKind.RATE_LIMITED, "HTTP 429", is_retryable=True, retry_after_s=seconds), None)


def local(name, port=1, **fields):
    return {"name": name, "address": "127.0.0.1", "port": port, **fields}


class Driver:
    """Runs a schedule against answers that a function gives, each after a second."""

    def __init__(self, endpoints, models, n=4, **policy):
        self.plan = make_plan([Query(f"q{i}") for i in range(n)], config_for(endpoints, models), environment={})
        self.policy = RetryPolicy(**{"concurrency": 4, **policy})
        self.schedule = Schedule(self.plan.asked, {model.name: range(n) for model in self.plan.models}, self.policy)
        self.started = []  # (moment, endpoint, model, question)
        self.finished = []
        self.now = 0.0

    def run(self, answer=lambda _call, _now: ANSWER, seconds=1.0, longest_s=10_000.0):
        order = itertools.count()
        in_flight: list[tuple[float, int, Call]] = []
        while True:
            wake = None
            while len(in_flight) < self.policy.concurrency:
                call = self.schedule.take(self.now)
                if not isinstance(call, Call):
                    wake = call
                    break
                self.started.append((self.now, call.queue.endpoint.name, call.queue.model.name, call.question))
                in_flight.append((self.now + seconds, next(order), call))
            moments = [entry[0] for entry in in_flight] + ([] if wake is None else [wake])
            if not moments:
                return self
            assert min(moments) > self.now or min(moments) in [entry[0] for entry in in_flight]
            self.now = min(moments)
            assert self.now < longest_s, "it never ends"
            for entry in [entry for entry in in_flight if entry[0] <= self.now]:
                in_flight.remove(entry)
                done = self.schedule.settle(entry[2], answer(entry[2], self.now), self.now)
                if done is not None:
                    self.finished.append(done)

    @property
    def asked(self):
        return [entry for entry in self.started if entry[3] is not None]

    def outcomes(self):
        return Counter(
            done.outcome.kind.value if isinstance(done.outcome, FailedCall) else "answer" for done in self.finished
        )


def one_model(n=4, **settings):
    endpoint = {key: settings.pop(key) for key in ("max_concurrency", "type") if key in settings}
    return Driver([local("one", **endpoint)], {"a": {"preferred_endpoints": ["one"]}}, n, **settings)


def test_every_call_is_asked_once_after_one_that_warms_up():
    driver = one_model(5).run()
    assert driver.started[0] == (0.0, "one", "a", None)
    assert sorted(entry[3] for entry in driver.asked) == [0, 1, 2, 3, 4]
    assert all(moment >= 1.0 for moment, *_ in driver.asked)
    assert driver.outcomes() == {"answer": 5}


def test_an_endpoints_own_limit_holds():
    driver = one_model(6, max_concurrency=2).run()
    assert max(Counter(moment for moment, *_ in driver.asked).values()) == 2


def test_starts_at_one_endpoint_keep_their_distance_and_another_goes_on():
    driver = Driver(
        [local("one"), local("two", 2)],
        {"a": {"preferred_endpoints": ["one"]}, "b": {"preferred_endpoints": ["two"]}},
        5,
        delay_s=3.0,
        concurrency=1,
    ).run()
    for name in ("one", "two"):
        moments = [moment for moment, endpoint, *_ in driver.started if endpoint == name]
        assert all(later - earlier >= 3.0 for earlier, later in itertools.pairwise(moments))
    assert driver.now < 20.0  # one after the other it would be 36


def test_models_of_one_endpoint_take_turns():
    models = {name: {"preferred_endpoints": ["one"]} for name in "abc"}
    driver = Driver([local("one")], models, 4, concurrency=1).run()
    first = [model for _, _, model, _ in driver.asked[:6]]
    assert sorted(first) == ["a", "a", "b", "b", "c", "c"]


@pytest.mark.parametrize("refusal", [NO_KEY, NO_MODEL])
def test_one_refusal_after_answers_is_tried_again(refusal):
    refused: list[int] = []

    def answer(call, _now):
        if call.question == 5 and not refused:
            refused.append(5)
            return refusal
        return ANSWER

    driver = one_model(20).run(answer)
    assert driver.outcomes() == {"answer": 20}
    assert driver.schedule.stopped == {}
    assert [entry[3] for entry in driver.asked].count(5) == 2


def test_a_call_that_is_always_refused_is_a_failed_call_and_stops_no_other():
    for concurrency in (1, 4):
        driver = one_model(20, concurrency=concurrency).run(
            lambda call, _now: NO_KEY if call.question == 19 else ANSWER
        )
        assert driver.outcomes() == {"answer": 19, "authentication": 1}
        assert driver.schedule.stopped == {}
        assert [entry[3] for entry in driver.asked].count(19) == driver.policy.n_refusals


def test_a_key_that_is_taken_back_stops_its_models_soon():
    driver = one_model(200).run(lambda _call, now: NO_KEY if now > 10 else ANSWER)
    assert set(driver.schedule.stopped) == {"a"}
    n_refused = sum(moment >= 10 for moment, *_ in driver.asked)
    assert driver.policy.n_refusals_in_row <= n_refused <= driver.policy.n_refusals_in_row + driver.policy.concurrency


def test_a_key_that_is_refused_from_the_start_is_asked_once():
    driver = one_model(20).run(lambda _call, _now: NO_KEY)
    assert (len(driver.started), len(driver.finished)) == (1, 0)
    assert driver.schedule.n_not_asked == {"a": 20}


def test_a_host_that_loads_weights_goes_model_by_model():
    endpoints = [local("one", type="ollama"), local("again", type="ollama"), local("other", 2, type="ollama")]
    models = {
        "a": {"preferred_endpoints": ["one"]},
        "b": {"preferred_endpoints": ["again"]},
        "c": {"preferred_endpoints": ["one"]},
        "d": {"preferred_endpoints": ["other"]},
    }
    driver = Driver(endpoints, models, 6).run()
    here = [model for _, endpoint, model, _ in driver.started if endpoint != "other"]
    assert sorted(model for model, _ in itertools.groupby(here)) == ["a", "b", "c"]
    assert {endpoint for _, endpoint, *_ in driver.started[:4]} >= {"one", "other"}
    assert driver.outcomes() == {"answer": 24}


def test_a_host_that_loads_weights_finishes_retries_before_the_next_model():
    models = {name: {"preferred_endpoints": ["one"]} for name in "ab"}
    failures: Counter[tuple[str, int | None]] = Counter()

    def flaky(call, _now):
        failures[call.queue.model.name, call.question] += 1
        return DOWN if call.question == 2 and failures[call.queue.model.name, 2] < 3 else ANSWER

    driver = Driver([local("one", type="ollama")], models, 4).run(flaky)
    assert [model for model, _ in itertools.groupby(entry[2] for entry in driver.started)] == ["a", "b"]
    assert driver.outcomes() == {"answer": 8}


def test_a_failing_call_is_tried_again_with_growing_waits_and_then_recorded():
    driver = one_model(1, n_attempts=5, backoff_s=1.0, patience_s=1e9)
    driver.run(lambda call, _now: ANSWER if call.question is None else DOWN)
    moments = [moment for moment, *_ in driver.asked]
    waits = [later - earlier - 1.0 for earlier, later in itertools.pairwise(moments)]
    assert len(moments) == 5
    assert all(0.5 * 2**i <= wait for i, wait in enumerate(waits))
    assert waits[3] <= 8.0
    assert driver.outcomes() == {"endpoint_down": 1}
    assert driver.finished[0].n_attempts == 5


@pytest.mark.parametrize("outcome", [WRONG, Timed(FailedCall(ErrorKind.INVALID_ANSWER, "no JSON"), 0.1)])
def test_what_is_hopeless_for_the_call_is_not_tried_again(outcome):
    driver = one_model(2).run(lambda call, _now: ANSWER if call.question is None else outcome)
    assert len(driver.asked) == 2
    assert driver.outcomes() == {outcome.outcome.kind.value: 2}


def test_retry_after_is_obeyed_by_every_call_of_the_endpoint():
    def answer(call, now):
        return limited(20.0) if call.question == 0 and now < 10 else ANSWER

    driver = one_model(8, concurrency=2).run(answer)
    refused_at = next(moment for moment, _, _, question in driver.asked if question == 0) + 1.0
    later = [moment for moment, *_ in driver.asked if moment > refused_at]
    assert later
    assert min(later) >= refused_at + 20.0
    assert driver.outcomes() == {"answer": 8}


def test_a_wait_of_hours_stops_the_endpoint():
    driver = one_model(8, concurrency=2, longest_wait_s=60.0)
    driver.run(lambda call, _now: ANSWER if call.question is None else limited(7200.0))
    assert "without one success" in driver.schedule.stopped["a"].message
    assert driver.now < 1300
    assert driver.outcomes()["rate_limited"] <= 2
    assert driver.schedule.n_not_asked["a"] >= 6


def test_time_outs_are_tried_less_often():
    driver = one_model(1).run(lambda call, _now: ANSWER if call.question is None else LATE)
    assert len(driver.asked) == 3
    assert driver.finished[0].latency_s == 5.0


def test_a_model_that_only_times_out_is_stopped():
    driver = one_model(50).run(lambda call, _now: ANSWER if call.question is None else LATE)
    assert driver.schedule.stopped["a"].message.startswith("5 calls in a row")
    assert len(driver.finished) + driver.schedule.n_not_asked["a"] == 50
    assert len(driver.finished) < 10


def test_an_endpoint_that_does_not_know_the_model_stops_that_model_alone():
    models = {name: {"preferred_endpoints": ["one"]} for name in "ab"}
    driver = Driver([local("one")], models, 4).run(
        lambda call, _now: NO_MODEL if call.queue.model.name == "a" else ANSWER
    )
    assert driver.outcomes() == {"answer": 4}
    assert [entry[2:] for entry in driver.started if entry[2] == "a"] == [("a", None)]
    assert driver.schedule.stopped["a"].kind is ErrorKind.MODEL_NOT_FOUND
    assert driver.schedule.n_not_asked == {"a": 4}


def test_a_refused_key_stops_all_models_that_use_it_and_no_others():
    models: dict[str, object] = {name: {"preferred_endpoints": ["one"]} for name in "ab"}
    models["c"] = {"preferred_endpoints": ["one"], "access_key": "another-key"}
    driver = Driver([local("one", api_key="refused-key")], models, 4, concurrency=1)
    driver.run(lambda call, _now: ANSWER if call.queue.model.name == "c" else NO_KEY)
    assert set(driver.schedule.stopped) == {"a", "b"}
    assert {done.model.name for done in driver.finished} == {"c"}
    assert len([entry for entry in driver.started if entry[2] != "c"]) == 1


def test_settings_that_even_a_greeting_is_refused_for_stop_the_model():
    driver = one_model(4).run(lambda _call, _now: WRONG)
    assert driver.finished == []
    assert driver.schedule.stopped["a"].kind is ErrorKind.BAD_REQUEST


def test_calls_move_to_the_next_endpoint_when_the_first_refuses():
    models = {"a": {"preferred_endpoints": ["one", "two"]}}
    driver = Driver([local("one"), local("two", 2)], models, 4)
    driver.run(lambda call, _now: NO_KEY if call.queue.endpoint.name == "one" else ANSWER)
    assert driver.outcomes() == {"answer": 4}
    assert {done.endpoint for done in driver.finished} == {"two"}
    assert driver.schedule.stopped == {}


def test_calls_move_to_the_next_endpoint_when_the_first_stays_down():
    models = {"a": {"preferred_endpoints": ["one", "two"]}}
    driver = Driver([local("one"), local("two", 2)], models, 40)
    driver.run(lambda call, now: DOWN if call.queue.endpoint.name == "one" and now > 5 else ANSWER)
    found = Counter(done.endpoint for done in driver.finished)
    assert found["one"] > 0
    assert found["two"] > 0
    assert driver.outcomes() == {"answer": 40}
    failed_calls = [entry for entry in driver.asked if entry[1] == "one" and entry[0] >= 5]
    assert len(failed_calls) < 20  # one at a time, ever more rarely, then not at all


def test_an_endpoint_that_comes_back_goes_on():
    driver = one_model(30).run(lambda _call, now: DOWN if 5 < now < 40 else ANSWER)
    assert driver.schedule.stopped == {}
    assert driver.outcomes()["answer"] >= 28


def test_an_endpoint_that_stays_down_stops_its_model():
    driver = one_model(1000).run(lambda _call, now: DOWN if now > 5 else ANSWER)
    assert "without one success" in driver.schedule.stopped["a"].message
    assert driver.now < 200.0
    assert len(driver.finished) + driver.schedule.n_not_asked["a"] == 1000
    assert driver.outcomes()["endpoint_down"] <= 8


def test_one_corrupt_answer_stops_nothing():
    driver = one_model(40).run(lambda call, _now: CORRUPT if call.question in (3, 17) else ANSWER)
    assert driver.outcomes() == {"answer": 38, "invalid_answer": 2}
    assert driver.now < 20.0
    assert driver.schedule.stopped == {}


def test_an_endpoint_that_answers_nonsense_is_asked_ever_more_rarely_and_stopped_and_no_call_is_tried_twice():
    driver = one_model(1000).run(lambda _call, now: CORRUPT if now > 5 else ANSWER)
    assert driver.schedule.stopped["a"].kind is ErrorKind.INVALID_ANSWER
    assert driver.outcomes()["invalid_answer"] < 20
    assert driver.now < 200.0
    assert max(Counter(entry[3] for entry in driver.asked).values()) == 1


def test_an_endpoint_that_answers_nonsense_for_a_while_goes_on():
    driver = one_model(100).run(lambda _call, now: CORRUPT if 5 < now < 40 else ANSWER)
    assert driver.schedule.stopped == {}
    assert driver.outcomes()["answer"] > 85


@pytest.mark.parametrize("failure", [DOWN, LATE, CORRUPT])
def test_a_stopped_endpoint_is_tried_again_while_the_run_lasts(failure):
    models = {"a": {"preferred_endpoints": ["one"]}, "b": {"preferred_endpoints": ["two"]}}
    driver = Driver([local("one"), local("two", 2)], models, 1500, concurrency=2)
    driver.run(lambda call, now: failure if call.queue.endpoint.name == "one" and 5 < now < 400 else ANSWER)
    assert driver.schedule.stopped == {}
    assert driver.outcomes()["answer"] > 2970
    assert "a: endpoint 'one' answers again." in driver.schedule.news
    n_tries = sum(entry[1] == "one" and 5 < entry[0] < 400 for entry in driver.asked)
    assert n_tries < 40


def test_a_stopped_endpoint_that_never_comes_back_keeps_no_run_alive():
    models = {"a": {"preferred_endpoints": ["one"]}, "b": {"preferred_endpoints": ["two"]}}
    driver = Driver([local("one"), local("two", 2)], models, 300, concurrency=1)
    driver.run(lambda call, _now: DOWN if call.queue.endpoint.name == "one" else ANSWER)
    assert driver.outcomes()["answer"] == 300
    assert driver.now < 600.0
    n_failed = driver.outcomes()["endpoint_down"]
    assert n_failed < 8
    assert driver.schedule.n_not_asked == {"a": 300 - n_failed}


def test_the_preferred_endpoint_takes_over_again_when_it_is_back():
    models = {"a": {"preferred_endpoints": ["one", "two"]}}
    driver = Driver([local("one"), local("two", 2)], models, 900, concurrency=2)
    driver.run(lambda call, now: DOWN if call.queue.endpoint.name == "one" and 5 < now < 100 else ANSWER)
    assert driver.outcomes() == {"answer": 900}
    found = Counter(done.endpoint for done in driver.finished)
    assert found["one"] > 400
    assert found["two"] > 50
    last = [done.endpoint for done in driver.finished[-50:]]
    assert set(last) == {"one"}


@pytest.mark.parametrize(("asked_s", "least_s", "most_s"), [(0.0, 2.0, 5.1), (30.0, 30.0, 31.1), (1e300, 600.0, 601.1)])
def test_a_server_decides_between_our_own_wait_and_ten_minutes(asked_s, least_s, most_s):
    refused: list[float] = []

    def answer(call, _now):
        if call.question == 0 and not refused:
            refused.append(0)
            return limited(asked_s)
        return ANSWER

    driver = one_model(1, backoff_s=4.0).run(answer)
    first, second = (moment for moment, *_ in driver.asked)
    assert least_s <= second - first - 1.0 <= most_s
    assert driver.outcomes() == {"answer": 1}


def test_what_is_waited_for_is_said():
    driver = one_model(3)
    call = driver.schedule.take(0.0)
    driver.schedule.settle(call, ANSWER, 1.0)
    call = driver.schedule.take(1.0)
    driver.schedule.settle(call, limited(40.0), 2.0)
    assert driver.schedule.waits(2.0) == ["a at endpoint 'one' waits 40 s: unavailable: HTTP 429"]
    assert driver.schedule.waits(41.0) == []


def test_a_call_that_fails_everywhere_is_recorded_once():
    models = {"a": {"preferred_endpoints": ["one", "two"]}}
    driver = Driver([local("one"), local("two", 2)], models, 6, n_attempts=2)
    driver.run(lambda call, _now: DOWN if call.question == 3 else ANSWER)
    assert driver.outcomes() == {"answer": 5, "endpoint_down": 1}
    failed = next(done for done in driver.finished if done.question == 3)
    assert (failed.endpoint, failed.n_attempts) == ("two", 4)


def test_the_other_name_of_the_limit_is_tried_once_and_remembered():
    sent = []

    def answer(call, _now):
        sent.append(call.limit_field)
        if call.limit_field == "max_tokens":
            return Timed(FailedCall(ErrorKind.BAD_REQUEST, "HTTP 400", wants_completion_tokens=True), None)
        return ANSWER

    driver = one_model(6).run(answer)
    assert driver.outcomes() == {"answer": 6}
    assert sent.count("max_tokens") == 1
    stubborn = Timed(FailedCall(ErrorKind.BAD_REQUEST, "HTTP 400", wants_completion_tokens=True), None)
    driver = one_model(2).run(lambda _call, _now: stubborn)
    assert driver.schedule.stopped["a"].kind is ErrorKind.BAD_REQUEST


def test_calls_are_drawn_by_weight():
    endpoints = [local("one", weight=3), local("two", 2, weight=1)]
    driver = Driver(endpoints, {"a": {}}, 400, concurrency=8).run()
    found = Counter(done.endpoint for done in driver.finished)
    assert found["one"] + found["two"] == 400
    assert 270 < found["one"] < 330


def test_a_drawn_endpoint_that_refuses_leaves_its_share_to_the_others():
    endpoints = [local("one"), local("two", 2), local("three", 3)]
    driver = Driver(endpoints, {"a": {}}, 30)
    driver.run(lambda call, _now: NO_KEY if call.queue.endpoint.name == "two" else ANSWER)
    assert driver.outcomes() == {"answer": 30}


def test_a_call_that_was_not_sent_can_be_put_back():
    driver = one_model(3)
    first = driver.schedule.take(0.0)
    driver.schedule.put_back(first)
    again = driver.schedule.take(0.0)
    assert (first.question, again.question) == (None, None)
    driver.schedule.settle(again, ANSWER, 1.0)
    call = driver.schedule.take(1.0)
    driver.schedule.put_back(call)
    assert driver.schedule.take(1.0).question == call.question == 0


def test_failures_at_random_lose_no_call_and_repeat_none():
    endpoints = [local("one"), local("two", 2, max_concurrency=2), local("ol", 3, type="ollama")]
    models = {
        "a": {"preferred_endpoints": ["one", "two"]},
        "b": {"preferred_endpoints": ["two"]},
        "c": {"preferred_endpoints": ["ol", "one"]},
        "d": {"preferred_endpoints": ["ol"]},
        "e": {"external_model_ids": {"vllm": "x"}},
    }
    for seed in range(20):
        rng = __import__("random").Random(seed)
        choices = (
            [ANSWER] * 12
            + [CORRUPT, DOWN, LATE, limited(2.0), limited(), WRONG]
            + ([NO_KEY, NO_MODEL] if seed % 2 else [])
        )
        driver = Driver(endpoints, models, 30, concurrency=6)
        driver.run(lambda _call, _now, rng=rng, choices=choices: rng.choice(choices))
        done = Counter((each.model.name, each.question) for each in driver.finished)
        assert max(done.values()) == 1
        n_not_asked = sum(driver.schedule.n_not_asked.values())
        assert len(done) + n_not_asked == 150
        assert driver.schedule.n_waiting == 0
