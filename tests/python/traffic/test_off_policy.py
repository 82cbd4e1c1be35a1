"""The estimators against plain references, and their intervals against a truth that is known."""

import numpy as np
import pytest

from vsr.traffic.off_policy import doubly_robust, effective_sample_size, importance_weights, self_normalised


def test_weights_and_their_sample_size():
    weights = importance_weights(np.array([True, False, True]), np.array([0.5, 0.5, 0.1]))
    assert weights.tolist() == [2.0, 0.0, 10.0]
    assert effective_sample_size(weights) == pytest.approx(144 / 104)
    assert effective_sample_size(np.ones(50)) == pytest.approx(50)
    assert effective_sample_size(np.zeros(3)) == 0.0


def test_the_estimators_by_hand():
    rewards, weights = np.array([1.0, 0.0, 0.5]), np.array([2.0, 1.0, 0.0])
    ratio = self_normalised(rewards, weights)
    assert ratio.value == pytest.approx(2 / 3)
    assert ratio.standard_error == pytest.approx(np.sqrt(4 * (1 / 3) ** 2 + (2 / 3) ** 2) / 3)
    robust = doubly_robust(rewards, weights, np.array([0.5, 0.5, 0.5]), np.array([0.4, 0.6, 0.8]))
    assert robust.value == pytest.approx((0.4 + 2 * 0.5 + 0.6 - 0.5 + 0.8) / 3)
    assert ratio.less(ratio).interval == (0.0, 0.0)


def test_intervals_hold_the_truth_of_a_policy_that_was_never_run():
    # Two models; the log takes the second one with probability 0.1, the judged policy for odd queries, always.
    held, n, repeats = np.zeros(2), 4_000, 300
    means = np.array([0.6, 0.7])
    truth = means.mean()
    values = []
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        target = generator.integers(2, size=n)
        taken = (generator.random(n) < 0.1).astype(int)
        rewards = (generator.random(n) < means[taken]).astype(float)
        weights = importance_weights(taken == target, np.where(taken == 1, 0.1, 0.9))
        wrong = np.array([0.9, 0.3])  # a reward model that errs does no harm
        both = (self_normalised(rewards, weights), doubly_robust(rewards, weights, wrong[taken], wrong[target]))
        held += [each.interval[0] <= truth <= each.interval[1] for each in both]
        values.append([each.value for each in both])
    assert ((held / repeats > 0.91) & (held / repeats < 0.985)).all(), held / repeats
    assert np.abs(np.mean(values, axis=0) - truth).max() < 0.004
