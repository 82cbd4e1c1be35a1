"""Limits that a request sets on its model: which candidates meet them, which do not and why."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from vsr._checks import require_kind, require_number, require_whole_number
from vsr.choice.expectations import ModelFacts
from vsr.errors import SelectionError

NobodyLeft = Literal["relax", "default", "error"]

# How far off a candidate is that cannot do something at all, or of which nothing is known, against one that is
# over a limit by so many times the limit.
_CANNOT, _NOT_KNOWN = 100.0, 10.0


@dataclass(frozen=True)
class Limits:
    """What the chosen model has to keep; a candidate of which that is not known does not.

    Attributes:
        max_cost_usd: most that this request may cost.
        max_latency_s: longest that its answer may take.
        min_quality: least predicted quality.
        capabilities: what the model has to be able to do, as its `capabilities` in the configuration say.
        context_tokens: how much it has to be able to read, as its `context_tokens` in the configuration says.
        nobody_left: what happens where no candidate meets them: `relax` takes the one that misses least, `default` the
            default model, `error` raises.
    """

    max_cost_usd: float | None = None
    max_latency_s: float | None = None
    min_quality: float | None = None
    capabilities: Collection[str] = ()
    context_tokens: int | None = None
    nobody_left: NobodyLeft = "relax"

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            SelectionError: One is of another kind or out of its range.
        """
        for name, highest in (("max_cost_usd", math.inf), ("max_latency_s", math.inf), ("min_quality", 1.0)):
            value = getattr(self, name)
            if value is not None:
                expected = "a number from 0 to 1" if highest == 1.0 else "a number of 0 or more"
                require_number(value, name, expected, SelectionError)
                if not 0.0 <= value <= highest:
                    raise SelectionError(f"{name} is {value}; expected {expected}")
        if self.context_tokens is not None:
            expected = "a whole number of 1 or more"
            require_whole_number(self.context_tokens, "context_tokens", expected, SelectionError)
            if self.context_tokens < 1:
                raise SelectionError(f"context_tokens is {self.context_tokens}; expected {expected}")
        expected = "a list of names such as ['vision']"
        if isinstance(self.capabilities, str):
            raise SelectionError(f"capabilities are {self.capabilities!r}; expected {expected}")
        require_kind(self.capabilities, Collection, "capabilities", expected, SelectionError)
        for name in self.capabilities:
            require_kind(name, str, "a capability", "a name such as 'vision'", SelectionError)
        object.__setattr__(self, "capabilities", frozenset(self.capabilities))
        if self.nobody_left not in get_args(NobodyLeft):
            raise SelectionError(
                f"nobody_left is {self.nobody_left!r}; expected one of {', '.join(get_args(NobodyLeft))}"
            )


NO_LIMITS = Limits()


def as_limits(limits: Limits | None) -> Limits:
    """Take limits as callers pass them.

    Raises:
        SelectionError: They are something else.
    """
    if limits is None:
        return NO_LIMITS
    require_kind(limits, Limits, "limits", "vsr.Limits(max_cost_usd=...)", SelectionError)
    return limits


@dataclass(frozen=True)
class Miss:
    """How a candidate misses the limits.

    Attributes:
        reason: in words.
        size: by how much, to compare candidates; more than 0.
    """

    reason: str
    size: float


@dataclass(frozen=True)
class Offered:
    """What a candidate would bring; None or NaN where nothing is known."""

    facts: ModelFacts
    quality: float | None = None
    cost_usd: float = math.nan
    latency_s: float = math.nan


def miss_of(limits: Limits, needed: frozenset[str], offered: Offered) -> Miss | None:
    """Say how a candidate misses limits; None where it meets them.

    Args:
        limits: of the request.
        needed: capabilities that what is in the request needs.
        offered: what the candidate would bring.
    """
    said: list[str] = []
    size = 0.0
    lacking = sorted((needed | frozenset(limits.capabilities)) - offered.facts.capabilities)
    if lacking:
        said.append(f"no {' or '.join(lacking)}")
        size += _CANNOT * len(lacking)
    context, wanted = offered.facts.context_tokens, limits.context_tokens
    if wanted is not None and (context is None or context < wanted):
        said.append(f"context {'not known' if context is None else f'{context:,} < {wanted:,} tokens'}")
        size += _NOT_KNOWN if context is None else _CANNOT * (1.0 - context / wanted)
    for noun, found, most, unit in (
        ("cost", offered.cost_usd, limits.max_cost_usd, " USD"),
        ("latency", offered.latency_s, limits.max_latency_s, " s"),
    ):
        if most is not None and not found <= most:
            said.append(f"{noun} {'not known' if math.isnan(found) else f'{found:.3g} > {most:.3g}{unit}'}")
            # A limit of 0 is missed by what there is, not by infinitely much of it.
            size += _NOT_KNOWN if math.isnan(found) else min((found - most) / max(most, 1e-9), 1e9)
    least = limits.min_quality
    if least is not None and (offered.quality is None or offered.quality < least):
        quality = offered.quality
        said.append(f"quality {'not known' if quality is None else f'{quality:.3f} < {least:.3g}'}")
        size += _NOT_KNOWN if quality is None else (least - quality) / max(least, 1e-9)
    return Miss(", ".join(said), size) if said else None


def nobody(names: Sequence[str], misses: Sequence[Miss]) -> SelectionError:
    """Make the error where no candidate meets the limits."""
    listed = "; ".join(f"{name}: {miss.reason}" for name, miss in zip(names, misses, strict=True))
    return SelectionError(
        f"no candidate meets the limits ({listed}); widen them, offer other models, or let nobody_left be 'relax' or "
        "'default'"
    )
