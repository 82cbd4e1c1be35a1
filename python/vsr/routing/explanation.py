"""On request (`select --explain`): what a prediction rests on, by its category's means and its algorithm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES, category_shares
from vsr.features import split_features
from vsr.selectors.base import Row, TrainedSelector
from vsr.selectors.training_data import Features

# Of a predicted category, so many of the most probable ones are named, if they are this probable at least.
_N_NAMED = 3
_LEAST_NAMED = 0.05


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
    categories = split_features(features).categories
    category = _named(category_shares(categories)[0])
    if selector.prior is None:
        summary = "This file has the documented fields alone: there are no means to compare with."
    else:
        prior = selector.prior.rows(categories)[0]
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


def _named(shares: npt.NDArray[np.float64]) -> str:
    """Name the category of a query, or the most probable ones: `law`, `law (72 %), business (20 %) and others`."""
    names = (*CATEGORIES, "unknown")
    ranked = np.argsort(-shares, kind="stable").tolist()
    if shares[ranked[0]] >= 1.0:
        return names[ranked[0]]
    shown = [column for column in ranked[:_N_NAMED] if shares[column] >= _LEAST_NAMED] or ranked[:1]
    listed = ", ".join(f"{names[column]} ({100 * shares[column]:.0f} %)" for column in shown)
    return listed if shares[shown].sum() > 1.0 - _LEAST_NAMED else f"{listed} and others"
