"""The curve: its points are what a comparison under their objective would find, and its sentences follow from them."""

import re
from dataclasses import replace

import numpy as np
import pytest

from pools import Pool, priced_pool
from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.errors import TrainingError
from vsr.evaluation.cross_validation import conclude, cross_validate, hold_out
from vsr.evaluation.document import evaluation_document
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.results import Curve
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.sliding.beside import Reference
from vsr.evaluation.sliding.curve import COST_SHARES, QUALITY_WEIGHTS, curve_of, slid
from vsr.evaluation.sliding.replay import Ledger, Replay
from vsr.evaluation.sliding.sentences import sentences_of
from vsr.evaluation.statistics.intervals import Interval

WITH_BOTH = ComparisonSettings(("knn",), splits=2)


def held_of(pool: Pool, settings: ComparisonSettings = WITH_BOTH) -> Held:
    return hold_out(pool.features, pool.outcomes, settings)[0]


@pytest.fixture(scope="module")
def held() -> Held:
    return held_of(priced_pool())


@pytest.fixture(scope="module")
def curve(held: Held) -> Curve:
    return curve_of(held, Objective(), "predicted", 0)


def test_every_weight_and_share_is_a_point(curve: Curve) -> None:
    expected = [(weight, share) for share in COST_SHARES for weight in QUALITY_WEIGHTS]
    assert [(point.quality_weight, point.cost_share) for point in curve.judged] == expected
    assert [(point.quality_weight, point.cost_share) for point in curve.table] == expected


@pytest.mark.parametrize("objective", [Objective(0.7, 0.5), Objective(1.0), Objective(0.0, 1.0)])
def test_a_point_is_what_a_comparison_under_its_objective_finds(curve: Curve, objective: Objective) -> None:
    pool = priced_pool()
    evaluation = cross_validate(pool.features, pool.outcomes, ["knn"], objective=objective, splits=2)
    for method, points in (("judged", curve.judged), ("category table", curve.table)):
        line = evaluation.method(method)
        [point] = [
            each
            for each in points
            if (each.quality_weight, each.cost_share) == (objective.quality_weight, objective.cost_share)
        ]
        assert point.quality == pytest.approx(line.quality)
        assert point.utility == pytest.approx(line.utility)
        assert point.cost_usd == pytest.approx(line.cost_usd)
        assert point.latency_s == pytest.approx(line.latency_s)
        assert point.selection == pytest.approx(line.selection)


def test_with_missing_cells_too_a_point_is_the_line_of_the_table() -> None:
    pool = priced_pool()
    missing = np.random.default_rng(2).random(pool.outcomes.quality.shape) < 0.2
    missing[:, 0] &= ~missing[:, 1:].all(axis=1)
    quality, latency, cost = (
        np.where(missing, np.nan, values)
        for values in (pool.outcomes.quality, pool.outcomes.latency_s, pool.outcomes.cost_usd)
    )
    outcomes = replace(pool.outcomes, quality=quality, latency_s=latency, cost_usd=cost)
    evaluation = cross_validate(pool.features, outcomes, ["knn"], objective=Objective(0.8, 0.5), splits=1)
    assert evaluation.curve is not None
    line, point = evaluation.method("judged"), evaluation.curve.default
    assert point.quality == pytest.approx(line.quality)
    assert point.utility == pytest.approx(line.utility, abs=1e-6)
    assert point.cost_usd == pytest.approx(line.cost_usd)


def test_single_models_that_another_beats_in_both_are_not_on_the_frontier() -> None:
    pool = priced_pool()
    worse = np.column_stack([pool.outcomes.quality, np.zeros(240)])
    outcomes = Outcomes(
        queries=pool.outcomes.queries,
        categories=pool.outcomes.categories,
        models=(*pool.outcomes.models, "dear and bad"),
        quality=worse,
        latency_s=np.column_stack([pool.outcomes.latency_s, np.full(240, 9.0)]),
        cost_usd=np.column_stack([pool.outcomes.cost_usd, np.full(240, 9.0)]),
    )
    curve = curve_of(held_of(Pool(pool.features, outcomes, worse)), Objective(), "predicted", 0)
    assert "dear and bad" in curve.singles
    assert "dear and bad" not in curve.frontier
    costs = [curve.singles[name].cost_usd or 0.0 for name in curve.frontier]
    assert costs == sorted(costs)
    qualities = [curve.singles[name].quality for name in curve.frontier]
    assert qualities == sorted(qualities)


