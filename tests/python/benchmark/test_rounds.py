"""Runs that ask a part of the calls: in rounds, and a new model's probes."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark.test_runner import plan_at, records, settings
from servers.scripted import Scripted, Seen, chat, json_response
from vsr.benchmark.allocation import Allocation
from vsr.benchmark.display import NoDisplay
from vsr.benchmark.plan import Plan
from vsr.benchmark.rounds import probing, run_in_rounds
from vsr.benchmark.rounds_file import Look
from vsr.benchmark.runner import run_benchmark
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_records
from vsr.errors import BenchmarkError
from vsr.simulation.server.http import Response

N_QUERIES = 60
MODELS = ("a", "b", "c", "d")


def reply(seen: Seen) -> Response:
    """Model a is right, b nearly always, the others never."""
    number = int(seen.prompt.split()[1].rstrip("?")) if seen.prompt.startswith("Question") else 0
    is_right = seen.model == "a" or (seen.model == "b" and number % 5)
    return json_response(chat("The answer is (B)." if is_right else "The answer is (A)."))


def allocation_of(plan: Plan, n_cells: int, seed: int = 0) -> Allocation:
    vectors = np.random.default_rng(0).standard_normal((len(plan.questions), 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes = np.zeros(len(plan.questions), dtype=np.int64)
    return Allocation.make(vectors, codes, len(plan.models), n_cells, seed)


def cells(path: Path) -> list[tuple[str, str, float]]:
    return sorted((record["query"], record["model_name"], record["probability"]) for record in records(path))


def test_a_part_of_the_calls_is_made_and_says_with_which_probability(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with Scripted(reply) as server:
        plan = plan_at(server, N_QUERIES, models=MODELS)
        summary = run_in_rounds(plan, out, allocation_of(plan, 96), settings())
        warm_ups = len(server.seen) - len(server.asked())
    assert summary.n_asked == summary.n_calls == len(records(out))
    assert abs(summary.n_asked - 96) <= 12
    assert summary.n_missing == 0
    assert warm_ups == len(MODELS)
    by_model = Counter(record["model_name"] for record in records(out))
    assert min(by_model["a"], by_model["b"]) > max(by_model["c"], by_model["d"])
    outcomes = Outcomes.from_records(read_records(out))
    assert outcomes.probability is not None
    np.testing.assert_array_equal(np.isfinite(outcomes.probability), outcomes.observed)
    assert np.nanmin(outcomes.probability) >= 0.05
    assert np.nanmax(outcomes.probability) == 1.0


def test_a_run_that_was_killed_draws_the_same_calls_again(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    with Scripted(reply) as server:
        plan = plan_at(server, N_QUERIES, models=MODELS)
        run_in_rounds(plan, whole, allocation_of(plan, 96), settings(concurrency=1))
        lines = whole.read_text().splitlines(keepends=True)
        for kept in (0, 5, 30, 70):  # in the core, after it, in a later round
            torn.write_text("".join(lines[:kept]))
            torn.with_name("torn.rounds.json").unlink(missing_ok=True)  # the records alone say the same
            summary = run_in_rounds(plan, torn, allocation_of(plan, 96), settings())
            assert cells(torn) == cells(whole)
            assert (summary.n_before, summary.n_asked) == (kept, len(lines) - kept)
        again = run_in_rounds(plan, torn, allocation_of(plan, 96), settings())
    assert again.n_asked == 0
    assert cells(torn) == cells(whole)


def test_a_run_out_of_money_goes_on_with_the_same_draws(tmp_path: Path) -> None:
    out, whole = tmp_path / "out.jsonl", tmp_path / "whole.jsonl"
    entry = {"max_tokens": 10, "pricing": {"prompt_per_1m": 0, "completion_per_1m": 1_000_000}}
    with Scripted(reply) as server:
        plan = plan_at(server, N_QUERIES, models=MODELS, entry=entry)
        short = run_in_rounds(plan, out, allocation_of(plan, 96), replace(settings(concurrency=1), max_cost_usd=100.0))
        assert short.is_out_of_money
        assert 0 < short.n_asked < 24
        run_in_rounds(plan, out, allocation_of(plan, 96), settings(concurrency=1))
        run_in_rounds(plan, whole, allocation_of(plan, 96), settings(concurrency=1))
    assert cells(out) == cells(whole)


def test_a_new_model_is_asked_what_the_others_were_asked(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with Scripted(reply) as server:
        plan = plan_at(server, N_QUERIES, models=MODELS)
        for name in MODELS[:3]:
            run_benchmark(plan.only(name), out, settings())
        lines = [line for line in out.read_text().splitlines() if json.loads(line)["embedding_id"] < 30]
        out.write_text("".join(f"{line}\n" for line in lines))
        probes = probing(plan, "d", out, allocation_of(plan, 240), 20)
        assert probes.n_calls == 20
        summary = run_benchmark(probes, out, settings())
        assert (summary.n_calls, summary.n_asked, summary.n_missing) == (20, 20, 0)
        again = probing(plan, "d", out, allocation_of(plan, 240), 20)
        assert run_benchmark(again, out, settings()).n_asked == 0
    new = [record for record in records(out) if record["model_name"] == "d"]
    assert all(record["embedding_id"] < 30 for record in new)
    assert {record["probability"] for record in new} == {0.333333}


def test_nobody_of_that_name() -> None:
    with Scripted(reply) as server:
        plan = plan_at(server, 3, models=MODELS)
    with pytest.raises(BenchmarkError, match="--only-model nobody is not in the configuration; its models are a, b"):
        plan.only("nobody")


def test_rounds_stay_as_they_were_drawn_when_records_are_scored_again(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with Scripted(reply) as server:
        plan = plan_at(server, N_QUERIES, models=MODELS)
        allocation = allocation_of(plan, 96)
        run_in_rounds(plan, out, allocation, settings(concurrency=1))
        whole = cells(out)
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        for kept in (50, len(lines)):
            # Now the bad models are the good ones.
            changed = [line | {"performance": 1.0 - line["performance"]} for line in lines[:kept]]
            out.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in changed))
            assert run_in_rounds(plan, out, allocation, settings()).n_asked == len(lines) - kept
            assert cells(out) == whole
        (tmp_path / "out.rounds.json").unlink()
        assert run_in_rounds(plan, out, allocation, settings()).n_asked > 0


def test_what_stands_beside_the_records_is_for_one_plan_and_checked(tmp_path: Path) -> None:
    out, beside = tmp_path / "out.jsonl", tmp_path / "out.rounds.json"
    said: list[str] = []

    class Said(NoDisplay):
        def say(self, text: str) -> None:
            said.append(text)

    display = Said()
    with Scripted(reply) as server:
        plan = plan_at(server, N_QUERIES, models=MODELS)
        run_in_rounds(plan, out, allocation_of(plan, 96), settings(), display)
        assert not any("planned anew" in text for text in said)
        run_in_rounds(plan, out, allocation_of(plan, 120), settings(), display)
        assert any("planned anew" in text for text in said)
        good = json.loads(beside.read_text())
        first = next(iter(good["rounds"]))
        damages = (
            "{",
            "[]",
            json.dumps(good | {"rounds": {first: good["rounds"][first] | {"is_drawn": "eJwDAAAAAAE="}}}),
        )
        for damage in damages:
            beside.write_text(damage)
            with pytest.raises(BenchmarkError, match=r"out\.rounds\.json: is not what a run in rounds writes there"):
                run_in_rounds(plan, out, allocation_of(plan, 120), settings())
        # Records that are gone are a new beginning, whatever stands beside them.
        out.unlink()
        assert run_in_rounds(plan, out, allocation_of(plan, 120), settings()).n_asked > 0


def in_looks_of(plan: Plan, n_cells: int) -> Allocation:
    vectors = np.random.default_rng(0).standard_normal((len(plan.questions), 4)).astype(np.float32)
    return Allocation.in_looks(vectors, np.zeros(len(plan.questions), dtype=np.int64), len(plan.models), n_cells, 0)


def test_a_run_stops_when_it_is_decided_and_stays_stopped(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    looked: list[tuple[int, int]] = []

    def decide(number: int, asked: np.ndarray) -> Look:
        looked.append((number, len(asked)))
        return Look(f"look {number}", ends=number == 1)

    with Scripted(reply) as server:
        plan = plan_at(server, N_QUERIES, models=MODELS)
        summary = run_in_rounds(plan, out, in_looks_of(plan, 160), settings(), decide=decide)
        assert (summary.n_asked, summary.n_calls, summary.n_missing) == (80, 80, 0)
        assert looked == [(0, 10), (1, 20)]
        whole = cells(out)
        again = run_in_rounds(plan, out, in_looks_of(plan, 160), settings(), decide=decide)
        assert (again.n_asked, again.n_before, len(looked)) == (0, 80, 2)
        # Killed in the second part: the look after the first one stands, that after the second is still to come.
        lines = out.read_text().splitlines(keepends=True)
        out.write_text("".join(lines[:50]))
        beside = tmp_path / "out.rounds.json"
        content = json.loads(beside.read_text())
        del content["looks"]["1"]
        beside.write_text(json.dumps(content))
        resumed = run_in_rounds(plan, out, in_looks_of(plan, 160), settings(), decide=decide)
        assert (resumed.n_asked, resumed.n_before, looked[2:]) == (30, 50, [(1, 20)])
        # Killed between the last answer and the look.
        beside.unlink()
        last = run_in_rounds(plan, out, in_looks_of(plan, 160), settings(), decide=decide)
        assert (last.n_asked, last.n_before, looked[3:]) == (0, 80, [(0, 10), (1, 20)])
    assert cells(out) == whole
    assert {record["probability"] for record in records(out)} == {1.0}
    assert set(Counter(record["query"] for record in records(out)).values()) == {len(MODELS)}


def test_a_model_that_is_down_is_no_reason_for_a_verdict(tmp_path: Path) -> None:
    def down(seen: Seen) -> Response:
        return (
            json_response({"error": {"message": "The model `d` does not exist."}}, 404)
            if seen.model == "d"
            else reply(seen)
        )

    def decide(*_: object) -> Look:
        raise AssertionError("nobody looks at half a part")

    with Scripted(down) as server:
        plan = plan_at(server, N_QUERIES, models=MODELS)
        summary = run_in_rounds(plan, tmp_path / "out.jsonl", in_looks_of(plan, 160), settings(), decide=decide)
    assert summary.n_missing == 10
