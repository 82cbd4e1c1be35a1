"""`vsr-train monitor`: exit codes, what it prints, what it writes."""

import json
from pathlib import Path

import pytest

from cli.conftest import Command
from traffic.days import foreign, train, usual, write_feedback, write_log


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    router = train(folder / "models")
    quiet = write_log(router, folder / "quiet" / "decisions.jsonl", [usual] * 9)
    write_feedback(folder / "as_predicted.jsonl", quiet)
    write_feedback(folder / "worse.jsonl", quiet, worse=0.4, slower=3.0)

    def mixed(day, number):
        return foreign(day, number) if number % 5 == 0 else usual(day, number)

    write_log(router, folder / "new" / "decisions.jsonl", [usual, usual, mixed], with_text=True)
    return folder


def monitor(vsr_train: Command, world: Path, log: str, *more: str | Path):
    return vsr_train("monitor", "--models-dir", world / "models", "--log", world / log, *more)


def test_a_quiet_log_is_no_alarm(world: Path, vsr_train: Command) -> None:
    result = monitor(vsr_train, world, "quiet", "--feedback", world / "as_predicted.jsonl")
    assert result.code == 0
    assert "150 decisions of the last day" in result.out
    assert "1,350 answers with feedback" in result.out
    assert "No alarm" in result.out
    assert [line.split()[0] for line in result.out.splitlines() if "cannot tell" in line] == ["cost"]
    assert "8 days before" in result.out


def test_queries_like_none_before_are_an_alarm_and_are_named(world: Path, vsr_train: Command, tmp_path: Path) -> None:
    output = tmp_path / "next.jsonl"
    result = monitor(vsr_train, world, "new", "--output", output)
    assert result.code == 4
    assert "ALARM, queries: " in result.out
    assert "nothing fed back" in result.out
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert {row["why"] for row in rows[:30]} == {"unlike"}
    assert sum("sourdough" in row["query"] for row in rows) == 30
    assert "to measure next in" in result.err


def test_a_model_that_got_worse_and_slower_is_an_alarm(world: Path, vsr_train: Command) -> None:
    result = monitor(vsr_train, world, "quiet", "--feedback", world / "worse.jsonl", "--json")
    assert result.code == 4
    document = json.loads(result.out)
    alarms = {check["name"]: check["subject"] for check in document["checks"] if check["is_alarm"]}
    assert alarms == {"quality": "newton", "latency": "newton"}
    assert document["alarm"] is True


def test_few_decisions_cannot_tell(world: Path, vsr_train: Command, tmp_path: Path) -> None:
    log = tmp_path / "decisions.jsonl"
    log.write_text("".join((world / "quiet" / "decisions.jsonl").read_text().splitlines(keepends=True)[:40]))
    result = vsr_train("monitor", "--models-dir", world / "models", "--log", log)
    assert result.code == 0
    assert result.out.count("40 queries, expected 100") == 3
    assert "cannot be told yet" in result.out


def test_what_is_no_log_of_the_training_is_refused(world: Path, vsr_train: Command, tmp_path: Path) -> None:
    other = tmp_path / "decisions.jsonl"
    line = json.loads((world / "quiet" / "decisions.jsonl").read_text().splitlines()[0])
    other.write_text(json.dumps(line | {"run_id": "another"}) + "\n")
    result = vsr_train("monitor", "--models-dir", world / "models", "--log", other)
    assert (result.code, result.out) == (1, "")
    assert "none of 1 decisions is of training" in result.err
    assert "training another" in result.err
    result = vsr_train("monitor", "--models-dir", tmp_path, "--log", other)
    assert result.code == 1
    assert "has no recommended.json" in result.err
    result = monitor(vsr_train, world, "quiet", "--feedback-window", "7")
    assert (result.code, result.out) == (2, "")
    assert "--feedback-window has no effect without --feedback" in result.err
