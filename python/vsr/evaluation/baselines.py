"""Baselines: what routing has to beat, and the oracles, which nothing beats."""

import numpy as np

from vsr.choice.objective import Objective, best_columns
from vsr.evaluation.held import JUDGED
from vsr.evaluation.lines import Lines
from vsr.evaluation.measured import Measured, at, known_mean
from vsr.evaluation.metrics.curves import mix_at
from vsr.evaluation.results import CategorySource, MethodResult
from vsr.evaluation.rivals.rival import Rival
from vsr.evaluation.statistics.intervals import Interval, luck_in_gain
from vsr.prior.category_means import FloatArray, IntArray

RANDOM = "random"
CHEAPEST = "cheapest"
FASTEST = "fastest"
STATIC_MIX = "static mix"
CATEGORY_ORACLE = "category oracle"
ORACLE = "oracle"


def fixed_baselines(lines: Lines, categories: CategorySource) -> list[MethodResult]:
    """Give the lines that look at no query: random, the cheapest and the fastest model, the cost-matched mix.

    What needs costs or latencies that are not known is left out.
    """
    measured = lines.measured
    found = [_random(lines)]
    for name, values in ((CHEAPEST, measured.cost_usd), (FASTEST, measured.latency_s)):
        column = _lowest(values, measured)
        if column is not None:
            model = lines.held.outcomes.models[column]
            gain = None if column == lines.named else lines.single(column, model).gain
            found.append(lines.line(name, f"{name} ({model})", "baseline", lines.always(column), gain))
    weights = static_mix(lines, lines.columns(JUDGED, categories))
    if weights is not None:
        drawn = np.flatnonzero(weights).tolist()
        utility = measured.utility[:, drawn] @ weights[drawn]
        shift = float(weights @ lines.pull - lines.pull[lines.named])
        gain = None if drawn == [lines.named] else lines.interval((utility - lines.base)[None, :], shift)
        found.append(lines.mix(STATIC_MIX, f"{STATIC_MIX} of the same cost", weights, gain))
    return found


def static_mix(lines: Lines, columns: IntArray) -> FloatArray | None:
    """Weights of the two single models around the cost of some choices, on the hull of (cost, utility).

    Drawn with these weights, they cost on average what the choices cost, and no other mix of single models that does is
    worth more. No selector should do worse than that.

    Args:
        lines: what everything is compared with.
        columns: (n_splits, n_held_out) the choices.

    Returns:
        (n_models,) float64 of sum 1; None where the cost of a model is not known.
    """
    measured = lines.measured
    known = np.isfinite(measured.utility).all(axis=0)
    costs = measured.cost_usd.mean(axis=0)
    cost = known_mean(at(measured.cost_usd, columns))
    if cost is None or not np.isfinite(costs[known]).all():
        return None
    utilities = measured.utility.mean(axis=0)
    return mix_at(np.column_stack([costs, utilities]), cost)


def gain_over_mix(lines: Lines, columns: IntArray, weights: FloatArray) -> Interval:
    """Gain of some choices over a mix of single models, less what the mix owes to its models having been picked."""
    drawn = np.flatnonzero(weights)
    utility = lines.measured.utility[:, drawn] @ weights[drawn]
    luck = max(0.0, -float(weights @ lines.pull))
    elsewhere = float((1.0 - weights[columns]).mean())
    return lines.interval(at(lines.measured.utility, columns) - utility, luck_in_gain(luck, elsewhere))


def rival_line(lines: Lines, rival: Rival) -> MethodResult:
    """Give the line of what somebody else's router would have chosen."""
    columns = rival.columns[:, lines.held.rows]
    return lines.line(rival.name, rival.label, "baseline", columns, lines.gain(columns), seconds=rival.seconds)


def oracles(lines: Lines, objective: Objective) -> list[MethodResult]:
    """Give the best model of every category and of every query, known afterwards from the same queries."""
    outcomes = lines.held.outcomes.take(lines.held.rows)
    found = []
    if len(np.unique(lines.held.codes)) > 1:
        columns = _best_by_category(lines)
        gain = lines.interval(at(lines.measured.utility, columns) - lines.base, lines.luck_in(columns))
        found.append(lines.line(CATEGORY_ORACLE, CATEGORY_ORACLE, "oracle", columns, gain))
    # As measured, nothing estimated: the oracle knows what it picks.
    columns = best_columns(outcomes.quality, outcomes.latency_s, outcomes.cost_usd, objective, outcomes.models)[None, :]
    measured = Measured.of(lines.held.outcomes, lines.held.codes, objective, None).take(lines.held.rows)
    gain = lines.interval(at(measured.utility, columns) - lines.base, lines.luck_in(columns))
    found.append(lines.line(ORACLE, ORACLE, "oracle", columns, gain, measured=measured))
    return found


def _best_by_category(lines: Lines) -> IntArray:
    """(1, n_held_out) the model of highest mean utility in the given category; ties to the cheaper, then the faster."""
    measured, codes = lines.measured, lines.held.codes[lines.held.rows]
    columns = np.empty(len(codes), dtype=np.int64)
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        utility, cost, latency = (
            np.where(np.isfinite(means), means, worst)
            for means, worst in (
                (measured.utility[own].mean(axis=0), -np.inf),
                (measured.cost_usd[own].mean(axis=0), np.inf),
                (measured.latency_s[own].mean(axis=0), np.inf),
            )
        )
        columns[own] = np.lexsort((latency, cost, -utility))[0]
    return columns[None, :]


def _lowest(values: FloatArray, measured: Measured) -> int | None:
    """Column of the lowest mean among models that were measured; None where nothing is known."""
    means = values.mean(axis=0)
    means = np.where(np.isfinite(means) & np.isfinite(measured.utility).all(axis=0), means, np.inf)
    return int(means.argmin()) if np.isfinite(means).any() else None


def _random(lines: Lines) -> MethodResult:
    """A model drawn at random for every query."""
    known = np.isfinite(lines.measured.utility).all(axis=0)
    return lines.mix(RANDOM, RANDOM, known / known.sum(), None)
