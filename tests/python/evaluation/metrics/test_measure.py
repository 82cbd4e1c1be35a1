"""All metrics of a comparison, against plain loops over what was chosen."""

import dataclasses
import json

import numpy as np
import pytest

from pools import DIM, make_pool, planted_pool, some_categories
from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.data.records import Record
from vsr.evaluation import Evaluation
from vsr.evaluation.cross_validation import conclude, hold_out
from vsr.evaluation.document import metrics_document
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.metrics import curves
from vsr.evaluation.metrics.measure import Metrics, metrics_of
from vsr.evaluation.metrics.sweep import sweep_metrics
from vsr.evaluation.settings import ComparisonSettings

PRICES = (0.004, 0.002, 0.001)


def measured(pool_outcomes: Outcomes, features: np.ndarray, weight: float = 1.0) -> tuple[Held, Evaluation, Metrics]:
    settings = ComparisonSettings(("knn",), splits=2, objective=Objective(weight), categories="given")
    held, _ = hold_out(features, pool_outcomes, settings)
    held, evaluation = conclude(held, settings)
    assert evaluation.curve is not None
    return held, evaluation, metrics_of(held, evaluation, "given")


@pytest.fixture(scope="module")
def planted() -> tuple[Held, Evaluation, Metrics]:
    pool = planted_pool(150)
    own = pool.outcomes
    generator = np.random.default_rng(5)
    cost = np.array(PRICES) * (0.5 + generator.random(own.quality.shape))
    latency = 1.0 + generator.random(own.quality.shape)
    outcomes = Outcomes(own.queries, own.categories, own.models, own.quality, latency, cost)
    return measured(outcomes, pool.features)


def test_every_metric_of_the_contract_is_there_with_its_definition(planted) -> None:
    metrics = planted[2]
    assert [metric.name for metric in metrics.values] == [
        *("quality", "cost", "latency p50", "latency p95", "gain over best single", "gain over static mix"),
        *("regret", "gap closed", "AvgAcc", "Gain@R", "Gain@B", "Gap@O", "PerfGain", "CostSave", "AIQ"),
        *("deferral area", "QNC", "ParetoDist", "APGR", "CPT(50)", "CPT(80)", "switch precision"),
        *("Brier score", "expected calibration error", "calibration slope", "noise ceiling", "selection entropy"),
    ]
    for metric in metrics.values:
        assert metric.definition.endswith(".")
        assert metric.source
        assert metric.value is not None or metric.note


def test_they_are_what_loops_over_the_choices_give(planted) -> None:
    held, evaluation, metrics = planted
    outcomes, columns = held.outcomes, held.choices[JUDGED].given
    cells = [(row, int(column)) for split in columns for row, column in enumerate(split)]
    quality = outcomes.quality
    base = outcomes.models.index(evaluation.highest_quality)
    own = np.mean([quality[cell] for cell in cells])
    single, oracle = quality[:, base].mean(), quality.max(axis=1).mean()

    def value(name: str) -> float:
        found = metrics.value(name).value
        assert found is not None, metrics.value(name).note
        return float(found)

    assert value("quality") == pytest.approx(own)
    assert value("cost") == pytest.approx(np.mean([outcomes.cost_usd[cell] for cell in cells]))
    seconds = sorted(outcomes.latency_s[cell] for cell in cells)
    assert value("latency p50") == pytest.approx((seconds[149] + seconds[150]) / 2.0)
    assert seconds[283] < value("latency p95") < seconds[286]
    assert value("regret") == pytest.approx(oracle - own)
    assert value("gap closed") == pytest.approx((own - single) / (oracle - single))
    by_category: dict[str, list[float]] = {"own": [], "random": [], "single": [], "oracle": []}
    for name in sorted(set(outcomes.categories)):
        rows = [row for row, category in enumerate(outcomes.categories) if category == name]
        by_category["own"].append(np.mean([quality[cell] for cell in cells if cell[0] in rows]))
        by_category["random"].append(quality[rows].mean())
        by_category["single"].append(quality[rows, base].mean())
        by_category["oracle"].append(quality[rows].max(axis=1).mean())
    ours = np.array(by_category["own"])
    assert value("AvgAcc") == pytest.approx(ours.mean())
    assert value("Gain@R") == pytest.approx((ours / by_category["random"] - 1.0).mean())
    assert value("Gain@B") == pytest.approx((ours / by_category["single"] - 1.0).mean())
    assert value("Gap@O") == pytest.approx((1.0 - ours / by_category["oracle"]).mean())
    left = [(quality[cell], quality[cell[0], base]) for cell in cells if cell[1] != base]
    right, wrong = (np.mean([sign * a > sign * b for a, b in left]) for sign in (1, -1))
    assert value("switch precision") == pytest.approx(right - wrong)
    shares = np.bincount([column for _, column in cells], minlength=3) / len(cells)
    assert value("selection entropy") == pytest.approx(-(shares * np.log(shares)).sum() / np.log(3))
    scores = held.choices[JUDGED].scores("given")
    assert value("Brier score") == pytest.approx(np.mean([(scores[split] - quality) ** 2 for split in range(2)]))
    judged = evaluation.method("judged")
    assert judged.gain is not None
    gain = metrics.value("gain over best single")
    assert gain.value == pytest.approx(100.0 * judged.gain.mean)
    assert gain.interval is not None
    assert (gain.interval.low, gain.interval.high) == pytest.approx((100 * judged.gain.low, 100 * judged.gain.high))
    mix = evaluation.method("static mix")
    over_mix = metrics.value("gain over static mix")
    assert over_mix.value is not None
    assert over_mix.value >= 100.0 * (judged.utility - mix.utility) - 1e-9  # the luck of its models is taken off


