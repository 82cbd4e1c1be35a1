"""Estimates of cells that were not measured: means over all queries, whichever cells are there."""

import numpy as np
import pytest
from numpy.typing import NDArray

from vsr.evaluation.statistics.missing_cells import completed

FloatArray = NDArray[np.float64]


def qualities(
    n_queries: int, generator: np.random.Generator
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.float64]]:
    """Graded qualities of four models, categories, and how easy each query is."""
    codes = generator.integers(0, 3, n_queries)
    easy = np.array([-0.25, 0.0, 0.25])[codes] + 0.1 * generator.standard_normal(n_queries)
    values = 0.5 + easy[:, None] + np.array([0.05, 0.0, -0.05, -0.1]) + 0.1 * generator.standard_normal((n_queries, 4))
    return values, codes.astype(np.int64), easy


def test_complete_values_are_themselves() -> None:
    values, codes, _ = qualities(30, np.random.default_rng(0))
    assert completed(values, codes, 0) is values
    silent = np.column_stack([values, np.full(30, np.nan)])
    np.testing.assert_array_equal(completed(silent, codes, 0), silent)


def test_means_agree_with_the_complete_ones_in_expectation() -> None:
    generator = np.random.default_rng(1)
    errors, naive = [], []
    for seed in range(40):
        values, codes, easy = qualities(300, generator)
        # Easy categories are measured more often, and the first model most of all.
        chance = np.clip(0.5 + np.array([0.8, 0.2, 0.0, -0.4]) * np.array([-0.25, 0.0, 0.25])[codes][:, None], 0.1, 1.0)
        gapped = np.where(generator.random(values.shape) < chance, values, np.nan)
        gapped[:, 1] = values[:, 1]
        estimated = completed(gapped, codes, seed)
        assert np.isfinite(estimated).all()
        errors.append(estimated.mean(axis=0) - values.mean(axis=0))
        naive.append(np.nanmean(gapped, axis=0) - values.mean(axis=0))
        assert easy.std() > 0.1
    assert np.abs(np.mean(errors, axis=0)).max() < 0.005
    assert np.abs(np.mean(naive, axis=0)).max() > 0.02


def test_a_measured_cell_counts_by_the_inverse_of_its_chance() -> None:
    values, codes, _ = qualities(200, np.random.default_rng(2))
    gapped = values.copy()
    gapped[::2, 0] = np.nan
    sure = completed(gapped, codes, 0, probabilities=np.where(np.isnan(gapped), 0.5, 1.0))
    logged = completed(gapped, codes, 0, probabilities=np.full(values.shape, 0.5))
    rare = completed(gapped, codes, 0, probabilities=np.full(values.shape, 1e-9))
    floor = completed(gapped, codes, 0, probabilities=np.full(values.shape, 0.05))
    np.testing.assert_allclose(sure[1::2, 0], values[1::2, 0])
    np.testing.assert_array_equal(sure[::2, 0], logged[::2, 0])  # where nothing was measured: the prediction
    assert not np.allclose(logged[1::2, 0], values[1::2, 0])
    np.testing.assert_array_equal(rare, floor)


def test_the_prediction_of_a_cell_does_not_know_its_value() -> None:
    values, codes, _ = qualities(100, np.random.default_rng(3))
    values[5, 2] = np.nan
    certain = np.full(values.shape, 0.5)
    first = completed(values, codes, 0, probabilities=certain)
    changed = values.copy()
    changed[7, 1] += 1.0
    second = completed(changed, codes, 0, probabilities=certain)
    assert second[7, 1] - first[7, 1] == pytest.approx(2.0)  # m + (value - m) / 0.5, with the same m


def test_a_model_that_was_measured_once() -> None:
    values, codes, _ = qualities(20, np.random.default_rng(4))
    values[1:, 0] = np.nan
    assert np.isfinite(completed(values, codes, 0)).all()


def test_probabilities_that_nobody_logged_are_estimated() -> None:
    values, codes, _ = qualities(200, np.random.default_rng(3))
    gapped = values.copy()
    gapped[::2, 0] = np.nan
    nobody = np.full(values.shape, np.nan)
    np.testing.assert_array_equal(completed(gapped, codes, 0, nobody), completed(gapped, codes, 0))


def test_rounds_that_follow_what_was_seen_leave_means_unbiased() -> None:
    generator = np.random.default_rng(4)
    errors, naive = [], []
    for seed in range(60):
        values, codes, _ = qualities(400, generator)
        # The first half decides who is asked in the second, as the rounds of a benchmark do.
        first = np.arange(400) < 200
        best = int(values[first].mean(axis=0).argmax())
        chance = np.where(first[:, None], 1.0, 0.1) * np.ones(4)
        chance[~first, best] = 0.8
        gapped = np.where(generator.random(values.shape) < chance, values, np.nan)
        errors.append(completed(gapped, codes, seed, chance).mean(axis=0) - values.mean(axis=0))
        naive.append(np.abs(np.nanmean(gapped, axis=0) - values.mean(axis=0)).mean())
    assert np.abs(np.mean(errors, axis=0)).max() < 0.004
    assert np.abs(errors).mean() < 0.5 * np.mean(naive) + 0.01
