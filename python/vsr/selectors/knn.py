"""KNN: the similarity-weighted, shrunk mean of what the nearest training queries say of every model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vsr._core import KnnIndex
from vsr.choice.category_means import FloatArray, centred_rows
from vsr.data.categories import CATEGORIES
from vsr.selectors.base import Features, SweepResult, TrainingData, require_one_of, require_positive

_K = (400, 200, 100, 50, 25)
_SHRINKAGE = (80.0, 20.0, 5.0, 1.0)
_SHARPNESS = (1.0, 4.0, 8.0)
# Rows whose neighbours' outcomes are gathered at once: 128 x 400 x 30 float64 are 12 MB, which stays near the cache.
_BLOCK_ROWS = 128


@dataclass(frozen=True)
class KnnSetting:
    """Parameters of KNN.

    Attributes:
        k: neighbours that are asked.
        shrinkage: weight L of the prior against the sum of the neighbours' weights.
        sharpness: exponent of the cosine similarity in a neighbour's weight.
    """

    k: int
    shrinkage: float
    sharpness: float


@dataclass(frozen=True, eq=False)
class KnnPredictor:
    """Training queries with their outcomes, and an index over them.

    Attributes:
        setting: k, shrinkage and sharpness.
        measured: (n, n_models) float64 quality, NaN = not measured.
        residual: (n, n_models) float64, quality less prior less the query's own difficulty; NaN likewise.
        index: holds the features of the training queries and finds the nearest of them.
    """

    setting: KnnSetting
    measured: FloatArray
    residual: FloatArray
    index: KnnIndex

    @property
    def features(self) -> Features:
        """(n, n_features) float32 of the training queries, read-only."""
        return self.index.features

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:  # noqa: ARG002 -- residuals say it all
        """Predict residuals: (n, n_features) float32 -> (n, n_models) float64."""
        rows, weights = self.neighbours(features)
        sums, masses = _weighted_sums(rows, weights, self.residual)
        return _shrunk(sums, masses, self.setting.shrinkage)

    def quality(self, features: Features) -> FloatArray:
        """Weighted mean quality of the neighbours, 0 where none was measured: (n, n_features) -> (n, n_models)."""
        rows, weights = self.neighbours(features)
        sums, masses = _weighted_sums(rows, weights, self.measured)
        return np.asarray(sums / np.maximum(masses, 1e-12))

    def neighbours(self, features: Features) -> tuple[npt.NDArray[np.uint32], FloatArray]:
        """Nearest training rows, nearest first, and their weights: both (n, k)."""
        rows, squared = self.index.search(features, self.setting.k)
        return rows, _weights(squared, _squared_norm(features)) ** self.setting.sharpness


class Knn:
    """K nearest neighbours."""

    name: ClassVar[str] = "knn"
    max_tuning_rows: ClassVar[int] = 20_000
    largest_slope: ClassVar[float] = 1.0
    file_name: ClassVar[str] = "knn_model.json"

    def __init__(self, k: int | str = "auto", index: str = "auto") -> None:
        """Take the parameters of the command line: `k` a number or `auto`, `index` `auto`, `ball-tree` or `flat`."""
        require_positive("k", k, int)
        require_one_of("index", index, ("auto", "ball-tree", "flat"))
        self.k = k
        self.index = index

    def settings(self, n_rows: int) -> Sequence[KnnSetting]:
        """Settings to choose from, simplest (largest k, largest shrinkage) first."""
        ks = [k for k in _K if 4 * k <= n_rows] or [max(1, n_rows // 4)]
        if self.k != "auto":
            ks = [int(self.k)]
        return [KnnSetting(k, shrinkage, sharpness) for k in ks for shrinkage in _SHRINKAGE for sharpness in _SHARPNESS]

    def sweep(
        self,
        data: TrainingData,
        features: Features,
        prior: FloatArray,  # noqa: ARG002 -- residuals say it all
        settings: Sequence[KnnSetting],
        seed: int,  # noqa: ARG002 -- nothing here is random
    ) -> Iterator[SweepResult[KnnSetting]]:
        """Search once for the largest k, then take prefixes of the neighbours."""
        index = KnnIndex(data.features, len(CATEGORIES), "flat")
        ks = sorted({setting.k for setting in settings})
        rows, squared = index.search(features, min(ks[-1], data.n_queries))
        similarity = _weights(squared, _squared_norm(features))
        for sharpness in sorted({setting.sharpness for setting in settings}):
            weights = similarity**sharpness
            sums = np.zeros((len(features), data.n_models))
            masses = np.zeros_like(sums)
            start = 0
            for k in ks:
                more_sums, more_masses = _weighted_sums(rows[:, start:k], weights[:, start:k], data.residual)
                sums = sums + more_sums
                masses = masses + more_masses
                start = k
                for setting in settings:
                    if setting.k == k and setting.sharpness == sharpness:
                        yield SweepResult(setting, _shrunk(sums, masses, setting.shrinkage))

    def fit(self, data: TrainingData, setting: KnnSetting, seed: int) -> KnnPredictor:  # noqa: ARG002
        """Keep the training queries and index them."""
        return KnnPredictor(
            setting=replace(setting, k=min(setting.k, data.n_queries)),
            measured=data.quality,
            residual=data.residual,
            index=KnnIndex(data.features, len(CATEGORIES), self.index),
        )


def _squared_norm(features: Features) -> npt.NDArray[np.float64]:
    """(n, 1) squared lengths: 1 for the unit embedding, and the category weight squared."""
    return np.asarray(np.einsum("ij,ij->i", features, features, dtype=np.float64)[:, None])


def _weights(squared: npt.NDArray[np.float32], squared_norm: FloatArray) -> FloatArray:
    """Cosine of the feature rows from their squared distances, 0 where it is negative."""
    return np.asarray(np.maximum(1.0 - squared / (2.0 * np.maximum(squared_norm, 1e-12)), 0.0))


def _weighted_sums(
    rows: npt.NDArray[np.uint32], weights: FloatArray, residual: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sum of weight x residual and of weights over the observed cells of the neighbours: both (n, n_models)."""
    observed = np.isfinite(residual)
    complete = bool(observed.all())
    filled = residual if complete else np.where(observed, residual, 0.0)
    sums = np.empty((len(rows), residual.shape[1]))
    masses = np.empty_like(sums)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        weight = weights[block, None, :]
        sums[block] = (weight @ filled[rows[block]])[:, 0]
        masses[block] = weight.sum(axis=2) if complete else (weight @ observed[rows[block]].astype(np.float64))[:, 0]
    return sums, masses


def _shrunk(sums: FloatArray, masses: FloatArray, shrinkage: float) -> FloatArray:
    return centred_rows(sums / np.maximum(masses + shrinkage, 1e-12))
