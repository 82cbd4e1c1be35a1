"""Worlds whose truth is known for `verdict_truth.py`: models drawn from real outcomes, and a sample of the queries."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from routing_quality import Pool

Float = npt.NDArray[np.float64]

POOLS = ("LLMRouter 9", "MMLU-Pro 28", "MMLU-Pro 16")
KINDS = ("consecutive", "equal", "random", "shuffled", "planted")
#: Gains to plant, in standard errors of a difference on a third of the queries.
_PLANTED = (3.0, 16.0)
_PLANTED_SPREAD = 0.35


@dataclass(frozen=True)
class Cell:
    """What is drawn."""

    data: str
    kind: str
    n_models: int
    n_queries: int


@dataclass(frozen=True, eq=False)
class World:
    """Drawn models on all queries of a data set, and which of these are the sample."""

    models: tuple[str, ...]
    quality: Float
    latency_s: Float
    sample: npt.NDArray[np.intp]
    rest: npt.NDArray[np.intp]


def cells(pools: dict[str, Pool], kinds: list[str], n_models: list[int], n_queries: list[int]) -> Iterator[Cell]:
    """Every cell that the data allow; the 16 middle models are one pool that is used whole."""
    for size in n_queries:
        for number in n_models:
            for kind in kinds:
                for name, pool in pools.items():
                    is_whole = number == pool.outcomes.n_models
                    if (number < pool.outcomes.n_models and name != "MMLU-Pro 16") or (is_whole and kind != "random"):
                        yield Cell(name, kind, number, size)


def draw(pool: Pool, cell: Cell, generator: np.random.Generator) -> World:
    """Draw models and a sample."""
    quality, latency = np.array(pool.outcomes.quality), np.array(pool.outcomes.latency_s)
    if cell.kind == "random":
        columns = np.sort(generator.permutation(quality.shape[1])[: cell.n_models])
    else:
        ranked = np.argsort(-quality.mean(axis=0), kind="stable")
        first = int(generator.integers(0, quality.shape[1] - cell.n_models + 1))
        columns = np.sort(ranked[first : first + cell.n_models])
    quality, latency = quality[:, columns], latency[:, columns]
    if cell.kind in ("equal", "planted"):
        means = quality.mean(axis=0)
        quality = np.where(generator.random(quality.shape) < means.min() / means, quality, 0.0)
    if cell.kind in ("shuffled", "planted"):
        order = generator.permutation(len(quality))
        quality, latency = quality[order], latency[order]
    if cell.kind == "planted":
        gain = generator.uniform(*_PLANTED) * _PLANTED_SPREAD / np.sqrt(cell.n_queries)
        _plant(quality, pool.vectors, gain, generator)
    order = generator.permutation(len(quality))
    return World(
        models=tuple(pool.outcomes.models[column] for column in columns),
        quality=quality,
        latency_s=latency,
        sample=np.sort(order[: cell.n_queries]),
        rest=np.sort(order[cell.n_queries :]),
    )


def _plant(quality: Float, vectors: npt.NDArray[np.float32], gain: float, generator: np.random.Generator) -> None:
    """Make one model better by 3 x gain on a third of the space, and worse elsewhere, at the same mean."""
    centred = vectors - vectors.mean(axis=0)
    axis = centred[generator.integers(0, len(centred))]
    inside = centred @ axis >= np.quantile(centred @ axis, 2.0 / 3.0)
    column = int(generator.integers(0, quality.shape[1]))
    level = quality[:, column].mean()
    better, worse = min(3.0 * gain, 1.0 - level), min(1.5 * gain, level)
    luck = generator.random(len(quality))
    quality[inside & (luck < better / max(1.0 - level, 1e-9)), column] = 1.0
    quality[~inside & (luck < worse / max(level, 1e-9)), column] = 0.0
