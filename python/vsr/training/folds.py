"""Folds: rows dealt out evenly by category, and what one fold trains on and holds out."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES
from vsr.prior.category_means import FloatArray, IntArray, MeanTable
from vsr.prior.incomplete_rows import weighted_residuals
from vsr.selectors.training_data import Features, Grades, TrainingData

N_INNER_FOLDS = 4
#: Below so many queries the intervals are too wide to say anything.
FEW_QUERIES = 50


def stratified_folds(codes: IntArray, n_folds: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Deal rows to folds so that every category is spread evenly over them.

    Args:
        codes: (n,) category of each row, any integers.
        n_folds: number of folds, at most n.
        generator: shuffles the rows of each category.

    Returns:
        (n,) int64 fold of each row; the sizes of two folds differ by at most one.
    """
    # One shuffled deck, sorted by category, dealt round robin.
    order = generator.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    folds = np.empty(len(codes), dtype=np.int64)
    folds[order] = np.arange(len(codes)) % n_folds
    return folds


@dataclass(frozen=True, eq=False)
class InnerFold:
    """Training queries of one inner fold, and those held out of it.

    Attributes:
        data: what to fit on.
        features: (n_held_out, n_features) float32.
        prior: (n_held_out, n_models) float64, the data' table for the held-out queries.
        residual: (n_held_out, n_models) float64, quality less prior less the query's own difficulty; NaN = missing.
        freed_residual: the same where a row with few cells keeps what these say of its models.
        trust: (n_held_out, n_models) float64 from 0 to 1, how much each of them counts; None where all count alike.
        rows: (n_held_out,) int64 row numbers of the held-out queries.
    """

    data: TrainingData
    features: Features
    prior: FloatArray
    residual: FloatArray
    freed_residual: FloatArray
    trust: FloatArray | None
    rows: IntArray


def inner_fold(
    data: TrainingData, train: IntArray, held_out: IntArray, grades: Grades | None = None
) -> InnerFold | None:
    """Fit the table on the training rows and take residuals of the held-out ones; None without a row for a model.

    Grades are trained on beside the training rows.
    """
    quality = data.quality[train]
    if not np.isfinite(quality).any(axis=0).all():
        return None
    codes = data.codes[train]
    prior = MeanTable.fit(quality, codes, len(CATEGORIES), data.prior.shrinkage)
    freed, trust = weighted_residuals(prior, data.quality[held_out], data.codes[held_out])
    own = TrainingData(np.ascontiguousarray(data.features[train]), codes, quality, prior, data.preferences)
    return InnerFold(
        data=own if grades is None else with_grades(own, grades),
        features=np.ascontiguousarray(data.features[held_out]),
        prior=prior.rows(data.codes[held_out]),
        residual=freed if trust is None else prior.residuals(data.quality[held_out], data.codes[held_out]),
        freed_residual=freed,
        trust=trust,
        rows=held_out,
    )


def with_grades(data: TrainingData, grades: Grades, best: IntArray | None = None) -> TrainingData:
    """Append graded queries as further rows, which count what grades weigh; the table stays as it is.

    Args:
        data: measured queries.
        grades: of the same models.
        best: (n_graded,) column of the best model of each graded query, where the data names that of its queries.
    """
    weights = np.concatenate([np.ones(data.n_queries), np.full(grades.n_queries, grades.weight)])
    return replace(
        data,
        features=np.concatenate([data.features, grades.features]),
        codes=np.concatenate([data.codes, grades.codes]),
        quality=np.concatenate([data.quality, grades.quality]),
        best=data.best if best is None else np.concatenate([data.best, best]),
        queries=(*data.queries, *grades.queries) if data.queries else (),
        weights=None if grades.weight == 1.0 else weights,
    )
