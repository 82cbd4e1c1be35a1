"""Choices beside one model for everything, the one of highest quality: what routing is held against in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsr.choice.objective import Objective
from vsr.evaluation.measured import at
from vsr.evaluation.sliding.replay import Replay
from vsr.evaluation.statistics.intervals import (
    NEED_WIDENING,
    Interval,
    gain_interval,
    luck_in_gain,
    luck_of_the_pick,
    training_variance,
    widened,
)
from vsr.evaluation.statistics.prediction_powered import completed_qualities, is_prediction_powered
from vsr.prior.category_means import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Beside:
    """Some choices beside one model for everything.

    Attributes:
        quality: mean quality of the choices.
        gain: their quality less the model's.
        price: their mean cost, or latency; None where neither is known.
        saving: share of the model's price that they save; None where it has none.
        objective: under which they are made in the end, picked on all held-out queries; None for the one in force.
    """

    quality: float
    gain: Interval
    price: float | None
    saving: Interval | None
    objective: Objective | None = None


@dataclass(frozen=True, eq=False)
class Reference:
    """The model of highest quality, which routing is compared with.

    Attributes:
        name: of the model.
        column: of the model.
        luck: what its quality owes to its having been picked.
        quality: (n_held_out, n_models).
        price: (n_held_out, n_models) cost, or latency where no cost is known; None where neither is.
        is_money: whether the price is money.
        folds: per split, (n_held_out,) the fold of each query.
        groups: (n_held_out,) queries that vary together.
        is_judged: whether most qualities are judged, and corrected by those that are known.
    """

    name: str
    column: int
    luck: float
    quality: FloatArray
    price: FloatArray | None
    is_money: bool
    folds: list[IntArray]
    groups: IntArray
    is_judged: bool

    @classmethod
    def of(cls, replay: Replay, seed: int, among: Sequence[bool] | None = None) -> "Reference":
        """Take the model of highest mean quality on all queries.

        Args:
            replay: what is compared with it.
            seed: seed of the estimates for missing cells.
            among: which models may be taken; all of them without it.
        """
        outcomes, ledger = replay.held.outcomes, replay.ledger
        everything = completed_qualities(outcomes, replay.held.codes, seed)
        known = np.flatnonzero(np.isfinite(everything).all(axis=0))
        means = everything[:, known].mean(axis=0)
        if among is not None:
            means = np.where(np.asarray(among)[known], means, -np.inf)
        best = int(means.argmax())
        return cls(
            name=ledger.models[known[best]],
            column=int(known[best]),
            luck=luck_of_the_pick(everything[:, known], best, replay.held.groups),
            quality=ledger.quality,
            price=ledger.price,
            is_money=ledger.cost_usd is not None,
            folds=replay.folds,
            groups=replay.groups,
            is_judged=is_prediction_powered(outcomes),
        )

    @property
    def mean_quality(self) -> float:
        """Mean quality of the model."""
        return float(self.quality[:, self.column].mean())

    @property
    def mean_price(self) -> float:
        """Mean price of the model; 0 where none is known."""
        return 0.0 if self.price is None else float(self.price[:, self.column].mean())

    def beside(self, columns: IntArray, objective: Objective | None = None) -> Beside:
        """Compare some choices with the model, query by query."""
        own = at(self.quality, columns)
        luck = luck_in_gain(self.luck, float((columns != self.column).mean()))
        price = None if self.price is None else at(self.price, columns)
        saving = None
        if self.price is not None and price is not None and self.mean_price > 0.0:
            saving = self._saving(price, self.price[:, self.column])
        return Beside(
            quality=float(own.mean()),
            gain=gain_interval(own - self.quality[:, self.column], luck, self.groups, is_judged=self.is_judged),
            price=None if price is None else float(price.mean()),
            saving=saving,
            objective=objective,
        )

    def _saving(self, price: FloatArray, beside: FloatArray) -> Interval:
        """Share of a price that is saved: `1 - mean / mean`, with the variance of a ratio of paired means."""
        level = float(beside.mean())
        ratio = float(price.mean()) / level
        apart = (ratio * beside - price) / level
        return widened(
            gain_interval(apart + (1.0 - ratio), 0.0, self.groups, widening=NEED_WIDENING),
            training_variance(price / level, self.folds),
        )

    @property
    def unit(self) -> str:
        """What the price is."""
        return "money" if self.is_money else "time"

    def shown(self, price: float | None) -> str:
        """Write a price with its unit; nothing where there is none."""
        unit = "USD per 1,000 queries" if self.is_money else "s per query"
        return "" if price is None else f"{self.number(price)} {unit}"

    def number(self, price: float) -> str:
        """Write a price without its unit."""
        return f"{1000.0 * price:.3g}" if self.is_money else f"{price:.2f}"

    def less(self, saving: Interval) -> str:
        """Write a saving: `43 % (95 % 31 .. 52) less money`."""
        sign, what = (1.0, "less") if saving.mean >= 0.0 else (-1.0, "more")
        ends = sorted((sign * saving.low, sign * saving.high))
        mean, low, high = (round(100.0 * value) for value in (sign * saving.mean, *ends))
        high = min(high, 100) if sign > 0.0 else high  # nobody saves more than all
        return f"{mean} % (95 % {low} .. {high}) {what} {self.unit}"


def shown_points(interval: Interval) -> str:
    """Write a difference of quality in points, with its interval."""
    mean, low, high = (f"{round(100 * value, 1) + 0.0:+.1f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean} points (95 % {low} .. {high})"
