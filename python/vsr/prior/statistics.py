"""What the training records say of every model by category: quality, latency, cost. A choice weighs them."""

from dataclasses import dataclass

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.data.outcomes import Outcomes
from vsr.prior.category_means import FloatArray, IntArray, MeanTable

# Latency and cost vary far less by category than they do between models: a category's own mean needs a few dozen
# queries before it outweighs the model's.
_PRIOR_WEIGHT = 20.0


@dataclass(frozen=True, eq=False)
class Statistics:
    """Per-model and per-category means of the training records.

    Attributes:
        models: names of the models, in the order of the columns.
        quality: (n_models,) float64 expected quality over all queries.
        counts: (n_categories, n_models) int64, measured qualities.
        latency_s: (n_categories + 1, n_models) float64, the last row for unknown categories; NaN = never measured.
        cost_usd: (n_categories + 1, n_models) float64 USD per query, the last row likewise; NaN = never known.
    """

    models: tuple[str, ...]
    quality: FloatArray
    counts: IntArray
    latency_s: FloatArray
    cost_usd: FloatArray

    @classmethod
    def from_outcomes(cls, outcomes: Outcomes, codes: IntArray, prior: MeanTable) -> "Statistics":
        """Take the means of outcomes.

        Args:
            outcomes: what was measured.
            codes: (n_queries,) category of each query, -1 where unknown.
            prior: the table of quality that was fitted on the same outcomes.
        """
        return cls(
            models=outcomes.models,
            quality=prior.overall,
            counts=prior.counts,
            latency_s=_shrunk_means(outcomes.latency_s, codes),
            cost_usd=_shrunk_means(outcomes.cost_usd, codes),
        )


def _shrunk_means(values: FloatArray, codes: IntArray) -> FloatArray:
    """Mean by category, shrunk to each model's own mean, which is the last row; NaN for a model without any value."""
    observed = np.isfinite(values)
    filled = np.where(observed, values, 0.0)
    counts = observed.sum(axis=0)
    overall = np.where(counts > 0, filled.sum(axis=0) / np.maximum(counts, 1), np.nan)
    members = (codes == np.arange(len(CATEGORIES))[:, None]).astype(np.float64)
    in_category = (members @ filled + _PRIOR_WEIGHT * overall) / (members @ observed + _PRIOR_WEIGHT)
    return np.vstack([in_category, overall])
