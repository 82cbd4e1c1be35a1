"""A budget instead of a weight: the mean cost, the mean latency or a model's share that choices may have at most."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vsr._checks import require_number
from vsr.choice.objective import Objective
from vsr.errors import SelectionError
from vsr.prior.category_means import FloatArray, IntArray

TargetKind = Literal["cost", "latency", "share"]

#: What a unit of efficiency (or a query of the model) may cost in quality, from nothing to all of it.
_PRICES = (0.0, *np.geomspace(1e-4, 1e2, 43).tolist(), 1e4)
# Between the prices that nearly meet the target, so many finer ones.
_N_FINER = 40
# What is as good as the target: sums are rounded.
_ROUNDED = 1e-9


@dataclass(frozen=True)
class Target:
    """What choices may need at most, on average.

    Attributes:
        kind: `cost` in USD per query, `latency` in seconds per query, or `share` of the queries.
        value: at most so much.
        model: the model whose share it is; None for the other kinds.
    """

    kind: TargetKind
    value: float
    model: str | None = None

    def __post_init__(self) -> None:
        """Check the value.

        Raises:
            SelectionError: It is negative or no number, or a share is above 1 or of no model.
        """
        require_number(self.value, f"the target {self.kind}", "a number of 0 or more", SelectionError)
        if self.value < 0.0 or not np.isfinite(self.value) or (self.kind == "share" and self.value > 1.0):
            expected = "a share from 0 to 1" if self.kind == "share" else "a number of 0 or more"
            raise SelectionError(f"the target {self.kind} is {self.value}; expected {expected}")
        if (self.kind == "share") != (self.model is not None):
            raise SelectionError("a target share, and no other target, is of a model; expected its name")

    def under(self, price: float) -> Objective:
        """Give the objective in which what the target limits has a price in quality.

        A limit on cost makes efficiency cheapness alone, one on latency speed alone; what a model's share costs is
        its own penalty.
        """
        if self.model is not None:
            return Objective(model_penalty={} if price == 0.0 else {self.model: price})
        return Objective(1.0 / (1.0 + price), 1.0 if self.kind == "cost" else 0.0)

    def is_met_by(self, needed: float) -> bool:
        """Whether choices that need so much keep to it."""
        return needed <= self.value * (1.0 + _ROUNDED)

    @property
    def start(self) -> Objective:
        """Give the objective that is in force until the target's own is found."""
        return Objective(cost_share=1.0) if self.kind == "cost" else Objective()

    def shown(self, value: float) -> str:
        """Write a value of this kind."""
        if self.kind == "share":
            return f"{100.0 * value:.3g} %"
        return f"{value:.3g} {'USD' if self.kind == 'cost' else 's'}"


@dataclass(frozen=True, eq=False)
class Search:
    """What was found on queries in parts, for all of them and for all but one part at a time.

    Attributes:
        objective: the one that gives up least for the target on all queries.
        without: per part, the one that does so on the other parts.
    """

    objective: Objective
    without: tuple[Objective, ...]


def search(target: Target, attained: Callable[[Objective], FloatArray], sizes: IntArray) -> Search:
    """Find the lowest price of what the target limits that meets it.

    Args:
        target: what may be needed at most.
        attained: gives the means of the parts under an objective, (n_parts,).
        sizes: (n_parts,) number of queries in each.

    Raises:
        SelectionError: No price meets the target; the message has the range that can be reached.
    """
    n_parts = len(sizes)
    # One row of weights for all queries, then one without each part.
    weights = np.vstack([sizes, *(sizes * (np.arange(n_parts) != part) for part in range(n_parts) if n_parts > 1)])
    weights = weights / weights.sum(axis=1, keepdims=True)
    found: dict[float, FloatArray] = {}

    def picks() -> tuple[list[float], list[int]]:
        prices = sorted(found)
        meets = np.array([found[price] for price in prices]) <= target.value * (1.0 + _ROUNDED)
        first = [int(column.argmax()) if column.any() else len(prices) - 1 for column in meets.T]
        return prices, first

    def look_at(prices: tuple[float, ...]) -> None:
        for price in prices:
            if price not in found:
                found[price] = weights @ attained(target.under(price))

    look_at(_PRICES)
    least, most = min(float(means[0]) for means in found.values()), float(found[0.0][0])
    if not target.is_met_by(least):
        of = "" if target.model is None else f" of {target.model}"
        raise SelectionError(
            f"the target {target.kind}{of}, {target.shown(target.value)}, cannot be reached: choices of these queries "
            f"can have from {target.shown(least)} to {target.shown(max(least, most))}. Raise the target"
        )
    prices, first = picks()
    low, high = prices[max(min(first) - 1, 0)], prices[max(first)]
    if high > 0.0:
        look_at(tuple(np.geomspace(max(low, _PRICES[1] / 10.0), high, _N_FINER + 2)[1:-1].tolist()))
    prices, first = picks()
    objectives = [target.under(prices[number]) for number in first]
    return Search(objectives[0], tuple(objectives[1:]) or (objectives[0],))
