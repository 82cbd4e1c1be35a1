"""What is counted of some days of traffic; tallies of days add up to that of a window."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import sqrt

from vsr.persistence.held_out import Moments


@dataclass(slots=True)
class Sums:
    """Number, sum and sum of squares of values."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Take one value in."""
        self.merge(Sums(1, value, value * value))

    def merge(self, other: "Sums") -> None:
        """Take the values of another in."""
        self.n += other.n
        self.total += other.total
        self.squares += other.squares

    @property
    def moments(self) -> Moments:
        """Number, mean and standard deviation; of one value at least."""
        mean = self.total / self.n
        return Moments(self.n, mean, sqrt(max(0.0, self.squares / self.n - mean * mean)))


@dataclass(slots=True)
class Tally:
    """What is counted of a day, or of several.

    Attributes:
        n_decisions: all of them.
        n_measured: queries, each counted once a day, whose distance to the training is known.
        n_unlike: of these, the ones that are unlike the training's.
        given: queries by their category, where it came with them.
        predicted: queries by the category that was predicted for them.
        models: queries by the model that the selector prefers, where it could choose as in training.
        residuals: by model, quality as fed back less as predicted.
        log_latencies: by model, logarithms of latencies in seconds.
        log_costs: by model, logarithms of costs in USD.
    """

    n_decisions: int = 0
    n_measured: int = 0
    n_unlike: int = 0
    given: Counter[str] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    residuals: dict[str, Sums] = field(default_factory=dict)
    log_latencies: dict[str, Sums] = field(default_factory=dict)
    log_costs: dict[str, Sums] = field(default_factory=dict)

    def merge(self, other: "Tally") -> None:
        """Take the counts of another in."""
        self.n_decisions += other.n_decisions
        self.n_measured += other.n_measured
        self.n_unlike += other.n_unlike
        for own, their in ((self.given, other.given), (self.predicted, other.predicted), (self.models, other.models)):
            own.update(their)
        for mine, theirs in (
            (self.residuals, other.residuals),
            (self.log_latencies, other.log_latencies),
            (self.log_costs, other.log_costs),
        ):
            for model, sums in theirs.items():
                mine.setdefault(model, Sums()).merge(sums)


def total(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up."""
    found = Tally()
    for each in tallies:
        found.merge(each)
    return found


def overdispersion(days: Iterable[Mapping[str, int]]) -> float:
    """Say how much more shares differ from one day to the next than those of independent queries would, as a variance.

    0 where they differ no more. Neighbouring days are compared (von Neumann 1941), so that one lasting change, which is
    what a monitor looks for, does not pass for a habit.

    Args:
        days: counts by name, day after day.
    """
    counts = [day for day in days if sum(day.values()) > 0]
    excess, scale = 0.0, 0.0
    sizes = [sum(day.values()) for day in counts]
    for one, other, n_one, n_other in zip(counts, counts[1:], sizes, sizes[1:], strict=False):
        for name in one.keys() | other.keys():
            share = (one.get(name, 0) + other.get(name, 0)) / (n_one + n_other)
            variance = share * (1.0 - share)
            difference = one.get(name, 0) / n_one - other.get(name, 0) / n_other
            excess += difference * difference - variance * (1.0 / n_one + 1.0 / n_other)
            scale += 2.0 * variance
    return max(0.0, excess / scale) if scale > 0.0 else 0.0
