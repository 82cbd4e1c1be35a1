"""What judges are known to get wrong, measured: the order, their own family, length, and whether they stay by it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vsr.judging.agreement import correlation
from vsr.judging.opinions import PairOpinion
from vsr.judging.responses import Response

Floats = NDArray[np.float64]
_Z = 1.959964  # of a normal distribution, 95 %
_FEWEST = 8  # values on each side of a comparison, below which nothing is said
_STRATA = 10  # of the true quality


@dataclass(frozen=True)
class Share:
    """A share with the interval of 95 % that Wilson gives it (1927).

    Attributes:
        value: the share.
        low: lower end.
        high: upper end.
        n: of how many.
    """

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, n_hits: int, n: int) -> "Share | None":
        """Make the share of `n_hits` among `n`; None of nothing."""
        if not n:
            return None
        p, z2 = n_hits / n, _Z**2
        centre, half = p + z2 / (2 * n), _Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        return cls(p, max(0.0, (centre - half) / (1 + z2 / n)), min(1.0, (centre + half) / (1 + z2 / n)), n)


@dataclass(frozen=True)
class Difference:
    """A difference of means with its interval of 95 %.

    Attributes:
        value: the difference.
        low: lower end.
        high: upper end.
        n: responses, or pairs, of the group that it is about.
        basis: what the groups are alike in: `truth` (true quality), `other judges` (what these say), or `nothing`.
    """

    value: float
    low: float
    high: float
    n: int
    basis: str


@dataclass(frozen=True)
class LengthBias:
    """How scores go with the length of responses.

    Attributes:
        correlation: of score and the logarithm of the length in words.
        per_doubling: what a response gains by twice the length, in quality; its interval is that of 95 %.
        low: lower end of that.
        high: upper end.
        n: responses, or pairs.
        given_truth: whether the true quality is held fixed; without it, better answers may simply be longer ones.
    """

    correlation: float
    per_doubling: float
    low: float
    high: float
    n: int
    given_truth: bool


def position_flips(pairs: Sequence[PairOpinion], responses: Sequence[Response]) -> Share | None:
    """Give the share of pairs whose verdict changes with the order; pairs of equal texts, which nobody saw, aside."""
    shown = [pair for pair in pairs if pair.is_whole and responses[pair.first].text != responses[pair.second].text]
    return Share.of(sum(pair.flips for pair in shown), len(shown))


def self_agreement(rechecks: Sequence[tuple[float, float]]) -> Share | None:
    """Give the share of verdicts that were the same when the same was asked again."""
    return Share.of(sum(first == second for first, second in rechecks), len(rechecks))


def own_family_gain(
    scores: Floats, is_own: NDArray[np.bool_], truth: Floats, others: Floats | None
) -> Difference | None:
    """Say how much more a judge gives to responses of its own family, of like quality.

    Args:
        scores: (n,) what it gave, NaN for nothing.
        is_own: (n,) whether the response is by a model of its family.
        truth: (n,) true quality, NaN where it is not known.
        others: (n,) mean of what other judges gave, NaN for nothing; None where there are none.

    Returns:
        The gain given the truth where enough of it is known, else beside the other judges; None where neither tells.
    """
    given = np.isfinite(scores)
    known = given & np.isfinite(truth)
    if min((known & is_own).sum(), (known & ~is_own).sum()) >= _FEWEST:
        return _within(scores[known], is_own[known], _strata(truth[known]), "truth")
    if others is not None:
        beside = given & np.isfinite(others)
        if min((beside & is_own).sum(), (beside & ~is_own).sum()) >= _FEWEST:
            surplus = scores[beside] - others[beside]
            return _within(surplus, is_own[beside], np.zeros(len(surplus), dtype=np.int64), "other judges")
    return None


def own_family_gain_of_pairs(
    pairs: Sequence[PairOpinion],
    is_own: NDArray[np.bool_],
    truth: Floats,
    others: Mapping[tuple[int, int], float] | None,
) -> Difference | None:
    """Say how many points more a response of a judge's own family gets against others, of pairs of like quality.

    Args:
        pairs: what the judge said.
        is_own: (n_responses,) whether the response is by a model of its family.
        truth: (n_responses,) true quality, NaN where it is not known.
        others: mean points of the first of a pair as other judges give them; None where there are none.
    """
    points: list[float] = []
    flags: list[bool] = []
    signs: list[float] = []
    surplus: list[float] = []
    for pair in pairs:
        held = pair.points
        if held is None or (is_own[pair.first] and is_own[pair.second]):
            continue
        is_mixed = bool(is_own[pair.first] or is_own[pair.second])
        turned = bool(is_own[pair.second]) if is_mixed else bool(len(points) % 2)  # of others, every other pair
        sign = float(np.sign(truth[pair.first] - truth[pair.second]))
        points.append(1 - held if turned else held)
        signs.append(-sign if turned else sign)
        flags.append(is_mixed)
        if is_mixed and others is not None and (pair.first, pair.second) in others:
            theirs = others[pair.first, pair.second]
            surplus.append((1 - held) - (1 - theirs) if turned else held - theirs)
    given, own, alike = np.array(points), np.array(flags, dtype=bool), np.array(signs)
    known = np.isfinite(alike)
    if min((known & own).sum(), (known & ~own).sum()) >= _FEWEST:
        return _within(given[known], own[known], alike[known].astype(np.int64), "truth")
    if len(surplus) >= _FEWEST:
        mean, error = float(np.mean(surplus)), float(np.std(surplus, ddof=1) / math.sqrt(len(surplus)))
        return Difference(mean, mean - _Z * error, mean + _Z * error, len(surplus), "other judges")
    return None


def length_bias(scores: Floats, log2_lengths: Floats, truth: Floats) -> LengthBias | None:
    """Say how scores go with length, among responses of like quality where that is known.

    Args:
        scores: (n,) what a judge gave, NaN for nothing; of pairs, the points of the first.
        log2_lengths: (n,) binary logarithm of the length; of pairs, that of the first less that of the second.
        truth: (n,) true quality, NaN where it is not known; of pairs, the sign of the difference.
    """
    given = np.isfinite(scores)
    known = given & np.isfinite(truth)
    is_known = bool(known.sum() >= 2 * _FEWEST)
    used = known if is_known else given
    if used.sum() < 2 * _FEWEST:
        return None
    strata = _strata(truth[used]) if is_known else np.zeros(int(used.sum()), dtype=np.int64)
    x, y = _centred(log2_lengths[used], strata), _centred(scores[used], strata)
    found = correlation(x, y)
    if found is None:
        return None
    slope = float((x * y).sum() / (x * x).sum())
    rest = y - slope * x
    error = math.sqrt(float((rest**2).sum()) / max(1, len(x) - 2) / float((x * x).sum()))
    return LengthBias(found, slope, slope - _Z * error, slope + _Z * error, len(x), is_known)


def _strata(truth: Floats) -> NDArray[np.int64]:
    return np.rint(truth * _STRATA).astype(np.int64)


def _centred(values: Floats, strata: NDArray[np.int64]) -> Floats:
    """Take from every value the mean of its stratum."""
    _, inverse = np.unique(strata, return_inverse=True)
    means = np.bincount(inverse, values) / np.bincount(inverse)
    centred: Floats = values - means[inverse]
    return centred


def _within(values: Floats, is_own: NDArray[np.bool_], strata: NDArray[np.int64], basis: str) -> Difference | None:
    """Compare own with others within strata, each weighted by how many of its own there are."""
    total = variance = 0.0
    n_own = 0
    for stratum in np.unique(strata):
        inside = strata == stratum
        own, other = values[inside & is_own], values[inside & ~is_own]
        if len(own) < 2 or len(other) < 2:
            continue
        total += len(own) * float(own.mean() - other.mean())
        variance += len(own) ** 2 * float(own.var(ddof=1) / len(own) + other.var(ddof=1) / len(other))
        n_own += len(own)
    if not n_own:
        return None
    gain, error = total / n_own, math.sqrt(variance) / n_own
    return Difference(gain, gain - _Z * error, gain + _Z * error, n_own, basis)
