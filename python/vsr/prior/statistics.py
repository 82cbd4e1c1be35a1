"""What the training records say of every model by category: quality, latency, cost. A choice weighs them."""

from dataclasses import dataclass

from vsr.data.outcomes import Outcomes
from vsr.prior.category_means import FloatArray, IntArray, MeanTable
from vsr.prior.shrunk_means import shrunk_means
from vsr.prior.token_statistics import TokenStatistics


@dataclass(frozen=True, eq=False)
class Statistics:
    """Per-model and per-category means of the training records.

    Attributes:
        models: names of the models, in the order of the columns.
        quality: (n_models,) float64 expected quality over all queries.
        counts: (n_categories, n_models) int64, measured qualities.
        latency_s: (n_categories + 1, n_models) float64, the last row for unknown categories; NaN = never measured.
        cost_usd: (n_categories + 1, n_models) float64 USD per query, the last row likewise; NaN = never known.
        tokens: of prompts and answers; None where no record had any.
    """

    models: tuple[str, ...]
    quality: FloatArray
    counts: IntArray
    latency_s: FloatArray
    cost_usd: FloatArray
    tokens: TokenStatistics | None = None

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
            latency_s=shrunk_means(outcomes.latency_s, codes),
            cost_usd=shrunk_means(outcomes.cost_usd, codes),
            tokens=TokenStatistics.from_outcomes(outcomes, codes),
        )
