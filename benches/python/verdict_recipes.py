"""What the verdict and other recipes for its interval say of the held-out choices that `verdict_truth.py` kept."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from verdict_repeats import Kept

from vsr.evaluation.results import VerdictKind
from vsr.evaluation.statistics.intervals import Interval, gain_interval, luck_in_gain, luck_of_the_pick
from vsr.evaluation.verdict import Evidence

Float = npt.NDArray[np.float64]

#: The recipe that the package uses, and the one that it used before.
NOW = "now"
BEFORE = "1.2 x, three splits (before)"


@dataclass(frozen=True, eq=False)
class Choices:
    """Held-out choices of a repeat, looked up.

    Attributes:
        kept: the choices.
        is_identical: whether the artefact would always choose the named model.
        is_table_identical: whether the category table would.
    """

    kept: Kept
    is_identical: bool
    is_table_identical: bool

    @cached_property
    def judged(self) -> Float:
        """(n_splits, n_queries) difference to the named model."""
        return self._differences(self.kept.judged)

    @cached_property
    def by_table(self) -> Float:
        """The same of the category table."""
        return self._differences(self.kept.by_table)

    @cached_property
    def luck(self) -> float:
        """What the named model owes to having been picked."""
        return luck_of_the_pick(self.kept.utility, self.kept.named)

    def luck_in(self, columns: npt.NDArray[np.int64]) -> float:
        """What of it stands in the gain of some choices."""
        return luck_in_gain(self.luck, float((columns != self.kept.named).mean()))

    def evidence(self, is_strict: bool = False) -> Evidence:
        """What the package's verdict looks at; strict as it was before, with intervals 1.2 x as wide."""

        def interval(differences: Float, luck: float = 0.0) -> Interval:
            found = gain_interval(differences, luck)
            half = (found.high - found.mean) * (1.2 if is_strict and len(differences) > 2 else 1.0)
            return Interval(found.mean, found.mean - half, found.mean + half, found.n)

        judged = None if self.is_identical else interval(self.judged, self.luck_in(self.kept.judged))
        table = None if self.is_table_identical else interval(self.by_table, self.luck_in(self.kept.by_table))
        over_table = judged if self.is_table_identical else interval(self.judged - self.by_table)
        return Evidence(judged, over_table, table)

    def verdict(self) -> VerdictKind:
        """Give the package's verdict."""
        return self.evidence().kind()

    def verdict_before(self) -> VerdictKind:
        """Give the verdict of before: wider intervals, and no `route` without a sure gain over the table."""
        evidence = self.evidence(is_strict=True)
        over_table = evidence.judged_over_table
        kind = evidence.kind()
        return "inconclusive" if kind == "route" and over_table and not over_table.is_above_zero else kind

    def _differences(self, columns: npt.NDArray[np.int64]) -> Float:
        utility = self.kept.utility
        return np.asarray(utility[np.arange(len(utility)), columns] - utility[:, self.kept.named])


Recipe = Callable[[Choices], tuple[float, float]]


def _plain(choices: Choices, n_splits: int, widening: float, luck: float | None = None) -> tuple[float, float]:
    """Variance of one split, mean over the splits, and the floor."""
    own = choices.judged[:n_splits]
    n_queries = own.shape[1]
    variance = float(own.var(axis=1).mean()) / n_queries + 4.0 / n_queries**2
    return _around(own, choices.luck_in(choices.kept.judged[:n_splits]) if luck is None else luck, widening, variance)


def _averaged(choices: Choices, widening: float) -> tuple[float, float]:
    """Variance over queries of each query's mean over the splits."""
    n_queries = choices.judged.shape[1]
    variance = float(choices.judged.mean(axis=0).var()) / n_queries + 4.0 / n_queries**2
    return _around(choices.judged, choices.luck_in(choices.kept.judged), widening, variance)


def _corrected(choices: Choices) -> tuple[float, float]:
    """Variance of the folds' means (Nadeau and Bengio 2003), held-out over training queries 1 : n_folds - 1."""
    folds = choices.kept.folds
    n_folds = int(folds.max()) + 1
    parts = np.array(
        [
            own[assignment == number].mean()
            for own, assignment in zip(choices.judged, folds, strict=True)
            for number in range(n_folds)
        ]
    )
    variance = float(parts.var(ddof=1)) * (1.0 / len(parts) + 1.0 / (n_folds - 1))
    return _around(choices.judged, choices.luck_in(choices.kept.judged), 1.0, variance)


def _picked_anew(choices: Choices, widening: float, n_resamples: int = 400) -> tuple[float, float]:
    """The luck of the pick by a bootstrap: what the best mean of a resample is above the same model's in the sample."""
    utility = choices.kept.utility
    n_queries = len(utility)
    counts = np.random.default_rng(0).multinomial(n_queries, np.full(n_queries, 1.0 / n_queries), n_resamples)
    resampled = counts @ utility / n_queries
    picked = resampled.argmax(axis=1)
    luck = float((resampled[np.arange(n_resamples), picked] - utility.mean(axis=0)[picked]).mean())
    return _plain(choices, 3, widening, luck)


def _around(differences: Float, luck: float, widening: float, variance: float) -> tuple[float, float]:
    middle, half = float(differences.mean()) + luck, 1.96 * widening * float(np.sqrt(variance))
    return middle - half, middle + half


def _now(choices: Choices) -> tuple[float, float]:
    interval = gain_interval(choices.judged, choices.luck_in(choices.kept.judged))
    return interval.low, interval.high


RECIPES: dict[str, Recipe] = {
    "no luck taken off, 1.0 x": lambda choices: _plain(choices, 3, 1.0, luck=0.0),
    "one split, 1.0 x": lambda choices: _plain(choices, 1, 1.0),
    "one split, 1.2 x": lambda choices: _plain(choices, 1, 1.2),
    "two splits, 1.0 x": lambda choices: _plain(choices, 2, 1.0),
    "two splits, 1.1 x": lambda choices: _plain(choices, 2, 1.1),
    "1.1 x, three splits": lambda choices: _plain(choices, 3, 1.1),
    BEFORE: lambda choices: _plain(choices, 3, 1.2),
    "variance of the splits' mean, 1.0 x": lambda choices: _averaged(choices, 1.0),
    "variance of the splits' mean, 1.1 x": lambda choices: _averaged(choices, 1.1),
    "variance of the splits' mean, 1.2 x": lambda choices: _averaged(choices, 1.2),
    "corrected resampled variance": _corrected,
    "bootstrap that picks anew, 1.0 x": lambda choices: _picked_anew(choices, 1.0),
    NOW: _now,
}
