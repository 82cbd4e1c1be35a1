"""SVM as its readers choose: the model of the highest decision."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_Rows = npt.NDArray[np.float64]


def choose_by_svm(fields: Mapping[str, Any]) -> Callable[[_Rows], list[str]]:
    """Read the machines; vLLM Semantic Router brings queries to unit length and subtracts `rho`."""
    names: Sequence[str] = fields["model_names"]
    if "kernel" in fields:
        return _documented(fields, names)
    linear, rbf = fields["linear_classifiers"], fields["rbf_classifiers"]
    machines = [(each["model_name"], np.array(each["weights"], dtype=np.float64)[None], np.ones(1), each["rho"], None)
                for each in linear]  # fmt: skip
    machines += [
        (
            each["model_name"],
            np.array(each["support_vectors"], dtype=np.float64),
            np.array(each["alpha"], dtype=np.float64),
            each["rho"],
            each["gamma"],
        )
        for each in rbf
    ]

    def choose(rows: _Rows) -> list[str]:
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-10)
        decisions = np.stack(
            [_kernel(unit, vectors, gamma) @ alpha - rho for _, vectors, alpha, rho, gamma in machines], axis=1
        )
        return [machines[number][0] for number in decisions.argmax(axis=1).tolist()]

    return choose


def _documented(fields: Mapping[str, Any], names: Sequence[str]) -> Callable[[_Rows], list[str]]:
    gamma = fields["gamma"] if fields["kernel"] == "rbf" else None
    vectors = [np.array(fields["support_vectors"][str(j)], dtype=np.float64) for j in range(len(names))]
    alphas = [np.array(fields["alphas"][str(j)], dtype=np.float64) for j in range(len(names))]

    def choose(rows: _Rows) -> list[str]:
        decisions = np.stack(
            [
                (_kernel(rows, own, gamma) @ alpha if len(alpha) else np.zeros(len(rows))) + bias
                for own, alpha, bias in zip(vectors, alphas, fields["biases"], strict=True)
            ],
            axis=1,
        )
        return [names[column] for column in decisions.argmax(axis=1).tolist()]

    return choose


def _kernel(a: _Rows, b: _Rows, gamma: float | None) -> _Rows:
    if gamma is None:
        return np.asarray(a @ b.T)
    squared = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b) - 2.0 * a @ b.T
    return np.asarray(np.exp(-gamma * np.maximum(squared, 0.0)))
