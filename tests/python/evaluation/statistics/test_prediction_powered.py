"""Means that stay right however bad the judge is, and get surer with a good one."""

from dataclasses import replace

import numpy as np
import pytest

import vsr
from training.test_judged_labels import judged_pool
from vsr.data.judgements import Judgements
from vsr.evaluation.statistics.intervals import gain_interval
from vsr.evaluation.statistics.prediction_powered import completed_qualities, is_prediction_powered
from vsr.training.judged_labels import FEW_LABELS

CODES = np.full(400, -1)


@pytest.mark.parametrize("right", [0.5, 0.6, 0.9])
@pytest.mark.parametrize("favoured", [0.0, 0.6])
def test_means_are_corrected(right: float, favoured: float) -> None:
    truth, outcomes = judged_pool(right, 150, favoured)
    estimated = completed_qualities(outcomes, CODES, 0)
    error = np.sqrt(0.25 / 150)
    assert np.abs(estimated.mean(axis=0) - truth.mean(axis=0)).max() < 2.5 * error


def test_a_good_judge_makes_the_interval_narrower() -> None:
    widths = []
    for right in (0.5, 0.75, 0.95):
        truth, outcomes = judged_pool(right, 150)
        estimated = completed_qualities(outcomes, CODES, 0)
        interval = gain_interval((estimated[:, 0] - estimated[:, 1])[None, :])
        widths.append(interval.high - interval.low)
    labels = gain_interval((truth[:150, 0] - truth[:150, 1])[None, :])
    alone = labels.high - labels.low
    assert widths[0] > widths[1] > widths[2]
    assert widths[0] < 1.1 * alone
    assert widths[2] < 0.8 * alone


def test_a_judgement_is_never_calibrated_by_its_own_label() -> None:
    """The label of one query changes its own estimate by exactly its weight."""
    _, outcomes = judged_pool(0.8, 100)
    before = completed_qualities(outcomes, CODES, 0)
    changed = np.array(outcomes.quality)
    changed[0] = 1.0 - changed[0]
    after = completed_qualities(outcomes.with_quality(changed), CODES, 0)
    np.testing.assert_allclose(np.abs(after[0] - before[0]), 4.0)  # one in four is known


@pytest.mark.parametrize("right", [0.65, 0.9])
def test_calls_that_were_drawn_count_by_their_probability(right: float) -> None:
    """The first model was mostly asked what it is good at, which nothing but the probability says."""
    n = 4_000
    generator = np.random.default_rng(1)
    is_good = generator.random(n) < 0.5
    expected = np.column_stack([np.where(is_good, 0.9, 0.2), np.full(n, 0.5)])
    truth = (generator.random((n, 2)) < expected).astype(float)
    probability = np.column_stack([np.where(is_good, 0.8, 0.2), np.full(n, 0.5)])
    is_asked = generator.random((n, 2)) < probability
    judged = np.where(generator.random((n, 2)) < right, truth, 1.0 - truth)
    is_labelled = (generator.random(n) < 0.3)[:, None] & is_asked
    outcomes = vsr.Outcomes(
        [f"query {number}" for number in range(n)],
        [None] * n,
        ["a", "b"],
        np.where(is_asked, np.where(is_labelled, truth, judged), np.nan),
        judgements=Judgements(np.where(is_asked, judged, np.nan), is_asked & ~is_labelled),
        probability=np.where(is_asked, probability, np.nan),
    )
    means = completed_qualities(outcomes, np.full(n, -1), 0).mean(axis=0)
    ignored = completed_qualities(replace(outcomes, probability=None), np.full(n, -1), 0).mean(axis=0)
    np.testing.assert_allclose(means, truth.mean(axis=0), atol=0.07)
    assert ignored[0] > truth[:, 0].mean() + 0.15


def test_judgements_count_as_measured_where_nothing_true_is_known() -> None:
    _, outcomes = judged_pool(0.8, 0)
    assert not is_prediction_powered(outcomes)
    np.testing.assert_array_equal(completed_qualities(outcomes, CODES, 0), outcomes.quality)
    assert is_prediction_powered(judged_pool(0.8, FEW_LABELS)[1])