def test_sweeps_are_those_of_the_curve(planted) -> None:
    _, evaluation, metrics = planted
    assert evaluation.curve is not None
    points = np.array([(p.cost_usd, p.quality) for p in evaluation.curve.judged if p.cost_share == 1.0])
    single = evaluation.curve.singles[evaluation.highest_quality]
    assert single.cost_usd is not None
    assert metrics.value("PerfGain").value == pytest.approx(points[:, 1].max() / single.quality - 1.0)
    saved = 1.0 - min(cost for cost, quality in points if quality >= single.quality) / single.cost_usd
    assert metrics.value("CostSave").value == pytest.approx(saved)
    dearest = max(point.cost_usd or 0.0 for point in evaluation.curve.singles.values())
    assert metrics.value("deferral area").value == pytest.approx(curves.deferral_area(points, dearest))


def test_what_does_not_apply_says_why() -> None:
    pool = planted_pool(60)
    _, _, metrics = measured(pool.outcomes, pool.features)
    none = {metric.name: metric.note for metric in metrics.values if metric.value is None}
    assert none == {
        "cost": "no cost is known",
        "latency p50": "no latency was measured",
        "latency p95": "no latency was measured",
        "gain over static mix": "the cost of a model is not known",
        "CostSave": "the cost of a model is not known",
        "AIQ": "the cost of a model is not known",
        "deferral area": "the cost of a model is not known",
        "QNC": "the cost of a model is not known",
        "ParetoDist": "the cost of a model is not known",
        "APGR": "neither cost nor latency is known, so no model is the weak one",
        "CPT(50)": "neither cost nor latency is known, so no model is the weak one",
        "CPT(80)": "neither cost nor latency is known, so no model is the weak one",
        "noise ceiling": "no cell was measured twice",
    }
    assert all(metric.value is None for metric in sweep_metrics(None))


def test_one_model_for_everything_has_collapsed() -> None:
    generator = np.random.default_rng(0)
    quality = np.tile([0.9, 0.2, 0.1], (80, 1))
    pool = make_pool(generator.standard_normal((80, DIM)), some_categories(80, generator), quality)
    _, _, metrics = measured(pool.outcomes, pool.features)
    assert metrics.selection[0].collapsed_onto == "large"
    assert metrics.value("selection entropy").value == 0.0
    assert metrics.value("switch precision").note == "large is always chosen"
    assert metrics.value("gap closed").note == "the oracle is no better than B"
    assert "always chooses it" in metrics.value("gain over best single").note


def test_repeated_records_give_a_noise_ceiling() -> None:
    generator = np.random.default_rng(0)
    pool = planted_pool(60)
    records = [
        Record(query=query, model_name=model, category=category, performance=float(generator.random() < 0.5))
        for query, category in zip(pool.outcomes.queries, pool.outcomes.categories, strict=True)
        for model in pool.outcomes.models
        for _ in range(4)
    ]
    _, _, metrics = measured(Outcomes.from_records(records), pool.features)
    ceiling = metrics.value("noise ceiling")
    assert ceiling.value == pytest.approx(1.0, abs=0.35)  # coins: it is all luck
    assert ceiling.note.startswith("over 60 queries, B is ")


def test_missing_cells_leave_every_metric_a_number(planted) -> None:
    held, _, whole = planted
    own = held.outcomes
    hidden = np.random.default_rng(1).random(own.quality.shape) < 0.2

    def some(values: np.ndarray) -> np.ndarray:
        return np.where(hidden, np.nan, values)

    outcomes = Outcomes(
        own.queries, own.categories, own.models, some(own.quality), some(own.latency_s), some(own.cost_usd)
    )
    pool = planted_pool(150)
    kept = outcomes.measured_rows
    _, _, metrics = measured(outcomes.take(kept), pool.features[kept])
    for metric in metrics.values:
        if metric.name != "noise ceiling":
            assert metric.value is not None, (metric.name, metric.note)
            assert np.isfinite(metric.value)
    assert metrics.value("quality").value == pytest.approx(whole.value("quality").value or 0.0, abs=0.1)


def test_the_document_is_plain_json(planted) -> None:
    metrics = planted[2]
    document = json.loads(json.dumps(metrics_document(metrics), allow_nan=False))
    assert len(document["metrics"]) == len(metrics.values)
    assert set(document["metrics"][0]) == {field.name for field in dataclasses.fields(metrics.values[0])}
    assert document["selection"][0]["category"] is None
    assert {line["category"] for line in document["selection"][1:]} == {"math", "history", "law"}
