"""Metrics of what sliding the objective brings, from plain points of cost and quality."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsr.evaluation.metrics import curves
from vsr.evaluation.metrics import definitions as of
from vsr.evaluation.metrics.metric import Definition, Metric
from vsr.evaluation.results import Curve, CurvePoint
from vsr.prior.category_means import FloatArray

_DEFINITIONS = (of.PERF_GAIN, of.COST_SAVE, of.AIQ, of.DEFERRAL_AREA, of.QNC, of.PARETO_DIST)


@dataclass(frozen=True, eq=False)
class Sweep:
    """Mean cost and quality of the methods over the objective; all (n, 2), cost in USD per query, NaN = unknown.

    Attributes:
        judged: points of the judged selector.
        others: points of other methods over the same objectives.
        singles: one point a single model.
        base: row of B among the single models.
        base_name: its name.
    """

    judged: FloatArray
    others: FloatArray
    singles: FloatArray
    base: int
    base_name: str

    @classmethod
    def of(cls, curve: Curve, base_name: str) -> "Sweep":
        """Take the points of a curve; of objectives that weigh cost, where some of them do.

        Args:
            curve: what sliding the objective does.
            base_name: the single model of highest quality.
        """
        share = max(point.cost_share for point in curve.judged)
        return cls(
            judged=_points([point for point in curve.judged if point.cost_share == share]),
            others=_points([point for point in curve.table if point.cost_share == share]),
            singles=_points(list(curve.singles.values())),
            base=list(curve.singles).index(base_name),
            base_name=base_name,
        )


def sweep_metrics(sweep: Sweep | None) -> list[Metric]:
    """Work them out; without a sweep they say that there is none."""
    if sweep is None:
        return [definition.without("the objective was not slid") for definition in _DEFINITIONS]
    own = sweep.judged
    base_cost, base_quality = sweep.singles[sweep.base].tolist()
    about = f"B is {sweep.base_name}"

    def told(definition: Definition, value: float | None, why_not: str) -> Metric:
        return definition.without(why_not) if value is None else definition.of(value, note=about)

    gain = told(of.PERF_GAIN, curves.performance_gain(own, base_quality), f"{sweep.base_name} is never right")
    pooled = np.vstack([own, sweep.others, sweep.singles])
    if not np.isfinite(pooled).all():
        return [gain, *(definition.without("the cost of a model is not known") for definition in _DEFINITIONS[1:])]
    cheapest, dearest = float(pooled[:, 0].min()), float(pooled[:, 0].max())
    dearest_single = float(sweep.singles[:, 0].max())
    saved = reached = None
    why_not = f"{sweep.base_name} costs nothing"
    if base_cost > 0.0:
        saved = curves.cost_saving(own, base_quality, base_cost)
        reached = curves.quality_neutral_cost(own, base_quality, base_cost)
        why_not = f"no point of the sweep is as good as {sweep.base_name}"
    return [
        gain,
        told(of.COST_SAVE, saved, why_not),
        of.AIQ.of(curves.aiq(own, cheapest, dearest)) if dearest > cheapest else of.AIQ.without("all costs are equal"),
        of.DEFERRAL_AREA.of(curves.deferral_area(own, dearest_single))
        if dearest_single > 0.0
        else of.DEFERRAL_AREA.without("nothing costs anything"),
        told(of.QNC, reached, why_not),
        _distance(curves.pareto_distance(own, pooled)),
    ]


def _points(points: Sequence[CurvePoint]) -> FloatArray:
    """(n, 2) cost and quality; NaN where a cost is not known."""
    return np.array([(np.nan if each.cost_usd is None else each.cost_usd, each.quality) for each in points])


def _distance(value: float | None) -> Metric:
    return of.PARETO_DIST.without("all costs or all qualities are equal") if value is None else of.PARETO_DIST.of(value)
