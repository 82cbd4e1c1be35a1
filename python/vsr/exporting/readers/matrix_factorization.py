"""Matrix factorization as its readers choose: the model of the highest logit."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def choose_by_matrix_factorization(fields: Mapping[str, Any]) -> Callable[[npt.NDArray[np.float64]], list[str]]:
    """Read projection, factors and biases; the sigmoid, which keeps the order, is left out."""
    names = list(fields["model_factors"])
    projection = np.array(fields["projection"], dtype=np.float64)
    factors = np.array([fields["model_factors"][name] for name in names], dtype=np.float64)
    biases = np.array([fields["model_biases"][name] for name in names], dtype=np.float64) + fields["global_bias"]

    def choose(rows: npt.NDArray[np.float64]) -> list[str]:
        logits = (rows @ projection) @ factors.T + biases
        return [names[column] for column in logits.argmax(axis=1).tolist()]

    return choose
