"""Probabilities by chance, beside plain draws of what they describe."""

from collections import Counter

import numpy as np
import pytest

from vsr.persistence.held_out import Moments
from vsr.traffic.chance import mean_z, normal_tail, share_p_values
from vsr.traffic.tally import Sums, overdispersion


@pytest.mark.parametrize(("share", "n_before", "n"), [(0.01, 1_000, 1_000), (0.3, 600, 150), (0.0, 500, 400)])
def test_the_tails_of_a_count_are_those_of_drawn_counts(share: float, n_before: int, n: int) -> None:
    generator = np.random.default_rng(0)
    chances = generator.beta(share * n_before + 0.5, (1 - share) * n_before + 0.5, 200_000)
    drawn = generator.binomial(n, chances)
    for n_hits in np.quantile(drawn, [0.02, 0.5, 0.98]).astype(int):
        more, fewer = share_p_values(int(n_hits), n, share, n_before)
        half = 0.5 * np.mean(drawn == n_hits)
        assert more == pytest.approx(np.mean(drawn > n_hits) + half, abs=0.005)
        assert fewer == pytest.approx(np.mean(drawn < n_hits) + half, abs=0.005)
        assert more + fewer == pytest.approx(1.0)


def test_two_samples_of_one_kind_seldom_differ_by_much_and_the_noise_of_both_counts() -> None:
    generator = np.random.default_rng(1)
    p_values = np.array(
        [
            min(share_p_values(int(generator.binomial(1_000, 0.1)), 1_000, generator.binomial(500, 0.1) / 500, 500))
            for _ in range(4_000)
        ]
    )
    assert 0.03 < np.mean(p_values < 0.02) < 0.05  # 0.04 on both sides; a multiple of that without the noise of the 500
    assert np.mean(p_values < 0.001) < 0.006


def test_a_tolerated_difference_is_none() -> None:
    found, before = Moments(100, 0.15, 0.5), Moments(100, 0.0, 0.5)
    assert mean_z(found, before) == pytest.approx(0.15 / np.sqrt(0.25 * 0.02))
    assert mean_z(found, before, 0.2) == 0.0
    assert mean_z(before, found, 0.1) == pytest.approx(-0.05 / np.sqrt(0.25 * 0.02))
    assert normal_tail(1.96) == pytest.approx(0.025, abs=1e-4)


def test_sums_give_mean_and_deviation() -> None:
    values, sums = [0.5, -1.0, 2.5], Sums()
    for value in values:
        sums.add(value)
    assert sums.moments.n == 3
    assert sums.moments.mean == pytest.approx(np.mean(values))
    assert sums.moments.sd == pytest.approx(np.std(values))


def test_days_that_differ_are_told_from_days_that_do_not_and_from_one_change() -> None:
    generator = np.random.default_rng(2)

    def days(shares: np.ndarray) -> list[Counter[str]]:
        return [Counter({"a": int(generator.binomial(1_000, each)), "b": 0}) for each in shares]

    def filled(some: list[Counter[str]]) -> list[Counter[str]]:
        return [Counter({"a": day["a"], "b": 1_000 - day["a"]}) for day in some]

    quiet = [overdispersion(filled(days(np.full(28, 0.3)))) for _ in range(50)]
    restless = [overdispersion(filled(days(generator.beta(30.0, 70.0, 28)))) for _ in range(50)]
    changed = [overdispersion(filled(days(np.repeat([0.3, 0.5], 14)))) for _ in range(50)]
    assert np.mean(quiet) < 0.0004
    assert np.mean(restless) == pytest.approx(1 / 101, rel=0.2)
    assert np.mean(changed) < 0.5 * np.mean(restless)
    assert overdispersion([]) == 0.0
