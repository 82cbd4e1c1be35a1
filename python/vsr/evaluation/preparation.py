"""From outcomes and vectors to what selectors are trained on and compared with: measured rows, categories, features."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr._mapped import blocks, empty_matrix, forget_pages
from vsr.data.categories import category_codes
from vsr.data.outcomes import Outcomes
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import RecordError, TrainingError
from vsr.features import CategoryClassifier, feature_dim, fill_categories, with_categories
from vsr.selectors.training_data import Preferences
from vsr.training.folds import FEW_QUERIES


@dataclass(frozen=True, eq=False)
class PreparedTraining:
    """Measured queries as selectors see them.

    Attributes:
        features: (n_queries, n_features) float32, read-only.
        outcomes: the same queries, with the models that were measured at all.
        preferences: pairs of these models.
        notes: what a person should know, one sentence each.
        n_predicted_categories: queries whose category was predicted.
        classifier: of categories, fitted on the labelled ones; None where too few are.
    """

    features: npt.NDArray[np.float32]
    outcomes: Outcomes
    preferences: Preferences | None
    notes: tuple[str, ...]
    n_predicted_categories: int
    classifier: CategoryClassifier | None


def prepare_training(
    outcomes: Outcomes,
    embeddings: npt.ArrayLike,
    preferences: Preferences | None = None,
    category_weight: float = 1.0,
    classifier: CategoryClassifier | None = None,
) -> PreparedTraining:
    """Keep what was measured, predict categories that are missing, and join the features.

    Args:
        outcomes: one row per unique query.
        embeddings: (n_queries, dim) vectors in the same order.
        preferences: pairs of the models of the outcomes.
        category_weight: what stands in the category columns of a feature row.
        classifier: one that was fitted on the labelled ones of the measured queries already.

    Raises:
        RecordError: Outcomes and vectors do not fit.
        TrainingError: Too few queries, or no preference pair is left.
    """
    vectors = as_embeddings(embeddings)
    if len(vectors) != outcomes.n_queries:
        raise RecordError(
            f"{len(vectors)} embeddings for {outcomes.n_queries} unique queries; expected one row per unique query, "
            "in order of first appearance"
        )
    measured = outcomes.measured_rows
    if len(measured) < 2:
        raise TrainingError(
            f"{len(measured)} unique queries have a measured quality; at least 2 are needed to learn anything, and "
            f"{FEW_QUERIES} to judge it. Measure more queries"
        )
    if len(measured) < outcomes.n_queries:
        outcomes = outcomes.take(measured)
    features = empty_matrix(len(measured), feature_dim(vectors.shape[1]))
    units = features[:, : vectors.shape[1]]
    for block in blocks(len(measured)):
        units[block] = unit_rows(vectors[measured[block]])
        forget_pages(vectors)
    filled = fill_categories(units, outcomes.categories, classifier)
    notes = filled.lines()
    seen: list[bool] = np.any(outcomes.observed, axis=0).tolist()
    never = [name for name, is_seen in zip(outcomes.models, seen, strict=True) if not is_seen]
    if never:
        notes.append(f"left out, because no answer of theirs has a quality: {', '.join(never)}")
        outcomes = outcomes.with_models([name for name in outcomes.models if name not in never])
        if preferences is not None:
            preferences = preferences.among(np.flatnonzero(seen))
            if not preferences.n_pairs and preferences.grades is None:
                raise TrainingError("no preference pair or grade is left of models whose quality was measured")
    if outcomes.n_queries < FEW_QUERIES:
        notes.append(
            f"only {outcomes.n_queries} unique queries: the intervals are too wide to say whether routing pays; "
            f"measure {FEW_QUERIES} at the very least, some hundreds are better"
        )
    features = with_categories(features, category_codes(filled.categories), category_weight)
    features.flags.writeable = False  # so that nobody has to copy them
    return PreparedTraining(
        features=features,
        outcomes=outcomes,
        preferences=preferences,
        notes=tuple(notes),
        n_predicted_categories=filled.n_predicted,
        classifier=filled.classifier,
    )
