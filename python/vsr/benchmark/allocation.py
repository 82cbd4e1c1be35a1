"""Which cells to ask first where not all are asked: a random core, then the models between which the choice is open.

Every query has its place in a random order that deals the clusters of the queries' vectors out evenly. The first ones
are the core: every model is asked. The others come in rounds. Before a round, all records of the rounds before it give
every model a mean and its error in every cluster; a model's probability is how often, in draws from these, it is among
the best two of the query's cluster (top-two Thompson sampling, Russo 2016), relative to the best, the cheap first,
never below a floor. A query is in one round alone, so the probabilities of its cells are final when they are asked, and
means over queries stay unbiased.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr._core import kmeans_fit
from vsr.data.categories import CATEGORIES
from vsr.prior.category_means import FloatArray, IntArray, MeanTable
from vsr.prior.incomplete_rows import weighted_residuals

LEAST_PROBABILITY = 0.05
N_ROUNDS = 6
N_LOOKS = 4
_CORE_SHARE = 0.2  # of all calls
_FEWEST_CORE = 10
_CLUSTERS = 32
_QUERIES_PER_CLUSTER = 20
_TABLE_SHRINKAGE = 30.0
_CLUSTER_SHRINKAGE = 10.0
_N_DRAWS = 200
_GOLDEN_RATIO, _SQUARE_ROOT_OF_2 = (5.0**0.5 - 1.0) / 2.0, 2.0**0.5


@dataclass(frozen=True, eq=False)
class Round:
    """Queries that are drawn together.

    Attributes:
        rows: (n,) int64 places of the queries.
        n_cells: calls that they get.
    """

    rows: IntArray
    n_cells: int


@dataclass(frozen=True, eq=False)
class Allocation:
    """The rounds of a run: fixed by the queries, the number of calls and the seed.

    Attributes:
        n_models: models that are asked.
        clusters: (n_queries,) int64 cluster of each query.
        codes: (n_queries,) int64 category of each query, -1 where it is unknown.
        rounds: the core, then the others; every query is in one of them.
        seed: of all draws.
    """

    n_models: int
    clusters: IntArray
    codes: IntArray
    rounds: tuple[Round, ...]
    seed: int

    @classmethod
    def make(
        cls, vectors: npt.NDArray[np.float32], codes: IntArray, n_models: int, n_cells: int, seed: int
    ) -> "Allocation":
        """Deal the queries to the rounds.

        Args:
            vectors: (n_queries, dim) float32 of unit length.
            codes: (n_queries,) category of each query, -1 where it is unknown.
            n_models: models that are asked.
            n_cells: calls in all.
            seed: of all draws.
        """
        n_queries = len(vectors)
        clusters = clusters_of(vectors, seed)
        order = _dealt(clusters, np.random.default_rng(seed))
        n_core = min(n_queries, max(min(_FEWEST_CORE, n_cells // n_models), round(_CORE_SHARE * n_cells / n_models), 1))
        rounds = [Round(order[:n_core], min(n_core * n_models, n_cells))]
        left = max(n_cells - rounds[0].n_cells, 0)
        parts = np.array_split(order[n_core:], N_ROUNDS - 1)
        ends = np.cumsum([len(part) for part in parts]) / max(n_queries - n_core, 1)
        cells = np.diff(np.round(ends * left), prepend=0.0).astype(np.int64)
        rounds += [
            Round(part, min(int(own), len(part) * n_models))
            for part, own in zip(parts, cells, strict=True)
            if len(part)
        ]
        return cls(n_models, clusters, codes, tuple(rounds), seed)

    @classmethod
    def in_looks(
        cls, vectors: npt.NDArray[np.float32], codes: IntArray, n_models: int, n_cells: int, seed: int
    ) -> "Allocation":
        """Deal the queries to parts that are asked every model: a core in four parts of one size.

        Args:
            vectors: (n_queries, dim) float32 of unit length.
            codes: (n_queries,) category of each query, -1 where it is unknown.
            n_models: models that are asked.
            n_cells: calls in all; queries that these do not reach are in no part.
            seed: of the order.
        """
        clusters = clusters_of(vectors, seed)
        order = _dealt(clusters, np.random.default_rng(seed))[: max(n_cells // n_models, 1)]
        rounds = (Round(part, len(part) * n_models) for part in np.array_split(order, N_LOOKS) if len(part))
        return cls(n_models, clusters, codes, tuple(rounds), seed)

    def probabilities(self, number: int, quality: FloatArray, cost: FloatArray | None = None) -> FloatArray:
        """Give every cell of a round its probability.

        Args:
            number: place of the round.
            quality: (n_queries, n_models) float64, NaN = not measured; queries of later rounds do not count.
            cost: (n_models,) what a call costs, above 0; None: all the same.

        Returns:
            (n, n_models) float64 with which a model is asked a query that is drawn at all; 1 for one model at least.
        """
        own = self.rounds[number]
        if number == 0 or own.n_cells >= len(own.rows) * self.n_models:
            return np.ones((len(own.rows), self.n_models))
        before = np.concatenate([each.rows for each in self.rounds[:number]])
        share = self._among_the_best(quality[before], before, own.rows, number)
        if cost is not None:
            share = share / np.sqrt(cost / cost.mean())
        return _enough(share / share.max(axis=1, keepdims=True), own.n_cells)

    def draw(self, number: int, probabilities: FloatArray) -> npt.NDArray[np.bool_]:
        """Draw the cells of a round: (n, n_models) bool, about as many as the round has calls.

        Queries are drawn with one probability, so that those with records stand for all of them. One number a query
        then decides for all of its models: those between which the choice is open are asked the same queries.
        """
        generator = np.random.default_rng((self.seed, number))
        n_queries = len(probabilities)
        # Multiples of an irrational number are spread evenly over any stretch of them: queries alike get even shares.
        place = np.empty(n_queries)
        place[np.lexsort((generator.random(n_queries), *probabilities.T))] = np.arange(n_queries)
        of_query, of_models = ((generator.random() + step * place) % 1.0 for step in (_GOLDEN_RATIO, _SQUARE_ROOT_OF_2))
        is_drawn = of_query < self.rounds[number].n_cells / probabilities.sum()
        return np.asarray(is_drawn[:, None] & (of_models[:, None] < probabilities))

    def _among_the_best(self, quality: FloatArray, before: IntArray, rows: IntArray, number: int) -> FloatArray:
        """(n, n_models) how often each model is one of the best two of the query's cluster and category."""
        known = np.isfinite(quality).any(axis=0)
        share = np.zeros((len(rows), self.n_models))
        # A model without any record (its endpoint is down) is asked at the floor.
        if known.sum() < 2:
            return np.ones_like(share)
        codes = self.codes[before]
        prior = MeanTable.fit(quality[:, known], codes, len(CATEGORIES), _TABLE_SHRINKAGE)
        residual, trust = weighted_residuals(prior, quality[:, known], codes)
        trust = np.isfinite(residual).astype(np.float64) if trust is None else trust
        filled = np.nan_to_num(residual)
        variance = float((trust * filled**2).sum() / max(trust.sum(), 1.0)) + 1e-6
        members = (self.clusters[before] == np.arange(self.clusters.max() + 1)[:, None]).astype(np.float64)
        mass = members @ trust + _CLUSTER_SHRINKAGE
        mean, error = members @ (trust * filled) / mass, np.sqrt(variance / mass)
        n_measured = np.maximum(trust.sum(axis=0), 1.0)
        generator = np.random.default_rng((self.seed, number, 1))
        places, index = np.unique(np.stack([self.clusters[rows], self.codes[rows]]), axis=1, return_inverse=True)
        expected = prior.rows(places[1]) + mean[places[0]]
        spread = np.sqrt(error[places[0]] ** 2 + variance / n_measured)
        draws = expected + spread * generator.standard_normal((_N_DRAWS, *expected.shape))
        ranked = np.argsort(-draws, axis=2)
        counts = np.zeros(expected.shape)
        for place in range(2):
            counts += (ranked[:, :, place, None] == np.arange(expected.shape[1])).mean(axis=0)
        share[:, known] = counts[index.ravel()] / 2.0
        return share


