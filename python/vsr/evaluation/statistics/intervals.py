"""How sure a gain is: an interval for what will be deployed, on new queries of the same kind.

The gain is that of the selector trained on all queries over the one model that has the highest mean on the same
queries. Two things make a plain paired interval too narrow: the selector differs from split to split, and the model was
picked for its luck as well as for its quality. `benches/README.md` has the recipes that were tried, and how often each
of them holds the truth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from vsr.prior.category_means import FloatArray, IntArray

#: What the interval of a gain is widened by at one split and at two: the spread over trainings, which no reuse of one
#: sample shows. Averaging three splits makes up for it. Found on real data (`benches/python/verdict_truth.py`), as
#: corrections of its kind are (Nadeau and Bengio 2003).
_WIDENING = {1: 1.2, 2: 1.1}
#: What it is widened by at least where most qualities are judged: the labels that correct them are few, and the model
#: that looks best by few labels owes more to luck than its mean shows (`benches/python/judged_verdict.py`).
_JUDGED_WIDENING = 1.1
#: What the interval of a cost, a latency or a share is widened by, at any number of splits.
NEED_WIDENING = 1.2
#: What the training on all queries differs by, as a share of the variance between those of the folds. Found on real
#: data (`benches/python/targets.py`), where it was a seventh to a half.
_DEPLOYED_SHARE = 1.0 / 4.0
# Standard error of at least two queries decided otherwise: choices that hardly ever differ are not sure for that.
_LEAST_QUERIES = 2.0
# How many times the share of other choices the luck counts for, at most fully (`luck_in_gain`).
_LUCK_PER_SHARE = 3.0
_HALF_WIDTH = NEED_WIDENING * NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Interval:
    """A mean difference with its 95 % interval.

    Attributes:
        mean: the estimate, in the middle.
        low: lower end.
        high: upper end.
        n: queries behind it.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def is_above_zero(self) -> bool:
        """Whether even the lower end is above 0."""
        return self.low > 0.0


def gain_interval(
    differences: FloatArray,
    luck: float = 0.0,
    groups: IntArray | None = None,
    *,
    level: float = 0.95,
    widening: float | None = None,
    is_judged: bool = False,
) -> Interval:
    """Put an interval around the mean of paired differences from repeated splits.

    `m + e +- 1.96 * w * sqrt(v)`, with `v = mean over splits of var / n + (2 / n)^2` and w = 1.2 for one split, 1.1 for
    two, 1 for more. The splits are averaged for the mean alone: that takes off what the luck of a split adds, and
    leaves room for the luck of the training.

    Args:
        differences: (n_splits, n_queries) float64.
        luck: what of the difference is the other side's luck of having been picked (`luck_in_gain`).
        groups: (n_queries,) group of each query, which vary together; None: every query varies on its own.
        level: probability with which it is to hold the true gain.
        widening: for the spread over trainings; 1 where the choices come from one artefact that is judged as it is; by
            the number of splits without it.
        is_judged: whether qualities are judged, and corrected by few that are known.
    """
    n_queries = differences.shape[1]
    variance = float(np.mean([variance_of_mean(split, groups) for split in differences]))
    variance += (_LEAST_QUERIES / n_queries) ** 2
    if widening is None:
        widening = max(_WIDENING.get(len(differences), 1.0), _JUDGED_WIDENING if is_judged else 1.0)
    mean = float(differences.mean()) + luck
    half = widening * NormalDist().inv_cdf((1.0 + level) / 2.0) * math.sqrt(variance)
    return Interval(mean, mean - half, mean + half, n_queries)


def mean_interval(values: FloatArray, groups: IntArray | None = None) -> Interval:
    """Put an interval around the mean of what choices need (cost, latency, a share), as wide as that of a gain.

    Args:
        values: (n_splits, n_queries) float64.
        groups: (n_queries,) group of each query, which vary together; None: every query varies on its own.
    """
    n_queries = values.shape[1]
    variance = float(np.mean([variance_of_mean(split, groups) for split in values]))
    # Two queries decided otherwise, as in a gain, in the unit of the values.
    floor = _LEAST_QUERIES / n_queries * float(np.abs(values).mean())
    half = _HALF_WIDTH * math.sqrt(variance + floor**2)
    mean = float(values.mean())
    return Interval(mean, mean - half, mean + half, n_queries)


