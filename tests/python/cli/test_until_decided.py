"""`benchmark --until-decided` on simulated LLMs: both verdicts, kills, flags that do nothing, and `train` behind it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.conftest import Command
from vsr.simulation import generate_queries, write_queries
from vsr.simulation.server import SimulatedPool

N_QUERIES = 240
SPECIALISTS = ("sim-maths-8b", "sim-scholar-8b", "sim-medic-8b")
ONE_IS_BEST = ("sim-small-1b", "sim-large-70b")
HASH = ("--use-fallback", "--embedding-dim", 64)
# Quality alone: a busy machine changes latencies.
DECIDED = ("--until-decided", *HASH, "--quality-weight", 1)
QUICK = ("--concurrency", 32, "--rate-limit-delay", 0)


@dataclass(frozen=True)
class Place:
    """A folder with queries, and simulated LLMs that answer them."""

    folder: Path
    pool: SimulatedPool

    def config(self, models: tuple[str, ...], *, is_priced: bool = False) -> Path:
        path = self.folder / "config.yaml"
        pricing = {"pricing": {"prompt_per_1m": 1.0, "completion_per_1m": 10.0}} if is_priced else {}
        endpoint = {"name": "pool", "address": self.pool.address, "port": self.pool.port, "type": "vllm"}
        entries = {name: {"preferred_endpoints": ["pool"], **pricing} for name in models}
        path.write_text(json.dumps({"vllm_endpoints": [endpoint], "model_config": entries}))
        return path

    def flags(self, models: tuple[str, ...], output: str = "out.jsonl") -> tuple[object, ...]:
        files = ("--data-file", self.folder / "queries.jsonl", "--output", self.folder / output)
        return ("benchmark", "--config", self.config(models), *files, *QUICK)

    def records(self, name: str = "out.jsonl") -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    queries = generate_queries(N_QUERIES)
    write_queries(tmp_path / "queries.jsonl", queries)
    with SimulatedPool(queries, time_scale=0.0) as pool:
        yield Place(tmp_path, pool)


def cells(records: list[dict[str, object]]) -> Counter[tuple[object, ...]]:
    return Counter((record["query"], record["model_name"], record["probability"]) for record in records)


def test_specialists_pay_and_a_killed_run_comes_to_the_same_end(place: Place, vsr_train: Command) -> None:
    whole = vsr_train(*place.flags(SPECIALISTS), *DECIDED)
    assert whole.code == 0
    assert f"at most {N_QUERIES} queries, 720 of 720 calls." in whole.err
    assert "Look 1 of 4, 60 queries, 98.75 % intervals: points over always " in whole.err
    ending = whole.err[whole.err.rindex("Look ") :]
    assert " pays.\n" in ending
    n_asked = len(place.records())
    assert n_asked == 540
    assert set(cells(place.records()).values()) == {1}
    assert {record["probability"] for record in place.records()} == {1.0}

    again = vsr_train(*place.flags(SPECIALISTS), *DECIDED)
    assert "0 calls to make" in again.err
    assert ending.splitlines()[:3] == again.err[again.err.rindex("Look ") :].splitlines()[:3]
    assert len(place.records()) == n_asked

    before = sum(place.pool.n_requests.values())
    flags = (*place.flags(SPECIALISTS, "killed.jsonl"), *DECIDED)
    command = [sys.executable, "-m", "vsr", *map(str, flags)]
    with subprocess.Popen(command, env=os.environ | {"VSR_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL) as process:
        while sum(place.pool.n_requests.values()) - before < 220 and process.poll() is None:  # in the second part
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    n_killed = len(place.records("killed.jsonl"))
    assert n_killed < n_asked
    assert vsr_train(*flags).code == 0
    assert cells(place.records("killed.jsonl")) == cells(place.records())


def test_one_model_that_is_best_is_not_asked_about_to_the_end(place: Place, vsr_train: Command) -> None:
    result = vsr_train(*place.flags(ONE_IS_BEST), *DECIDED)
    assert result.code == 0
    assert "  Stops: do not route" in result.err
    assert len(place.records()) < 2 * N_QUERIES


def test_a_ceiling_is_the_most(place: Place, vsr_train: Command) -> None:
    result = vsr_train(*place.flags(SPECIALISTS), "--until-decided", "--budget", 0.1, *HASH)
    assert result.code == 0
    assert "4 looks, at most 24 queries, 72 of 720 calls." in result.err
    assert result.err.count(": fewer than 50 can be compared. ") == 4
    assert "Ends: all that --until-decided may ask is asked." in result.err
    assert len(place.records()) == 72


def test_training_asks_no_more_than_it_takes(place: Place, vsr_train: Command) -> None:
    asking = ("--benchmark", "--config", place.config(SPECIALISTS), "--data-file", place.folder / "queries.jsonl")
    flags = ("train", *asking, *QUICK, *HASH, "--output-dir", place.folder / "models", "--algorithm", "knn")
    result = vsr_train(*flags, "--until-decided", "--quality-weight", 1, "--splits", 1)
    assert result.code == 0
    assert " pays.\n" in result.err
    assert result.err.count("Embedding with hash") == 2  # all queries, then those of the records
    assert (place.folder / "models" / "knn_model.json").exists()
    n_queries = len({record["query"] for record in place.records("models/benchmark_training_data.jsonl")})
    assert f"{n_queries} queries, 3 models" in result.out


def test_a_budget_in_usd_is_as_many_calls_and_where_the_run_stops(place: Place, vsr_train: Command) -> None:
    flags = place.flags(SPECIALISTS)
    unpriced = vsr_train(*flags, "--budget", "$1")
    assert (unpriced.code, "--budget in USD has no effect: no model" in unpriced.err) == (2, True)
    place.config(SPECIALISTS, is_priced=True)
    planned = vsr_train(*flags, "--budget", "$1", "--dry-run")
    # 300 tokens at $10 a million are 0.3 cents, and a prompt adds a little.
    n_calls = int(planned.err.partition("Budget: about ")[2].split()[0].replace(",", ""))
    assert 300 < n_calls < 333
    result = vsr_train(*flags, "--budget", "$1")
    assert result.code == 0
    assert abs(len(place.records()) - n_calls) < 20
    assert sum(float(str(record["cost"])) for record in place.records()) < 1.0


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--until-decided", "--only-model", "a"), "--until-decided contradicts --only-model"),
        (("--until-decided", "--samples", 3), "--samples contradicts --budget, --until-decided and --probe"),
        (("--until-decided", "--judge", "rubric"), "--until-decided contradicts --judge"),
        (("--quality-weight", 1), "--quality-weight has no effect without --until-decided"),
        (("--cost-share", 0.5), "--cost-share has no effect without --until-decided"),
        (("--budget", "$0"), "0.0 is not in the range x>0.0"),
        (("--budget", "$much"), "'much' is not a valid float"),
    ],
)
def test_flags_that_do_nothing(place: Place, vsr_train: Command, flags: tuple[object, ...], problem: str) -> None:
    result = vsr_train(*place.flags(SPECIALISTS), *flags)
    assert result.code == 2
    assert problem in " ".join(result.err.split())
    assert not (place.folder / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--until-decided",), "--until-decided has no effect without --benchmark"),
        (("--budget", 0.5), "--budget has no effect without --benchmark"),
        (("--benchmark", "--config", "c.yaml", "--probe", 5), "--probe needs --only-model NEW"),
        (
            ("--benchmark", "--config", "c.yaml", "--until-decided", "--target-cost", 0.01),
            "--until-decided contradicts --target-cost",
        ),
        (
            ("--benchmark", "--config", "c.yaml", "--budget", 0.5, "--embedding-file", "v.npy"),
            "--embedding-file contradicts --budget",
        ),
    ],
)
def test_flags_of_training_that_do_nothing(vsr_train: Command, flags: tuple[object, ...], problem: str) -> None:
    result = vsr_train("train", *flags)
    assert result.code == 2
    assert problem in " ".join(result.err.split())


def test_without_ground_truth_nothing_is_asked(place: Place, vsr_train: Command) -> None:
    path = place.folder / "queries.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("\n".join(json.dumps({"query": line["query"]}) for line in lines))
    result = vsr_train(*place.flags(SPECIALISTS), "--until-decided", *HASH)
    assert result.code == 1
    assert result.err
    assert not (place.folder / "out.jsonl").exists()


def test_where_next_to_nothing_has_a_truth_the_looks_say_so(place: Place, vsr_train: Command) -> None:
    path = place.folder / "queries.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for number, line in enumerate(lines):
        if number % 4:
            line.pop("ground_truth")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = vsr_train(*place.flags(SPECIALISTS), *DECIDED, "--budget", 0.03)
    assert result.code == 0
    assert "Ends: all that --until-decided may ask is asked." in result.err


def test_another_objective_is_another_verdict_and_a_torn_line_is_no_obstacle(place: Place, vsr_train: Command) -> None:
    flags = (*place.flags(SPECIALISTS), "--until-decided", *HASH, "--budget", 0.2)
    assert "Look 4 of 4" in vsr_train(*flags, "--quality-weight", 1).err
    output = place.folder / "out.jsonl"
    torn = output.read_bytes()[:-9]
    (place.folder / "out.rounds.json").unlink()
    output.write_bytes(torn)
    again = vsr_train(*flags, "--quality-weight", 1)
    assert (again.code, "Look 4 of 4" in again.err) == (0, True)
    other = vsr_train(*flags, "--quality-weight", 0.5)
    assert (other.code, "planned anew from the records" in " ".join(other.err.split())) == (0, True)
