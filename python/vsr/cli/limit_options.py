"""Flags for what the model of a query has to keep, and for the model of the conversation so far."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from vsr.cli.options import SHARE, FiniteRange, collected
from vsr.cli.sections import option

if TYPE_CHECKING:
    from vsr.choice.limits import Limits

_Command = Callable[..., object]
_LIMITS = "Limits"


@dataclass(frozen=True)
class LimitOptions:
    """What the chosen model has to keep, as the flags say; None where a flag was not given."""

    previous: str | None = None
    max_cost: float | None = None
    max_latency: float | None = None
    min_quality: float | None = None
    on_limit: Literal["relax", "default", "error"] | None = None

    def __post_init__(self) -> None:
        """Refuse a flag that would do nothing.

        Raises:
            click.UsageError: `on_limit` without a limit.
        """
        if self.on_limit is not None and not self.has_limits:
            raise click.UsageError(
                "--on-limit has no effect without --max-cost, --max-latency or --min-quality: nothing is limited."
            )

    @property
    def has_limits(self) -> bool:
        """Whether any limit was given."""
        return (self.max_cost, self.max_latency, self.min_quality) != (None, None, None)

    def limits(self) -> "Limits | None":
        """Give the limits; None where there are none."""
        from vsr.choice.limits import Limits

        if not self.has_limits:
            return None
        return Limits(self.max_cost, self.max_latency, self.min_quality, nobody_left=self.on_limit or "relax")


def limit_options(command: _Command) -> _Command:
    """Add the flags; the command gets them as `limit: LimitOptions`."""
    positive = FiniteRange(min=0.0)
    declarations = (
        option(
            "--previous",
            "limit_previous",
            section=_LIMITS,
            metavar="MODEL",
            help="The conversation's model so far: it stays unless another one is better by the switch margin.",
        ),
        option(
            "--max-cost",
            "limit_max_cost",
            section=_LIMITS,
            type=positive,
            metavar="USD",
            help="Most that the query may cost.",
        ),
        option(
            "--max-latency",
            "limit_max_latency",
            section=_LIMITS,
            type=positive,
            metavar="SECONDS",
            help="Longest that its answer may take.",
        ),
        option(
            "--min-quality",
            "limit_min_quality",
            section=_LIMITS,
            type=SHARE,
            metavar="0..1",
            help="Least predicted quality.",
        ),
        option(
            "--on-limit",
            "limit_on_limit",
            section=_LIMITS,
            type=click.Choice(("relax", "default", "error")),
            show_default="relax",
            help="Where no model keeps them: take the one that misses least, --default, or fail.",
        ),
    )
    return collected(command, "limit", "limit_", LimitOptions, declarations)
