"""Every cell asked several times: over the simulated LLMs, from the plan to the noise ceiling."""

import json
from pathlib import Path
from typing import Any

import pytest

from servers.scripted import Scripted, always, config_for, endpoint
from vsr.asking.queue import RetryPolicy
from vsr.benchmark.plan import Plan, make_plan
from vsr.benchmark.runner import RunSettings, preview, run_benchmark
from vsr.cli import main
from vsr.config import parse_config
from vsr.data.outcomes import Outcomes
from vsr.data.records import Query, read_queries, read_records
from vsr.errors import BenchmarkError
from vsr.simulation import generate_queries, write_queries
from vsr.simulation.server import SimulatedPool

SETTINGS = RunSettings(RetryPolicy(concurrency=16))
CONFIG = """\
vllm_endpoints: [{{name: pool, address: {address}, port: {port}, type: vllm}}]
model_config:
  sim-small-1b: {{preferred_endpoints: [pool], temperature: 0.7}}
  sim-maths-8b: {{preferred_endpoints: [pool], temperature: 0.7}}
"""


def plan_over(pool: SimulatedPool, queries: Path, n_draws: int) -> Plan:
    config = parse_config(CONFIG.format(address=pool.address, port=pool.port), environment={})
    return make_plan(read_queries(queries), config, n_draws=n_draws, environment={})


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_is_widened_to_more_draws_and_asks_only_the_new_ones(tmp_path):
    asked = generate_queries(12)
    queries, out = tmp_path / "queries.jsonl", tmp_path / "out.jsonl"
    write_queries(queries, asked)
    with SimulatedPool(asked, time_scale=0.0) as pool:
        run_benchmark(plan_over(pool, queries, 1), out, SETTINGS)
        once = lines(out)
        assert len(once) == 24
        assert not any("draw" in record for record in once)
        plan = plan_over(pool, queries, 3)
        assert (plan.n_queries, plan.n_calls) == (12, 72)
        assert preview(plan, out, SETTINGS).n_calls == 48
        summary = run_benchmark(plan, out, SETTINGS)
        assert (summary.n_calls, summary.n_asked, summary.n_failed) == (72, 48, 0)
        assert preview(plan, out, SETTINGS).n_calls == 0
        assert preview(plan_over(pool, queries, 1), out, SETTINGS).n_calls == 0
    held = lines(out)
    assert held[:24] == once
    assert sorted(int(str(record["draw"])) for record in held[24:]) == [2] * 24 + [3] * 24
    cells = {(record["query"], record["model_name"], record.get("draw", 1)) for record in held}
    assert len(cells) == len({record["call_id"] for record in held}) == 72
    # All draws of a query have its number.
    assert len({(record["query"], str(record.get("choices")), record["embedding_id"]) for record in held}) == 12
    outcomes = Outcomes.from_records(read_records(out))
    assert outcomes.n_queries == 12
    assert outcomes.report is not None
    assert outcomes.report.n_repeats == 48
    assert outcomes.repeats is not None
    assert len({record["response"] for record in held}) > 24  # the answers differ


def test_a_new_temperature_moves_all_draws_aside(tmp_path):
    out = tmp_path / "out.jsonl"
    with Scripted(always("The answer is (B).")) as server:

        def plan(temperature: float) -> Plan:
            config = config_for([endpoint(server)], {"a": {"preferred_endpoints": ["one"], "temperature": temperature}})
            return make_plan([Query("Which?", ground_truth="B")], config, n_draws=2, environment={})

        run_benchmark(plan(0.5), out, SETTINGS)
        run_benchmark(plan(1.0), out, SETTINGS)
    assert [record["draw"] for record in lines(out)] == [1, 2]
    assert len(lines(tmp_path / "out.superseded.jsonl")) == 2


def test_models_without_chance_are_not_asked_again():
    with Scripted(always("B")) as server:
        config = config_for([endpoint(server)], {"a": {"preferred_endpoints": ["one"], "temperature": 0}})
        with pytest.raises(BenchmarkError, match="the temperature of a is 0"):
            make_plan([Query("Which?")], config, n_draws=2, environment={})


def test_samples_reach_the_noise_ceiling_of_evaluate(tmp_path, capsys):
    asked = generate_queries(60)
    write_queries(tmp_path / "queries.jsonl", asked)
    out = tmp_path / "out.jsonl"
    with SimulatedPool(asked, time_scale=0.0) as pool:
        (tmp_path / "config.yaml").write_text(CONFIG.format(address=pool.address, port=pool.port))
        command = ["benchmark", "--config", tmp_path / "config.yaml", "--data-file", tmp_path / "queries.jsonl"]
        command += ["--output", out, "--samples", 2, "--concurrency", 16, "--rate-limit-delay", 0]
        assert main([str(each) for each in command]) == 0
    assert "60 queries, 2 times each, 2 models" in capsys.readouterr().err
    assert len(lines(out)) == 240
    command = ["evaluate", "--data-file", out, "--use-fallback", "--embedding-dim", "32", "--algorithm", "knn"]
    assert main([*map(str, command), "--splits", "1", "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    ceiling = next(each for each in _all(metrics) if each.get("name") == "noise ceiling")
    assert ceiling["value"] > 0


def _all(value: object) -> list[dict[str, Any]]:
    """Every object inside a JSON value."""
    if isinstance(value, dict):
        return [value, *(found for each in value.values() for found in _all(each))]
    return [found for each in value for found in _all(each)] if isinstance(value, list) else []


def test_a_metric_of_the_run_overrides_the_files(tmp_path):
    out = tmp_path / "out.jsonl"
    with Scripted(always("It is Paris.")) as server:
        config = config_for([endpoint(server)], {"a": {"preferred_endpoints": ["one"]}})
        asked = [Query("Capital?", ground_truth="Paris", metric="exact_match")]
        run_benchmark(make_plan(asked, config, metric="contains", environment={}), out, SETTINGS)
    (record,) = lines(out)
    assert (record["metric"], record["scoring_rule"], record["performance"]) == ("contains", "contains", 1.0)
