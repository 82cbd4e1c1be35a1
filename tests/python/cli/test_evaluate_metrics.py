"""What `vsr-train evaluate` says beyond the table: baselines of others, cost, metrics."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from cli.conftest import Command

FAST = ("--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--holdout", "0.3")
PRICES = {"newton": 0.0031, "cicero": 0.0012, "darwin": 0.0004}


@pytest.fixture
def priced(records: Path, tmp_path: Path) -> Path:
    """The same records with what each answer cost."""
    lines = [json.loads(line) for line in records.read_text().splitlines()]
    path = tmp_path / "priced.jsonl"
    path.write_text("".join(f"{json.dumps(line | {'cost': PRICES[line['model_name']]})}\n" for line in lines))
    return path


def test_baselines_cost_and_metrics_are_shown(priced: Path, vsr_train: Command) -> None:
    result = vsr_train("evaluate", "--data-file", priced, *FAST, "--baseline", "knn-votes", "--baseline", "kmeans-best")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    titles = ["selector", "utility", "quality", "vs best single", "95 %", "USD/1,000", "latency", "per query"]
    assert re.split("  +", lines[2]) == titles
    table = {re.split("  +", line)[0]: re.split("  +", line) for line in lines[3 : lines.index("", 3)]}
    assert {
        "random",
        "category table",
        "knn 5, by votes",
        "kmeans 8, best model per cluster",
        "category oracle",
    } <= set(table)
    assert "0.4" in table["cheapest (darwin)"]
    assert "LiteLLM complexity tiers" not in table
    assert any(label.startswith("static mix") for label in table)
    start = next(number for number, line in enumerate(lines) if line.startswith("of the chosen selector"))
    shown = dict(re.split("  +", line)[:2] for line in lines[start + 1 : lines.index("", start)])
    assert {"gap closed", "AIQ", "APGR", "CPT(50)", "CostSave", "switch precision"} <= set(shown)
    assert shown["noise ceiling"] == "n/a"
    assert "noise ceiling: no cell was measured twice." in lines
    assert lines[-1] == "16 more, their definitions, choices by category: --json has them."


def test_json_has_every_metric_with_its_definition(priced: Path, vsr_train: Command) -> None:
    result = vsr_train("evaluate", "--data-file", priced, *FAST, "--baseline", "none", "--json")
    assert result.code == 0, result.err
    metrics = {metric["name"]: metric for metric in result.json["metrics"]}
    assert len(metrics) == 27
    judged = next(method for method in result.json["evaluation"]["methods"] if method["name"] == "judged")
    assert metrics["quality"]["value"] == pytest.approx(judged["quality"])
    assert metrics["cost"]["value"] == pytest.approx(judged["cost_usd"])
    assert metrics["gain over best single"]["interval"]["n"] == 28
    assert metrics["AIQ"]["source"].startswith("RouterBench")
    names = [method["name"] for method in result.json["evaluation"]["methods"]]
    assert "static mix" in names
    assert not {"knn-votes", "kmeans-best", "litellm"} & set(names)
    shares = result.json["selection"][0]["shares"]
    assert shares == pytest.approx(judged["selection"])


def test_train_keeps_its_table(priced: Path, tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train("train", "--data-file", priced, *FAST, "--output-dir", tmp_path / "out")
    assert result.code == 0, result.err
    assert "USD/1,000" in result.out
    for label in (
        "cheapest",
        "fastest",
        "static mix",
        "category oracle",
        "knn 5",
        "kmeans 8",
        "of the chosen selector",
    ):
        assert not re.search(f"^{label}", result.out, flags=re.M), label
    shown = vsr_train("train", "--data-file", priced, *FAST, "--output-dir", tmp_path / "out", "--json").json
    assert {"cheapest", "fastest", "static mix"} <= {method["name"] for method in shown["evaluation"]["methods"]}


def test_at_80_columns_cost_outlives_latency(priced: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    arguments = ("evaluate", "--data-file", priced, *FAST, "--baseline", "kmeans-best", "--quiet")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    result = vsr_train(*arguments)
    assert result.code == 0, result.err
    assert max(map(len, result.out.splitlines())) <= 80
    assert re.search(r"^No room for: .*per query", result.out, flags=re.M)
    assert "USD/1,000" in result.out


def test_flags_that_do_nothing_are_refused(priced: Path, tmp_path: Path, vsr_train: Command) -> None:
    both = vsr_train("evaluate", "--data-file", priced, "--baseline", "none", "--baseline", "knn-votes")
    assert (both.code, "--baseline none has no effect beside others" in both.err) == (2, True)
    deployed = vsr_train("evaluate", "--data-file", priced, "--models-dir", tmp_path, "--baseline", "knn-votes")
    assert (deployed.code, "--baseline has no effect with --models-dir" in deployed.err) == (2, True)


def test_litellm_is_said_to_be_missing_where_it_is(
    priced: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, package=None: None if name == "litellm" else found(name, package)
    )
    result = vsr_train("evaluate", "--data-file", priced, *FAST, "--baseline", "litellm")
    assert result.code == 1
    assert "pip install '.[litellm]'" in result.err
    result = vsr_train("evaluate", "--data-file", priced, *FAST)
    assert result.code == 0
    assert "LiteLLM" not in result.out
