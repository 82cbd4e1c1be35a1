"""What a prediction rests on: neighbours, clusters, margins, and how far it is from the category's means."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.features import split_features
from vsr.selectors.base import Features, TrainedSelector
from vsr.selectors.kmeans import KMeansPredictor
from vsr.selectors.knn import KnnPredictor
from vsr.selectors.svm import SvmPredictor

_N_NEIGHBOURS = 5
_N_CLUSTERS = 3
_SHOWN_CHARACTERS = 60

Row = dict[str, str | float | int]


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
    columns = [selector.models.index(name) for name in models if name in selector.models]
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
                "model": selector.models[j],
                "mean": float(prior[j]),
                "predicted": float(scores[j]),
                "difference": float(scores[j] - prior[j]),
            }
            for j in columns
        ]
        summary = (
            f"Scores are the means of category {category} plus {selector.slope:.2f} (the calibration slope) times what "
            f"{selector.name} has learnt beyond them."
        )
    predictor = selector.predictor
    if isinstance(predictor, KnnPredictor):
        tables["Nearest training queries and their measured quality"] = _neighbours(
            selector, predictor, features, columns
        )
    elif isinstance(predictor, KMeansPredictor):
        tables["Nearest clusters and their mean quality"] = _clusters(selector, predictor, features, columns)
    elif isinstance(predictor, SvmPredictor):
        decisions = predictor.machine.decisions(features)[0]
        tables["Distance from the margin"] = [
            {"model": selector.models[j], "decision": float(decisions[j])} for j in columns
        ]
    return Explanation(summary, tables)


def _neighbours(
    selector: TrainedSelector, predictor: KnnPredictor, features: Features, columns: Sequence[int]
) -> list[Row]:
    rows, weights = predictor.neighbours(features)
    explained: list[Row] = []
    for row, weight in zip(rows[0, :_N_NEIGHBOURS].tolist(), weights[0].tolist(), strict=False):
        text = selector.training_queries[row] if selector.training_queries else f"training query {row}"
        line: Row = {"query": _short(text), "weight": weight}
        for j in columns:
            quality = predictor.measured[row, j]
            line[selector.models[j]] = float(quality) if np.isfinite(quality) else "not measured"
        explained.append(line)
    return explained


def _clusters(
    selector: TrainedSelector, predictor: KMeansPredictor, features: Features, columns: Sequence[int]
) -> list[Row]:
    memberships = predictor.memberships(features)[0]
    explained: list[Row] = []
    for cluster in np.argsort(-memberships, kind="stable")[:_N_CLUSTERS].tolist():
        line: Row = {
            "cluster": f"{cluster}",
            "queries": int(predictor.cluster_sizes[cluster]),
            "weight": float(memberships[cluster]),
        }
        for j in columns:
            line[selector.models[j]] = float(predictor.cluster_quality[cluster, j])
        explained.append(line)
    return explained


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}..."
