"""Which training rows stand for all of them, for an algorithm that cannot be fitted on many."""

import numpy as np

from vsr.prior.category_means import IntArray
from vsr.selectors.clustering import cluster_rows
from vsr.selectors.training_data import TrainingData

_N_CLUSTERS = 64
# Clusters of so many rows, drawn at random, say as much of where rows lie as clusters of all.
_MOST_CLUSTERED = 20_000
# Share of the places that are dealt out evenly to all kinds of rows; the rest go by their numbers.
_EVEN_SHARE = 0.1


def covering_rows(data: TrainingData, most: int, seed: int) -> IntArray:
    """Draw rows that cover all kinds: of every category in every cluster, nearly in proportion.

    Kinds are pairs of a category and one of 64 clusters of the features. A tenth of the places is dealt out evenly, so
    that rare kinds are there; all others in proportion to what is left of each kind. Within a kind rows are drawn at
    random.

    Args:
        data: what is trained on.
        most: how many rows to draw.
        seed: of clusters and draws.

    Returns:
        Row numbers, ascending: all of them where there are no more than `most`.
    """
    if data.n_queries <= most:
        return np.arange(data.n_queries)
    generator = np.random.default_rng(seed)
    _, labels = cluster_rows(data.features, _N_CLUSTERS, 1, seed, _MOST_CLUSTERED)
    kinds, kind_of = np.unique((data.codes + 1) * _N_CLUSTERS + labels, return_inverse=True)
    sizes = np.bincount(kind_of, minlength=len(kinds))
    evenly = np.minimum(sizes, int(_EVEN_SHARE * most) // len(kinds))
    shares = (most - evenly.sum()) * (sizes - evenly) / (sizes - evenly).sum()
    places = evenly + np.floor(shares).astype(np.int64)
    left = np.argsort(places - evenly - shares, kind="stable")[: most - places.sum()]
    places[left] += 1
    order = generator.permutation(data.n_queries)
    order = order[np.argsort(kind_of[order], kind="stable")]
    rank = np.arange(data.n_queries) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(order[rank < np.repeat(places, sizes)])
