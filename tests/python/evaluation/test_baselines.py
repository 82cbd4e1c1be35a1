"""Baselines of the table on pools whose figures are known."""

import numpy as np
import pytest

from pools import DIM, make_pool, planted_pool, some_categories
from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.evaluation.baselines import gain_over_mix, static_mix
from vsr.evaluation.cross_validation import compare, hold_out
from vsr.evaluation.lines import Lines
from vsr.evaluation.settings import ComparisonSettings

QUALITY = Objective(1.0)


def priced(n_queries: int = 200, *, unpriced: bool = False) -> Outcomes:
    """Three models at 1, 2 and 4 cents: 40, 50 and 80 % right; the one in the middle lies below the hull."""
    generator = np.random.default_rng(0)
    quality = np.zeros((n_queries, 3))
    for column, share in enumerate((0.4, 0.5, 0.8)):
        quality[: round(share * n_queries), column] = 1.0
        generator.shuffle(quality[:, column])
    cost = np.tile([0.01, 0.02, 0.04], (n_queries, 1))
    if unpriced:
        cost[:, 1] = np.nan
    latency = np.tile([0.5, 0.2, 2.0], (n_queries, 1))
    return Outcomes(
        [f"query {i}" for i in range(n_queries)], ["math"] * n_queries, ["s", "m", "l"], quality, latency, cost
    )


def features_for(n_queries: int) -> np.ndarray:
    generator = np.random.default_rng(1)
    pool = make_pool(generator.standard_normal((n_queries, DIM)), ("math",) * n_queries, np.zeros((n_queries, 3)))
    return pool.features


def test_cheapest_and_fastest_are_lines_with_their_figures():
    evaluation = compare(
        features_for(200), priced(), ComparisonSettings(("knn",), splits=1, objective=QUALITY)
    ).evaluation
    cheapest, fastest = evaluation.method("cheapest"), evaluation.method("fastest")
    assert (cheapest.label, cheapest.kind, cheapest.selection) == ("cheapest (s)", "baseline", {"s": 1.0})
    assert (cheapest.quality, cheapest.cost_usd, cheapest.latency_s) == pytest.approx((0.4, 0.01, 0.5))
    assert fastest.label == "fastest (m)"
    assert fastest.quality == pytest.approx(0.5)
    assert cheapest.gain == evaluation.method("always s").gain
    random = evaluation.method("random")
    assert (random.quality, random.cost_usd) == pytest.approx((1.7 / 3.0, 0.07 / 3.0))


def test_what_needs_costs_is_left_out_where_none_is_known():
    pool = planted_pool(60)
    evaluation = compare(pool.features, pool.outcomes, ComparisonSettings(("knn",), splits=1)).evaluation
    names = {method.name for method in evaluation.methods}
    assert not {"cheapest", "fastest", "static mix"} & names
    assert {"random", "category table", "category oracle", "oracle"} <= names


def test_the_static_mix_costs_what_the_choices_cost_and_mixes_the_neighbours_on_the_hull():
    held, _ = hold_out(features_for(200), priced(), ComparisonSettings(("knn",), splits=1, objective=QUALITY))
    lines = Lines(held, QUALITY, 0)
    # Half of the queries to the middle model, half to the dear one: 3 cents, two thirds of the way from s to l.
    columns = (1 + np.arange(200) % 2)[None, :]
    weights = static_mix(lines, columns)
    assert weights is not None
    np.testing.assert_allclose(weights, [1 / 3, 0.0, 2 / 3])
    gain = gain_over_mix(lines, columns, weights)
    by_hand = lines.measured.quality[np.arange(200), columns[0]].mean() - (0.4 / 3 + 1.6 / 3)
    luck = max(0.0, -float(weights @ lines.pull))
    assert gain.mean == pytest.approx(by_hand + luck)
    assert gain.low < gain.mean < gain.high
    held, _ = hold_out(features_for(200), priced(unpriced=True), ComparisonSettings(("knn",), splits=1))
    assert static_mix(Lines(held, QUALITY, 0), columns) is None


def test_the_mix_is_a_line():
    evaluation = compare(
        features_for(200), priced(), ComparisonSettings(("knn",), splits=1, objective=QUALITY)
    ).evaluation
    mix, judged = evaluation.method("static mix"), evaluation.method("judged")
    assert sum(mix.selection.values()) == pytest.approx(1.0)
    assert mix.cost_usd == pytest.approx(judged.cost_usd)
    assert mix.quality == pytest.approx(
        sum(mix.selection[m] * q for m, q in (("s", 0.4), ("l", 0.8)) if m in mix.selection)
    )


def test_the_category_oracle_takes_the_best_model_of_each_category_ties_to_the_cheaper():
    generator = np.random.default_rng(0)
    categories = some_categories(120, generator)
    strong = np.array([["math", "history", "law"].index(name) for name in categories])
    quality = (strong[:, None] == np.arange(3)).astype(float)
    quality[strong == 2] = 1.0  # in law all are right
    pool = make_pool(generator.standard_normal((120, DIM)), categories, quality)
    cost = np.tile([3.0, 2.0, 1.0], (120, 1))
    outcomes = Outcomes(pool.outcomes.queries, categories, pool.outcomes.models, quality, None, cost)
    evaluation = compare(pool.features, outcomes, ComparisonSettings(("knn",), splits=1, objective=QUALITY)).evaluation
    line = evaluation.method("category oracle")
    assert (line.kind, line.quality) == ("oracle", 1.0)
    shares = {model: float((strong == column).mean()) for column, model in enumerate(outcomes.models)}
    assert line.selection == pytest.approx(shares)
    assert line.quality >= evaluation.method("category table").quality
