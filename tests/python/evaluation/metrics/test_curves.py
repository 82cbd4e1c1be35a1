"""Metrics of sweeps: small cases by hand, random ones against slow readings of the papers' own code."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.evaluation.metrics import curves

# Cheap and poor, a dent, a bargain, dear and best, dearer and worse.
POINTS = np.array([[1.0, 0.2], [2.0, 0.3], [3.0, 0.6], [5.0, 0.7], [6.0, 0.65]])

clouds = st.lists(
    st.tuples(st.integers(1, 50).map(lambda cost: cost / 10.0), st.integers(0, 20).map(lambda quality: quality / 20.0)),
    min_size=2,
    max_size=9,
    unique_by=lambda point: point[0],
).map(np.array)


def test_the_hull_leaves_out_dents_and_what_is_dearer_and_worse():
    np.testing.assert_array_equal(curves.non_decreasing_hull(POINTS[::-1]), [[1.0, 0.2], [3.0, 0.6], [5.0, 0.7]])
    np.testing.assert_array_equal(curves.pareto_frontier(POINTS), POINTS[:4])


def test_of_two_points_at_one_cost_the_better_one_is_on_the_frontier():
    points = np.array([[1.0, 0.2], [1.0, 0.5], [2.0, 0.5]])
    np.testing.assert_array_equal(curves.pareto_frontier(points), [[1.0, 0.5]])


def test_aiq_by_hand():
    # (0.2 + 0.6) / 2 * 2 + (0.6 + 0.7) / 2 * 2 + 0.7 * 1 = 0.8 + 1.3 + 0.7, over a range of 5
    assert curves.aiq(POINTS, 1.0, 6.0) == pytest.approx(2.8 / 5.0)
    # A range that begins at 0: the line from (0, 0) to (1, 0.2) adds 0.1.
    assert curves.aiq(POINTS, 0.0, 6.0) == pytest.approx(2.9 / 6.0)
    # One that ends inside: (0.2 + 0.4) / 2 over a range of 1.
    assert curves.aiq(POINTS, 1.0, 2.0) == pytest.approx(0.3)


def ndch_as_router_bench_reads_it(points: np.ndarray) -> np.ndarray:
    """For every cost the best of all chords between two points, then without what falls: as evaluation/AIQ.py does."""
    ordered = points[points[:, 0].argsort()]
    best = dict(ordered.tolist())
    for left in ordered.tolist():
        for right in ordered.tolist():
            for x, y in best.items():
                if left[0] < x < right[0]:
                    best[x] = max(y, float(np.interp(x, [left[0], right[0]], [left[1], right[1]])))
    kept: list[tuple[float, float]] = []
    for x, y in sorted(best.items()):
        kept.append((x, max(y, kept[-1][1] if kept else y)))
    return np.array(kept)


@given(clouds)
def test_aiq_is_what_router_bench_computes(points):
    read = ndch_as_router_bench_reads_it(points)
    low, high = read[0, 0], read[-1, 0]
    area = sum((x2 - x1) * (y1 + y2) / 2.0 for (x1, y1), (x2, y2) in itertools.pairwise(read))
    ours = curves.aiq(points, low, high)
    assert ours == pytest.approx(area / (high - low))


def test_deferral_area_by_hand():
    # Flat 0.2 to 1, then 0.25, 0.45, 1.3 and 0.7 to the cost 6: 0.2 + 0.25 + 0.45 + 1.3 + 0.7 = 2.9
    assert curves.deferral_area(POINTS, 6.0) == pytest.approx(2.9 / 6.0)
    assert curves.deferral_area(np.array([[2.0, 0.5]]), 4.0) == pytest.approx(0.5)


def test_quality_neutral_cost_by_hand():
    # 0.65 lies in the middle between (3, 0.6) and (5, 0.7): cost 4, of 6.
    assert curves.quality_neutral_cost(POINTS, 0.65, 6.0) == pytest.approx(4.0 / 6.0)
    assert curves.quality_neutral_cost(POINTS, 0.6, 6.0) == pytest.approx(0.5)
    assert curves.quality_neutral_cost(POINTS, 0.1, 6.0) == pytest.approx(1.0 / 6.0)
    assert curves.quality_neutral_cost(POINTS, 0.71, 6.0) is None


def test_performance_gain_and_cost_saving_by_hand():
    assert curves.performance_gain(POINTS, 0.65) == pytest.approx(0.7 / 0.65 - 1.0)
    assert curves.performance_gain(POINTS, 0.0) is None
    # Configurations alone, nothing between them: (5, 0.7) is the cheapest that has 0.65.
    assert curves.cost_saving(POINTS, 0.65, 6.0) == pytest.approx(1.0 / 6.0)
    assert curves.cost_saving(POINTS, 0.9, 6.0) is None


@given(clouds, st.integers(0, 20))
def test_a_saving_between_points_is_never_below_one_at_points(points, twentieths):
    quality = twentieths / 20.0
    saved, neutral = curves.cost_saving(points, quality, 5.0), curves.quality_neutral_cost(points, quality, 5.0)
    assert (saved is None) == (neutral is None)
    if saved is not None and neutral is not None:
        assert 1.0 - neutral >= saved - 1e-9


def test_pareto_distance_by_hand():
    pooled = np.array([[0.0, 0.0], [2.0, 0.5], [4.0, 1.0], [4.0, 0.5]])
    # Scaled: frontier (0, 0), (0.5, 0.5), (1, 1); the point (1, 0.5) is half a unit from the last two.
    assert curves.pareto_distance(pooled[3:], pooled) == pytest.approx(0.5)
    assert curves.pareto_distance(pooled[1:3], pooled) == 0.0
    assert curves.pareto_distance(pooled[2:], pooled) == pytest.approx(0.25)
    assert curves.pareto_distance(pooled[:1], np.array([[1.0, 0.0], [1.0, 1.0]])) is None


def test_the_mix_lies_between_the_neighbours_on_the_hull():
    np.testing.assert_allclose(curves.mix_at(POINTS, 2.0), [0.5, 0.0, 0.5, 0.0, 0.0])
    np.testing.assert_allclose(curves.mix_at(POINTS, 4.5), [0.0, 0.0, 0.25, 0.75, 0.0])
    np.testing.assert_array_equal(curves.mix_at(POINTS, 0.5), [1.0, 0.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(curves.mix_at(POINTS, 9.0), [0.0, 0.0, 0.0, 1.0, 0.0])
    with_unknown = np.vstack([[np.nan, 0.9], POINTS])
    np.testing.assert_allclose(curves.mix_at(with_unknown, 2.0), [0.0, 0.5, 0.0, 0.5, 0.0, 0.0])


@given(clouds, st.floats(0.0, 1.0))
def test_no_pair_of_points_mixes_better_at_the_same_cost(points, place):
    frontier = curves.pareto_frontier(points)
    cost = frontier[0, 0] + place * (frontier[-1, 0] - frontier[0, 0])
    weights = curves.mix_at(points, cost)
    mixed_cost, mixed_quality = weights @ points
    assert mixed_cost == pytest.approx(cost)
    for left in points:
        for right in points:
            if left[0] <= cost <= right[0] and left[0] < right[0]:
                assert np.interp(cost, [left[0], right[0]], [left[1], right[1]]) <= mixed_quality + 1e-9
