"""KMeans as its readers choose: the model of the nearest centroid."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def choose_by_kmeans(fields: Mapping[str, Any]) -> Callable[[npt.NDArray[np.float64]], list[str]]:
    """Read the centroids."""
    centroids = np.array(fields["centroids"], dtype=np.float64)
    models = fields["cluster_models"]
    squared = np.einsum("ij,ij->i", centroids, centroids)

    def choose(rows: npt.NDArray[np.float64]) -> list[str]:
        nearest = (squared - 2.0 * rows @ centroids.T).argmin(axis=1)
        return [models[cluster] for cluster in nearest.tolist()]

    return choose
