"""Matrix factorization: a projection of the query against one factor vector per model, in NumPy.

`score = sigmoid(projection(x) . model_factors[j] + model_biases[j] + global_bias)`, learnt from measured quality, or
from preference pairs by BPR (Rendle et al. 2009) in the way of RouteLLM's matrix factorization (Ong et al. 2024).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from vsr.errors import TrainingError
from vsr.prior.category_means import FloatArray
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, Predictor, SweepResult, centred_residuals
from vsr.selectors.optimization.adam import Adam, Schedule, descend, logit, sigmoid
from vsr.selectors.optimization.bpr import fit_pairs
from vsr.selectors.optimization.early_stopping import StoppingSplit
from vsr.selectors.parameters import Described, Parameters, PositiveInt
from vsr.selectors.training_data import Features, Preferences, TrainingData

Matrix = npt.NDArray[np.float32]

_WEIGHT_DECAY = (1.0, 0.3, 0.1)
_LEARNING_RATE = 3e-3
_BATCH_SIZE = 128
_MAX_EPOCHS = 60
_PATIENCE = 4


class MatrixFactorizationParameters(Parameters):
    """Parameters of the factorization, as they are given."""

    num_factors: Annotated[
        PositiveInt, Described("a whole number of 1 or more", "N", flag="--mf-num-factors", label="factors")
    ] = Field(16, description="Factors of the matrix factorization.")


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
class MatrixFactorizationPredictor(Predictor):
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

    @property
    def n_features(self) -> int:
        """Width of a feature row."""
        return len(self.projection)

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:
        """Predict residuals: (n, n_features) float32 -> (n, n_models) float64."""
        return centred_residuals(self.quality(features), prior)

    def quality(self, features: Features) -> FloatArray:
        """What the factorization itself answers: (n, n_features) float32 -> (n, n_models) float64 in (0, 1)."""
        logits = (features @ self.projection) @ self.model_factors.T + (
            self.model_biases + np.float32(self.global_bias)
        )
        return sigmoid(logits.astype(np.float64))


class MatrixFactorization(Algorithm[MatrixFactorizationParameters, MatrixFactorizationSetting]):
    """Low-rank logistic regression from features to models."""

    name = "matrix_factorization"
    file_names = ("mf_model.json", "matrix_factorization_model.json")
    arrays: ClassVar = {"projection": "float32"}
    parameters_model = MatrixFactorizationParameters
    max_tuning_rows = 3_000
    learns_from_preferences = True

    def settings(self, n_rows: int) -> Sequence[MatrixFactorizationSetting]:  # noqa: ARG002 -- decay adapts to size
        """Settings to choose from, simplest (strongest decay) first."""
        return [MatrixFactorizationSetting(self.parameters.num_factors, decay) for decay in _WEIGHT_DECAY]

    def sweep(
        self,
        data: TrainingData,
        features: Features,
        prior: FloatArray,
        settings: Sequence[MatrixFactorizationSetting],
        seed: int,
    ) -> Iterator[SweepResult[MatrixFactorizationSetting]]:
        """Fit every setting; pairs have a decay of their own, so that one fit speaks for all."""
        if data.preferences is None:
            yield from super().sweep(data, features, prior, settings, seed)
            return
        predicted = np.zeros_like(prior)  # without a pair: nothing learnt, a calibration slope of 0
        if data.preferences.n_pairs:
            predicted = self.fit(data, settings[0], seed).predicted_residuals(features, prior)
        yield from (SweepResult(setting, predicted) for setting in settings)

    def fit(self, data: TrainingData, setting: MatrixFactorizationSetting, seed: int) -> MatrixFactorizationPredictor:
        """Descend on cross-entropy over the observed cells and stop early; the best values are kept.

        With preferences, differences between models come from the pairs alone and the level from the data.
        """
        if data.preferences is not None:
            _check_fits(data.preferences, data)
            level = float(logit(np.array([data.prior.overall.mean()]))[0])
            return from_preferences(data.preferences, data.n_models, setting, seed, level)
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
            rows = split.batch(batch)
            projected = rows @ p
            delta = sigmoid(projected @ f.T + b).astype(np.float32, copy=False)
            delta -= split.target[batch]
            weights = split.cell_weights(batch)
            if weights is not None:
                delta *= weights
            delta /= np.float32(len(batch))
            np.matmul(rows.T, delta @ f, out=adam.gradients[0])
            np.matmul(delta.T, projected, out=adam.gradients[1])
            np.sum(delta, axis=0, out=adam.gradients[2])

        best = descend(
            adam,
            len(split.rows),
            fill_gradients,
            lambda: split.error(sigmoid(((split.held_out_features @ p) @ f.T + b).astype(np.float64))),
            schedule,
            generator,
        )
        level = float(best[2].mean())
        return MatrixFactorizationPredictor(setting, best[0], best[1], best[2] - np.float32(level), level)

    @classmethod
    def to_fields(cls, predictor: MatrixFactorizationPredictor, models: Sequence[str]) -> FileFields:
        """Write factors and biases by the names of the models."""
        documented = {
            "num_factors": predictor.model_factors.shape[1],
            "input_dim": predictor.n_features,
            "model_factors": dict(zip(models, predictor.model_factors, strict=True)),
            "projection": predictor.projection,
            "model_biases": dict(zip(models, predictor.model_biases.tolist(), strict=True)),
            "global_bias": predictor.global_bias,
        }
        return FileFields(documented, {"weight_decay": predictor.setting.weight_decay})

    @classmethod
    def models_in(cls, fields: Fields) -> tuple[str, ...] | None:
        """Names of the models that have factors."""
        return tuple(fields.get("model_factors", dict))

    @classmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> MatrixFactorizationPredictor:
        """Read the factors of every model."""
        n_factors = fields.get("num_factors", int)
        n_features = fields.get("input_dim", int)
        if context.n_features is not None and n_features != context.n_features:
            raise fields.error("input_dim", f"is {n_features} but the features are {context.n_features} wide")
        # Names may hold dots, so the factors are read from the text; there are only models x factors of them.
        factors, biases = fields.object("model_factors"), fields.object("model_biases")
        missing = [name for name in context.models if name not in factors.content]
        if missing:
            raise factors.error(missing[0], "is missing: every model needs its factors")
        rows = np.stack([factors.numbers(name, n_factors) for name in context.models])
        levels = np.array([biases.get(name, float) for name in context.models])
        global_bias = fields.get("global_bias", float)
        every = (("model_factors", rows), ("model_biases", levels), ("global_bias", np.array([global_bias])))
        for name, values in every:
            if np.abs(values).max(initial=0.0) > np.finfo(np.float32).max:
                raise fields.error(name, "holds a number beyond float32")
        decay = 0.0 if context.own is None else context.own.get("weight_decay", float)
        return MatrixFactorizationPredictor(
            setting=MatrixFactorizationSetting(n_factors, decay),
            projection=fields.array("projection", (n_features, n_factors)),
            model_factors=rows.astype(np.float32),
            model_biases=levels.astype(np.float32),
            global_bias=global_bias,
        )


def _check_fits(preferences: Preferences, data: TrainingData) -> None:
    widths = preferences.features.shape[1], data.features.shape[1]
    if widths[0] != widths[1]:
        raise TrainingError(f"features of the preferences are {widths[0]} wide, those of the records {widths[1]}")
    highest = int(max(preferences.preferred.max(initial=0), preferences.other.max(initial=0)))
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
