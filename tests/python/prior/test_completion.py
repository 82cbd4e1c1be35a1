"""Filled residuals: complete rows are as they were, the estimate is that of the plain formulas, models alike count."""

import numpy as np
from numpy.typing import NDArray

from vsr.prior.category_means import centred_rows
from vsr.prior.completion import _Covariances, _deviations, _noise, completed_residuals

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_CLUSTERS = 12
COVARIANCE = 0.04 * np.array([[1.0, 0.9, 0.3, 0.3], [0.9, 1.0, 0.3, 0.3], [0.3, 0.3, 1.0, 0.3], [0.3, 0.3, 0.3, 1.0]])


def world(n_queries: int, share: float, seed: int) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
    """Values of four models, the first two of them alike, whole and with cells missing; clusters; their deviations."""
    generator = np.random.default_rng(seed)
    clusters = generator.integers(0, N_CLUSTERS, n_queries)
    deviations = generator.multivariate_normal(np.zeros(4), COVARIANCE / 4.0, N_CLUSTERS)
    values = deviations[clusters] + generator.multivariate_normal(np.zeros(4), COVARIANCE, n_queries)
    return values, np.where(generator.random(values.shape) < share, values, np.nan), clusters, deviations


def test_where_nothing_is_missing_everything_is_bit_equal() -> None:
    values, _, clusters, _ = world(60, 1.0, 0)
    np.testing.assert_array_equal(completed_residuals(values, clusters), centred_rows(values))


def test_complete_rows_among_others_are_as_they_were() -> None:
    values, gapped, clusters, _ = world(300, 0.4, 1)
    gapped[:20] = values[:20]
    found = completed_residuals(gapped, clusters)
    np.testing.assert_array_equal(found[:20], centred_rows(values)[:20])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 0.0, atol=1e-12)


def test_the_steps_are_the_plain_formulas() -> None:
    _, gapped, clusters, _ = world(1_500, 0.5, 2)
    observed, filled = np.isfinite(gapped), np.nan_to_num(gapped)
    covariances = _Covariances(COVARIANCE, COVARIANCE / 4.0)
    deviation, left = _deviations(filled, observed, clusters, covariances)
    noise, uncertain = _noise(filled, observed, deviation[clusters], COVARIANCE)
    information = np.repeat(np.linalg.inv(covariances.deviations)[None], N_CLUSTERS, axis=0)
    weighed, doubt = np.zeros((N_CLUSTERS, 4)), np.zeros((4, 4))
    for row, (cluster, seen) in enumerate(zip(clusters.tolist(), observed, strict=True)):
        inverse = np.zeros((4, 4))
        inverse[np.ix_(seen, seen)] = np.linalg.inv(COVARIANCE[np.ix_(seen, seen)])
        information[cluster] += inverse
        weighed[cluster] += inverse @ filled[row]
        doubt += COVARIANCE - COVARIANCE @ inverse @ COVARIANCE
        own = np.where(seen, filled[row] - deviation[cluster], 0.0)
        np.testing.assert_allclose(noise[row], COVARIANCE @ inverse @ own, atol=1e-12)
    for cluster in range(N_CLUSTERS):
        np.testing.assert_allclose(left[cluster], np.linalg.inv(information[cluster]), atol=1e-12)
        np.testing.assert_allclose(deviation[cluster], left[cluster] @ weighed[cluster], atol=1e-12)
    np.testing.assert_allclose(uncertain, doubt, atol=1e-9)


def test_a_model_with_few_cells_is_filled_from_the_one_that_is_like_it() -> None:
    errors: list[tuple[float, float]] = []
    for seed in range(10):
        values, _, clusters, deviations = world(600, 1.0, seed)
        gapped = values.copy()
        gapped[60:, 0] = np.nan
        found = completed_residuals(gapped, clusters)
        truth = centred_rows(deviations)[:, 0]
        by_cluster = np.array([found[clusters == cluster, 0].mean() for cluster in range(N_CLUSTERS)])
        asked = [centred_rows(values)[:60][clusters[:60] == cluster, 0] for cluster in range(N_CLUSTERS)]
        alone = np.array([own.sum() / (len(own) + 4.0) for own in asked])  # shrunk as the truth deserves
        errors.append((float(np.square(by_cluster - truth).mean()), float(np.square(alone - truth).mean())))
    filled, plain = np.mean(errors, axis=0)
    assert filled < 0.7 * plain


def test_odd_tables_are_filled_too() -> None:
    clusters = np.zeros(4, dtype=np.int64)
    alike = np.array([[0.0, np.nan], [np.nan, 0.0], [np.nan, np.nan], [0.0, 0.0]])
    np.testing.assert_allclose(completed_residuals(alike, clusters), 0.0, atol=1e-12)
    np.testing.assert_array_equal(completed_residuals(np.array([[0.3], [np.nan]]), clusters[:2]), [[0.0], [0.0]])
    never_together = np.array([[0.4, np.nan], [np.nan, -0.4], [0.4, np.nan], [np.nan, -0.4]])
    found = completed_residuals(never_together, clusters)
    assert (found[:, 0] > found[:, 1]).all()


def test_models_that_always_agree_or_never_do_are_filled_by_each_other() -> None:
    values, _, clusters, _ = world(4_000, 1.0, 3)
    for same in (values[:, :1], 1.0 - values[:, :1], values[:, :1] + 1e-6):
        pair = np.hstack([values[:, :1], same])
        gapped = pair.copy()
        gapped[3_500:, 1] = np.nan
        found = completed_residuals(gapped - pair.mean(axis=0), clusters)
        np.testing.assert_allclose(found, centred_rows(pair - pair.mean(axis=0)), atol=1e-3)