def training_variance(values: FloatArray, folds: Sequence[IntArray]) -> float:
    """How much the mean of what will be deployed differs from what was measured because it is another training.

    What will be deployed is one training more, and what its choices cost is not the average of those that were measured
    (a neighbour more, a shrinkage less, and near-tied models change places). Every query was chosen for by one training
    of each split; the fold means of the differences from the query's own mean over the splits are differences between
    trainings, but for what single queries add, which is taken off. The training on all queries is nearer to the average
    of these than each of them is; it counts a quarter of their variance.

    Args:
        values: (n_splits, n_queries) float64.
        folds: per split, (n_queries,) the fold of each query: those of one fold were chosen for by one training.
    """
    n_splits = len(values)
    apart = values - values.mean(axis=0) if n_splits > 1 else values - values.mean()
    # A fold's mean difference is (1 - 1 / S) of its own training, less what the other splits' have on average there.
    n_folds = len(np.unique(folds[0]))
    left = (1.0 - 1.0 / n_splits) ** 2 + (n_splits - 1.0) / (n_splits**2 * n_folds) if n_splits > 1 else 1.0
    means, noise = [], []
    for own, fold in zip(apart, folds, strict=True):
        for number in np.unique(fold):
            inside = own[fold == number]
            means.append(float(inside.mean()))
            noise.append(float(inside.var()) / len(inside))
    if len(means) < 2:
        # One training says nothing about another: as if it were as unsure as the queries are.
        return noise[0]
    variance = float(np.var(means, ddof=1)) - float(np.mean(noise))
    return _DEPLOYED_SHARE * max(0.0, variance) / left


def widened(interval: Interval, variance: float) -> Interval:
    """Widen an interval for something that it does not know of, as independent of it: a variance of the mean."""
    half = math.hypot(interval.high - interval.mean, _HALF_WIDTH * math.sqrt(variance))
    return Interval(interval.mean, interval.mean - half, interval.mean + half, interval.n)


def variance_of_mean(values: FloatArray, groups: IntArray | None = None) -> float:
    """Variance of the mean of (n,) values, those of a group varying together."""
    return float(np.square(_sums(values - values.mean(), groups)).sum()) / len(values) ** 2


def _sums(values: FloatArray, groups: IntArray | None) -> FloatArray:
    """Sum rows by group: the rows of a cluster-robust variance (Liang and Zeger 1986)."""
    if groups is None or len(values) == int(groups.max()) + 1:
        return values
    n_groups = int(groups.max()) + 1
    sums = np.zeros((n_groups, *values.shape[1:]))
    np.add.at(sums, groups, values)
    return sums * math.sqrt(n_groups / max(n_groups - 1, 1))


def shrunk_means(values: FloatArray, groups: IntArray | None = None) -> FloatArray:
    """Shrink the means of several models towards each other, as far as their differences may be luck.

    Empirical Bayes for paired means (Efron and Morris 1973): with `S = cov / n`, `A = I - 11'/M` and `V = A S A`,
    `tau^2 = max(0, (|A mean|^2 - tr V) / (M - 1))` is how much the true means differ, and the shrunk ones are
    `mean of means + tau^2 A (tau^2 I + V)^-1 A mean`. What is best of many tied models comes down to their mean; what
    is far ahead stays.

    Args:
        values: (n_queries, n_models) float64, complete.
        groups: (n_queries,) group of each query, which vary together; None: every query varies on its own.

    Returns:
        (n_models,) float64.
    """
    n_queries, n_models = values.shape
    means = values.mean(axis=0)
    if n_models < 2:
        return np.asarray(means)
    centred = values - values.mean(axis=1, keepdims=True)
    around = _sums(centred - centred.mean(axis=0), groups)
    covariance = around.T @ around / n_queries**2
    middle = means.mean()
    spread = (float(np.square(means - middle).sum()) - float(np.trace(covariance))) / (n_models - 1)
    if spread <= 0.0:
        return np.full(n_models, middle)
    pulled = spread * np.linalg.solve(spread * np.eye(n_models) + covariance, means - middle)
    return np.asarray(middle + pulled - pulled.mean())


def luck_of_the_pick(values: FloatArray, named: int, groups: IntArray | None = None) -> float:
    """What the mean of a model owes to the model having been picked for it; 0 or more.

    Args:
        values: (n_queries, n_models) float64, complete.
        named: column of the model.
        groups: (n_queries,) group of each query, which vary together; None: every query varies on its own.
    """
    return max(0.0, float(values[:, named].mean() - shrunk_means(values, groups)[named]))


def luck_in_gain(luck: float, share: float) -> float:
    """How much of the luck of the named model stands in a gain over it: `e * min(1, 3 * share)`.

    Where it is chosen the difference is 0, whatever its luck. So a method that never leaves it gains nothing; but what
    leaves it on a third of the queries bears all of the luck: a fold chooses another model when the named one looks
    worse in training than on all queries, and then its luck lies in what is held out. Measured: with the named model
    left on 10 to 30 % of the queries the difference is off by all of e, below 10 % by half of it.

    Args:
        luck: e, of `luck_of_the_pick`.
        share: share of the choices that are not the named model.
    """
    return luck * min(1.0, _LUCK_PER_SHARE * share)
