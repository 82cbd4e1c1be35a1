"""Residuals of rows with missing cells: complete rows are as they were, single cells say something, pairs more."""

import numpy as np
from numpy.typing import NDArray

from vsr.prior.category_means import MeanTable
from vsr.prior.incomplete_rows import weighted_residuals

FloatArray = NDArray[np.float64]


def worlds(n_queries: int, share: float, seed: int) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Qualities of four models on queries of very different difficulty, whole and with cells missing."""
    generator = np.random.default_rng(seed)
    difficulty = 0.15 * generator.standard_normal((n_queries, 1))
    values = 0.5 + difficulty + np.array([0.1, 0.0, -0.1, 0.0]) + 0.15 * generator.standard_normal((n_queries, 4))
    gapped = np.where(generator.random(values.shape) < share, values, np.nan)
    return values, gapped, np.zeros(n_queries, dtype=np.int64)


def test_where_nothing_is_missing_everything_is_bit_equal() -> None:
    values, _, codes = worlds(50, 1.0, 0)
    prior = MeanTable.fit(values, codes, 1, 30.0)
    residual, trust = weighted_residuals(prior, values, codes)
    assert trust is None
    np.testing.assert_array_equal(residual, prior.residuals(values, codes))


def test_complete_rows_among_others_count_fully_and_rows_without_a_cell_not_at_all() -> None:
    values, gapped, codes = worlds(50, 0.4, 1)
    gapped[0], gapped[1], gapped[2] = values[0], np.nan, [values[2, 0], np.nan, np.nan, np.nan]
    prior = MeanTable.fit(gapped, codes, 1, 30.0)
    residual, trust = weighted_residuals(prior, gapped, codes)
    assert trust is not None
    np.testing.assert_array_equal(residual[0], prior.residuals(gapped, codes)[0])
    assert (trust[0] == 1.0).all()
    assert (trust[1] == 0.0).all()
    # A single cell still says something of its model; the mean over its row says nothing at all.
    assert residual[2, 0] != 0.0 == prior.residuals(gapped, codes)[2, 0]
    assert 0.0 < trust[2, 0] < 1.0
    np.testing.assert_array_equal(trust > 0.0, np.isfinite(residual))


def test_a_deviation_of_a_group_of_queries_is_found_nearer_to_its_size() -> None:
    found: list[tuple[float, float]] = []
    for seed in range(30):
        _, gapped, codes = worlds(400, 0.4, seed)
        group = np.arange(400) < 200
        gapped[group, 3] += 0.2  # a model that is better than usual here
        gapped[~group, 3] -= 0.2
        prior = MeanTable.fit(gapped, codes, 1, 30.0)
        residual, trust = weighted_residuals(prior, gapped, codes)
        assert trust is not None
        weighed = (trust * np.nan_to_num(residual))[group].sum(axis=0) / trust[group].sum(axis=0)
        plain = np.nanmean(prior.residuals(gapped, codes)[group], axis=0)
        found.append((weighed[3] - weighed[:3].mean(), plain[3] - plain[:3].mean()))
    weighed_mean, plain_mean = np.mean(found, axis=0)
    assert abs(weighed_mean - 0.2) < 0.5 * abs(plain_mean - 0.2)
