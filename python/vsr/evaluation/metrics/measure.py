"""All metrics of a comparison, for the selector that is judged."""

from dataclasses import dataclass

import numpy as np

from vsr.choice.objective import Objective, best_columns
from vsr.evaluation.baselines import gain_over_mix, static_mix
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.lines import Lines
from vsr.evaluation.measured import at, known_mean
from vsr.evaluation.metrics import by_category, calibration, strong_calls
from vsr.evaluation.metrics import definitions as of
from vsr.evaluation.metrics.luck_of_one_draw import luck_of_one_draw
from vsr.evaluation.metrics.metric import Definition, Metric
from vsr.evaluation.metrics.selection import Selection, entropy, selections
from vsr.evaluation.metrics.sweep import Sweep, sweep_metrics
from vsr.evaluation.results import CategorySource, Evaluation
from vsr.evaluation.statistics.intervals import Interval

_NO_COST = "the cost of a model is not known"


@dataclass(frozen=True)
class Metrics:
    """What the literature would say of the judged selector.

    Attributes:
        values: every metric, those that do not apply with the reason.
        selection: what was chosen over all queries, then by category.
    """

    values: tuple[Metric, ...]
    selection: tuple[Selection, ...]

    def value(self, name: str) -> Metric:
        """Give a metric by its name."""
        return next(metric for metric in self.values if metric.name == name)


def metrics_of(held: Held, evaluation: Evaluation, source: CategorySource) -> Metrics:
    """Work out every metric of the judged selector on held-out queries.

    Args:
        held: what the splits gave.
        evaluation: the comparison that was made of it.
        source: how queries will arrive.
    """
    # Without a curve the metrics that need one say so.
    sweep = None if evaluation.curve is None else Sweep.of(evaluation.curve, evaluation.highest_quality)
    judged = _Judged(held, evaluation, source)
    values = (
        *judged.means(),
        *judged.gains(),
        *judged.against_oracle(),
        *judged.macro(),
        *sweep_metrics(sweep),
        *judged.strong_and_weak(),
        judged.switching(),
        *judged.calibrated(),
        judged.ceiling(),
        of.ENTROPY.of(judged.entropy()),
    )
    codes = held.codes[held.rows]
    return Metrics(values, selections(judged.columns, codes, held.outcomes.models))


