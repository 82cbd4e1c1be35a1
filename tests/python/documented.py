"""Artefacts as other programs write them: the documented fields and nothing else."""

import copy
from typing import Any

from vsr.selectors import registry

FILE_NAMES = {name: registry.algorithm(name).file_names for name in registry.names()}
WIDTH = 3 + 14
MODELS = ("llama", "mistral")


def row(*values: float, category: int = 0) -> list[float]:
    """A feature row: three numbers, then the one-hot of a category."""
    one_hot = [0.0] * 14
    one_hot[category] = 1.0
    return [*values, *one_hot]


_VECTORS = [row(1.0, 0.0, 0.0), row(0.0, 1.0, 0.0), row(0.0, 0.0, 1.0, category=9)]

_DOCUMENTS: dict[str, dict[str, Any]] = {
    "knn": {
        "algorithm": "knn",
        "trained": True,
        "k": 1,
        "training_records": [
            {"embedding": vector, "best_model": model, "category": category}
            for vector, model, category in zip(
                _VECTORS, ("llama", "mistral", "llama"), ("math", "math", "law"), strict=True
            )
        ],
    },
    "kmeans": {
        "algorithm": "kmeans",
        "trained": True,
        "num_clusters": 3,
        "centroids": _VECTORS,
        "cluster_models": ["llama", "mistral", "llama"],
    },
    "svm": {
        "algorithm": "svm",
        "trained": True,
        "kernel": "rbf",
        "support_vectors": {"0": _VECTORS[:2], "1": _VECTORS[1:]},
        "alphas": {"0": [1.0, -1.0], "1": [1.0, -0.5]},
        "biases": [0.25, -0.25],
    },
    "mlp": {
        "algorithm": "mlp",
        "trained": True,
        "input_dim": WIDTH,
        "hidden_layers": [2],
        "weights": [[[1.0, -1.0], [-1.0, 1.0]] + [[0.0, 0.0]] * (WIDTH - 2), [[2.0, -2.0], [-2.0, 2.0]]],
        "biases": [[0.0, 0.0], [0.1, -0.1]],
    },
    "matrix_factorization": {
        "algorithm": "matrix_factorization",
        "trained": True,
        "num_factors": 2,
        "input_dim": WIDTH,
        "model_factors": {"llama": [1.0, -1.0], "mistral": [-1.0, 1.0]},
        "projection": [[1.0, 0.0], [0.0, 1.0]] + [[0.0, 0.0]] * (WIDTH - 2),
        "model_biases": {"llama": 0.1, "mistral": -0.1},
        "global_bias": 0.5,
    },
}

DOCUMENTED = tuple(_DOCUMENTS)
"""Algorithms of the documented system."""

NAMELESS = ("svm", "mlp")
"""Algorithms whose documented fields name no models."""


def document(algorithm: str) -> dict[str, Any]:
    """A fresh copy of the document of an algorithm."""
    return copy.deepcopy(_DOCUMENTS[algorithm])


def shared_vectors() -> dict[str, Any]:
    """An SVM in our own form: the union of the vectors once, and who uses which."""
    held = document("svm")
    held["support_vectors"] = _VECTORS
    held["support_index"] = {"0": [0, 1], "1": [1, 2]}
    return copy.deepcopy(held)
