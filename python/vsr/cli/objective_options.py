"""The flags that say what a good choice is: weights, or a target that finds them."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from vsr.cli.option_groups import SHARE, Decorator, FiniteRange, collected, flags_given
from vsr.cli.sections import option

if TYPE_CHECKING:
    from vsr.choice.objective import Objective
    from vsr.choice.target import Target
    from vsr.data.outcomes import Outcomes

OBJECTIVE = "Objective"


@dataclass(frozen=True)
class ObjectiveOptions:
    """What a good choice is, as the flags say; None where a flag was not given."""

    quality_weight: float | None = None
    cost_share: float | None = None
    target_cost: float | None = None
    target_latency: float | None = None
    target_share: tuple[str, float] | None = None

    def __post_init__(self) -> None:
        """Refuse combinations in which a flag would do nothing.

        Raises:
            click.UsageError: `cost_share` beside a quality weight of 1, or a target beside a weight or another target.
        """
        targets = list(self.targets())
        weights = list(flags_given(self, _WEIGHTS))
        if len(targets) > 1:
            raise click.UsageError(f"{' and '.join(targets)} are two targets: give one.")
        if targets and weights:
            raise click.UsageError(f"{targets[0]} finds the objective and contradicts {weights[0]}: give one.")
        if self.quality_weight == 1.0 and self.cost_share is not None:
            raise click.UsageError("--cost-share has no effect with --quality-weight 1: quality alone counts then.")

    def over(self, stored: "Objective") -> "Objective":
        """Give the objective: what the flags say, and the stored one where they say nothing."""
        given = {name: getattr(self, name) for name in _WEIGHTS if getattr(self, name) is not None}
        return replace(stored, **given)

    def targets(self) -> dict[str, object]:
        """Flags of targets that were given, with their values."""
        return flags_given(self, _TARGETS)

    @property
    def target(self) -> "Target | None":
        """The target, where a flag gives one."""
        from vsr.choice.target import Target

        if self.target_cost is not None:
            return Target("cost", self.target_cost)
        if self.target_latency is not None:
            return Target("latency", self.target_latency)
        return None if self.target_share is None else Target("share", self.target_share[1], self.target_share[0])

    def to_train_with(self, outcomes: "Outcomes") -> "Objective":
        """Give the objective of a training on some outcomes: what the flags say, else the default.

        Raises:
            TrainingError: A weight was given to what nobody measured.
        """
        from vsr.choice.objective import Objective
        from vsr.errors import TrainingError

        target = self.target
        if target is not None:
            return target.start
        objective = self.over(Objective())
        counts = self.quality_weight is not None and objective.quality_weight < 1.0 and objective.cost_share < 1.0
        if counts and not any(math.isfinite(seconds) for seconds in outcomes.latency_s.flat):
            raise TrainingError(
                f"--quality-weight {objective.quality_weight:g} weighs latency, but no record has one. "
                "Give --quality-weight 1, or measure latency"
            )
        return objective


_WEIGHTS = ("quality_weight", "cost_share")
_TARGETS = ("target_cost", "target_latency", "target_share")


class _ModelShare(click.ParamType[tuple[str, float]]):
    """A model and its share, `MODEL=0.3`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:  # noqa: ANN401
        """Read both."""
        model, equals, number = str(value).rpartition("=")
        if not equals or not model:
            self.fail(f"{value!r} is no share of a model; expected MODEL=0.3.", param, ctx)
        share: float = SHARE(number, param, ctx)
        return model, share


def objective_options(
    quality_weight_default: str = "0.9", cost_share_default: str = "0", *, with_targets: bool = False
) -> Decorator:
    """Add the flags of the objective; the command gets them as `objective: ObjectiveOptions`.

    Args:
        quality_weight_default: What the help says of a missing `--quality-weight`.
        cost_share_default: The same of `--cost-share`.
        with_targets: Whether a target can take the place of the weights.
    """
    declarations: tuple[Decorator, ...] = (
        option(
            "--quality-weight",
            "objective_quality_weight",
            section=OBJECTIVE,
            type=SHARE,
            metavar="0..1",
            show_default=quality_weight_default,
            help="Weight of quality: 1 is quality alone, 0.5 half quality and half efficiency, 0 efficiency alone.",
        ),
        option(
            "--cost-share",
            "objective_cost_share",
            section=OBJECTIVE,
            type=SHARE,
            metavar="0..1",
            show_default=cost_share_default,
            help="Share of cost in efficiency; the rest is latency.",
        ),
    )
    if with_targets:
        declarations += _target_options()
    return lambda command: collected(command, "objective", "objective_", ObjectiveOptions, declarations)


def _target_options() -> tuple[Decorator, ...]:
    """Flags that say what choices may need, instead of weights."""
    return (
        option(
            "--target-cost",
            "objective_target_cost",
            section=OBJECTIVE,
            type=FiniteRange(min=0.0),
            metavar="USD",
            help="Instead of weights: find those whose choices cost at most this per query, on average.",
        ),
        option(
            "--target-latency",
            "objective_target_latency",
            section=OBJECTIVE,
            type=FiniteRange(min=0.0),
            metavar="S",
            help="The same for a mean latency of this many seconds.",
        ),
        option(
            "--target-share",
            "objective_target_share",
            section=OBJECTIVE,
            type=_ModelShare(),
            metavar="MODEL=0..1",
            help="Find the penalty with which MODEL is chosen for at most this share of the queries.",
        ),
    )