class _Judged:
    """What was chosen, and what the models did."""

    def __init__(self, held: Held, evaluation: Evaluation, source: CategorySource) -> None:
        self.held, self.source, self.evaluation = held, source, evaluation
        self.lines = Lines(held, evaluation.objective, evaluation.seed)
        self.measured = self.lines.measured
        self.outcomes = held.outcomes.take(held.rows)
        self.columns = self.lines.columns(JUDGED, source)
        self.base = held.outcomes.models.index(evaluation.highest_quality)
        quality = self.outcomes.quality
        latency, cost = self.outcomes.latency_s, self.outcomes.cost_usd
        oracle = best_columns(quality, latency, cost, Objective(1.0))
        #: (n_held_out,) quality of the judged selector (mean over splits), of B and of the oracle.
        self.own = at(self.measured.quality, self.columns).mean(axis=0)
        self.single = self.measured.quality[:, self.base]
        self.best = quality[np.arange(len(quality)), oracle]

    def means(self) -> list[Metric]:
        """Quality, cost, latency."""
        cost = known_mean(at(self.measured.cost_usd, self.columns))
        latency = at(self.outcomes.latency_s, self.columns)
        latency = latency[np.isfinite(latency)]
        no_latency = "no latency was measured"
        return [
            of.QUALITY.of(float(self.own.mean())),
            of.COST.without("no cost is known") if cost is None else of.COST.of(cost),
            *(
                definition.of(float(np.percentile(latency, rank))) if latency.size else definition.without(no_latency)
                for definition, rank in ((of.LATENCY_P50, 50), (of.LATENCY_P95, 95))
            ),
        ]

    def gains(self) -> list[Metric]:
        """Over the best single model, and over a mix of two that costs the same."""
        identical = self.evaluation.method(JUDGED).gain is None
        gain = self.lines.gain(self.columns)
        note = f"{self.evaluation.best_single}"
        if identical:
            note += "; trained on all queries, the selector always chooses it"
        found = [of.GAIN_OVER_BEST_SINGLE.of(100.0 * gain.mean, _in_points(gain), note)]
        weights = static_mix(self.lines, self.columns)
        if weights is None:
            return [*found, of.GAIN_OVER_STATIC_MIX.without(_NO_COST)]
        gain = gain_over_mix(self.lines, self.columns, weights)
        mixed = " + ".join(f"{weights[j]:.0%} {self.outcomes.models[j]}" for j in np.flatnonzero(weights))
        return [*found, of.GAIN_OVER_STATIC_MIX.of(100.0 * gain.mean, _in_points(gain), mixed)]

    def against_oracle(self) -> list[Metric]:
        """Regret and the share of the gap that is closed."""
        own, single, best = (float(values.mean()) for values in (self.own, self.single, self.best))
        about = f"B is {self.evaluation.highest_quality}"
        closed = of.GAP_CLOSED.of((own - single) / (best - single), note=about) if best > single else None
        return [of.REGRET.of(best - own), closed or of.GAP_CLOSED.without("the oracle is no better than B")]

    def macro(self) -> list[Metric]:
        """Means over categories."""
        codes = self.held.codes[self.held.rows]
        known = np.isfinite(self.measured.quality).all(axis=0)
        random = self.measured.quality[:, known].mean(axis=1)
        own, anyone, single, best = (
            by_category.category_means(values, codes) for values in (self.own, random, self.single, self.best)
        )
        gap = by_category.mean_relative_gain(own, best)

        def ratio(definition: Definition, value: float | None) -> Metric:
            return definition.without("nothing is right in any category") if value is None else definition.of(value)

        return [
            of.AVG_ACC.of(float(own.mean())),
            ratio(of.GAIN_AT_R, by_category.mean_relative_gain(own, anyone)),
            ratio(of.GAIN_AT_B, by_category.mean_relative_gain(own, single)),
            ratio(of.GAP_AT_O, None if gap is None else -gap),
        ]

    def strong_and_weak(self) -> list[Metric]:
        """RouteLLM's view: calls of a strong model among those of a weak one."""
        definitions = (of.APGR, of.CPT_50, of.CPT_80)
        weak, why = self._weak()
        if weak is None:
            return [definition.without(why) for definition in definitions]
        scores = self.held.choices[JUDGED].scores(self.source)[:, self.held.rows]
        # A fold that does not know one of the two has no opinion.
        margin = np.nan_to_num(scores[:, :, self.base] - scores[:, :, weak])
        recovered = strong_calls.recovered_gap(margin, self.measured.quality[:, weak], self.single)
        pair = f"strong {self.outcomes.models[self.base]}, weak {self.outcomes.models[weak]} ({why})"
        if recovered is None:
            return [definition.without(f"no performance gap: {pair}") for definition in definitions]
        return [
            of.APGR.of(strong_calls.average_gap_recovered(recovered), note=pair),
            of.CPT_50.of(strong_calls.call_threshold(recovered, 0.5), note=pair),
            of.CPT_80.of(strong_calls.call_threshold(recovered, 0.8), note=pair),
        ]

    def _weak(self) -> tuple[int | None, str]:
        """Column of the cheapest model, the fastest where no cost is known, and why it is that one."""
        for values, why in ((self.measured.cost_usd, "the cheapest"), (self.measured.latency_s, "the fastest")):
            means = np.where(np.isfinite(self.measured.quality).all(axis=0), values.mean(axis=0), np.nan)
            if np.isfinite(means).any():
                weak = int(np.nanargmin(means))
                return (None, f"the model of highest quality is {why}") if weak == self.base else (weak, why)
        return None, "neither cost nor latency is known, so no model is the weak one"

    def switching(self) -> Metric:
        """How often leaving B is right less how often it is wrong."""
        quality = self.outcomes.quality
        chosen, single = at(quality, self.columns), quality[:, self.base]
        difference = (chosen - single)[self.columns != self.base]
        difference = difference[np.isfinite(difference)]
        if not difference.size:
            return of.SWITCH_PRECISION.without(f"{self.evaluation.highest_quality} is always chosen")
        note = f"B is {self.evaluation.highest_quality}, left on {(self.columns != self.base).mean():.0%}"
        return of.SWITCH_PRECISION.of(float((difference > 0).mean() - (difference < 0).mean()), note=note)

    def calibrated(self) -> list[Metric]:
        """Whether predicted quality comes true, over all splits and measured cells."""
        scores = self.held.choices[JUDGED].scores(self.source)[:, self.held.rows]
        measured = np.broadcast_to(self.outcomes.quality, scores.shape)
        known = np.isfinite(scores) & np.isfinite(measured)
        predicted, came_true = scores[known], measured[known]
        slope = calibration.calibration_slope(predicted, came_true)
        return [
            of.BRIER.of(calibration.brier_score(predicted, came_true)),
            of.CALIBRATION_ERROR.of(calibration.expected_calibration_error(predicted, came_true)),
            of.CALIBRATION_SLOPE.without("all predictions are the same")
            if slope is None
            else of.CALIBRATION_SLOPE.of(slope),
        ]

    def ceiling(self) -> Metric:
        """How much of the oracle's gap is luck."""
        repeats = self.outcomes.repeats
        if repeats is None:
            return of.NOISE_CEILING.without("no cell was measured twice")
        found = luck_of_one_draw(repeats.first, repeats.others, self.base)
        if found is None:
            return of.NOISE_CEILING.without("there is no query with all its cells measured twice, or no gap on them")
        return of.NOISE_CEILING.of(found[0], note=f"over {found[1]:,} queries, B is {self.evaluation.highest_quality}")

    def entropy(self) -> float:
        """Of the choices over all queries."""
        n_models = self.outcomes.n_models
        return entropy(np.bincount(self.columns.ravel(), minlength=n_models) / self.columns.size)


def _in_points(interval: Interval) -> Interval:
    return Interval(100.0 * interval.mean, 100.0 * interval.low, 100.0 * interval.high, interval.n)
