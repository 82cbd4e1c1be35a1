"""The checks of a monitor: whether one count of a window can still be luck, seen against what it is compared with."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vsr.persistence.held_out import HeldOut, Moments
from vsr.persistence.yardstick import USUAL
from vsr.traffic.chance import mean_z, normal_tail, share_p_values
from vsr.traffic.tally import Sums, Tally, overdispersion, total

CheckName = Literal["queries", "categories", "models", "quality", "latency", "cost"]
Unit = Literal["share", "points", "ratio"]

# Queries of a window, answers of one model that were fed back, held-out queries for which it was chosen.
LEAST_QUERIES = 100
LEAST_ANSWERS = 20
_LEAST_HELD_OUT = 50.0
#: Earlier days that are enough to be compared with.
ENOUGH_DAYS = 7
# Held-out shares of a model are means over selectors that learned from fewer queries than the one that is deployed;
# its own share lies off by so many times the variance between splits (real outcomes: 2 to 6.5).
_SELECTOR_VARIANCES = 6.0
# How much days differ (`overdispersion`) is not known in the first week; until then shares of categories may swing by a
# fifth: of 10 %, by 2 points.
_HABITS_UNKNOWN = 0.004
# A fifth more or less is what the hour of the day makes of latencies; of costs, the length of the queries.
_TOLERATED = math.log(1.2)


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: of the check.
        n: queries, or answers that were fed back, in the window.
        p_value: probability of as much by chance alone; None where it cannot be told.
        subject: the category or model that moved most; None for all queries together, or where it cannot be told.
        expected: what it was compared with; None where it cannot be told.
        found: the same in the window.
        unit: of both: a share, quality less its prediction, or seconds or USD.
        against: what it was compared with, in words.
        why_unknown: why it cannot be told; None where it can.
    """

    name: CheckName
    n: int
    p_value: float | None = None
    subject: str | None = None
    expected: float | None = None
    found: float | None = None
    unit: Unit = "share"
    against: str = ""
    why_unknown: str | None = None


@dataclass(frozen=True)
class Traffic:
    """Days of traffic, split into the window and what was before.

    Attributes:
        window: days, the latest last.
        before: the days before, likewise.
    """

    window: Sequence[Tally]
    before: Sequence[Tally]


def check_queries(traffic: Traffic, held_out: HeldOut) -> Check:
    """Are more queries unlike those of the training than one in a hundred?"""
    window = total(traffic.window)
    lacking = _too_few("queries", window.n_measured, window.n_decisions, "the distance to the training")
    if lacking is not None:
        return lacking
    # The limit is the k-th smallest of n distances: of like queries (n + 1 - k) / (n + 1) lie beyond it on average.
    n = held_out.n_distances
    beyond = max(0, n - int(USUAL * (n - 1) + 0.9999999) - 1)
    excess = overdispersion([{"unlike": day.n_unlike, "like": day.n_measured - day.n_unlike} for day in traffic.before])
    weight = 1.0 / (1.0 / n + excess / len(traffic.window))
    more, _ = share_p_values(window.n_unlike, window.n_measured, beyond / n, weight)
    return Check(
        "queries", window.n_measured, more, None, 1.0 - USUAL, window.n_unlike / window.n_measured, "share", "training"
    )


def check_categories(traffic: Traffic, held_out: HeldOut, given: Mapping[str, float]) -> Check:
    """Is the mix of categories that of the training?

    Args:
        traffic: the days.
        held_out: what training kept; categories that are predicted are compared with those predicted there.
        given: number of training queries by category, as they were given.
    """
    window = total(traffic.window)
    is_predicted = window.predicted.total() >= window.given.total()
    found, counts = (window.predicted, held_out.categories) if is_predicted else (window.given, given)
    lacking = _too_few("categories", found.total(), window.n_decisions, "the category")
    if lacking is not None:
        return lacking
    n_before = sum(counts.values())
    if len(counts) < 2:
        return Check("categories", found.total(), why_unknown="training knows one category")
    excess = overdispersion([day.predicted if is_predicted else day.given for day in traffic.before])
    if len(traffic.before) < ENOUGH_DAYS:
        excess = max(excess, _HABITS_UNKNOWN)
    noise = 1.0 / n_before + excess / len(traffic.window)
    shares = {name: count / n_before for name, count in counts.items()}
    return _most_moved("categories", found, shares, 1.0 / noise, "held out" if is_predicted else "training")


