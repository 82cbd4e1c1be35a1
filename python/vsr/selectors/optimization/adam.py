"""Adam with decoupled weight decay and early stopping, for the two selectors that are trained by gradients."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Floating = TypeVar("Floating", bound=np.floating)
Arrays = list[npt.NDArray[np.float32]]

_BETA_1 = 0.9
_BETA_2 = 0.999
_EPSILON = 1e-8
# So many rows are enough steps to look at the validation error again: time does not grow with the rows beyond them.
_MOST_EPOCH_ROWS = 50_000


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to descend.

    Attributes:
        learning_rate: step size of Adam.
        weight_decay: share of every decayed weight that a step of unit learning rate takes away.
        batch_size: rows behind one step.
        max_epochs: passes over the rows at most; of more than 50,000 rows, parts of a pass.
        patience: epochs without a better validation error after which the descent stops.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 128
    max_epochs: int = 60
    patience: int = 4


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).

    All parameters live in one flat array, of which `parameters` are views: a step is a dozen vector operations however
    many layers there are.
    """

    def __init__(self, parameters: Arrays, decayed: Sequence[bool], schedule: Schedule) -> None:
        """Take the starting values.

        Args:
            parameters: float32 arrays of any shape; copied.
            decayed: which of them decay (weights do, biases do not).
            schedule: learning rate and weight decay.
        """
        sizes = [parameter.size for parameter in parameters]
        ends = np.cumsum(sizes).tolist()
        self._flat = np.concatenate([parameter.ravel() for parameter in parameters]).astype(np.float32)
        self._gradient = np.zeros_like(self._flat)
        self._mean = np.zeros_like(self._flat)
        self._square = np.zeros_like(self._flat)
        self._scratch = np.zeros_like(self._flat)
        self._step = 0
        self._schedule = schedule
        shapes = [parameter.shape for parameter in parameters]
        spans = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        self._decayed_spans = [span for span, decays in zip(spans, decayed, strict=True) if decays]
        self.parameters: Arrays = [self._flat[span].reshape(shape) for span, shape in zip(spans, shapes, strict=True)]
        #: Views to write the gradients into before `step`.
        self.gradients: Arrays = [
            self._gradient[span].reshape(shape) for span, shape in zip(spans, shapes, strict=True)
        ]

    def step(self) -> None:
        """Take one step along `gradients`."""
        self._step += 1
        rate = self._schedule.learning_rate
        if self._schedule.weight_decay:
            for span in self._decayed_spans:
                self._flat[span] *= np.float32(1.0 - rate * self._schedule.weight_decay)
        scratch, gradient = self._scratch, self._gradient
        self._mean *= np.float32(_BETA_1)
        np.multiply(gradient, np.float32(1.0 - _BETA_1), out=scratch)
        self._mean += scratch
        self._square *= np.float32(_BETA_2)
        np.multiply(gradient, gradient, out=scratch)
        scratch *= np.float32(1.0 - _BETA_2)
        self._square += scratch
        correction = np.sqrt(1.0 - _BETA_2**self._step)
        np.sqrt(self._square, out=scratch)
        scratch += np.float32(_EPSILON * correction)
        np.divide(self._mean, scratch, out=scratch)
        scratch *= np.float32(rate * correction / (1.0 - _BETA_1**self._step))
        self._flat -= scratch

    def snapshot(self) -> Arrays:
        """Copy the parameters as they are now."""
        return [parameter.copy() for parameter in self.parameters]


def descend(
    adam: Adam,
    n_rows: int,
    fill_gradients: Callable[[npt.NDArray[np.int64]], None],
    validation_error: Callable[[], float],
    schedule: Schedule,
    generator: np.random.Generator,
) -> Arrays:
    """Descend until the validation error no longer falls, and give the parameters where it was lowest.

    Args:
        adam: parameters and gradients.
        n_rows: training rows.
        fill_gradients: writes the gradient of a batch, given as row numbers, into `adam.gradients`.
        validation_error: error of the parameters as they are.
        schedule: batch size, epochs and patience.
        generator: shuffles the rows.
    """
    best = adam.snapshot()
    best_error = validation_error()
    waited = 0
    for order in itertools.islice(_epochs(n_rows, generator), schedule.max_epochs):
        for start in range(0, len(order), schedule.batch_size):
            fill_gradients(order[start : start + schedule.batch_size])
            adam.step()
        error = validation_error()
        if error < best_error:
            best, best_error, waited = adam.snapshot(), error, 0
        else:
            waited += 1
            if waited >= schedule.patience:
                break
    return best


def _epochs(n_rows: int, generator: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Shuffle rows for one epoch after the other; of very many rows an epoch is a part of a pass over all."""
    n_parts = math.ceil(n_rows / _MOST_EPOCH_ROWS)
    while True:
        yield from np.array_split(generator.permutation(n_rows), n_parts)


def sigmoid(logits: npt.NDArray[Floating]) -> npt.NDArray[Floating]:
    """1 / (1 + exp(-x)) without overflow, in the precision of `logits`: tanh saturates where exp would not."""
    half: npt.NDArray[Floating] = np.tanh(logits * logits.dtype.type(0.5))
    half += 1
    half *= half.dtype.type(0.5)
    return half


def logit(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Inverse of `sigmoid`, for probabilities that are kept off 0 and 1 by 1e-3."""
    inside = np.clip(probabilities, 1e-3, 1.0 - 1e-3)
    return np.asarray(np.log(inside / (1.0 - inside)))
