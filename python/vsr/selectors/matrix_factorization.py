"""Matrix factorization: a projection of the query against one factor vector per model, in NumPy.

`score = sigmoid(projection(x) . model_factors[j] + model_biases[j] + global_bias)`, learnt from measured quality, or
from preference pairs by BPR (Rendle et al. 2009) in the way of RouteLLM's matrix factorization (Ong et al. 2024).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vsr.choice.category_means import FloatArray
from vsr.errors import TrainingError
from vsr.selectors.base import Features, SweepResult, TrainingData, centred_residuals, require_positive
from vsr.selectors.optimization.adam import Adam, Schedule, descend, logit, sigmoid
from vsr.selectors.optimization.bpr import Preferences, fit_pairs
from vsr.selectors.optimization.early_stopping import StoppingSplit

Matrix = npt.NDArray[np.float32]

_WEIGHT_DECAY = (1.0, 0.3, 0.1)
_LEARNING_RATE = 3e-3
_BATCH_SIZE = 128
_MAX_EPOCHS = 60
_PATIENCE = 4


@dataclass(frozen=True)
class MatrixFactorizationSetting:
    """Parameters of the factorization.

    Attributes:
        num_factors: length of a model's factor vector.
        weight_decay: decoupled weight decay of projection and factors.
    """

    num_factors: int
    weight_decay: float


@dataclass(frozen=True, eq=False)
class MatrixFactorizationPredictor:
    """A projection, factors and biases.

    Attributes:
        setting: the number of factors and the weight decay.
        projection: (n_features, n_factors) float32.
        model_factors: (n_models, n_factors) float32.
        model_biases: (n_models,) float32, of mean zero.
        global_bias: what all models share, in logits.
    """

    setting: MatrixFactorizationSetting
    projection: Matrix
    model_factors: Matrix
    model_biases: Matrix
    global_bias: float

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:
        """Predict residuals: (n, n_features) float32 -> (n, n_models) float64."""
        return centred_residuals(self.quality(features), prior)

    def quality(self, features: Features) -> FloatArray:
        """What the factorization itself answers: (n, n_features) float32 -> (n, n_models) float64 in (0, 1)."""
        logits = (features @ self.projection) @ self.model_factors.T + (
            self.model_biases + np.float32(self.global_bias)
        )
        return sigmoid(logits.astype(np.float64))


class MatrixFactorization:
    """Low-rank logistic regression from features to models."""

    name: ClassVar[str] = "matrix_factorization"
    max_tuning_rows: ClassVar[int] = 3_000
    largest_slope: ClassVar[float] = 1.0
    file_name: ClassVar[str] = "mf_model.json"

    def __init__(self, num_factors: int = 16, preferences: Preferences | None = None) -> None:
        """Take the parameter of the command line, and pairs to learn differences from instead of measured quality."""
        require_positive("num_factors", num_factors, int, or_auto=False)
        self.num_factors = int(num_factors)
        self.preferences = preferences

    def settings(self, n_rows: int) -> Sequence[MatrixFactorizationSetting]:  # noqa: ARG002 -- decay adapts to size
        """Settings to choose from, simplest (strongest decay) first."""
        decays = _WEIGHT_DECAY if self.preferences is None else _WEIGHT_DECAY[:1]
        return [MatrixFactorizationSetting(self.num_factors, decay) for decay in decays]

    def sweep(
        self,
        data: TrainingData,
        features: Features,
        prior: FloatArray,
        settings: Sequence[MatrixFactorizationSetting],
        seed: int,
    ) -> Iterator[SweepResult[MatrixFactorizationSetting]]:
        """Fit every setting."""
        for setting in settings:
            yield SweepResult(setting, self.fit(data, setting, seed).predicted_residuals(features, prior))

    def fit(self, data: TrainingData, setting: MatrixFactorizationSetting, seed: int) -> MatrixFactorizationPredictor:
        """Descend on cross-entropy over the observed cells and stop early; the best values are kept.

        With preferences, differences between models come from the pairs alone and the level from the data.
        """
        if self.preferences is not None:
            _check_fits(self.preferences, data)
            level = float(logit(np.array([data.prior.overall.mean()]))[0])
            return from_preferences(self.preferences, data.n_models, setting, seed, level)
        generator = np.random.default_rng(seed)
        split = StoppingSplit.draw(data, generator)
        schedule = Schedule(_LEARNING_RATE, setting.weight_decay, _BATCH_SIZE, _MAX_EPOCHS, _PATIENCE)
        n_features = data.features.shape[1]
        # Unit rows: projections of size 1 / sqrt(factors), so that a dot product starts at about 0.1 logits.
        projection = generator.standard_normal((n_features, setting.num_factors)) / np.sqrt(setting.num_factors)
        factors = 0.1 * generator.standard_normal((data.n_models, setting.num_factors))
        biases = logit(data.prior.overall)
        adam = Adam(
            [projection.astype(np.float32), factors.astype(np.float32), biases.astype(np.float32)],
            [True, True, False],
            schedule,
        )
        p, f, b = adam.parameters

        def fill_gradients(batch: npt.NDArray[np.int64]) -> None:
            rows = split.features[batch]
            projected = rows @ p
            delta = sigmoid(projected @ f.T + b).astype(np.float32, copy=False)
            delta -= split.target[batch]
            mask = split.mask(batch)
            if mask is not None:
                delta *= mask
            delta /= np.float32(len(batch))
            np.matmul(rows.T, delta @ f, out=adam.gradients[0])
            np.matmul(delta.T, projected, out=adam.gradients[1])
            np.sum(delta, axis=0, out=adam.gradients[2])

        best = descend(
            adam,
            len(split.features),
            fill_gradients,
            lambda: split.error(sigmoid(((split.held_out_features @ p) @ f.T + b).astype(np.float64))),
            schedule,
            generator,
        )
        level = float(best[2].mean())
        return MatrixFactorizationPredictor(setting, best[0], best[1], best[2] - np.float32(level), level)


def _check_fits(preferences: Preferences, data: TrainingData) -> None:
    widths = preferences.features.shape[1], data.features.shape[1]
    if widths[0] != widths[1]:
        raise TrainingError(f"features of the preferences are {widths[0]} wide, those of the records {widths[1]}")
    highest = int(max(preferences.preferred.max(), preferences.other.max()))
    if highest >= data.n_models:
        raise TrainingError(f"preferences name model number {highest} of {data.n_models}; expected a column")


def from_preferences(
    preferences: Preferences, n_models: int, setting: MatrixFactorizationSetting, seed: int, level: float
) -> MatrixFactorizationPredictor:
    """Fit a factorization on preference pairs.

    Args:
        preferences: the pairs.
        n_models: number of models.
        setting: number of factors.
        seed: seed of the fit.
        level: what all models share, in logits; pairs say nothing of it.
    """
    factors = fit_pairs(preferences, n_models, setting.num_factors, seed)
    return MatrixFactorizationPredictor(setting, factors.projection, factors.model_factors, factors.model_biases, level)
