"""A selector that another package might bring: ridge regression of the residuals on the first features of a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from pydantic import Field

from vsr.prior.category_means import FloatArray, centred_rows
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, Predictor, Row, centred_residuals
from vsr.selectors.parameters import Parameters, PositiveInt
from vsr.selectors.training_data import Features, TrainingData


class ToyParameters(Parameters):
    """Parameters of the toy."""

    width: PositiveInt = Field(3, description="Features that it looks at.")


@dataclass(frozen=True)
class ToySetting:
    """Parameters of the toy as chosen."""

    width: int


@dataclass(frozen=True, eq=False)
class ToyPredictor(Predictor):
    """(width, n_models) float64 weights."""

    setting: ToySetting
    weights: FloatArray
    level: FloatArray
    input_dim: int

    @property
    def n_features(self) -> int:
        return self.input_dim

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:
        return centred_residuals(prior + features[:, : len(self.weights)] @ self.weights, prior)

    def quality(self, features: Features) -> FloatArray:
        return np.asarray(self.level + features[:, : len(self.weights)] @ self.weights)

    def explain(self, features: Features, models: Mapping[str, int]) -> dict[str, list[Row]]:  # noqa: ARG002
        looked_at = features[0, : len(self.weights)]
        return {"First features": [{"feature": float(value)} for value in looked_at]}


class Toy(Algorithm[ToyParameters, ToySetting]):
    """Ridge regression on the first features."""

    name = "toy"
    file_names = ("toy_model.json",)
    arrays: ClassVar = {"weights": "float64"}
    parameters_model = ToyParameters

    def settings(self, n_rows: int) -> Sequence[ToySetting]:  # noqa: ARG002
        return [ToySetting(self.parameters.width)]

    def fit(self, data: TrainingData, setting: ToySetting, seed: int) -> ToyPredictor:  # noqa: ARG002
        first = data.features[:, : setting.width].astype(np.float64)
        residual = np.nan_to_num(data.residual)
        weights = np.linalg.solve(first.T @ first + 5.0 * np.eye(first.shape[1]), first.T @ residual)
        return ToyPredictor(
            setting, centred_rows(np.asarray(weights, dtype=np.float64)), data.prior.overall, data.features.shape[1]
        )

    @classmethod
    def to_fields(cls, predictor: ToyPredictor, models: Sequence[str]) -> FileFields:
        documented = {
            "models": list(models),
            "input_dim": predictor.input_dim,
            "width": predictor.setting.width,
            "weights": predictor.weights,
            "level": predictor.level.tolist(),
        }
        return FileFields(documented)

    @classmethod
    def models_in(cls, fields: Fields) -> tuple[str, ...] | None:
        return fields.strings("models")

    @classmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> ToyPredictor:
        return ToyPredictor(
            setting=ToySetting(fields.get("width", int)),
            weights=fields.array("weights", (None, len(context.models))),
            level=fields.numbers("level", len(context.models)),
            input_dim=fields.get("input_dim", int),
        )
