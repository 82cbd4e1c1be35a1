"""Choices of held-out queries under other objectives, and what they give: for the curve and for targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsr.choice.objective import EfficiencyScale, Objective
from vsr.data.outcomes import Outcomes
from vsr.evaluation.held import Held
from vsr.evaluation.measured import at, known_mean
from vsr.evaluation.results import CategorySource, CurvePoint
from vsr.evaluation.statistics.missing_cells import completed
from vsr.evaluation.statistics.prediction_powered import completed_qualities
from vsr.evaluation.statistics.query_groups import grouped_folds
from vsr.prior.category_means import FloatArray, IntArray

#: Parts of the held-out queries: an objective is picked on all but one and measured on that one, in turn.
N_PARTS = 5


@dataclass(frozen=True, eq=False)
class Ledger:
    """What utility is made of, on the held-out queries: all (n_held_out, n_models), missing cells estimated.

    Attributes:
        models: names of the columns.
        quality: in [0, 1] as measured.
        speed: 1 as fast as the fastest model, 0 as slow as the slowest; 0.5 where unknown.
        cheapness: the same of cost.
        latency_s: seconds; None where the latency of a model is not known at all.
        cost_usd: USD; None where the cost of a model is not known at all.
    """

    models: tuple[str, ...]
    quality: FloatArray
    speed: FloatArray
    cheapness: FloatArray
    latency_s: FloatArray | None
    cost_usd: FloatArray | None

    @classmethod
    def of(cls, outcomes: Outcomes, codes: IntArray, rows: IntArray, seed: int) -> "Ledger":
        """Take what was measured, and estimate what was not, as the table does.

        Args:
            outcomes: all queries.
            codes: (n_queries,) category of each.
            rows: rows that were held out.
            seed: seed of the folds of the estimates.
        """
        scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)
        speed = scale.efficiency(outcomes.latency_s, outcomes.cost_usd, Objective(0.0, 0.0))
        cheapness = scale.efficiency(outcomes.latency_s, outcomes.cost_usd, Objective(0.0, 1.0))
        measured = np.flatnonzero(outcomes.observed.any(axis=0))

        def estimated(values: FloatArray) -> FloatArray:
            return completed(values, codes, seed, outcomes.probability)[rows]

        def known(values: FloatArray) -> FloatArray | None:
            return estimated(values) if all(known_columns(values[:, measured])) else None

        # An estimate is linear in the values of the same cells: parts that are estimated where quality is add up to the
        # estimate of their sum.
        return cls(
            models=tuple(outcomes.models),
            quality=completed_qualities(outcomes, codes, seed)[rows],
            speed=estimated(np.where(outcomes.observed, speed, np.nan)),
            cheapness=estimated(np.where(outcomes.observed, cheapness, np.nan)),
            latency_s=known(outcomes.latency_s),
            cost_usd=known(outcomes.cost_usd),
        )

    @property
    def price(self) -> FloatArray | None:
        """Cost, or latency where no cost is known; None where neither is."""
        return self.latency_s if self.cost_usd is None else self.cost_usd

    def point(self, columns: IntArray, objective: Objective) -> CurvePoint:
        """Take the means of some choices: (n_splits, n_held_out) columns."""
        weight, share = objective.quality_weight, objective.cost_share
        quality, speed, cheapness = (
            float(at(values, columns).mean()) for values in (self.quality, self.speed, self.cheapness)
        )
        counts = np.bincount(columns.ravel(), minlength=len(self.models)) / columns.size
        return CurvePoint(
            quality_weight=weight,
            cost_share=share,
            quality=min(max(quality, 0.0), 1.0),
            utility=weight * quality
            + (1.0 - weight) * ((1.0 - share) * speed + share * cheapness)
            - float(counts @ objective.penalties(self.models)),
            cost_usd=None if self.cost_usd is None else known_mean(at(self.cost_usd, columns)),
            latency_s=None if self.latency_s is None else known_mean(at(self.latency_s, columns)),
            selection={model: float(own) for model, own in zip(self.models, counts.tolist(), strict=True) if own > 0.0},
        )

    def always(self, column: int) -> IntArray:
        """(1, n_held_out) one model for everything."""
        return np.full((1, len(self.quality)), column)


def known_columns(values: FloatArray) -> tuple[bool, ...]:
    """Whether each column of (n_queries, n_models) has a value at all."""
    return tuple(bool(column.any()) for column in np.isfinite(values).T)


@dataclass(frozen=True, eq=False)
class Slide:
    """What a method gives under several objectives, over all held-out queries and by parts of them.

    Attributes:
        points: one per objective.
        parts: (n_held_out,) part of each query: on some parts an objective is picked, on the others it is measured.
        quality: (n_objectives, n_parts) mean quality.
        price: (n_objectives, n_parts) mean price, of the ledger; 0 where there is none.
    """

    points: tuple[CurvePoint, ...]
    parts: IntArray
    quality: FloatArray
    price: FloatArray

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return int(self.quality.shape[1])

    def quality_on(self, parts: IntArray) -> FloatArray:
        """(n_objectives,) mean quality on some parts."""
        return self._on(self.quality, parts)

    def price_on(self, parts: IntArray) -> FloatArray:
        """(n_objectives,) mean price on some parts."""
        return self._on(self.price, parts)

    def _on(self, means: FloatArray, parts: IntArray) -> FloatArray:
        sizes = np.bincount(self.parts, minlength=self.n_parts)[parts]
        return np.asarray(means[:, parts] @ sizes / sizes.sum())


@dataclass(frozen=True, eq=False)
class Replay:
    """One method's choices of held-out queries, made again under any objective.

    Attributes:
        held: what the splits gave.
        ledger: what the choices are judged by.
        name: the method.
        source: how the categories of the queries are known.
    """

    held: Held
    ledger: Ledger
    name: str
    source: CategorySource

    @property
    def folds(self) -> list[IntArray]:
        """Per split, (n_held_out,) the fold in which each query was held out."""
        return [assignment[self.held.rows] for assignment in self.held.folds]

    def columns(self, objective: Objective) -> IntArray:
        """(n_splits, n_held_out) what is chosen."""
        return self.held.choose_again(self.name, self.source, objective)

    def point(self, objective: Objective) -> CurvePoint:
        """Give what one objective gives."""
        return self.ledger.point(self.columns(objective), objective)

    def slide(self, objectives: Sequence[Objective], parts: IntArray) -> Slide:
        """Choose again under every objective.

        Args:
            objectives: what is maximised, one after the other.
            parts: (n_held_out,) part of each query, numbered from 0.
        """
        ledger, sizes = self.ledger, np.bincount(parts)
        points, quality, price = [], [], []
        for objective in objectives:
            columns = self.columns(objective)
            points.append(ledger.point(columns, objective))
            quality.append(np.bincount(parts, at(ledger.quality, columns).mean(axis=0)) / sizes)
            own = np.zeros(len(parts)) if ledger.price is None else at(ledger.price, columns).mean(axis=0)
            price.append(np.bincount(parts, own) / sizes)
        return Slide(tuple(points), parts, np.array(quality), np.array(price))

    @property
    def groups(self) -> IntArray:
        """(n_held_out,) queries that belong together, numbered from 0."""
        return np.unique(self.held.groups[self.held.rows], return_inverse=True)[1].reshape(-1)

    def parts(self, seed: int) -> IntArray:
        """(n_held_out,) five parts of the held-out queries, alike in categories; groups stay together."""
        groups = self.groups
        n_parts = min(N_PARTS, int(groups.max()) + 1)
        return grouped_folds(self.held.codes[self.held.rows], groups, n_parts, np.random.default_rng(seed))
