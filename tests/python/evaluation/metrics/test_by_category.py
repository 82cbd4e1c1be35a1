"""LLMRouterBench's means over categories, by hand and against plain loops."""

import numpy as np
import pytest

from vsr.evaluation.metrics.by_category import category_means, mean_relative_gain


def test_every_category_counts_alike():
    codes = np.array([3, 3, 3, -1])
    np.testing.assert_allclose(category_means(np.array([1.0, 0.0, 0.5, 1.0]), codes), [1.0, 0.5])


def test_relative_gains_by_hand():
    own, reference = np.array([0.6, 0.5]), np.array([0.5, 0.5])
    assert mean_relative_gain(own, reference) == pytest.approx(0.1)
    assert mean_relative_gain(own, np.array([0.0, 0.4])) == pytest.approx(0.25)
    assert mean_relative_gain(own, np.zeros(2)) is None


def test_they_are_what_a_loop_over_datasets_gives():
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 5, 200)
    own, reference = generator.random((2, 200))
    gains, gaps = [], []
    for code in range(5):
        ours = sum(own[i] for i in range(200) if codes[i] == code) / sum(codes == code)
        theirs = sum(reference[i] for i in range(200) if codes[i] == code) / sum(codes == code)
        gains.append(ours / theirs - 1.0)
        gaps.append(1.0 - ours / theirs)
    found = mean_relative_gain(category_means(own, codes), category_means(reference, codes))
    assert found == pytest.approx(np.mean(gains))
    assert found == pytest.approx(-np.mean(gaps))
