"""K-means of any number of rows: all at once where they are few, else a start on a sample and passes over blocks."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vsr._core import kmeans_fit
from vsr._mapped import MOST_ROWS_IN_MEMORY, blocks, forget_pages
from vsr.prior.category_means import FloatArray

if TYPE_CHECKING:
    from vsr.selectors.training_data import Features

_MAX_ITERATIONS = 100
_TOLERANCE = 1e-4
# After a start on so many rows all rows move the centroids little; each pass over a million rows takes seconds.
_MAX_PASSES = 5
_SETTLED = 1e-4

Labels = npt.NDArray[np.uint32]


def cluster_rows(
    features: "Features", n_clusters: int, n_starts: int, seed: int, most_at_once: int = MOST_ROWS_IN_MEMORY
) -> "tuple[Features, Labels]":
    """Cluster rows by k-means.

    With more rows than can be taken at once, the centroids start where those of a random sample ended, and Lloyd's
    steps (Lloyd 1982, IEEE Trans. Inf. Theory 28:129) go over blocks of all rows until the inertia settles.

    Args:
        features: (n, n_features) float32.
        n_clusters: how many; no more than there are rows.
        n_starts: starts, of which the best one is kept.
        seed: of the starts and of the sample.
        most_at_once: more rows than these are taken in blocks.

    Returns:
        (n_clusters, n_features) float32 centroids, and (n,) uint32 the nearest of them for every row.
    """
    n_clusters = min(n_clusters, len(features))
    if len(features) <= most_at_once:
        return kmeans_fit(features, n_clusters, n_starts, _MAX_ITERATIONS, _TOLERANCE, seed)[:2]
    sample = np.sort(np.random.default_rng(seed).permutation(len(features))[:most_at_once])
    start = kmeans_fit(features[sample], n_clusters, n_starts, _MAX_ITERATIONS, _TOLERANCE, seed)[0]
    centroids, last = start, np.inf
    labels, inertia, moved = _step(features, centroids)
    for _ in range(_MAX_PASSES):
        if not inertia < last * (1.0 - _SETTLED):
            break
        centroids, last = moved, inertia
        labels, inertia, moved = _step(features, centroids)
    return centroids, labels


def nearest(features: "Features", centroids: "Features") -> tuple[Labels, FloatArray]:
    """Give the nearest centroid of every row and its squared distance, both (n,), by one product: up to rounding."""
    beyond = features @ (-2.0 * centroids.T)  # the squared distance less the square of the row
    beyond += np.einsum("ij,ij->i", centroids, centroids)
    labels = beyond.argmin(axis=1)
    squared = np.einsum("ij,ij->i", features, features) + beyond[np.arange(len(features)), labels]
    return labels.astype(np.uint32), np.maximum(squared, 0.0).astype(np.float64)


def _step(features: "Features", centroids: "Features") -> "tuple[Labels, float, Features]":
    """Assign all rows; give that, the inertia, and the means of what was assigned. An empty cluster stays in place."""
    n_clusters = len(centroids)
    labels = np.empty(len(features), dtype=np.uint32)
    inertia, sums = 0.0, np.zeros(centroids.shape)
    for block in blocks(len(features)):
        labels[block], squared = nearest(features[block], centroids)
        inertia += float(squared.sum())
        members = (labels[block] == np.arange(n_clusters)[:, None]).astype(np.float32)
        sums += members @ features[block]
        forget_pages(features)
    counts = np.bincount(labels, minlength=n_clusters)[:, None]
    return labels, inertia, np.where(counts > 0, sums / np.maximum(counts, 1), centroids).astype(np.float32)
