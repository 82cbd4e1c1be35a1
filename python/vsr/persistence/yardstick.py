"""The yardstick of a training: how far a query is from those that were measured, against their own distances.

It is a sample of the training queries. New queries and training queries outside the sample are equally far from it if
they are of the same kind, so that of new queries of that kind one in a hundred lies beyond the 99th percentile of the
training's own distances (a conformal rank: Vovk et al. 2005; distances to neighbours find what is foreign: Sun et al.
2022). Where too few are outside, those in the sample are measured against its others.
"""

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.features import split_features
from vsr.persistence.artefact import Artefact
from vsr.persistence.finding import find_artefacts
from vsr.persistence.reading import load_artefact
from vsr.persistence.training_queries import TrainingQueries, read_training_queries
from vsr.prior.category_means import FloatArray
from vsr.selectors.knn import KnnPredictor

#: Beyond so large a share of the training queries' own distances a query is unlike them.
USUAL = 0.99
# Vectors of the sample, distances to it, neighbours of which the mean distance is taken: 300 to 8,000 vectors and 1 to
# 10 neighbours find as much on real data.
_N_SAMPLE = 1_000
_N_DISTANCES = 4_000
_N_NEIGHBOURS = 5
# Distances that are kept: each 1,000th.
_N_QUANTILES = 1_001
_CHUNK = 4_096


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What distances are measured against.

    Attributes:
        sample: (n_sample, dim) float32 unit vectors of training queries.
        distances: (n,) float64, ascending: of training queries to the sample, or quantiles of them.
        n_distances: how many there were.
    """

    sample: npt.NDArray[np.float32]
    distances: FloatArray
    n_distances: int

    @classmethod
    def of(cls, vectors: npt.NDArray[np.float32], seed: int = 0) -> "Yardstick":
        """Draw the sample from the vectors of training queries, and measure the others against it.

        Args:
            vectors: (n_queries, dim) float32, unit rows, two at least.
            seed: of the draw.
        """
        order = np.random.default_rng(seed).permutation(len(vectors))
        sample = vectors[order[:_N_SAMPLE]].astype(np.float16).astype(np.float32)
        others = vectors[order[_N_SAMPLE : _N_SAMPLE + _N_DISTANCES]]
        distances = _distances(others, sample) if len(others) else np.empty(0)
        if len(others) < _N_SAMPLE:
            distances = np.concatenate([distances, _distances(sample, sample, are_same=True)])
        ranks = np.linspace(0.0, 1.0, min(_N_QUANTILES, len(distances)))
        return cls(sample, np.quantile(distances, ranks, method="higher"), len(distances))

    def distances_of(self, vectors: npt.NDArray[np.float32]) -> FloatArray:
        """Measure queries: (n, dim) float32 unit rows of the same embedder -> (n,) distances to the sample."""
        return _distances(vectors, self.sample)

    def ranks(self, distances: FloatArray) -> FloatArray:
        """Share of the training queries that are nearer, for each of some distances; about 0.5 is typical."""
        return np.searchsorted(self.distances, distances) / len(self.distances)

    @property
    def limit(self) -> float:
        """Distance beyond which a query is unlike those of the training."""
        return float(np.quantile(self.distances, USUAL, method="higher"))


def yardstick_of(kept: TrainingQueries) -> Yardstick:
    """Take the yardstick out of what a training kept."""
    n_distances = len(kept.distances) if kept.held_out is None else kept.held_out.n_distances
    return Yardstick(kept.sample, kept.distances, n_distances)


def find_yardstick(directory: str | os.PathLike[str], artefact: Artefact) -> Yardstick | None:
    """Find a yardstick for the queries of an artefact: what its training kept, else the queries of a KNN artefact.

    Args:
        directory: the folder of the artefact.
        artefact: the artefact.

    Returns:
        None where the folder holds neither.

    Raises:
        ArtefactError: A file is damaged.
    """
    run_id = None if artefact.header is None else artefact.header.run_id
    kept = read_training_queries(directory)
    if kept is not None and kept.run_id == run_id:
        return yardstick_of(kept)
    path = find_artefacts(directory).get("knn")
    if path is None:
        return None
    knn = load_artefact(path)
    if not isinstance(knn.selector.predictor, KnnPredictor) or (knn.header and knn.header.run_id) != run_id:
        return None
    vectors = split_features(knn.selector.predictor.features).embeddings
    return Yardstick.of(vectors) if len(vectors) > 1 else None


def _distances(
    vectors: npt.NDArray[np.float32], sample: npt.NDArray[np.float32], *, are_same: bool = False
) -> FloatArray:
    """Mean distance to the nearest of the sample, themselves left out if they are it: (n, dim), (m, dim) -> (n,)."""
    n_neighbours = max(1, min(_N_NEIGHBOURS, len(sample) - are_same))
    found = []
    for start in range(0, len(vectors), _CHUNK):
        rows = vectors[start : start + _CHUNK]
        squared = np.square(rows).sum(axis=1)[:, None] + np.square(sample).sum(axis=1) - 2.0 * (rows @ sample.T)
        if are_same:
            own = np.arange(len(rows))
            squared[own, start + own] = np.inf
        nearest = np.partition(squared, n_neighbours - 1, axis=1)[:, :n_neighbours]
        found.append(np.sqrt(np.maximum(nearest, 0.0)).mean(axis=1, dtype=np.float64))
    return np.concatenate(found)
