"""Residuals of cells that nobody measured, from the other cells of the row and from the queries of the same kind.

A row of values less the prior is `deviation of the query's cluster + noise`, both normal over the models. The
covariance of the noise and that of the deviations are estimated by EM from whatever was measured (Dempster, Laird and
Rubin 1977; for rows with gaps Little and Rubin 2019, section 11.2); the deviations follow by generalised least squares,
and a missing cell is its mean given the row and the cluster. So a model that was asked few queries is compared with the
others on these very queries, and where it differs as some of the others do, their many queries count for it as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr._mapped import blocks
from vsr.prior.category_means import FloatArray, IntArray, centred_rows

# Before anything is known, clusters deviate as much as means over so many rows do.
_ROWS_PER_DEVIATION = 10.0
# Clusters by which the covariance of the deviations is drawn to that, and rows by which the covariance of the noise is
# drawn to one variance and one correlation for all models.
_PRIOR_CLUSTERS = 8.0
_PRIOR_ROWS = 20.0
# Both are estimated from so many rows at most, those with the most cells.
_COVARIANCE_ROWS = 3_000
_N_ITERATIONS = 6
_LEAST_VARIANCE = 1e-6
_BLOCK_ROWS = 1_024


@dataclass(frozen=True, eq=False)
class _Covariances:
    """How rows vary: `noise` within a cluster and `deviations` between clusters, both (n_models, n_models)."""

    noise: FloatArray
    deviations: FloatArray


def completed_residuals(rest: FloatArray, clusters: IntArray) -> FloatArray:
    """Fill what is missing, then take from every row its mean.

    Args:
        rest: (n_queries, n_models) float64, quality less prior; NaN = not measured.
        clusters: (n_queries,) int64 from 0, the cluster of each query.

    Returns:
        (n_queries, n_models) float64 residuals, of mean zero in every row; those of complete rows are as without this.
    """
    observed = np.isfinite(rest)
    filled = np.where(observed, rest, 0.0)
    if not observed.all() and rest.shape[1] > 1:
        chance = np.random.default_rng(0).random(len(rest))
        most = np.lexsort((chance, -observed.sum(axis=1)))[:_COVARIANCE_ROWS]
        covariances = _covariances(filled[most], observed[most], clusters[most])
        deviation, _ = _deviations(filled, observed, clusters, covariances)
        noise, _ = _noise(filled, observed, deviation[clusters], covariances.noise)
        filled = np.where(observed, filled, deviation[clusters] + noise)
    return centred_rows(filled)


def _covariances(filled: FloatArray, observed: npt.NDArray[np.bool_], clusters: IntArray) -> _Covariances:
    """Estimate both by EM; the noise of a row is taken given the expected deviation of its cluster."""
    n_rows, n_models = filled.shape
    variance = max(float((filled**2).sum() / max(observed.sum(), 1)), _LEAST_VARIANCE)
    noise = 0.5 * variance * (np.eye(n_models) + 1.0)  # half of it is the query's difficulty
    found = _Covariances(noise, noise / _ROWS_PER_DEVIATION)
    for _ in range(_N_ITERATIONS):
        deviation, left = _deviations(filled, observed, clusters, found)
        expected, uncertain = _noise(filled, observed, deviation[clusters], found.noise)
        noise = _drawn_to_one_correlation(expected.T @ expected + uncertain, n_rows)
        usual = _PRIOR_CLUSTERS * noise / _ROWS_PER_DEVIATION
        squares = deviation.T @ deviation + left.sum(axis=0)
        found = _Covariances(noise, (squares + usual) / (len(deviation) + _PRIOR_CLUSTERS))
    return found


def _deviations(
    filled: FloatArray, observed: npt.NDArray[np.bool_], clusters: IntArray, covariances: _Covariances
) -> tuple[FloatArray, FloatArray]:
    """Expected deviation of every cluster, (n_clusters, n_models), and its covariance."""
    n_clusters, n_models = int(clusters.max()) + 1, filled.shape[1]
    information = np.tile(np.linalg.inv(covariances.deviations), (n_clusters, 1, 1))
    weighed = np.zeros((n_clusters, n_models))
    for rows, precision, pattern in _blocks(observed, covariances.noise):
        counts = np.zeros((n_clusters, len(precision)))
        np.add.at(counts, (clusters[rows], pattern), 1.0)
        information += np.tensordot(counts, precision, axes=1)
        np.add.at(weighed, clusters[rows], np.einsum("nij,nj->ni", precision[pattern], filled[rows]))
    left = np.linalg.inv(information)
    return np.einsum("kij,kj->ki", left, weighed), left


def _noise(
    filled: FloatArray, observed: npt.NDArray[np.bool_], deviation: FloatArray, noise: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Expected noise of every cell given the measured ones of its row, (n, n_models), and the covariances, summed."""
    expected = np.zeros_like(filled)
    uncertain = np.zeros_like(noise)
    for rows, precision, pattern in _blocks(observed, noise):
        own = np.where(observed[rows], filled[rows] - deviation[rows], 0.0)
        expected[rows] = np.einsum("nij,nj->ni", precision[pattern], own) @ noise
        uncertain += np.tensordot(np.bincount(pattern), noise - noise @ precision @ noise, axes=1)
    return expected, uncertain


def _drawn_to_one_correlation(squares: FloatArray, n_rows: int) -> FloatArray:
    """Covariance from sums of squares, where few rows say little of the single pairs of models."""
    n_models = len(squares)
    variance = max(float(np.trace(squares)) / n_models, n_rows * _LEAST_VARIANCE)
    common = float(squares.sum() - np.trace(squares)) / (n_models * (n_models - 1))
    target = (variance - common) * np.eye(n_models) + common
    found = (squares + _PRIOR_ROWS * target / n_rows) / (n_rows + _PRIOR_ROWS)
    # Models that always agree would leave nothing to invert.
    return np.asarray(found + _LEAST_VARIANCE * variance / n_rows * np.eye(n_models))


def _blocks(
    observed: npt.NDArray[np.bool_], covariance: FloatArray
) -> Iterator[tuple[slice, FloatArray, npt.NDArray[np.intp]]]:
    """Go through the rows: which they are, the inverses of the measured parts of the covariance, which one is whose.

    An inverse is (n_models, n_models), 0 outside its part.
    """
    n_models = len(covariance)
    for rows in blocks(len(observed), _BLOCK_ROWS):
        patterns, place = np.unique(observed[rows], axis=0, return_inverse=True)
        part = patterns[:, :, None] & patterns[:, None, :]
        others = np.eye(n_models) * ~patterns[:, None, :]
        yield rows, np.where(part, np.linalg.inv(np.where(part, covariance, others)), 0.0), place.ravel()
