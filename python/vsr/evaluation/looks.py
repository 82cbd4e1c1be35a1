"""The verdict while calls are still being made: looked at a few times, and when to stop.

Whoever looks at a 95 % interval again and again, and stops once it is above 0, errs more often than one time in twenty.
So the looks are few and fixed beforehand, and share the error between them (Bonferroni): with four, each has intervals
of 98.75 %. Stopping since nothing more is to be expected says that routing pays in no case, so it costs no error.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from vsr.evaluation.compare_and_train import TrainingSettings, compare_prepared
from vsr.evaluation.cross_validation import compared_rows
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Held
from vsr.evaluation.learning_curve import LessTraining, train_on_less
from vsr.evaluation.lines import Lines
from vsr.evaluation.preparation import PreparedTraining
from vsr.evaluation.results import VerdictKind
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.statistics.intervals import Interval

#: What is looked at beside the table: a selector that is trained in a moment, and among the best on all data sets.
LOOKED_AT = ("knn",)
#: Error of all looks together.
ALPHA = 0.05
#: A gain below this is not worth an operator's while, in utility.
LEAST_WORTH = 0.01
#: A learning curve is flat if all queries of the ceiling would add less than this to the gain, in utility.
FLAT_RISE = 0.005
# How much luck is granted to a gain before it is given up: it is larger than that one time in ten.
_LUCK_GRANTED = NormalDist().inv_cdf(0.9)

End = Literal["pays", "not worth it", "flat"]


@dataclass(frozen=True)
class Seen:
    """What a look saw.

    Attributes:
        verdict: by the rule of every comparison, at the level of the look.
        level: probability with which the intervals are to hold the true gains.
        gain: of the chosen selector over the best single model.
        table: the same of the category table.
        best_single: that model.
        recommended: the chosen selector.
        rise: what the queries up to the ceiling would add to the gain by the learning curve; None without a curve.
        end: why no more has to be asked; None where it goes on.
    """

    verdict: VerdictKind
    level: float
    gain: Interval
    table: Interval
    best_single: str
    recommended: str
    rise: float | None
    end: End | None


def level_of(n_looks: int) -> float:
    """Give the level of the intervals of each of some looks."""
    return 1.0 - ALPHA / n_looks


def look(prepared: PreparedTraining, settings: TrainingSettings, n_ceiling: int, level: float) -> Seen | None:
    """Ask for the verdict of what was measured so far.

    Args:
        prepared: the queries that were asked so far, every model on each.
        settings: how `train` would compare; the quick selectors alone are looked at.
        n_ceiling: queries that are asked in all if no look ends it.
        level: of the intervals.

    Returns:
        What was seen; None where there is too little to compare.

    Raises:
        TrainingError: As in `compare_prepared`.
    """
    comparison = compare_prepared(prepared, settings, [], None)
    if comparison is None:
        return None
    compared = ComparisonSettings(
        algorithms=settings.algorithms,
        objective=comparison.evaluation.objective,
        categories=settings.categories,
        seed=settings.seed,
        parameters=settings.parameters,
    )
    held = comparison.held
    features = compared_rows(prepared.features, prepared.outcomes, held)
    return see(held, train_on_less(features, held, compared), compared, n_ceiling, level)


def see(held: Held, less: tuple[LessTraining, ...], settings: ComparisonSettings, n_ceiling: int, level: float) -> Seen:
    """Draw the conclusion of a look from what the splits gave.

    Args:
        held: what the splits gave.
        less: what was chosen after training on fewer queries.
        settings: how they were compared.
        n_ceiling: queries that are asked in all if no look ends it.
        level: of the intervals.
    """
    lines = Lines(held, settings.objective, settings.seed, level)
    series = lines.series(less, settings.categories) if less else None
    evidence = lines.evidence(settings.categories, series)
    # Its held-out choices have a gain even where the artefact would be identical to the best single model.
    gain = lines.gain(lines.columns(JUDGED, settings.categories))
    table = lines.gain(lines.columns(CATEGORY_TABLE, settings.categories))
    verdict, rise = evidence.kind(), None
    share = min(held.outcomes.n_queries / n_ceiling, 1.0)
    if evidence.to_come is not None:
        rise = evidence.to_come * (1.0 - math.sqrt(share))
    return Seen(
        verdict=verdict,
        level=level,
        gain=gain,
        table=table,
        best_single=held.outcomes.models[lines.named],
        recommended=held.recommended,
        rise=rise,
        end=ending(verdict, gain, table, rise, share, level),
    )


def ending(
    verdict: VerdictKind, gain: Interval, table: Interval, rise: float | None, share: float, level: float
) -> End | None:
    """Say why no more has to be asked, if so.

    It pays: the verdict says so. It is not worth it: even the upper ends of both gains, with what is still to be
    learnt, are too small. The curve is flat: little is still to be learnt, and the interval at the ceiling, narrower by
    the root of the queries, would hold 0 even for a gain larger than today's by what luck takes off one time in ten.

    Args:
        verdict: by the rule of every comparison.
        gain: of the chosen selector over the best single model.
        table: the same of the category table.
        rise: what the queries up to the ceiling would add to the gain; None where nobody knows.
        share: of the queries up to the ceiling that were asked.
        level: of both intervals.
    """
    if verdict in ("route", "category_table"):
        return "pays"
    if rise is None:
        return None
    if max(gain.high + rise, table.high) < LEAST_WORTH:
        return "not worth it"
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)

    def may_be_decided(own: Interval) -> bool:
        half = (own.high - own.low) / 2.0
        return own.mean + rise + _LUCK_GRANTED * half / z > half * math.sqrt(share)

    return "flat" if rise < FLAT_RISE and not may_be_decided(gain) and not may_be_decided(table) else None
