"""The split of training rows into those that descend and those that say when to stop."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.prior.category_means import FloatArray, IntArray, centred_rows
from vsr.selectors.training_data import Features, TrainingData

_HELD_OUT_SHARE = 0.15
# They are looked at after every epoch, and more do not say it better when to stop.
_MOST_HELD_OUT = 20_000


@dataclass(frozen=True, eq=False)
class StoppingSplit:
    """Rows for the descent and rows for the early stop.

    Attributes:
        all_features: (n, n_features) float32 of all rows, which are not copied.
        rows: (n_train,) int64, which of them the descent is on.
        target: (n_train, n_models) float32, quality at usual difficulty; 0 where it was not measured.
        weight: (n_train, n_models) float32, what each cell counts, 0 where it was not measured; None where all count
            alike.
        held_out_features: (n_held_out, n_features) float32.
        held_out_residual: (n_held_out, n_models) float64, NaN = not measured.
        held_out_prior: (n_held_out, n_models) float64.
        held_out_weight: (n_held_out, 1) float64, what each query counts; None where all count alike.
    """

    all_features: Features
    rows: IntArray
    target: npt.NDArray[np.float32]
    weight: npt.NDArray[np.float32] | None
    held_out_features: Features
    held_out_residual: FloatArray
    held_out_prior: FloatArray
    held_out_weight: FloatArray | None

    @classmethod
    def draw(cls, data: TrainingData, generator: np.random.Generator) -> "StoppingSplit":
        """Draw the rows; with fewer than two rows both parts are the same row."""
        order = generator.permutation(data.n_queries)
        n_held_out = min(max(1, round(_HELD_OUT_SHARE * data.n_queries)), _MOST_HELD_OUT)
        held_out, train = order[:n_held_out], order[n_held_out:]
        if not len(train):
            train = held_out
        target = data.adjusted_quality[train]
        observed = np.isfinite(target)
        of_query = None if data.weights is None else data.weights[:, None]
        weight = None if of_query is None and observed.all() else observed.astype(np.float32)
        if weight is not None and of_query is not None:
            weight *= of_query[train].astype(np.float32)
        return cls(
            all_features=data.features,
            rows=train,
            target=np.where(observed, target, 0.0).astype(np.float32),
            weight=weight,
            held_out_features=data.features[held_out],
            held_out_residual=data.residual[held_out],
            held_out_prior=data.prior.rows(data.codes[held_out]),
            held_out_weight=None if of_query is None else of_query[held_out],
        )

    @property
    def features(self) -> Features:
        """(n_train, n_features) float32 of the descent's rows: a copy."""
        return self.all_features[self.rows]

    def batch(self, batch: npt.NDArray[np.int64]) -> Features:
        """Features of some of the descent's rows."""
        return self.all_features[self.rows[batch]]

    def cell_weights(self, batch: npt.NDArray[np.int64]) -> npt.NDArray[np.float32] | None:
        """What each cell of a batch counts, None where all count alike."""
        return None if self.weight is None else self.weight[batch]

    def error(self, quality: FloatArray) -> float:
        """Centred error of predicted qualities of the held-out rows, (n_held_out, n_models)."""
        observed = np.isfinite(self.held_out_residual)
        missed = centred_rows(quality - self.held_out_prior, observed) - self.held_out_residual
        squared = np.square(missed)
        if self.held_out_weight is not None:
            squared *= self.held_out_weight
        return float(squared[observed].sum())
