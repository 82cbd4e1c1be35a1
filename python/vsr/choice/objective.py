"""The objective: what a choice maximises, and the scales on which speed and cost are measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vsr._checks import require_kind, require_number
from vsr.errors import SelectionError
from vsr.prior.category_means import FloatArray, IntArray

if TYPE_CHECKING:
    from vsr.prior.statistics import Statistics

# The slowest model counts as at least so many times the fastest: 1.00 s against 1.01 s is no difference.
_MIN_SPAN = 100.0


_FREE_USD = 1e-6

DEFAULT_SWITCH_MARGIN = 0.03
"""A conversation that changes its model loses the cache of its prompt, and its tone."""


@dataclass(frozen=True)
class Objective:
    """What a choice maximises.

    `utility = quality_weight * quality + (1 - quality_weight) * efficiency`, with
    `efficiency = (1 - cost_share) * speed + cost_share * cheapness`; less the penalty of the model, where it has one.

    Attributes:
        quality_weight: 1.0 quality alone, 0.9 default, 0.7 balanced, 0.5 equal, 0.3 speed first, 0.0 fastest always.
        cost_share: share of cheapness in efficiency; the rest is speed.
        model_penalty: what the utility of single models is lowered by, so that they are chosen less often.
        switch_margin: by how much utility has to rise for a conversation to change its model.
    """

    quality_weight: float = 0.9
    cost_share: float = 0.0
    model_penalty: Mapping[str, float] = field(default_factory=dict, hash=False)
    switch_margin: float = DEFAULT_SWITCH_MARGIN

    def __post_init__(self) -> None:
        """Check the range.

        Raises:
            SelectionError: A weight is no number in [0, 1].
        """
        for name, value in (("quality_weight", self.quality_weight), ("cost_share", self.cost_share)):
            require_number(value, name, "a number from 0 to 1", SelectionError)
            if not 0.0 <= value <= 1.0:
                raise SelectionError(f"{name} is {value}; expected a number from 0 to 1")
        require_number(self.switch_margin, "switch_margin", "a number of 0 or more", SelectionError)
        if not 0.0 <= self.switch_margin < np.inf:
            raise SelectionError(f"switch_margin is {self.switch_margin}; expected a number of 0 or more")
        expected = "a dict from names of models to numbers of 0 or more"
        require_kind(self.model_penalty, dict, "model_penalty", expected, SelectionError)
        for model, value in self.model_penalty.items():
            require_number(value, f"the penalty of {model}", "a number of 0 or more", SelectionError)
            if not 0.0 <= value < np.inf:
                raise SelectionError(f"the penalty of {model} is {value}; expected a number of 0 or more")

    @classmethod
    def for_target(
        cls,
        scores: npt.ArrayLike,
        statistics: "Statistics",
        categories: Sequence[str | None] | None = None,
        *,
        cost_usd: float | None = None,
        latency_s: float | None = None,
        share: tuple[str, float] | None = None,
    ) -> "Objective":
        """Find the objective whose choices need at most so much, and give up least for it.

        Cost and latency are what the statistics expect of the chosen models in the queries' categories.

        Args:
            scores: (n_queries, n_models) predicted quality of queries that the selector was not trained on.
            statistics: the selector's.
            categories: category of each query, None = unknown; without it all are unknown.
            cost_usd: mean cost per query.
            latency_s: mean latency per query in seconds.
            share: a model, and the share of the queries that it may be chosen for.

        Raises:
            SelectionError: Not exactly one target, or one that cannot be reached; or the arguments do not fit.
        """
        # It needs objectives itself, so that it cannot be imported before them.
        from vsr.choice.for_target import objective_for  # noqa: PLC0415

        return objective_for(scores, statistics, categories, cost_usd=cost_usd, latency_s=latency_s, share=share)

    @property
    def is_quality_alone(self) -> bool:
        """Whether utility is quality and nothing else."""
        return self.quality_weight >= 1.0 and not self.model_penalty

    def penalties(self, models: Sequence[str]) -> FloatArray:
        """(n_models,) what the utility of each of some models is lowered by."""
        return np.array([self.model_penalty.get(model, 0.0) for model in models], dtype=np.float64)

    def document(self) -> dict[str, Any]:
        """Give the objective as JSON values; beside the two weights what is not as usual."""
        document: dict[str, Any] = {"quality_weight": self.quality_weight, "cost_share": self.cost_share}
        if self.model_penalty:
            document["model_penalty"] = dict(self.model_penalty)
        if self.switch_margin != DEFAULT_SWITCH_MARGIN:
            document["switch_margin"] = self.switch_margin
        return document


def as_objective(objective: Objective | None) -> Objective:
    """Take an objective as callers pass it: `Objective()` without one.

    Raises:
        SelectionError: It is something else, for example a number.
    """
    if objective is None:
        return Objective()
    require_kind(objective, Objective, "objective", "vsr.Objective(quality_weight=...)", SelectionError)
    return objective


@dataclass(frozen=True, eq=False)
class Scale:
    """The logarithmic scale from the fastest (or cheapest) to the slowest (or dearest) model of an artefact.

    Attributes:
        log_best: logarithm of the value that counts 1.
        log_worst: logarithm of the value that counts 0.
    """

    log_best: float
    log_worst: float

    @classmethod
    def spanning(cls, values: FloatArray) -> "Scale":
        """Span the known values, widened around the middle to a factor of 100 at least.

        Args:
            values: any shape, positive or NaN.
        """
        known = np.log(values[np.isfinite(values)])
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        middle, half = (low + high) / 2.0, max((high - low) / 2.0, float(np.log(_MIN_SPAN)) / 2.0)
        return cls(middle - half, middle + half)

    def merit(self, values: FloatArray) -> FloatArray:
        """1 at the best end, 0 at the worst, beyond them for values outside; 0.5 where unknown. Any shape."""
        merit = (self.log_worst - np.log(values)) / (self.log_worst - self.log_best)
        return np.where(np.isfinite(merit), merit, 0.5)


@dataclass(frozen=True, eq=False)
class EfficiencyScale:
    """Speed and cheapness on the scales of one artefact, whatever candidates are on offer."""

    latency: Scale
    cost: Scale
    free_usd: float

    @classmethod
    def of_outcomes(cls, latency_s: FloatArray, cost_usd: FloatArray) -> "EfficiencyScale":
        """Span the models' means over all queries: both (n_queries, n_models), NaN = unknown."""
        return cls.of(_column_means(latency_s), _column_means(cost_usd))

    @classmethod
    def of(cls, latency_s: FloatArray, cost_usd: FloatArray) -> "EfficiencyScale":
        """Span the models' means.

        Args:
            latency_s: (n_models,) seconds, NaN = unknown.
            cost_usd: (n_models,) USD per query, NaN = unknown, 0 = free.
        """
        paid = cost_usd[np.isfinite(cost_usd) & (cost_usd > 0.0)]
        free = float(paid.min()) if paid.size else _FREE_USD
        return cls(Scale.spanning(_positive(latency_s, 1e-6)), Scale.spanning(_positive(cost_usd, free)), free)

    def cheapness(self, cost_usd: FloatArray) -> FloatArray:
        """1 for the cheapest, 0 for the dearest; any shape, NaN = unknown."""
        return self.cost.merit(_positive(cost_usd, self.free_usd))

    def efficiency(self, latency_s: FloatArray, cost_usd: FloatArray, objective: Objective) -> FloatArray:
        """Mix speed and cheapness; any shape, NaN = unknown."""
        speed = self.latency.merit(_positive(latency_s, 1e-6))
        cheapness = self.cheapness(cost_usd)
        return (1.0 - objective.cost_share) * speed + objective.cost_share * cheapness


