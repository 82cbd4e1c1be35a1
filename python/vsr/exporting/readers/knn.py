"""KNN as its readers vote: over the k nearest rows, each with a weight of its own."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_QUALITY_WEIGHT = 0.9  # of a vote, as vLLM Semantic Router fixes it; the rest is speed
_LEAST_QUALITY = 0.01


def choose_by_knn(fields: Mapping[str, Any]) -> Callable[[npt.NDArray[np.float64]], list[str]]:
    """Read the rows; of equal votes the model that comes first in them wins (a reader may break ties otherwise)."""
    if "training_records" in fields:
        records = fields["training_records"]
        points = np.array([record["embedding"] for record in records], dtype=np.float64)
        labels = [record["best_model"] for record in records]
        weights = np.ones(len(labels))
    else:
        points = np.array(fields["embeddings"], dtype=np.float64)
        labels = fields["labels"]
        latency = np.array(fields["latencies"], dtype=np.float64)
        speed = 1.0 - (latency - latency.min()) / max(latency.max() - latency.min(), 1.0)
        quality = np.maximum(np.array(fields["qualities"], dtype=np.float64), _LEAST_QUALITY)
        weights = _QUALITY_WEIGHT * quality + (1.0 - _QUALITY_WEIGHT) * speed
    names = list(dict.fromkeys(labels))
    columns = np.array([names.index(label) for label in labels])
    k = min(fields["k"], len(labels))
    squared = np.einsum("ij,ij->i", points, points)

    def choose(rows: npt.NDArray[np.float64]) -> list[str]:
        nearest = np.argsort(squared - 2.0 * rows @ points.T, axis=1, kind="stable")[:, :k]
        votes = np.zeros((len(rows), len(names)))
        np.add.at(votes, (np.arange(len(rows))[:, None], columns[nearest]), weights[nearest])
        return [names[column] for column in votes.argmax(axis=1).tolist()]

    return choose
