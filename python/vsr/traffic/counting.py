"""Decisions and feedback counted, a tally for each day."""

import math
from dataclasses import dataclass
from datetime import datetime

from vsr.errors import RecordError
from vsr.persistence.yardstick import USUAL
from vsr.traffic.decisions import Decisions, LoggedDecision
from vsr.traffic.tally import Sums, Tally
from vsr.traffic.told import FeedbackByDecision, Told
from vsr.traffic.watched import WatchedTraining

_DAY_S = 86_400.0


@dataclass(frozen=True, eq=False)
class Counted:
    """Days of traffic.

    Attributes:
        days: one tally a day of 24 hours, the latest last; it ends with the latest decision.
        until: when that was made.
        n_decisions: decisions of the training in these days.
        n_otherwise: of these, the ones that had other candidates or another objective than the training compared.
        n_other_trainings: decisions of other trainings, or without one.
        n_older: decisions before these days.
        n_fed_back: answers with feedback.
    """

    days: tuple[Tally, ...]
    until: datetime
    n_decisions: int
    n_otherwise: int
    n_other_trainings: int
    n_older: int
    n_fed_back: int


def count_days(
    decisions: Decisions, feedback: FeedbackByDecision, training: WatchedTraining, most_days: int
) -> Counted:
    """Count the decisions of a training by day. The log is read twice: first for when it ends.

    A query that comes again on the same day counts once, so that one busy caller does not look like a change.

    Args:
        decisions: the log.
        feedback: about them.
        training: whose decisions are counted.
        most_days: days that are counted.

    Raises:
        RecordError: No decision is of this training, or the log cannot be read.
    """
    until: datetime | None = None
    n_other, example = 0, None
    for each in decisions:
        if each.run_id != training.run_id:
            n_other, example = n_other + 1, each.run_id or example
        elif until is None or each.time > until:
            until = each.time
    if until is None:
        names = ", ".join(decisions.paths)
        of = "" if example is None else f", the last of training {example}"
        raise RecordError(
            f"{names}: none of {n_other:,} decisions is of training {training.run_id}{of}; name the folder that is "
            "served with --models-dir, or the log of its days"
        )
    days: dict[int, Tally] = {}
    seen: dict[int, set[int]] = {}
    n_otherwise, n_older, n_fed_back = 0, 0, 0
    for each in decisions:
        if each.run_id != training.run_id or each.time > until:
            continue
        ago = int((until - each.time).total_seconds() // _DAY_S)
        if ago >= most_days:
            n_older += 1
            continue
        tally = days.setdefault(ago, Tally())
        is_comparable = _is_comparable(each, training)
        n_otherwise += not is_comparable
        told = feedback.take(each)
        n_fed_back += told is not None and told.is_measured
        _count(tally, each, told, is_comparable=is_comparable, is_new=_is_new(each, seen.setdefault(ago, set())))
    n_days = max(days) + 1
    return Counted(
        days=tuple(days.get(ago, Tally()) for ago in reversed(range(n_days))),
        until=until,
        n_decisions=sum(day.n_decisions for day in days.values()),
        n_otherwise=n_otherwise,
        n_other_trainings=n_other,
        n_older=n_older,
        n_fed_back=n_fed_back,
    )


def is_unlike(decision: LoggedDecision) -> bool:
    """Whether a query is further from those of the training than 99 % of these."""
    return decision.distance_rank is not None and decision.distance_rank > USUAL


def preferred(decision: LoggedDecision) -> str:
    """Name the model of highest utility, which was not chosen where a conversation stays or another was drawn."""
    return max(decision.utilities, key=lambda name: decision.utilities[name])


def _is_comparable(decision: LoggedDecision, training: WatchedTraining) -> bool:
    """Whether a choice was made among the models of the training, under its objective."""
    return decision.utilities.keys() == training.models and decision.objective == training.objective


def _is_new(decision: LoggedDecision, seen: set[int]) -> bool:
    """Whether a text comes for the first time; a query without one always does."""
    text = decision.text_hash if decision.text is None else decision.text
    if text is None:
        return True
    key = hash(text)
    if key in seen:
        return False
    seen.add(key)
    return True


def _count(tally: Tally, decision: LoggedDecision, told: Told | None, *, is_comparable: bool, is_new: bool) -> None:
    tally.n_decisions += 1
    if is_new:
        if decision.distance_rank is not None:
            tally.n_measured += 1
            tally.n_unlike += is_unlike(decision)
        if decision.category is not None and decision.category_source is not None:
            (tally.given if decision.category_source == "given" else tally.predicted)[decision.category] += 1
        if is_comparable:
            tally.models[preferred(decision)] += 1
    if told is None:
        return
    model = decision.model
    # Of a model that is not the best by prediction, the prediction is not flattered as that of the best one is.
    if told.quality is not None and is_comparable and model == preferred(decision):
        tally.residuals.setdefault(model, Sums()).add(told.quality - decision.scores[model])
    for value, sums in ((told.latency_s, tally.log_latencies), (told.cost_usd, tally.log_costs)):
        if value is not None and value > 0.0:
            sums.setdefault(model, Sums()).add(math.log(value))
