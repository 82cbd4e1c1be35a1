"""Endpoints that are dead, silent or talk nonsense: named within seconds, and what they cost is theirs alone."""

import re
import socket
import time
from collections import Counter
from typing import Any

from servers.command import Setting
from servers.scripted import Scripted, always, chat, config_for, endpoint, is_warm_up, json_response
from vsr.asking.queue import RetryPolicy
from vsr.benchmark.plan import make_plan
from vsr.benchmark.runner import RunSettings, run_benchmark
from vsr.data.records import Query
from vsr.simulation.server.http import Response

QUICK: dict[str, Any] = {"backoff_s": 0.01, "longest_backoff_s": 0.05, "patience_s": 0.3}


class Sayings:
    interval_s = 0.05

    def __init__(self):
        self.texts, self.waits, self.started = [], set(), time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def say(self, text):
        self.texts.append((time.monotonic() - self.started, text))

    def show(self, now):
        self.waits.update(now.waits)


def plan_for(endpoints, models, n=4):
    asked = [Query(f"Question {i}?", "math", "4") for i in range(n)]
    return make_plan(asked, config_for(endpoints, models), environment={})


def test_dead_endpoints_are_named_within_seconds_and_nothing_is_paid_for_it(tmp_path):
    with socket.socket() as closed, socket.socket() as full, Scripted(always("4")) as server:
        closed.bind(("127.0.0.1", 0))
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        clients = []
        for _ in range(3):  # nobody takes these in, so that the next one waits at the door
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            clients.append(client)
        endpoints = [
            endpoint(server),
            {"name": "closed", "address": "127.0.0.1", "port": closed.getsockname()[1]},
            {"name": "full", "address": "127.0.0.1", "port": full.getsockname()[1], "timeout_s": 1},
            {"name": "nameless", "address": "no-such-host.invalid", "port": 80},
        ]
        models = {name: {"preferred_endpoints": [name]} for name in ("one", "closed", "full", "nameless")}
        said = Sayings()
        policy = RetryPolicy(8, n_attempts=2, n_timeouts=1, **QUICK)
        summary = run_benchmark(plan_for(endpoints, models), tmp_path / "out.jsonl", RunSettings(policy), said)
        for client in clients:
            client.close()
        assert len(server.seen) == 5  # a call that warms up, and four that are asked: none for the look beforehand
    named = [(moment, text) for moment, text in said.texts if "lets nobody in" in text]
    assert [text.split("'")[1] for _, text in named] == ["closed", "full", "nameless"]
    assert all(moment < 5.0 for moment, _ in named)
    assert "connection refused" in named[0][1]
    assert summary.models[0].n_answers == 4


def test_nothing_is_looked_at_where_nothing_is_due(tmp_path):
    with Scripted(always("4")) as server:
        plan = plan_for([endpoint(server)], {"a": {"preferred_endpoints": ["one"]}})
        run_benchmark(plan, tmp_path / "out.jsonl", RunSettings())
    said = Sayings()
    run_benchmark(plan, tmp_path / "out.jsonl", RunSettings(), said)
    assert said.texts == []


def test_a_corrupt_answer_costs_itself_and_a_row_of_them_stops_the_endpoint(tmp_path):
    def reply(seen):
        number = -1 if is_warm_up(seen) else int(seen.prompt.split()[1].rstrip("?"))
        return Response(200, b"\x00nonsense") if number % 10 == 3 or number >= 40 else json_response(chat("4"))

    with Scripted(reply) as server:
        plan = plan_for([endpoint(server)], {"a": {"preferred_endpoints": ["one"]}}, 400)
        summary = run_benchmark(plan, tmp_path / "out.jsonl", RunSettings(RetryPolicy(2, **QUICK)))
    (model,) = summary.models
    assert model.n_answers == 36
    assert 4 <= model.failures["invalid_answer"] < 60
    assert "without one success" in str(model.stopped)
    assert model.n_not_asked == 400 - 36 - model.failures["invalid_answer"]


def test_verbose_says_what_is_waited_for(tmp_path):
    asked: Counter[str] = Counter()

    def reply(seen):
        asked[seen.prompt] += 1
        if "1?" in seen.prompt and asked[seen.prompt] == 1:
            return json_response({"error": {"message": "slow down"}}, 429, retry_after="3")
        return json_response(chat("4"))

    with Scripted(reply) as server:
        setting = Setting(tmp_path, server, 3, models=("a",))
        _, quiet = setting.run()
        setting.out.unlink()
        asked.clear()
        _, stderr = setting.run("-v")
    assert "waits" not in quiet
    assert re.search("a at endpoint 'one' waits [23] s: unavailable: HTTP 429: slow down", stderr)
