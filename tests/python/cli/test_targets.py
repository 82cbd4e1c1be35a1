"""Targets on the command line: met, said, stored; and the curve that `evaluate` shows."""

import json
from pathlib import Path

import pytest

from cli.conftest import MODELS, Command

FAST = ("--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--knn-k", "5", "--splits", "1")
EVALUATE = ("--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--splits", "1")


@pytest.fixture(scope="module")
def priced(records: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same records, each call at a price: the first model is the dearest."""
    path = tmp_path_factory.mktemp("priced") / "records.jsonl"
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    prices = dict(zip(MODELS, (8e-3, 2e-3, 1e-3), strict=True))
    path.write_text("".join(json.dumps(line | {"cost": prices[line["model_name"]]}) + "\n" for line in lines))
    return path


def test_evaluate_shows_cost_the_frontier_and_three_sentences(priced: Path, vsr_train: Command) -> None:
    result = vsr_train("evaluate", "--data-file", priced, *EVALUATE)
    assert result.code == 0
    assert "USD/1,000" in result.out
    _, frontier = result.out.split("Quality against cost:")
    assert any(line.startswith("always ") for line in frontier.splitlines())
    assert any(line.startswith("routing, quality weight ") for line in frontier.splitlines())
    starts = [line[:24] for line in frontier.splitlines()]
    for start in ("The quality of ", "For the money of ", "As it is set (quality "):
        assert any(line.startswith(start) for line in starts), start


def test_without_costs_there_is_no_column_of_them(records: Path, vsr_train: Command) -> None:
    result = vsr_train("evaluate", "--data-file", records, *EVALUATE)
    assert result.code == 0
    assert "USD" not in result.out
    assert "Quality against latency:" in result.out


def test_a_target_is_met_said_and_stored(priced: Path, tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train("train", "--data-file", priced, *FAST, "--target-cost", "0.003", "--output-dir", tmp_path)
    assert result.code == 0
    assert result.out.startswith("The target of 0.003 USD per query is met with quality weight ")
    assert ", cost share 1" in result.out.splitlines()[3]
    stored = json.loads((tmp_path / "recommended.json").read_text(encoding="utf-8"))["objective"]
    assert stored["cost_share"] == 1.0
    assert 0.0 < stored["quality_weight"] < 1.0
    shown = vsr_train("inspect", tmp_path)
    assert f"quality weight {stored['quality_weight']:.4g}, cost share 1" in shown.out


def test_a_share_ends_up_as_a_penalty_that_select_obeys(priced: Path, tmp_path: Path, vsr_train: Command) -> None:
    share = ("--target-share", f"{MODELS[0]}=0")
    result = vsr_train("train", "--data-file", priced, *FAST, *share, "--output-dir", tmp_path, "--json")
    assert result.code == 0
    target = result.json["evaluation"]["target"]
    assert target["target"] == {"kind": "share", "value": 0.0, "model": MODELS[0]}
    assert target["held_out"] == 0.0
    assert list(target["objective"]["model_penalty"]) == [MODELS[0]]
    assert "curve" in result.json["evaluation"]
    queries = tmp_path / "queries.jsonl"
    queries.write_text("".join(json.dumps({"query": f"What is the force number {i}?"}) + "\n" for i in range(20)))
    chosen = vsr_train("select", "--models-dir", tmp_path, "--algorithm", "knn", "--input", queries)
    assert chosen.code == 0
    assert all(line["model"] != MODELS[0] for line in chosen.lines)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--target-cost", "0.0001"), "cannot be reached: choices of these queries can have from 0.001 USD to "),
        (("--target-share", "gpt=0.5"), "the target share is of 'gpt'; expected one of "),
    ],
)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_what_cannot_be_met_is_an_error_in_a_line(
    priced: Path, tmp_path: Path, vsr_train: Command, command: str, flags: tuple[str, ...], message: str
) -> None:
    where = (*FAST, "--output-dir", tmp_path / "out") if command == "train" else EVALUATE
    result = vsr_train("-q", command, "--data-file", priced, *where, *flags)
    assert result.code == 1
    assert message in result.err
    assert not (tmp_path / "out" / "recommended.json").exists()


def test_what_nobody_measured_is_an_error(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train("-q", "evaluate", "--data-file", records, *EVALUATE, "--target-cost", "0.1")
    assert (result.code, result.out) == (1, "")
    assert "a target cost needs the cost of every model" in result.err
    result = vsr_train("-q", "evaluate", "--data-file", records, *EVALUATE, "--cost-share", "0.5")
    assert (result.code, result.out) == (1, "")
    assert "but no record has a cost" in result.err
    lines = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
    timeless = tmp_path / "timeless.jsonl"
    for line in lines:
        del line["response_time"]
    timeless.write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = vsr_train("-q", "evaluate", "--data-file", timeless, *EVALUATE, "--quality-weight", "0.8")
    assert (result.code, result.out) == (1, "")
    assert "--quality-weight 0.8 weighs latency, but no record has one" in result.err
    # Nobody asked for anything where the weight is the default.
    assert vsr_train("-q", "evaluate", "--data-file", timeless, *EVALUATE).code == 0


def test_artefacts_and_targets_do_not_go_together(trained: Path, records: Path, vsr_train: Command) -> None:
    result = vsr_train("evaluate", "--models-dir", trained, "--data-file", records, "--target-cost", "1")
    assert result.code == 2
    assert "--target-cost has no effect with --models-dir" in result.err
    assert vsr_train("select", "--models-dir", trained, "hello", "--target-cost", "1").code == 2
