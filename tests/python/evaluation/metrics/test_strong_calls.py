"""Strong and weak calls: by hand, and against RouteLLM's own way to compute them."""

import numpy as np
import pytest

from vsr.evaluation.metrics.strong_calls import average_gap_recovered, call_threshold, recovered_gap

WEAK = np.array([0.0, 1.0, 0.0, 0.0])
STRONG = np.array([1.0, 1.0, 1.0, 0.0])


def test_by_hand():
    # The gap is 0.5; called first where it gains, then where it does not, then where it gains again.
    recovered = recovered_gap(np.array([[0.9, 0.5, 0.4, 0.1]]), WEAK, STRONG)
    assert recovered is not None
    np.testing.assert_allclose(recovered, [0.0, 0.5, 0.5, 1.0, 1.0])
    assert average_gap_recovered(recovered) == pytest.approx((0.25 + 0.5 + 0.75 + 1.0) / 4.0)
    assert call_threshold(recovered, 0.5) == 0.25
    assert call_threshold(recovered, 0.8) == 0.75


def test_splits_are_averaged_and_a_missing_gap_is_said():
    best_first, worst_first = np.array([0.9, 0.2, 0.8, 0.1]), np.array([0.1, 0.8, 0.2, 0.9])
    recovered = recovered_gap(np.array([best_first, worst_first]), WEAK, STRONG)
    assert recovered is not None
    np.testing.assert_allclose(recovered, [0.0, 0.25, 0.5, 0.75, 1.0])
    assert recovered_gap(np.zeros((1, 4)), STRONG, WEAK) is None


def test_it_is_what_route_llm_computes():
    generator = np.random.default_rng(0)
    n = 400
    weak, strong = (generator.random((2, n)) < np.array([[0.5], [0.7]])).astype(float)
    margin = 0.3 * (strong - weak) + generator.standard_normal(n)
    recovered = recovered_gap(margin[None, :], weak, strong)
    assert recovered is not None
    # evals/evaluate.py: accuracy at thresholds, area by trapezoids, both ends taken as areas of flat lines.
    shares, accuracy = [], []
    for threshold in (np.inf, *np.sort(margin)[::-1]):
        goes = margin >= threshold
        shares.append(goes.mean())
        accuracy.append(np.where(goes, strong, weak).mean())
    area = np.trapezoid(accuracy, shares)
    flat_weak, flat_strong = weak.mean(), strong.mean()
    assert average_gap_recovered(recovered) == pytest.approx((area - flat_weak) / (flat_strong - flat_weak))
    for percent in (0.5, 0.8):
        needed = flat_weak + percent * (flat_strong - flat_weak)
        first = next(share for share, reached in zip(shares, accuracy, strict=True) if reached >= needed - 1e-12)
        assert call_threshold(recovered, percent) == pytest.approx(first)