def _positive(values: FloatArray, instead_of_zero: float) -> FloatArray:
    return np.where(values > 0.0, values, np.where(np.isfinite(values), instead_of_zero, np.nan))


def measured_utilities(
    quality: FloatArray,
    latency_s: FloatArray,
    cost_usd: FloatArray,
    scale: EfficiencyScale,
    objective: Objective,
    models: Sequence[str] = (),
) -> FloatArray:
    """Utility of what was measured: all (n_queries, n_models), NaN where quality was not measured.

    Penalties count where the `models` of the columns are named.
    """
    efficiency = scale.efficiency(latency_s, cost_usd, objective)
    penalties = objective.penalties(models) if models else 0.0
    return objective.quality_weight * quality + (1.0 - objective.quality_weight) * efficiency - penalties


def best_columns(
    quality: FloatArray,
    latency_s: FloatArray,
    cost_usd: FloatArray,
    objective: Objective,
    models: Sequence[str] = (),
) -> IntArray:
    """Column of the highest measured utility of every query; ties to the cheaper, then the faster, then the first.

    Args:
        quality: (n_queries, n_models), NaN = not measured.
        latency_s: (n_queries, n_models) seconds, NaN = unknown.
        cost_usd: (n_queries, n_models) USD, NaN = unknown.
        objective: what is maximised.
        models: names of the columns, for penalties.
    """
    scale = EfficiencyScale.of_outcomes(latency_s, cost_usd)
    utility = measured_utilities(quality, latency_s, cost_usd, scale, objective, models)
    keys = (_or(latency_s, np.inf), _or(cost_usd, np.inf), -_or(utility, -np.inf))
    # lexsort sorts by its last key first.
    return np.asarray(np.lexsort(keys, axis=1)[:, 0])


def _or(values: FloatArray, instead: float) -> FloatArray:
    return np.where(np.isfinite(values), values, instead)


def _column_means(values: FloatArray) -> FloatArray:
    observed = np.isfinite(values)
    counts = observed.sum(axis=0)
    return np.where(counts > 0, _or(values, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)
