"""Which queries to measure next: those that are unlike the training's, and those that an alarm is about."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from vsr.traffic.checks import Check
from vsr.traffic.counting import Counted, is_unlike, preferred
from vsr.traffic.decisions import Decisions, LoggedDecision
from vsr.traffic.monitor import Verdict, Windows
from vsr.traffic.watched import WatchedTraining

MOST_QUERIES = 500
_MEASURED_AGAIN = ("quality", "latency", "cost")


@dataclass(frozen=True)
class NextQuery:
    """A query to measure.

    Attributes:
        text: as it was embedded.
        category: that it was taken to have.
        why: `unlike`, or the name of the check that alarms.
        rank: share of the training queries that are nearer to those of the training than it is.
    """

    text: str
    category: str | None
    why: str
    rank: float


def next_queries(
    decisions: Decisions, training: WatchedTraining, counted: Counted, verdict: Verdict, windows: Windows
) -> list[NextQuery]:
    """Find them in the texts of a log, each once, the least like the training's first.

    What was measured in training already is left out, unless a model that it is about has changed since.

    Args:
        decisions: the log.
        training: whose decisions are meant.
        counted: what was counted of it.
        verdict: what the checks found.
        windows: how many days they looked at.
    """
    found: dict[str, NextQuery] = {}
    for decision in _of(decisions, training, counted, max(windows.days, windows.feedback_days)):
        if decision.text is None or decision.text in found:
            continue
        is_recent = decision.time > counted.until - timedelta(days=windows.days)
        why = _why(decision, verdict, is_recent=is_recent)
        if why is not None:
            rank = decision.distance_rank or 0.0
            found[decision.text] = NextQuery(decision.text, decision.category, why, rank)
    are_known = training.queries.are_known(found)
    fresh = [
        each
        for each, is_known in zip(found.values(), are_known, strict=True)
        if not is_known or each.why in _MEASURED_AGAIN
    ]
    return sorted(fresh, key=lambda each: -each.rank)[:MOST_QUERIES]


def _of(decisions: Decisions, training: WatchedTraining, counted: Counted, n_days: int) -> Iterator[LoggedDecision]:
    since = counted.until - timedelta(days=n_days)
    for decision in decisions:
        if decision.run_id == training.run_id and since < decision.time <= counted.until:
            yield decision


def _why(decision: LoggedDecision, verdict: Verdict, *, is_recent: bool) -> str | None:
    if is_recent and is_unlike(decision):
        return "unlike"
    for check in verdict.alarms:
        if _is_about(check, decision, is_recent=is_recent):
            return check.name
    return None


def _is_about(check: Check, decision: LoggedDecision, *, is_recent: bool) -> bool:
    if check.name == "categories":
        return is_recent and decision.category == check.subject
    if check.name == "models":
        return is_recent and bool(decision.utilities) and preferred(decision) == check.subject
    return check.name in _MEASURED_AGAIN and decision.model == check.subject