def check_models(traffic: Traffic, held_out: HeldOut, algorithm: str) -> Check:
    """Does every model get its share of the queries?

    Compared with the days before where there are enough of them: they were chosen for by the same selector. Held-out
    choices are those of others, which learned from other queries.
    """
    window = total(traffic.window)
    n = window.models.total()
    lacking = _too_few("models", n, window.n_decisions, "a choice among the models of the training")
    if lacking is not None:
        return lacking
    before = total(traffic.before)
    excess = overdispersion([day.models for day in traffic.before])
    if len(traffic.before) >= ENOUGH_DAYS and before.models.total() >= n:
        n_before = before.models.total()
        shares = {name: count / n_before for name, count in before.models.items()}
        noise = 1.0 / n_before + excess * (1.0 / len(traffic.window) + 1.0 / len(traffic.before))
        return _most_moved("models", window.models, shares, 1.0 / noise, f"{len(traffic.before)} days before")
    models = held_out.models.get(algorithm, {})
    if not models:
        return Check("models", n, why_unknown=f"training held nothing out for {algorithm}")
    # Of one model the variance between a few splits is itself mostly luck: that of all of them is taken together.
    unsure = sum(each.spread**2 for each in models.values())
    scale = sum(each.share * (1.0 - each.share) for each in models.values())
    noise = 1.0 / held_out.n_queries + excess / len(traffic.window)
    noise += _SELECTOR_VARIANCES * unsure / scale if scale > 0.0 else 0.0
    shares = {name: each.share for name, each in models.items()}
    return _most_moved("models", window.models, shares, 1.0 / noise, "held out")


def check_quality(days: Sequence[Tally], held_out: HeldOut, algorithm: str) -> Check:
    """Are answers as good as predicted, of every model? Better ones are no alarm."""
    window = total(days)
    held = {name: each.residual for name, each in held_out.models.get(algorithm, {}).items()}
    return _means("quality", window.residuals, held, "points", _worse)


def check_latency(days: Sequence[Tally], held_out: HeldOut, algorithm: str) -> Check:
    """Do answers take as long as in the records, of every model?"""
    window = total(days)
    held = {name: each.log_latency for name, each in held_out.models.get(algorithm, {}).items()}
    return _means("latency", window.log_latencies, held, "ratio", _either_way)


def check_cost(days: Sequence[Tally], held_out: HeldOut, algorithm: str) -> Check:
    """Do answers cost as much as in the records, of every model?"""
    window = total(days)
    held = {name: each.log_cost for name, each in held_out.models.get(algorithm, {}).items()}
    return _means("cost", window.log_costs, held, "ratio", _either_way)


def _too_few(name: CheckName, n: int, n_decisions: int, what: str) -> Check | None:
    if n >= LEAST_QUERIES:
        return None
    if n_decisions >= LEAST_QUERIES and n == 0:
        return Check(name, n, why_unknown=f"the log does not say {what}")
    return Check(name, n, why_unknown=f"{n} queries, expected {LEAST_QUERIES}")


def _most_moved(
    name: CheckName,
    found: Mapping[str, int],
    shares: Mapping[str, float],
    weight: float,
    against: str,
) -> Check:
    """Compare shares by name, and give the one that can least be luck."""
    n = sum(found.values())
    names = sorted({*(key for key, share in shares.items() if share > 0.0), *found})
    p_values = {key: 2.0 * min(share_p_values(found.get(key, 0), n, shares.get(key, 0.0), weight)) for key in names}
    moved = min(names, key=lambda key: p_values[key])
    p_value = min(1.0, len(names) * p_values[moved])
    return Check(name, n, p_value, moved, shares.get(moved, 0.0), found.get(moved, 0) / n, "share", against)


def _worse(found: Moments, before: Moments) -> float:
    return normal_tail(-mean_z(found, before))


def _either_way(found: Moments, before: Moments) -> float:
    return 2.0 * normal_tail(abs(mean_z(found, before, _TOLERATED)))


def _means(
    name: CheckName,
    found: Mapping[str, Sums],
    held: Mapping[str, Moments | None],
    unit: Unit,
    p_value_of: Callable[[Moments, Moments], float],
) -> Check:
    """Compare means by model, and give the one that can least be luck."""
    n = sum(sums.n for sums in found.values())
    if not n:
        return Check(name, 0, unit=unit, why_unknown="nothing fed back")
    known = {model: before for model, before in held.items() if before is not None and before.n >= _LEAST_HELD_OUT}
    if not known:
        return Check(name, n, unit=unit, why_unknown="training kept nothing to compare with")
    compared = {
        model: (p_value_of(sums.moments, known[model]), sums.moments, known[model])
        for model, sums in found.items()
        if model in known and sums.n >= LEAST_ANSWERS
    }
    if not compared:
        return Check(name, n, unit=unit, why_unknown=f"expected {LEAST_ANSWERS} of a model")
    moved = min(compared, key=lambda model: compared[model][0])
    p_value, now, before = compared[moved]
    p_value = min(1.0, len(compared) * p_value)
    return Check(name, n, p_value, moved, before.mean, now.mean, unit, "held out")