def probe(clusters: IntArray, quality: FloatArray, n_queries: int, seed: int) -> IntArray:
    """Draw the queries that a new model is asked: some of every cluster, of those that most other models were asked.

    Args:
        clusters: (n_queries,) int64 cluster of each query.
        quality: (n_queries, n_others) float64 of the other models, NaN = not measured.
        n_queries: how many to draw.
        seed: of the draw.

    Returns:
        (n,) int64 places of the queries.
    """
    order = _dealt(clusters, np.random.default_rng(seed))
    # A query says how the new model compares with those that were measured on it: the more of them, the better.
    n_measured = np.isfinite(quality).sum(axis=1)[order]
    return order[np.argsort(-n_measured, kind="stable")[:n_queries]]


def clusters_of(vectors: npt.NDArray[np.float32], seed: int) -> IntArray:
    """Cluster queries by their vectors: (n_queries, dim) float32 of unit length -> (n_queries,) int64."""
    number = min(_CLUSTERS, max(len(vectors) // _QUERIES_PER_CLUSTER, 1))
    _, labels, _ = kmeans_fit(np.ascontiguousarray(vectors), number, 1, 50, 1e-3, seed)
    return np.asarray(labels, dtype=np.int64)


def _dealt(clusters: IntArray, generator: np.random.Generator) -> IntArray:
    """All rows in a random order in which every beginning has its share of every cluster."""
    place = np.empty(len(clusters))
    for cluster in np.unique(clusters):
        members = generator.permutation(np.flatnonzero(clusters == cluster))
        place[members] = (np.arange(len(members)) + generator.random(len(members))) / len(members)
    return np.argsort(place, kind="stable").astype(np.int64)


def _enough(share: FloatArray, n_cells: int) -> FloatArray:
    """Turn shares, of which the largest of every query is 1, into probabilities that allow so many cells."""

    def scaled(factor: float) -> FloatArray:
        return np.clip(factor * share, LEAST_PROBABILITY, 1.0)

    low, high = 1.0, 1.0
    while scaled(high).sum() < n_cells and high < 1e9:
        low, high = high, 2.0 * high
    for _ in range(50 if high > low else 0):
        middle = (low + high) / 2.0
        low, high = (middle, high) if scaled(middle).sum() < n_cells else (low, middle)
    found = scaled(high)
    # Where fewer cells than that have any share, the others get the rest alike.
    lacking = n_cells - found.sum()
    room = 1.0 - found
    return np.asarray(found + room * lacking / room.sum()) if lacking > 1e-6 else found


def costs_of(prices: Sequence[float | None]) -> FloatArray | None:
    """What a call of every model is likely to cost, None where nobody knows all of them."""
    known = [price for price in prices if price is not None]
    if len(known) < len(prices) or not known or max(known) <= 0.0:
        return None
    return np.asarray(np.maximum(np.array(known), max(known) / 1000.0))
