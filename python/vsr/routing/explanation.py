"""On request (`select --explain`): what a prediction rests on, by its category's means and its algorithm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.features import split_features
from vsr.selectors.base import Row, TrainedSelector
from vsr.selectors.training_data import Features


@dataclass(frozen=True)
class Explanation:
    """What a prediction rests on.

    Attributes:
        summary: one sentence.
        tables: title -> rows, each row a value by column name.
    """

    summary: str
    tables: dict[str, list[Row]]


def explain(selector: TrainedSelector, features: Features, models: Sequence[str]) -> Explanation:
    """Explain the scores of one query.

    Args:
        selector: what made them.
        features: (1, n_features) float32.
        models: the models to explain, most interesting first.
    """
    column_of = {name: selector.models.index(name) for name in models if name in selector.models}
    tables: dict[str, list[Row]] = {}
    code = int(split_features(features).codes[0])
    category = CATEGORIES[code] if code >= 0 else "unknown"
    if selector.prior is None:
        summary = "This file has the documented fields alone: there are no means to compare with."
    else:
        prior = selector.prior.rows(np.array([code]))[0]
        scores = selector.scores(features)[0]
        tables[f"Against the means of {category}"] = [
            {
                "model": name,
                "mean": float(prior[column]),
                "predicted": float(scores[column]),
                "difference": float(scores[column] - prior[column]),
            }
            for name, column in column_of.items()
        ]
        summary = f"Scores are the means of category {category}"
        if selector.slope > 0.0:
            summary += (
                f" plus {selector.slope:.2f} (the calibration slope) times what {selector.name} has learnt beyond them"
            )
        summary += "."
    return Explanation(summary, tables | selector.predictor.explain(features, column_of))
