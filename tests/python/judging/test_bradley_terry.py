import numpy as np
import pytest

from vsr.judging.bradley_terry import Comparisons, fit_strengths

TRUE, NU = np.array([1.0, 0.3, 0.0, -1.3]), 0.7


def draws(n, n_queries=50, strengths=TRUE):
    rng = np.random.default_rng(0)
    pairs = np.array([rng.choice(4, 2, replace=False) for _ in range(n)])
    half = (strengths[pairs[:, 0]] - strengths[pairs[:, 1]]) / 2
    weights = np.stack([np.exp(half), np.full(n, NU), np.exp(-half)], axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    points = np.array([rng.choice([1.0, 0.5, 0.0], p=each) for each in weights])
    return Comparisons(np.arange(n) % n_queries, pairs[:, 0], pairs[:, 1], points)


def test_strengths_and_ties_are_found_again():
    found = fit_strengths(draws(4000), np.arange(50) % 3, 3, 4)
    assert found.overall == pytest.approx(TRUE, abs=0.15)
    assert found.nu == pytest.approx(NU, abs=0.1)


def test_the_solution_is_the_maximum_of_the_posterior():
    """Compared with a plain search, one strength at a time."""
    comparisons = draws(60, n_queries=1)
    found = fit_strengths(comparisons, np.array([0]), 1, 4)

    def posterior(strengths):
        half = (strengths[comparisons.first] - strengths[comparisons.second]) / 2
        total = np.exp(half) + np.exp(-half) + found.nu
        likely = np.where(comparisons.points == 1, half, np.where(comparisons.points == 0, -half, np.log(found.nu)))
        prior = -((strengths - found.by_category[0]) ** 2).sum() / 2 / 1.5**2
        return (likely - np.log(total)).sum() + prior

    best = posterior(found.by_query[0])
    for model in range(4):
        for step in (-0.01, 0.01):
            other = found.by_query[0].copy()
            other[model] += step
            assert posterior(other) < best


def test_few_comparisons_say_little_and_none_say_what_the_category_does():
    one = Comparisons(np.array([0]), np.array([0]), np.array([1]), np.array([1.0]))
    found = fit_strengths(one, np.array([0, 0]), 1, 3)
    quality = found.quality()
    assert 0.5 < quality[0, 0] < 0.75
    assert quality[0, 1] < 0.5
    assert found.by_query[1] == pytest.approx(found.by_category[0])


def test_against_a_reference_the_reference_gets_a_half():
    found = fit_strengths(draws(400), np.zeros(50, dtype=np.int64), 1, 4)
    quality = found.quality(reference=2)
    assert quality[:, 2] == pytest.approx(np.full(50, 0.5))
    assert ((quality > 0) & (quality < 1)).all()
    assert quality[:, 0].mean() > 0.5 > quality[:, 3].mean()
