"""Means of every model over all queries and in every category, shrunk: what is known before a query is read.

Every selector predicts a residual from one such table; the baseline "category table" is nothing but the table.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.data.categories import Categories, rows_of
from vsr.errors import TrainingError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# The additive fit alternates between two exact least-squares steps; it settles in a few rounds unless hardly any two
# models share a query.
_MAX_ROUNDS = 200
_SETTLED = 1e-9


@dataclass(frozen=True)
class MeanTable:
    """Expected value of every model, overall and in every category.

    Attributes:
        overall: (n_models,) float64, what to expect of a model on a query of unknown category.
        by_category: (n_categories, n_models) float64, the same in a category, shrunk towards `overall`.
        counts: (n_categories, n_models) int64, observed cells behind each entry.
        shrinkage: the weight L of the prior in `(n * mean + L * prior) / (n + L)`; infinite: no categories at all.
    """

    overall: FloatArray
    by_category: FloatArray
    counts: IntArray
    shrinkage: float

    @classmethod
    def fit(cls, values: FloatArray, codes: IntArray, n_categories: int, shrinkage: float) -> "MeanTable":
        """Fit `value = query effect + model effect + model effect in the category`, the last one shrunk.

        The query effect keeps a model that was only asked easy queries from looking strong. Where nothing is missing
        the entries are the plain shrunk means.

        Args:
            values: (n_queries, n_models) float64, NaN = not measured; every model is measured at least once.
            codes: (n_queries,) category of each query, below `n_categories`; -1 where it is unknown.
            n_categories: rows of the table.
            shrinkage: L, zero or more, or infinity.

        Raises:
            TrainingError: A model was never measured.
        """
        observed = np.isfinite(values)
        if not observed.any(axis=0).all():
            never = np.flatnonzero(~observed.any(axis=0)).tolist()
            raise TrainingError(f"models number {never} have no measured cell; leave them out of the outcomes")
        members = (codes == np.arange(n_categories)[:, None]).astype(np.float64)
        counts = members @ observed
        filled = np.where(observed, values, 0.0)
        model_effect, in_category = _additive_effects(filled, observed, members, counts, codes, shrinkage)
        query_effect = _query_effects(filled, observed, _by_query(model_effect, in_category, codes))
        measured = observed.any(axis=1)
        level = float(query_effect[measured].mean())
        n_members = members @ measured
        weight = _shrunk_share(n_members, shrinkage)
        level_in_category = level + weight * (
            (members @ np.where(measured, query_effect, 0.0)) / np.maximum(n_members, 1.0) - level
        )
        return cls(
            overall=level + model_effect,
            by_category=level_in_category[:, None] + model_effect + in_category,
            counts=counts.astype(np.int64),
            shrinkage=shrinkage,
        )

    def rows(self, categories: Categories) -> FloatArray:
        """Entries for queries of given categories.

        Args:
            categories: (n_queries,) codes, -1 where the category is unknown, which gives `overall`; or shares, which
                give the mean of the entries, weighted by them.

        Returns:
            (n_queries, n_models) float64.
        """
        if categories.ndim == 1 and not (categories.size and categories.min() < 0):
            return self.by_category[categories]
        return rows_of(np.vstack([self.by_category, self.overall]), categories)

    def residuals(self, values: FloatArray, codes: IntArray) -> FloatArray:
        """What the table leaves unexplained once the query's own difficulty is taken away.

        Args:
            values: (n_queries, n_models) float64, NaN = not measured.
            codes: (n_queries,) category of each query.

        Returns:
            (n_queries, n_models) float64: `value - table - query effect`, of mean zero over the observed cells of every
            query; NaN where the value is.
        """
        return centred_rows(values - self.rows(codes))


def centred_rows(values: FloatArray, observed: npt.NDArray[np.bool_] | None = None) -> FloatArray:
    """Take from every row its mean over the observed cells.

    Args:
        values: (n_rows, n_columns) float64, NaN = not measured.
        observed: (n_rows, n_columns) bool; without it, the cells that are not NaN. Other cells become NaN.
    """
    if observed is None:
        observed = np.isfinite(values)
    if observed.all():
        # What mean() does, without its checks: they take longer than a row.
        return np.asarray(values - np.add.reduce(values, axis=1, keepdims=True) / values.shape[1])
    masked = np.where(observed, values, 0.0)
    means = masked.sum(axis=1, keepdims=True) / np.maximum(observed.sum(axis=1, keepdims=True), 1)
    return np.where(observed, values - means, np.nan)


def _shrunk_share(counts: FloatArray, shrinkage: float) -> FloatArray:
    """`n / (n + L)`: how much of a mean over n cells is believed."""
    if math.isinf(shrinkage):
        return np.zeros_like(counts)
    return counts / np.maximum(counts + shrinkage, 1e-12)


def _query_effects(filled: FloatArray, observed: npt.NDArray[np.bool_], effects: FloatArray) -> FloatArray:
    """Mean over the observed cells of each row of `value - effect`; 0 for a row without any."""
    rest = np.where(observed, filled - effects, 0.0).sum(axis=1)
    return np.asarray(rest / np.maximum(observed.sum(axis=1), 1))


def _by_query(model_effect: FloatArray, in_category: FloatArray, codes: IntArray) -> FloatArray:
    """Model effect in the category of each query; a query of unknown category has the overall one."""
    return model_effect + np.where(codes[:, None] < 0, 0.0, in_category[codes])


def _additive_effects(
    filled: FloatArray,
    observed: npt.NDArray[np.bool_],
    members: FloatArray,
    counts: FloatArray,
    codes: IntArray,
    shrinkage: float,
) -> tuple[FloatArray, FloatArray]:
    """Model effects (n_models,) and their shrunk differences by category (n_categories, n_models), both centred."""
    n_observed = observed.sum(axis=0)
    share = _shrunk_share(counts, shrinkage)
    model_effect = np.zeros(filled.shape[1])
    in_category = np.zeros(counts.shape)
    # Complete cells: the query effects do not depend on the others, so one round is exact.
    rounds = 1 if observed.all() else _MAX_ROUNDS
    # First the effects over all queries alone, then the differences given them: a hierarchy, not a joint fit.
    for _ in range(rounds):
        query_effect = _query_effects(filled, observed, np.broadcast_to(model_effect, filled.shape))
        update = np.where(observed, filled - query_effect[:, None], 0.0).sum(axis=0) / n_observed
        update -= update.mean()
        moved = float(np.abs(update - model_effect).max())
        model_effect = update
        if moved < _SETTLED:
            break
    if math.isinf(shrinkage):
        return model_effect, in_category
    for _ in range(rounds):
        query_effect = _query_effects(filled, observed, _by_query(model_effect, in_category, codes))
        rest = np.where(observed, filled - query_effect[:, None] - model_effect, 0.0)
        update = share * (members @ rest) / np.maximum(counts, 1.0)
        update -= update.mean(axis=1, keepdims=True)
        moved = float(np.abs(update - in_category).max())
        in_category = update
        if moved < _SETTLED:
            break
    return model_effect, in_category
