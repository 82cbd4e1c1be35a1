"""The learning curve: the law by hand, then curves of pools whose answer is known."""

import numpy as np
import pytest

from pools import planted_pool, signalless_pool
from vsr.choice.objective import Objective
from vsr.evaluation.cross_validation import compare
from vsr.evaluation.document import evaluation_document
from vsr.evaluation.learning_curve import LearningSeries, queries_needed
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.statistics.intervals import Interval

QUALITY = Objective(quality_weight=1.0)


def series(gains: list[float], noise: float, n_held_out: int = 400) -> LearningSeries:
    """Gains at 100, 200 and 400 queries, each query off by its own noise."""
    own = np.random.default_rng(0).standard_normal((3, n_held_out))
    own -= own.mean(axis=1, keepdims=True)
    named = np.zeros(n_held_out)
    chosen = np.array(gains)[:, None] + noise * own
    return LearningSeries((100, 200, 400), chosen, named, np.arange(n_held_out))


def test_the_law_is_found_where_it_holds() -> None:
    gains = [0.05 - 0.4 / np.sqrt(n) for n in (100, 200, 400)]
    assert series(gains, noise=0.0).to_come() == pytest.approx(0.02)


def test_a_rise_that_may_be_luck_hardly_counts_and_a_fall_not_at_all() -> None:
    gains = [0.05 - 0.4 / np.sqrt(n) for n in (100, 200, 400)]
    assert 0.0 < series(gains, noise=1.0).to_come() < 0.007
    assert series(gains[::-1], noise=0.0).to_come() == 0.0


def test_what_is_needed_solves_the_law() -> None:
    now = Interval(0.02, -0.01, 0.05, 400)
    for to_come in (0.0, 0.005, 0.03):
        n = queries_needed(now, to_come)
        gain = now.mean + to_come - to_come * np.sqrt(400 / n)
        assert gain == pytest.approx(0.03 * np.sqrt(400 / n))
        assert n >= 400
    assert queries_needed(Interval(0.02, 0.01, 0.03, 400), 0.0) == 400
    assert queries_needed(Interval(-0.02, -0.03, -0.01, 400), 0.01) == np.inf
    assert queries_needed(Interval(-0.01, -0.03, 0.01, 400), 0.02) == pytest.approx(400 * 16)


def test_points_go_through_the_judged_gain() -> None:
    points = series([0.01, 0.02, 0.03], noise=0.0).points(Interval(0.05, 0.01, 0.09, 400))
    assert [point.n_queries for point in points] == [100, 200, 400]
    assert [point.gain for point in points] == pytest.approx([0.03, 0.04, 0.05])
    floor = 2 * 1.96 * 1.2 * 2 / 400  # no noise: only that of two queries that decide otherwise
    assert [point.high - point.low for point in points] == pytest.approx([floor, floor, 0.08], rel=1e-4)


def test_a_curve_that_is_asked_for_rises_where_there_is_something_to_learn() -> None:
    settings = ComparisonSettings(("knn", "kmeans"), splits=1, objective=QUALITY, learning_curve=True)
    pool = planted_pool(240)
    evaluation = compare(pool.features, pool.outcomes, settings).evaluation
    assert evaluation.verdict.kind == "route"
    points = evaluation.learning_curve
    assert [point.n_queries for point in points] == [60, 120, 240]
    judged = evaluation.method("judged").gain
    assert judged is not None
    assert (points[-1].gain, points[-1].low, points[-1].high) == (judged.mean, judged.low, judged.high)
    assert points[0].gain < points[-1].gain
    assert evaluation_document(evaluation)["learning_curve"][0]["n_queries"] == 60


def test_a_decided_verdict_has_no_curve_and_an_open_one_has() -> None:
    kinds = set()
    for seed in range(8):
        pool = signalless_pool(120, seed=seed)
        settings = ComparisonSettings(("knn",), splits=1, objective=QUALITY, seed=seed)
        evaluation = compare(pool.features, pool.outcomes, settings).evaluation
        kinds.add(evaluation.verdict.kind)
        assert bool(evaluation.learning_curve) == (evaluation.verdict.kind == "inconclusive")
        needed = evaluation.verdict.queries_needed
        assert needed is None or needed > 120
    decided = compare(planted_pool().features, planted_pool().outcomes, ComparisonSettings(("knn",), splits=1))
    assert decided.evaluation.learning_curve == ()


def test_too_few_queries_have_no_curve() -> None:
    pool = planted_pool(60)
    settings = ComparisonSettings(("knn",), splits=1, objective=QUALITY, learning_curve=True)
    assert compare(pool.features, pool.outcomes, settings).evaluation.learning_curve == ()
