"""Prototypes: points with a model each; a query goes to the model of the nearest one.

That is the rule of KMeans, and of KNN with k = 1. Where prototypes stand is fitted so that the model of the nearest one
has a high utility for us: gradient ascent on the mean utility under soft assignment, as in generalized learning vector
quantization (Sato and Yamada 1996, eq. 7), with utilities in place of right and wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr._core import kmeans_fit
from vsr._threads import one_linear_algebra_thread
from vsr.prior.category_means import FloatArray, IntArray

_TEMPERATURE = 0.05  # squared distance over which a soft assignment falls by e
_LEARNING_RATE = 0.01
_N_STEPS = 400
_BATCH_ROWS = 256
_CHECKED_SHARE = 0.15
# Equal category columns leave a ball tree nothing to split by: 10 s a choice instead of 0.04 s, at 2,000 rows.
_JITTER = 1e-4


@dataclass(frozen=True, eq=False)
class Prototypes:
    """Points and their models.

    Attributes:
        points: (n, width) float64 in the reader's layout, to float32's precision: they are written so.
        labels: (n,) column of a model each.
    """

    points: FloatArray
    labels: IntArray

    def choices(self, rows: FloatArray) -> IntArray:
        """Column of the model of the nearest prototype: (n, width) -> (n,)."""
        return self.labels[_nearest(rows, self.points)]


def condensed(rows: FloatArray, n_points: int, n_categories: int, generator: np.random.Generator) -> FloatArray:
    """Condense rows to the centres of small clusters, whose category columns are told apart a little.

    Args:
        rows: (n, width) in the reader's layout.
        n_points: how many to have at most.
        n_categories: category columns, the last ones of a row.
        generator: draws.
    """
    seed = int(generator.integers(2**31))
    points, _, _ = kmeans_fit(rows.astype(np.float32), min(n_points, len(rows)), 1, 20, 1e-3, seed)
    points[:, -n_categories:] += generator.uniform(-_JITTER, _JITTER, (len(points), n_categories)).astype(np.float32)
    return points.astype(np.float64)


def fit_prototypes(
    starts: Sequence[FloatArray], rows: FloatArray, utilities: FloatArray, generator: np.random.Generator
) -> Prototypes:
    """Give every point the model of highest utility around it, then move points to where that serves best.

    Args:
        starts: where points may start, each (any, width), the preferred one first. What serves best on rows that were
            set aside is taken; of equal ones the first.
        rows: (n, width) queries in the reader's layout.
        utilities: (n, n_models) our utilities for them.
        generator: draws batches.
    """
    n_checked = max(1, int(_CHECKED_SHARE * len(rows)))
    order = generator.permutation(len(rows))
    fitted, checked = order[n_checked:], order[:n_checked]
    inputs, gains = rows[fitted], utilities[fitted]
    fits: list[Prototypes] = []
    for points in starts:
        start = Prototypes(points, _labels(points, inputs, gains))
        moved = _moved(start, inputs.astype(np.float32), gains.astype(np.float32), generator)
        fits += [start, moved, Prototypes(moved.points, _labels(moved.points, inputs, gains, moved.labels))]

    def served(prototypes: Prototypes) -> float:
        return float(utilities[checked, prototypes.choices(rows[checked])].mean())

    return max(fits, key=served)


def _labels(points: FloatArray, rows: FloatArray, utilities: FloatArray, instead: IntArray | None = None) -> IntArray:
    """Model of the highest summed utility among the rows that are nearest to each point: (n_points,)."""
    sums = np.zeros((len(points), utilities.shape[1]))
    nearest = _nearest(rows, points)
    np.add.at(sums, nearest, utilities - utilities.mean(axis=1, keepdims=True))
    labels = sums.argmax(axis=1)
    empty = np.bincount(nearest, minlength=len(points)) == 0
    if instead is not None:
        labels[empty] = instead[empty]
    elif empty.any():
        labels[empty] = utilities[_nearest(points[empty], rows)].argmax(axis=1)
    return np.asarray(labels)


def _moved(
    start: Prototypes,
    rows: npt.NDArray[np.float32],
    utilities: npt.NDArray[np.float32],
    generator: np.random.Generator,
) -> Prototypes:
    """Ascend on the mean utility under soft assignment, by Adam with a falling rate."""
    points = start.points.astype(np.float32)
    mean, square = np.zeros_like(points), np.zeros_like(points)
    with one_linear_algebra_thread():
        for step in range(1, _N_STEPS + 1):
            batch = generator.integers(0, len(rows), min(_BATCH_ROWS, len(rows)))
            inputs, gains = rows[batch], utilities[batch][:, start.labels]
            logits = (2.0 * inputs @ points.T - np.einsum("ij,ij->i", points, points)) / _TEMPERATURE
            logits -= logits.max(axis=1, keepdims=True)
            shares = np.exp(logits, out=logits)
            shares /= shares.sum(axis=1, keepdims=True)
            pull = shares * (gains - np.einsum("ij,ij->i", shares, gains)[:, None]) / len(batch)
            gradient = pull.T @ inputs - points * pull.sum(axis=0)[:, None]
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            rate = _LEARNING_RATE * (1.0 - step / (_N_STEPS + 1))
            points += rate * (mean / (1.0 - 0.9**step)) / (np.sqrt(square / (1.0 - 0.999**step)) + 1e-12)
    return Prototypes(points.astype(np.float64), start.labels)


def _nearest(rows: FloatArray, points: FloatArray) -> IntArray:
    """Number of the nearest point of every row: (n,)."""
    return np.asarray((np.einsum("ij,ij->i", points, points) - 2.0 * rows @ points.T).argmin(axis=1))
