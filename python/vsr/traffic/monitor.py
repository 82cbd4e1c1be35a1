"""Is the traffic still what was measured? Checks that together alarm by chance on one day in a hundred."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vsr.persistence.held_out import HeldOut
from vsr.traffic.checks import (
    Check,
    Traffic,
    check_categories,
    check_cost,
    check_latency,
    check_models,
    check_quality,
    check_queries,
)
from vsr.traffic.tally import Tally

#: Quiet days on which any check alarms.
BUDGET = 0.01
#: Days of the log that are read: the window, and what it is compared with.
MOST_DAYS = 56


@dataclass(frozen=True)
class Windows:
    """How many days are looked at.

    Attributes:
        days: the latest days, of what the log alone tells.
        feedback_days: the latest days, of what is fed back, which comes slowly.
    """

    days: int = 1
    feedback_days: int = 28


@dataclass(frozen=True)
class Verdict:
    """What all checks found.

    Attributes:
        checks: in a fixed order.
        threshold: a p-value below it is an alarm: the budget, divided among the checks that could tell anything.
    """

    checks: tuple[Check, ...]
    threshold: float

    @property
    def alarms(self) -> tuple[Check, ...]:
        """The checks that alarm."""
        return tuple(each for each in self.checks if each.p_value is not None and each.p_value < self.threshold)

    @property
    def can_tell(self) -> bool:
        """Whether any check could tell anything."""
        return any(each.p_value is not None for each in self.checks)


def judge(
    days: Sequence[Tally], held_out: HeldOut, given: Mapping[str, float], algorithm: str, windows: Windows
) -> Verdict:
    """Run all checks.

    Args:
        days: what was counted of each day, the latest last.
        held_out: what training kept.
        given: number of training queries by category, as they were given.
        algorithm: the one that is served.
        windows: how many days are looked at.
    """
    traffic = Traffic(days[-windows.days :], days[: -windows.days][-MOST_DAYS:])
    fed_back = days[-windows.feedback_days :]
    checks = (
        check_queries(traffic, held_out),
        check_categories(traffic, held_out, given),
        check_models(traffic, held_out, algorithm),
        check_quality(fed_back, held_out, algorithm),
        check_latency(fed_back, held_out, algorithm),
        check_cost(fed_back, held_out, algorithm),
    )
    n_known = sum(each.p_value is not None for each in checks)
    return Verdict(checks, BUDGET / max(1, n_known))
