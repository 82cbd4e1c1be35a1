"""How far two series of values agree: Cohen's kappa, Spearman's correlation, a map from the one to the other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_RIGHT = 0.5  # from here on a quality counts as right


@dataclass(frozen=True)
class Agreement:
    """How far what judges say agrees with what is known, or with what others say.

    Attributes:
        n: responses, or pairs, that have both.
        same_share: share on the same side of 0.5; of pairs, with the same outcome.
        kappa: Cohen's: 0 is what chance gives, 1 is complete; None where one side always says the same.
        spearman: correlation of the ranks; None where one side always says the same.
    """

    n: int
    same_share: float | None
    kappa: float | None
    spearman: float | None


@dataclass(frozen=True)
class CalibrationPoint:
    """What a judged quality is worth.

    Attributes:
        judged: the quality that judges give, the mean of the step.
        lowest: the lowest judged quality of the step.
        true: mean of the true quality there; it never falls from step to step (isotonic regression).
        n: responses of the step.
    """

    judged: float
    lowest: float
    true: float
    n: int


def agreement(judged: Floats, known: Floats, *, of_pairs: bool = False) -> Agreement:
    """Compare two series of the same responses; entries that are NaN in either are left out.

    Args:
        judged: (n,) quality, or points of the first of a pair.
        known: (n,) likewise.
        of_pairs: whether they are points, which have three values.
    """
    both = np.isfinite(judged) & np.isfinite(known)
    ours, theirs = judged[both], known[both]
    n = len(ours)
    if not n:
        return Agreement(0, None, None, None)
    a, b = (ours, theirs) if of_pairs else (ours >= _RIGHT, theirs >= _RIGHT)
    same = float((a == b).mean())
    by_chance = float(sum((a == label).mean() * (b == label).mean() for label in np.unique(a)))
    is_varied = min(len(np.unique(a)), len(np.unique(b))) > 1
    kappa = (same - by_chance) / (1 - by_chance) if is_varied else None
    return Agreement(n, same, kappa, correlation(ranks(ours), ranks(theirs)))


def ranks(values: Floats) -> Floats:
    """Give the rank of every value, equal ones their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means: Floats = ends - (counts - 1) / 2
    return means[inverse]


def correlation(first: Floats, second: Floats) -> float | None:
    """Give Pearson's correlation; None where one side does not vary or there are fewer than three values."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def calibration_map(judged: Floats, known: Floats) -> tuple[CalibrationPoint, ...]:
    """Fit the true quality to the judged one, never falling: pool adjacent violators, one step a group.

    Barlow, Bartholomew, Bremner and Brunk (1972), "Statistical Inference under Order Restrictions".
    """
    both = np.isfinite(judged) & np.isfinite(known)
    values, inverse = np.unique(judged[both].round(6), return_inverse=True)
    sums, counts = np.bincount(inverse, known[both]), np.bincount(inverse)
    steps: list[tuple[float, float, float, int]] = []  # sum of judged, lowest judged, sum of true, count
    for value, total, count in zip(values, sums, counts, strict=True):
        steps.append((value * count, value, total, int(count)))
        while len(steps) > 1 and steps[-2][2] / steps[-2][3] >= steps[-1][2] / steps[-1][3]:
            last, before = steps.pop(), steps.pop()
            steps.append((before[0] + last[0], before[1], before[2] + last[2], before[3] + last[3]))
    return tuple(
        CalibrationPoint(float(ours / n), float(lowest), float(theirs / n), n) for ours, lowest, theirs, n in steps
    )
