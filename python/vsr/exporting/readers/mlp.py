"""MLP as its readers choose: the model of the highest output, in float32 as Candle computes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_Matrix = npt.NDArray[np.float32]


def choose_by_mlp(fields: Mapping[str, Any]) -> Callable[[npt.NDArray[np.float64]], list[str]]:
    """Read the layers, from `layers` where there are any."""
    names = fields["model_names"]
    steps = _layers(fields["layers"]) if "layers" in fields else _documented(fields)

    def choose(rows: npt.NDArray[np.float64]) -> list[str]:
        values = rows.astype(np.float32)
        for step in steps:
            values = step(values)
        return [names[column] for column in values.argmax(axis=1).tolist()]

    return choose


def _linear(weights: _Matrix, bias: _Matrix) -> Callable[[_Matrix], _Matrix]:
    return lambda values: values @ weights + bias


def _relu(values: _Matrix) -> _Matrix:
    return np.maximum(values, np.float32(0.0))


def _layers(layers: list[dict[str, Any]]) -> list[Callable[[_Matrix], _Matrix]]:
    steps: list[Callable[[_Matrix], _Matrix]] = []
    for layer in layers:
        if layer["type"] == "linear":
            steps.append(_linear(np.array(layer["weight"], np.float32).T, np.array(layer["bias"], np.float32)))
        elif layer["type"] == "relu":
            steps.append(_relu)
    return steps


def _documented(fields: Mapping[str, Any]) -> list[Callable[[_Matrix], _Matrix]]:
    steps: list[Callable[[_Matrix], _Matrix]] = []
    for weights, bias in zip(fields["weights"], fields["biases"], strict=True):
        steps += [_linear(np.array(weights, np.float32), np.array(bias, np.float32)), _relu]
    return steps[:-1]
