"""The interval of a gain: plain figures by hand, then whether it holds the truth in simulations."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from vsr.evaluation.statistics.intervals import (
    Interval,
    gain_interval,
    luck_in_gain,
    luck_of_the_pick,
    mean_interval,
    shrunk_means,
    training_variance,
    widened,
)

FloatArray = NDArray[np.float64]


def test_the_interval_is_the_documented_formula() -> None:
    differences = 0.1 + np.random.default_rng(0).standard_normal((3, 400))
    interval = gain_interval(differences, luck=0.02)
    variance = np.mean([split.var() for split in differences]) / 400 + 4 / 400**2
    half = 1.96 * math.sqrt(variance)
    assert interval.mean == pytest.approx(differences.mean() + 0.02)
    assert interval.high - interval.mean == pytest.approx(half, rel=1e-4)
    assert interval.mean - interval.low == pytest.approx(half, rel=1e-4)
    assert interval.n == 400


def test_choices_that_never_differ_have_a_width_all_the_same() -> None:
    interval = gain_interval(np.zeros((3, 50)))
    assert interval.mean == 0.0
    assert interval.high == pytest.approx(1.96 * 2 / 50, rel=1e-4)
    assert not Interval(0.0, 0.0, 0.0, 50).is_above_zero
    assert Interval(0.1, 0.01, 0.2, 50).is_above_zero


def test_splits_that_agree_take_off_the_luck_of_a_split_alone() -> None:
    split = np.random.default_rng(1).standard_normal((1, 200))
    one, two, three, four = (gain_interval(np.repeat(split, n, axis=0)) for n in (1, 2, 3, 4))
    half = three.high - three.mean
    assert (one.high - one.mean, two.high - two.mean) == pytest.approx((1.2 * half, 1.1 * half))
    assert (three.low, three.high) == pytest.approx((four.low, four.high))


def test_a_query_told_four_times_counts_once() -> None:
    generator = np.random.default_rng(4)
    once = 0.1 + generator.standard_normal((3, 100))
    groups = np.repeat(np.arange(100), 4)
    alone, told_again = gain_interval(once), gain_interval(np.repeat(once, 4, axis=1), groups=groups)
    as_if_new = gain_interval(np.repeat(once, 4, axis=1))
    floor = (2 / 100) ** 2 - (2 / 400) ** 2  # of the least queries that decide otherwise, which are still counted
    half = (alone.high - alone.mean) / 1.96
    expected = math.sqrt((half**2 - floor) * 100 / 99)
    assert (told_again.high - told_again.mean) / 1.96 == pytest.approx(expected, rel=0.01)
    assert as_if_new.high - as_if_new.mean < 0.55 * half * 1.96
    values = generator.random((100, 3)) + np.array([0.0, 0.0, 0.05])
    repeated = np.repeat(values, 4, axis=0)
    best = int(values.mean(axis=0).argmax())
    assert luck_of_the_pick(repeated, best, groups) == pytest.approx(luck_of_the_pick(values, best), rel=0.05)
    assert luck_of_the_pick(repeated, best) < 0.6 * luck_of_the_pick(values, best)


def test_groups_of_one_change_nothing() -> None:
    differences = np.random.default_rng(5).standard_normal((2, 60))
    assert gain_interval(differences, 0.0, np.arange(60)) == gain_interval(differences)


def test_means_shrink_as_a_slow_formula_says() -> None:
    values = np.random.default_rng(2).random((60, 4)) + np.array([0.0, 0.05, 0.1, 0.3])
    means = values.mean(axis=0)
    ones = np.full((4, 4), 0.25)
    a = np.eye(4) - ones
    v = a @ (np.cov(values.T, bias=True) / 60) @ a
    tau = max(0.0, (np.sum((a @ means) ** 2) - np.trace(v)) / 3)
    expected = means.mean() + tau * a @ np.linalg.inv(tau * np.eye(4) + v) @ (means - means.mean())
    assert tau > 0.0
    np.testing.assert_allclose(shrunk_means(values), expected, atol=1e-12)
    assert luck_of_the_pick(values, 3) == pytest.approx(max(0.0, means[3] - expected[3]))
    assert luck_of_the_pick(values, 0) == 0.0  # the worst one owes nothing to luck


def test_ties_come_down_to_their_mean_and_a_clear_lead_stays() -> None:
    generator = np.random.default_rng(3)
    tied = generator.random((400, 8))
    best = int(tied.mean(axis=0).argmax())
    lead = tied.mean(axis=0)[best] - tied.mean()
    assert luck_of_the_pick(tied, best) > 0.5 * lead
    ahead = tied + np.where(np.arange(8) == 2, 0.3, 0.0)
    assert luck_of_the_pick(ahead, 2) < 0.01
    np.testing.assert_array_equal(shrunk_means(tied[:, :1]), tied[:, :1].mean(axis=0))


def test_luck_is_on_average_what_the_pick_owes_to_it() -> None:
    # Eight tied models on 100 queries: the picked one's mean is above its true mean by as much as is taken off.
    generator = np.random.default_rng(4)
    owed, taken = [], []
    for _ in range(300):
        values = (generator.random((100, 8)) < 0.5).astype(float)
        named = int(values.mean(axis=0).argmax())
        owed.append(values[:, named].mean() - 0.5)
        taken.append(luck_of_the_pick(values, named))
    assert np.mean(taken) == pytest.approx(np.mean(owed), rel=0.2)


def test_what_never_leaves_the_named_model_owes_nothing_to_its_luck() -> None:
    assert luck_in_gain(0.02, 0.0) == 0.0
    assert luck_in_gain(0.02, 0.1) == pytest.approx(0.006)
    assert luck_in_gain(0.02, 0.5) == luck_in_gain(0.02, 1.0) == 0.02
    # Two queries of 300 chosen otherwise: no certain gain, however lucky the pick.
    barely = gain_interval(np.zeros((3, 300)), luck_in_gain(0.03, 2 / 300))
    assert not barely.is_above_zero


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_it_holds_the_true_gain_over_the_model_that_was_picked(spread: float) -> None:
    """A router that gains exactly nothing on average over models of nearly the same mean, in 400 studies."""
    generator = np.random.default_rng(5)
    held = plain_held = 0
    for _ in range(400):
        truth = 0.5 + spread * generator.standard_normal(8)
        values = (generator.random((200, 8)) < truth).astype(float)
        named = int(values.mean(axis=0).argmax())
        columns = generator.integers(0, 8, (3, 200))
        chosen = values[np.arange(200), columns]
        gain = truth.mean() - truth[named]
        interval = gain_interval(chosen - values[:, named], luck_of_the_pick(values, named))
        held += interval.low <= gain <= interval.high
        plain = gain_interval(chosen - values[:, named])
        half = (plain.high - plain.low) / 2 / 1.2
        plain_held += abs(plain.mean - gain) <= half
    assert held >= 0.94 * 400
    assert plain_held < held


# Between trainings


def test_trainings_that_do_not_differ_have_no_variance() -> None:
    values = np.tile(np.random.default_rng(0).random(300), (3, 1))
    folds = [np.random.default_rng(split).permutation(np.arange(300) % 5) for split in range(3)]
    assert training_variance(values, folds) == pytest.approx(0.0, abs=1e-30)


@pytest.mark.parametrize(("n_splits", "within"), [(1, 0.35), (3, 0.1)])
def test_the_variance_between_trainings_is_found_behind_that_of_queries(n_splits: int, within: float) -> None:
    found = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        query = generator.random(600)
        folds = [generator.permutation(np.arange(600) % 5) for _ in range(n_splits)]
        # Each training shifts everything by its own amount, of standard deviation 0.1.
        values = np.array([query + generator.normal(0.0, 0.1, 5)[fold] for fold in folds])
        found.append(training_variance(values, folds))
    # A quarter of it counts.
    assert np.mean(found) == pytest.approx(0.1**2 / 4.0, rel=within)


def test_one_training_says_nothing_of_others() -> None:
    values = np.random.default_rng(0).random((1, 100))
    assert training_variance(values, [np.zeros(100, dtype=np.int64)]) == pytest.approx(values.var() / 100)


def test_an_interval_is_widened_as_by_something_independent() -> None:
    wider = widened(Interval(0.5, 0.2, 0.8, 100), (0.4 / (1.2 * 1.959964)) ** 2)
    assert (wider.mean, wider.n) == (0.5, 100)
    assert (wider.low, wider.high) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_what_choices_need_is_as_sure_as_a_gain_in_any_unit() -> None:
    values = np.random.default_rng(0).random((2, 400))
    interval, thousandth = mean_interval(values), mean_interval(values / 1000.0)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.high - interval.mean == pytest.approx(1.2 * 1.96 * np.sqrt(values.var() / 400), rel=0.02)
    assert thousandth.high == pytest.approx(interval.high / 1000.0)
