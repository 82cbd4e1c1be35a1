"""Small pools of simulated models, whose right answers a test knows."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES
from vsr.data.outcomes import Outcomes
from vsr.features import build_features
from vsr.selectors.training_data import TrainingData
from vsr.training.trainer import Trainer

FloatArray = npt.NDArray[np.float64]
DIM = 16
NAMES = ("large", "medium", "small", "tiny", "old")


@dataclass(frozen=True, eq=False)
class Pool:
    """Queries with features, and what was measured on them.

    Attributes:
        features: (n, DIM + 14) float32.
        outcomes: one row a query.
        expected: (n, n_models) the quality that each model has on average on each query.
    """

    features: npt.NDArray[np.float32]
    outcomes: Outcomes
    expected: FloatArray

    @property
    def n_queries(self) -> int:
        return len(self.features)

    def take(self, rows: npt.ArrayLike) -> "Pool":
        index = np.asarray(rows)
        return Pool(self.features[index], self.outcomes.take(index), self.expected[index])

    def with_quality(self, quality: npt.ArrayLike) -> "Pool":
        """The same queries, measured otherwise."""
        return make_pool(self.features[:, :DIM], self.outcomes.categories, quality, expected=self.expected)


def make_pool(
    embeddings: npt.ArrayLike,
    categories: tuple[str | None, ...],
    quality: npt.ArrayLike,
    *,
    expected: FloatArray | None = None,
    latency_s: FloatArray | None = None,
    names: tuple[str, ...] = NAMES,
) -> Pool:
    values = np.asarray(quality, dtype=np.float64)
    n_queries, n_models = values.shape
    outcomes = Outcomes(
        queries=[f"query number {i}" for i in range(n_queries)],
        categories=categories,
        models=names[:n_models],
        quality=values,
        latency_s=latency_s,
    )
    features = build_features(embeddings, [category or "other" for category in categories])
    return Pool(features, outcomes, values if expected is None else expected)


def topics(
    n_queries: int, generator: np.random.Generator, n_topics: int = 3
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Embeddings around as many directions as there are topics, and the topic of each: (n, DIM) and (n,)."""
    topic = np.arange(n_queries, dtype=np.int64) % n_topics
    embeddings = 0.15 * generator.standard_normal((n_queries, DIM))
    embeddings[np.arange(n_queries), topic] += 1.0
    return embeddings, topic


def planted_pool(n_queries: int = 240, seed: int = 0) -> Pool:
    """Three models, each strong on a topic of its own; topics show in the embedding, and not in the category."""
    generator = np.random.default_rng(seed)
    embeddings, topic = topics(n_queries, generator)
    expected = np.where(topic[:, None] == np.arange(3), 0.9, 0.3) + np.array([0.05, 0.0, -0.05])
    quality = (generator.random(expected.shape) < expected).astype(np.float64)
    return make_pool(embeddings, some_categories(n_queries, generator), quality, expected=expected)


def priced_pool(n_queries: int = 240, *, has_cost: bool = True, has_latency: bool = True) -> Pool:
    """Topics that a model each knows; the first model is the dearest, the last one the cheapest."""
    pool = planted_pool(n_queries)
    spread = np.random.default_rng(1).uniform(0.8, 1.2, (n_queries, 3))
    outcomes = Outcomes(
        queries=pool.outcomes.queries,
        categories=pool.outcomes.categories,
        models=pool.outcomes.models,
        quality=pool.outcomes.quality,
        latency_s=spread * [2.0, 1.0, 0.5] if has_latency else None,
        cost_usd=spread * [8e-3, 2e-3, 1e-3] if has_cost else None,
    )
    return Pool(pool.features, outcomes, pool.expected)


def signalless_pool(n_queries: int = 240, seed: int = 0, n_models: int = 4) -> Pool:
    """Models that differ in mean quality alone: nothing about a query says which of them fails on it."""
    generator = np.random.default_rng(seed)
    embeddings, _ = topics(n_queries, generator)
    expected = np.tile(np.linspace(0.7, 0.55, n_models), (n_queries, 1))
    quality = (generator.random(expected.shape) < expected).astype(np.float64)
    return make_pool(embeddings, some_categories(n_queries, generator), quality, expected=expected)


def some_categories(n_queries: int, generator: np.random.Generator) -> tuple[str, ...]:
    names = [CATEGORIES[i] for i in (0, 5, 9)]
    return tuple(names[i] for i in generator.integers(0, len(names), n_queries))


#: Ways in which training data may be incomplete, as `training_data` makes it.
DATA_KINDS = ("complete", "with gaps", "weighted")


def training_data(kind: str, n_queries: int) -> TrainingData:
    """A planted pool as algorithms learn from it: complete, with cells missing, or with a weight for each query."""
    pool = planted_pool(n_queries)
    quality = pool.outcomes.quality.copy()
    generator = np.random.default_rng(9)
    if kind == "with gaps":
        quality[generator.random(quality.shape) < 0.4] = np.nan
    data = Trainer.prepare(pool.features, pool.with_quality(quality).outcomes).data
    weights = generator.uniform(0.1, 1.0, pool.n_queries)
    return replace(data, weights=weights) if kind == "weighted" else data