def test_the_sentences_speak_of_money_and_of_the_model_of_highest_quality(curve: Curve) -> None:
    same_quality, same_money, in_force = curve.sentences
    best = max(curve.singles, key=lambda name: curve.singles[name].quality)
    for sentence in curve.sentences:
        assert best in sentence
        assert "(95 % " in sentence
    assert "money" in same_quality
    assert "instead of" in same_quality
    assert same_money.startswith(f"For the money of {best}")
    assert in_force.startswith("As it is set (quality weight 0.9, cost share 0): ")
    [said] = re.findall(r"at ([\d.]+) USD per 1,000 queries", in_force)
    assert float(said) == pytest.approx(1000.0 * (curve.default.cost_usd or 0.0), rel=0.01)


def test_routing_by_topics_gains_for_the_same_money(curve: Curve) -> None:
    # Each model knows a third of the queries, and the features say which.
    [gain] = re.findall(r": \+([\d.]+) points", curve.sentences[1])
    assert float(gain) > 10.0
    assert "no surely better" not in curve.sentences[1]
    assert re.search(r"for \d+ % \(95 % \d+ \.\. \d+\) less money", curve.sentences[0])


def test_without_costs_time_is_what_is_saved() -> None:
    curve = curve_of(held_of(priced_pool(has_cost=False)), Objective(), "predicted", 0)
    assert {point.cost_share for point in curve.judged} == {0.0}
    assert all(point.cost_usd is None for point in curve.judged)
    assert "less time" in curve.sentences[0] or "more time" in curve.sentences[0]
    assert all("USD" not in sentence for sentence in curve.sentences)


def test_without_cost_and_latency_there_is_one_sentence() -> None:
    curve = curve_of(held_of(priced_pool(has_cost=False, has_latency=False)), Objective(), "predicted", 0)
    [sentence] = curve.sentences
    assert sentence.startswith("As it is set")


def test_points_of_the_sentences_are_measured_where_they_were_not_picked(held: Held) -> None:
    ledger = Ledger.of(held.outcomes, held.codes, held.rows, 0)
    # Quality is noise, so that no objective is better than another, and the best one on these queries is luck alone.
    picked, measured = [], []
    for seed in range(12):
        noise = np.random.default_rng(seed).random(ledger.quality.shape)
        replay = Replay(held, replace(ledger, quality=noise), JUDGED, "predicted")
        objectives = slid(ledger, Objective())
        slide = replay.slide(objectives, replay.parts(seed))
        same_price = sentences_of(replay, objectives, slide, Objective(), seed)[1]
        [quality] = re.findall(r"([\d.]+) instead of", same_price)
        measured.append(float(quality) - 0.5)
        picked.append(max(point.quality for point in slide.points) - 0.5)
    # The luckiest point is ahead of what the sentence says; honest is 0 +- 0.6 points.
    assert np.mean(picked) - np.mean(measured) > 0.005
    assert abs(np.mean(measured)) < 0.012


def test_the_curve_stands_in_the_document_that_is_asked_for_it() -> None:
    pool = priced_pool(90)
    evaluation = cross_validate(pool.features, pool.outcomes, ["knn"], splits=1)
    assert "curve" not in evaluation_document(evaluation)
    document = evaluation_document(evaluation, with_curve=True)["curve"]
    assert len(document["judged"]) == len(QUALITY_WEIGHTS) * len(COST_SHARES)
    assert set(document["judged"][0]) == {
        "quality_weight",
        "cost_share",
        "quality",
        "utility",
        "cost_usd",
        "latency_s",
        "selection",
    }


def test_a_cost_share_without_costs_is_an_error() -> None:
    pool = priced_pool(90, has_cost=False)
    with pytest.raises(TrainingError, match=r"cost_share is 0\.5, but no record has a cost"):
        cross_validate(pool.features, pool.outcomes, ["knn"], objective=Objective(0.9, 0.5))
    # A weight of 1 asks for none.
    assert cross_validate(pool.features, pool.outcomes, ["knn"], objective=Objective(1.0, 0.5), splits=1).curve


def test_the_conclusion_without_a_target_is_under_the_given_objective(held: Held) -> None:
    same, evaluation = conclude(held, WITH_BOTH)
    assert same is held
    assert evaluation.target is None
    assert evaluation.objective == Objective()


def test_nobody_saves_more_than_all(held: Held) -> None:
    ledger = Ledger.of(held.outcomes, held.codes, held.rows, 0)
    reference = Reference.of(Replay(held, ledger, JUDGED, "predicted"), 0)
    assert reference.less(Interval(0.75, -0.09, 1.58, 90)) == "75 % (95 % -9 .. 100) less money"
    assert reference.less(Interval(-0.75, -1.58, 0.09, 90)) == "75 % (95 % -9 .. 158) more money"
