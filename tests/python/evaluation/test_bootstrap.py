import math

import numpy as np
import pytest

from vsr.evaluation.bootstrap import Interval, paired_intervals


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    values = 0.1 + np.random.default_rng(0).standard_normal(400)
    interval = paired_intervals([values], seed=0)[0]
    half = 1.96 * values.std() / math.sqrt(400)
    assert interval.mean == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.06 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.06 * half)
    assert interval.n == 400


def test_it_holds_the_truth_as_often_as_it_says() -> None:
    # 300 studies of 80 queries each, drawn from a skewed distribution of mean 0.
    studies = np.random.default_rng(1).exponential(1.0, (300, 80)) - 1.0
    intervals = paired_intervals(list(studies), seed=0)
    share = np.mean([interval.low <= 0.0 <= interval.high for interval in intervals])
    assert 0.88 < share < 0.98


def test_three_coins_can_be_counted() -> None:
    # Of three queries one differs by 3: the resampled mean is the number of times it was drawn, binomial(3, 1/3).
    interval = paired_intervals([np.array([0.0, 0.0, 3.0])], seed=0)[0]
    assert (interval.mean, interval.low, interval.high) == (1.0, 0.0, 3.0)  # P(3) = 1/27 is more than 2.5 %


def test_differences_are_resampled_together() -> None:
    noise = np.random.default_rng(2).standard_normal(200)
    one, same, shifted = paired_intervals([noise, noise, noise + 1.0], seed=3)
    assert one == same
    assert shifted.low - one.low == pytest.approx(1.0)
    assert shifted.high - one.high == pytest.approx(1.0)


def test_what_was_not_measured_is_left_out() -> None:
    values = np.random.default_rng(4).standard_normal(300)
    with_gaps = np.where(np.arange(300) % 3 == 0, np.nan, values)
    interval = paired_intervals([with_gaps], seed=0)[0]
    assert interval.n == 200
    assert interval.mean == pytest.approx(np.nanmean(with_gaps))
    half = 1.96 * np.nanstd(with_gaps) / math.sqrt(200)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.08)


def test_nothing_measured_is_no_difference() -> None:
    assert paired_intervals([np.full(5, np.nan)], seed=0) == [Interval(0.0, 0.0, 0.0, 0)]
    assert paired_intervals([], seed=0) == []


def test_no_difference_has_no_width() -> None:
    assert paired_intervals([np.zeros(50)], seed=0) == [Interval(0.0, 0.0, 0.0, 50)]
    assert not Interval(0.0, 0.0, 0.0, 50).is_above_zero
    assert Interval(0.1, 0.01, 0.2, 50).is_above_zero


def test_the_seed_decides() -> None:
    values = np.random.default_rng(5).standard_normal(100)
    first, again, other = (paired_intervals([values], seed=seed)[0] for seed in (0, 0, 1))
    assert first == again != other
