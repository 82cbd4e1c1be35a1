"""Residuals of cells that nobody measured, from the other cells of the row and from the queries of the same kind.

A row of values less the prior is `deviation of the query's cluster + noise`, both normal over the models with one
covariance (the cluster's a tenth of the noise's, which is what models differ by among a few dozen queries of one kind),
estimated by EM from whatever was measured (Dempster, Laird and Rubin 1977; Little and Rubin 2019, section 11.2). The
clusters' deviations follow by generalised least squares: a model that failed where others usually succeed with it says
more than one that failed on a hard query. A missing cell is then its mean given the row and the cluster. So a model that
was asked on few queries of a kind is compared there with the others on the very same queries, and how it fared follows
it to those that it was not asked.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from vsr.prior.category_means import FloatArray, IntArray, centred_rows

# Measured: `benches/README.md`, "What a part of the calls loses". The deviations' precision, in complete rows.
_CLUSTER_SHRINKAGE = 10.0
# Rows by which the covariance is drawn to one variance and one correlation for all models.
_COVARIANCE_SHRINKAGE = 20.0
_COVARIANCE_ROWS = 2_000
_N_ITERATIONS = 6
_LEAST_VARIANCE = 1e-6
_BLOCK_ROWS = 1_024


def completed_residuals(rest: FloatArray, clusters: IntArray) -> FloatArray:
    """Fill what is missing, then take from every row its mean.

    Args:
        rest: (n_queries, n_models) float64, quality less prior; NaN = not measured.
        clusters: (n_queries,) int64 from 0, the cluster of each query.

    Returns:
        (n_queries, n_models) float64 residuals, of mean zero in every row; those of complete rows are as without this.
    """
    observed = np.isfinite(rest)
    if observed.all() or rest.shape[1] < 2:
        return centred_rows(np.where(observed, rest, 0.0))
    filled = np.where(observed, rest, 0.0)
    most = np.argsort(-observed.sum(axis=1), kind="stable")[:_COVARIANCE_ROWS]
    covariance = _covariance(filled[most], observed[most])
    deviation = _deviations(filled, observed, clusters, covariance)[clusters]
    expected = deviation.copy()
    for rows, precision, pattern in _blocks(observed, covariance):
        own = np.where(observed[rows], filled[rows] - deviation[rows], 0.0)
        expected[rows] += np.einsum("nij,nj->ni", precision[pattern], own) @ covariance
    return centred_rows(np.where(observed, rest, expected))


def _covariance(filled: FloatArray, observed: npt.NDArray[np.bool_]) -> FloatArray:
    """Covariance of rows around the prior: (n_models, n_models), by EM, drawn to one variance and one correlation."""
    n_rows, n_models = filled.shape
    alike = 0.5 * (np.eye(n_models) + 1.0)  # half of the variance is the query's difficulty
    covariance = max(float((filled**2).sum() / observed.sum()), _LEAST_VARIANCE) * alike
    for _ in range(_N_ITERATIONS):
        sums = np.zeros_like(covariance)
        for rows, precision, pattern in _blocks(observed, covariance):
            expected = np.einsum("nij,nj->ni", precision[pattern], filled[rows]) @ covariance
            left = covariance - covariance @ precision @ covariance
            sums += expected.T @ expected + np.tensordot(np.bincount(pattern), left, axes=1)
        variance = max(np.trace(sums) / n_models, n_rows * _LEAST_VARIANCE)
        common = (sums.sum() - np.trace(sums)) / (n_models * (n_models - 1))
        target = np.full_like(sums, common) + (variance - common) * np.eye(n_models)
        covariance = (sums + _COVARIANCE_SHRINKAGE * target / n_rows) / (n_rows + _COVARIANCE_SHRINKAGE)
    return covariance


def _deviations(
    filled: FloatArray, observed: npt.NDArray[np.bool_], clusters: IntArray, covariance: FloatArray
) -> FloatArray:
    """How far every model is from the prior in every cluster: (n_clusters, n_models)."""
    n_clusters, n_models = int(clusters.max()) + 1, filled.shape[1]
    information = np.repeat(_CLUSTER_SHRINKAGE * np.linalg.inv(covariance)[None], n_clusters, axis=0)
    weighed = np.zeros((n_clusters, n_models))
    for rows, precision, pattern in _blocks(observed, covariance):
        counts = np.zeros((n_clusters, len(precision)))
        np.add.at(counts, (clusters[rows], pattern), 1.0)
        information += np.tensordot(counts, precision, axes=1)
        np.add.at(weighed, clusters[rows], np.einsum("nij,nj->ni", precision[pattern], filled[rows]))
    return np.asarray(np.linalg.solve(information, weighed[:, :, None])[:, :, 0])


def _blocks(
    observed: npt.NDArray[np.bool_], covariance: FloatArray
) -> Iterator[tuple[slice, FloatArray, npt.NDArray[np.intp]]]:
    """Go through the rows: which they are, the inverses of the measured parts of the covariance, which one is whose.

    An inverse is (n_models, n_models), 0 outside its part.
    """
    n_models = len(covariance)
    for start in range(0, len(observed), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        patterns, place = np.unique(observed[rows], axis=0, return_inverse=True)
        part = patterns[:, :, None] & patterns[:, None, :]
        others = np.eye(n_models) * ~patterns[:, None, :]
        yield rows, np.where(part, np.linalg.inv(np.where(part, covariance, others)), 0.0), place.ravel()
