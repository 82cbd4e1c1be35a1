"""Preference pairs and grades: their features, and training on pairs alone."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr._checks import as_texts, repeated
from vsr.data.categories import CATEGORIES, category_codes
from vsr.data.preferences import PreferencePairs
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import TrainingError
from vsr.features import as_features, join_features, resolve_categories, split_features
from vsr.features.classifier import CategoryClassifier
from vsr.prior.category_means import FloatArray, IntArray, MeanTable
from vsr.prior.statistics import Statistics
from vsr.selectors.base import TrainedSelector
from vsr.selectors.matrix_factorization import (
    MatrixFactorization,
    MatrixFactorizationParameters,
    MatrixFactorizationSetting,
    from_preferences,
)
from vsr.selectors.optimization.adam import sigmoid
from vsr.selectors.training_data import Grades, Preferences
from vsr.training.trainer import require_seed


def train_with_preferences(
    features: npt.ArrayLike,
    preferred: Sequence[str],
    other: Sequence[str],
    models: Sequence[str],
    confidence: npt.ArrayLike | None = None,
    *,
    seed: int = 0,
    **parameters: Any,
) -> TrainedSelector:
    """Train a matrix factorization from preference pairs alone.

    Pairs fix differences between models only: the scores have the right order, but their level is 0.5 on average.

    Args:
        features: (n_pairs, n_features) float32, the query of each pair.
        preferred: name of the model that was preferred, per pair.
        other: name of the other one, per pair.
        models: names of all models, in the order of the columns.
        confidence: (n_pairs,) weight of each pair; all the same without it.
        seed: seed of the fit.
        **parameters: the factorization's own: `num_factors`, the length of a model's factor vector.

    Raises:
        TrainingError: A name is not among `models`, the lengths differ, or there is no such parameter.
        RecordError: The features are no matrix of finite numbers.
    """
    seed = require_seed(seed)
    num_factors = MatrixFactorizationParameters.of(MatrixFactorization.name, parameters).num_factors
    rows = as_features(features)
    models = as_texts(models, "models", "a list of names", TrainingError)
    preferred = as_texts(preferred, "preferred", "a list of one name per pair", TrainingError)
    other = as_texts(other, "other", "a list of one name per pair", TrainingError)
    twice = repeated(models)
    if twice:
        raise TrainingError(f"models name {', '.join(twice)} more than once; expected one column a model")
    try:
        weights = np.ones(len(rows)) if confidence is None else np.asarray(confidence, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"confidence is no list of numbers ({error}); expected one for every pair") from error
    preferences = Preferences(
        features=rows,
        preferred=_columns(preferred, models),
        other=_columns(other, models),
        confidence=weights,
    )
    predictor = from_preferences(
        preferences, len(models), MatrixFactorizationSetting(num_factors, 1.0), seed, level=0.0
    )
    n_models, n_categories = len(models), len(CATEGORIES)
    overall = sigmoid(predictor.model_biases.astype(np.float64))
    prior = MeanTable(
        overall=overall,
        by_category=np.tile(overall, (n_categories, 1)),
        counts=np.zeros((n_categories, n_models), dtype=np.int64),
        shrinkage=math.inf,
    )
    unmeasured = np.full((n_categories + 1, n_models), np.nan)
    return TrainedSelector(
        name=MatrixFactorization.name,
        models=models,
        n_features=rows.shape[1],
        category_weight=split_features(rows).category_weight,
        prior=prior,
        slope=1.0,
        predictor=predictor,
        statistics=Statistics(models, overall, prior.counts, unmeasured, unmeasured),
        classifier=None,
        parameters=asdict(predictor.setting),
        seed=seed,
    )


def _columns(names: Sequence[str], models: Sequence[str]) -> IntArray:
    """Column of each name.

    Raises:
        TrainingError: A name is not among the models.
    """
    column_of = {name: column for column, name in enumerate(models)}
    unknown = sorted({name for name in names if name not in column_of})
    if unknown:
        raise TrainingError(f"preferences name {', '.join(unknown)}; expected names among {', '.join(models)}")
    return np.array([column_of[name] for name in names], dtype=np.int64)


def preference_features(
    pairs: PreferencePairs,
    embeddings: npt.ArrayLike,
    models: Sequence[str],
    classifier: CategoryClassifier | None,
    category_weight: float = 1.0,
) -> Preferences:
    """Put pairs into the form that a factorization learns from.

    Args:
        pairs: the pairs.
        embeddings: (n_pairs, dim) vectors of their queries.
        models: names in the order of the columns.
        classifier: predicts missing categories; without it they are `other`.
        category_weight: what stands in the category columns.
    """
    rows = unit_rows(as_embeddings(embeddings))
    resolved = resolve_categories(rows, category_codes(pairs.categories), classifier)
    column_of = {name: column for column, name in enumerate(models)}
    return Preferences(
        features=join_features(rows, resolved.categories, category_weight),
        preferred=np.array([column_of[name] for name in pairs.preferred], dtype=np.int64),
        other=np.array([column_of[name] for name in pairs.other], dtype=np.int64),
        confidence=np.array(pairs.confidence, dtype=np.float64),
    )


@dataclass(frozen=True, eq=False)
class GradedQueries:
    """Queries that people graded in service, before they are features.

    Attributes:
        queries: their texts.
        categories: None where it is not known.
        quality: (n_queries, n_models) float64 in [0, 1], NaN = not graded.
        weight: above 0, up to 1: what such a query counts beside a measured one.
    """

    queries: tuple[str, ...]
    categories: tuple[str | None, ...]
    quality: FloatArray
    weight: float

    def features(
        self, embeddings: npt.ArrayLike, classifier: CategoryClassifier | None, category_weight: float = 1.0
    ) -> Grades:
        """Put them into the form that algorithms learn from; missing categories are predicted, `other` without one."""
        rows = unit_rows(as_embeddings(embeddings))
        codes = resolve_categories(rows, category_codes(self.categories), classifier).codes
        features = join_features(rows, codes, category_weight)
        return Grades(features, split_features(features).codes, self.quality, self.weight, self.queries)


def learnt_features(
    pairs: PreferencePairs | None,
    graded: GradedQueries | None,
    embeddings: npt.NDArray[np.float32],
    models: Sequence[str],
    classifier: CategoryClassifier | None,
) -> Preferences:
    """Put pairs and grades, where there are any, into the form that algorithms learn from.

    Args:
        pairs: the pairs.
        graded: the graded queries.
        embeddings: (n_pairs + n_graded, dim) vectors of the queries of both, in this order.
        models: names in the order of the columns.
        classifier: predicts missing categories; without it they are `other`.
    """
    n_pairs = 0 if pairs is None else len(pairs.queries)
    grades = None if graded is None else graded.features(embeddings[n_pairs:], classifier)
    if pairs is not None:
        return replace(preference_features(pairs, embeddings[:n_pairs], models, classifier), grades=grades)
    width = 0 if grades is None else grades.features.shape[1]
    none = np.zeros(0, dtype=np.int64)
    return Preferences(np.zeros((0, width), dtype=np.float32), none, none, np.zeros(0), grades)
