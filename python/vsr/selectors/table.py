"""Table: the shrunk mean quality of every model in the query's category, and nothing beyond it.

It is the prior of all other selectors as a selector of its own: what a verdict deploys where a table of the best model
per category is enough, or, fitted without categories, where one model should answer everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vsr.data.categories import CATEGORIES, rows_of
from vsr.features import categories_of
from vsr.prior.category_means import FloatArray
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, Predictor, Row
from vsr.selectors.parameters import Parameters
from vsr.selectors.training_data import Features, TrainingData

_OVERALL = "overall"


@dataclass(frozen=True)
class TableSetting:
    """What it looks at.

    Attributes:
        categories: whether there are any; without them every query is answered alike.
    """

    categories: bool = True


@dataclass(frozen=True, eq=False)
class TablePredictor(Predictor):
    """The means.

    Attributes:
        setting: whether there are categories.
        means: (n_categories + 1, n_models) float64, the last row for unknown categories.
        input_dim: width of a feature row.
    """

    setting: TableSetting
    means: FloatArray
    input_dim: int

    @property
    def n_features(self) -> int:
        """Width of a feature row."""
        return self.input_dim

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:  # noqa: ARG002 -- no query is read
        """Nothing: (n, n_features) float32 -> (n, n_models) float64 zeros."""
        return np.zeros(prior.shape)

    def quality(self, features: Features) -> FloatArray:
        """The means in the category: (n, n_features) float32 -> (n, n_models) float64."""
        return rows_of(self.means, categories_of(features))

    def explain(self, features: Features, models: Mapping[str, int]) -> dict[str, list[Row]]:  # noqa: ARG002
        """Show the means of the models in every category."""
        names = [_OVERALL, *CATEGORIES] if self.setting.categories else [_OVERALL]
        rows: list[Row] = []
        for row, name in enumerate(names, start=-1):
            line: Row = {"category": name}
            rows.append(line | {model: float(self.means[row, column]) for model, column in models.items()})
        return {"Means, shrunk": rows}


class Table(Algorithm[Parameters, TableSetting]):
    """The category means alone."""

    name = "table"
    file_names = ("table_model.json",)
    arrays: ClassVar = {}
    parameters_model = Parameters
    learns = False

    def settings(self, n_rows: int) -> Sequence[TableSetting]:  # noqa: ARG002 -- the shrinkage is the training's
        """There is nothing to choose."""
        return [TableSetting()]

    def fit(self, data: TrainingData, setting: TableSetting, seed: int) -> TablePredictor:  # noqa: ARG002
        """Take over the prior."""
        return TablePredictor(
            setting=TableSetting(bool((data.codes >= 0).any())),
            means=np.vstack([data.prior.by_category, data.prior.overall]),
            input_dim=data.features.shape[1],
        )

    @classmethod
    def to_fields(cls, predictor: TablePredictor, models: Sequence[str]) -> FileFields:
        """Write the means of every category."""
        means = dict(zip((*CATEGORIES, _OVERALL), predictor.means.tolist(), strict=True))
        return FileFields(
            {
                "models": list(models),
                "input_dim": predictor.n_features,
                "categories": predictor.setting.categories,
                "means": means,
            }
        )

    @classmethod
    def models_in(cls, fields: Fields) -> tuple[str, ...] | None:
        """Names of the models."""
        return fields.strings("models")

    @classmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> TablePredictor:
        """Read the means."""
        means = fields.object("means")
        input_dim = fields.get("input_dim", int)
        if context.n_features is not None and input_dim != context.n_features:
            raise fields.error("input_dim", f"is {input_dim} but the features are {context.n_features} wide")
        if fields.strings("models") != context.models:
            raise fields.error("models", f"are not those of the rest of the file: {', '.join(context.models)}")
        return TablePredictor(
            setting=TableSetting(fields.get("categories", bool)),
            means=np.vstack([means.numbers(name, len(context.models)) for name in (*CATEGORIES, _OVERALL)]),
            input_dim=input_dim,
        )
