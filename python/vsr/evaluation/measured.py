"""What the models did on the queries: the values that choices are judged by, missing cells estimated."""

from dataclasses import dataclass

import numpy as np

from vsr.choice.objective import EfficiencyScale, Objective, measured_utilities
from vsr.data.outcomes import Outcomes
from vsr.evaluation.statistics.missing_cells import completed
from vsr.evaluation.statistics.prediction_powered import completed_qualities, is_prediction_powered
from vsr.prior.category_means import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Measured:
    """What the models did on some queries: all (n_queries, n_models), missing cells estimated, NaN = never known.

    Attributes:
        utility: under the objective.
        quality: in [0, 1] as measured; an estimate may lie outside.
        latency_s: seconds.
        cost_usd: USD.
        is_missing: 1 where quality was not measured.
        is_best: 1 for the models of the highest measured quality of the query.
        is_judged: whether most qualities are judged, and corrected by those that are known.
    """

    utility: FloatArray
    quality: FloatArray
    latency_s: FloatArray
    cost_usd: FloatArray
    is_missing: FloatArray
    is_best: FloatArray
    is_judged: bool = False

    @classmethod
    def of(cls, outcomes: Outcomes, codes: IntArray, objective: Objective, seed: int | None) -> "Measured":
        """Take what was measured; estimate what was not, unless there is no seed.

        Args:
            outcomes: all queries.
            codes: (n_queries,) category of each.
            objective: what utility is.
            seed: seed of the folds of the estimates.
        """
        scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)
        best = np.where(outcomes.observed, outcomes.quality, -1.0)

        def utility_of(quality: FloatArray) -> FloatArray:
            return measured_utilities(quality, outcomes.latency_s, outcomes.cost_usd, scale, objective, outcomes.models)

        if seed is None:
            parts = (utility_of(outcomes.quality), outcomes.quality, outcomes.latency_s, outcomes.cost_usd)
        else:
            parts = (
                completed_qualities(outcomes, codes, seed, utility_of),
                completed_qualities(outcomes, codes, seed),
                completed(outcomes.latency_s, codes, seed, outcomes.probability),
                completed(outcomes.cost_usd, codes, seed, outcomes.probability),
            )
        return cls(
            *parts,
            is_missing=(~outcomes.observed).astype(np.float64),
            is_best=(best >= best.max(axis=1, keepdims=True)).astype(np.float64),
            is_judged=is_prediction_powered(outcomes),
        )

    def take(self, rows: IntArray) -> "Measured":
        """Keep some queries."""
        return Measured(
            self.utility[rows],
            self.quality[rows],
            self.latency_s[rows],
            self.cost_usd[rows],
            self.is_missing[rows],
            self.is_best[rows],
            self.is_judged,
        )


def at(values: FloatArray, columns: IntArray) -> FloatArray:
    """Values of the chosen columns: (n_queries, n_models) at (n_splits, n_queries)."""
    return np.asarray(values[np.arange(len(values)), columns])


def known_mean(values: FloatArray) -> float | None:
    """Mean of what is known, any shape; None where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
