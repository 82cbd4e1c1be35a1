"""From wins, ties and losses to qualities: Bradley and Terry's model with Davidson's ties, shrunk level by level.

Davidson, R. R. (1970), "On Extending the Bradley-Terry Model to Accommodate Ties in Paired Comparison Experiments",
JASA 65, equations 2.3 and 2.4: with strengths s = log pi, P(i beats j) is proportional to exp(s_i), P(j beats i) to
exp(s_j), and P(tie) to nu exp((s_i + s_j) / 2).

A query has few comparisons, a category more, all together most: the strengths of all are the prior mean of those of a
category, and these of a query's, each a normal distribution. What a query's comparisons do not say, its category does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SD_OVERALL = 2.0
_SD_CATEGORY = 0.7
_SD_QUERY = 1.5
_N_STEPS = 40
_TOLERANCE = 1e-9
_BLOCK = 4096  # queries that are solved at a time


@dataclass(frozen=True)
class Comparisons:
    """What judges said of pairs; all arrays have one entry a comparison.

    Attributes:
        groups: (n,) number of the query.
        first: (n,) number of the one model.
        second: (n,) number of the other model.
        points: (n,) what the first gets: 1, 0.5 or 0.
    """

    groups: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    points: Floats

    def __len__(self) -> int:
        return len(self.points)

    def counted(self, groups: NDArray[np.int64], n_groups: int, n_models: int) -> tuple[Floats, Floats]:
        """Count wins [group, winner, loser] and ties [group, model, model], the latter on both sides."""
        wins = np.zeros((n_groups, n_models, n_models))
        ties = np.zeros_like(wins)
        won, lost, tied = self.points == 1.0, self.points == 0.0, self.points == 0.5
        np.add.at(wins, (groups[won], self.first[won], self.second[won]), 1.0)
        np.add.at(wins, (groups[lost], self.second[lost], self.first[lost]), 1.0)
        np.add.at(ties, (groups[tied], self.first[tied], self.second[tied]), 1.0)
        np.add.at(ties, (groups[tied], self.second[tied], self.first[tied]), 1.0)
        return wins, ties


@dataclass(frozen=True)
class Strengths:
    """What the comparisons come to.

    Attributes:
        overall: (n_models,) strengths over all queries, mean 0.
        by_category: (n_categories, n_models).
        by_query: (n_queries, n_models).
        nu: how common ties are: 0 never, 2 half the time among equals.
    """

    overall: Floats
    by_category: Floats
    by_query: Floats
    nu: float

    def quality(self, reference: int | None = None) -> Floats:
        """Map the strengths of every query to [0, 1]: what a model would get there against an average one.

        Args:
            reference: number of the model to compare with in its place, as it is on the same query.

        Returns:
            (n_queries, n_models) expected points: a win counts 1, a tie 0.5.
        """
        against = np.zeros((len(self.by_query), 1)) if reference is None else self.by_query[:, [reference]]
        half = (self.by_query - against) / 2
        up, down = np.exp(half), np.exp(-half)
        points: Floats = (up + self.nu / 2) / (up + down + self.nu)
        return points


def fit_strengths(
    comparisons: Comparisons, categories: NDArray[np.int64], n_categories: int, n_models: int
) -> Strengths:
    """Fit strengths of all models, overall, by category and by query.

    Args:
        comparisons: what judges said.
        categories: (n_queries,) number of each query's category.
        n_categories: how many there are.
        n_models: how many models there are.
    """
    everything = np.zeros(len(comparisons), dtype=np.int64)
    wins, ties = comparisons.counted(everything, 1, n_models)
    nu = 1.0
    overall = np.zeros((1, n_models))
    for _ in range(_N_STEPS):
        overall = _solve(wins, ties, np.zeros((1, n_models)), _SD_OVERALL, nu)
        new = _nu_of(wins, ties, overall)
        if abs(new - nu) < _TOLERANCE:
            break
        nu = new
    overall -= overall.mean()
    n_queries = len(categories)
    wins, ties = comparisons.counted(categories[comparisons.groups], n_categories, n_models)
    by_category = _solve(wins, ties, np.broadcast_to(overall, (n_categories, n_models)), _SD_CATEGORY, nu)
    by_query = np.array(by_category[categories])
    for start in range(0, n_queries, _BLOCK):
        stop = min(start + _BLOCK, n_queries)
        inside = (comparisons.groups >= start) & (comparisons.groups < stop)
        part = Comparisons(
            comparisons.groups[inside],
            comparisons.first[inside],
            comparisons.second[inside],
            comparisons.points[inside],
        )
        wins, ties = part.counted(part.groups - start, stop - start, n_models)
        by_query[start:stop] = _solve(wins, ties, by_query[start:stop], _SD_QUERY, nu)
    return Strengths(overall[0], by_category, by_query, nu)


def _solve(wins: Floats, ties: Floats, prior: Floats, sd: float, nu: float) -> Floats:
    """Maximise the posterior of strengths, all groups at once, by Newton's method; it is concave.

    Args:
        wins: (n_groups, n_models, n_models) as `Comparisons.counted` gives them.
        ties: likewise.
        prior: (n_groups, n_models) prior means.
        sd: prior standard deviation.
        nu: how common ties are.
    """
    n_models = wins.shape[1]
    n_pairs = wins + wins.transpose(0, 2, 1) + ties
    surplus = (wins - wins.transpose(0, 2, 1)).sum(axis=2) / 2
    strengths = np.array(prior)
    identity = np.eye(n_models)
    for _ in range(_N_STEPS):
        half = np.clip((strengths[:, :, None] - strengths[:, None, :]) / 2, -30, 30)
        up, down = np.exp(half), np.exp(-half)
        total = up + down + nu
        slope = (up - down) / total
        gradient = surplus - (n_pairs * slope).sum(axis=2) / 2 - (strengths - prior) / sd**2
        curvature = n_pairs * ((up + down) / total - slope**2) / 4
        hessian = -curvature + identity * (curvature.sum(axis=2)[:, :, None] + 1 / sd**2)
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        strengths += np.clip(step, -2, 2)
        if np.abs(step).max(initial=0.0) < _TOLERANCE:
            break
    return strengths


def _nu_of(wins: Floats, ties: Floats, strengths: Floats) -> float:
    """Give the frequency of ties that fits these strengths best; half a tie more keeps it above 0."""
    n_pairs = wins + wins.transpose(0, 2, 1) + ties
    half = np.clip((strengths[:, :, None] - strengths[:, None, :]) / 2, -30, 30)
    nu = 1.0
    n_ties = ties.sum() / 2
    for _ in range(_N_STEPS):
        weight = (n_pairs / (np.exp(half) + np.exp(-half) + nu)).sum() / 2
        if weight <= 0:
            return nu
        nu = float((n_ties + 0.5) / (weight + 0.5))
    return nu
