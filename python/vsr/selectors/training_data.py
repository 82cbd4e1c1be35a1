"""What algorithms learn from: queries with measured quality, pairs of models of which one was preferred, grades."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vsr.errors import TrainingError
from vsr.prior.category_means import FloatArray, IntArray, MeanTable
from vsr.prior.completion import completed_residuals
from vsr.selectors.clustering import cluster_rows

if TYPE_CHECKING:
    from vsr.selectors.base import TrainedSelector

Features = npt.NDArray[np.float32]

# Kinds of queries, where cells are missing.
_CLUSTERS = 64
_QUERIES_PER_CLUSTER = 20


@dataclass(frozen=True, eq=False)
class Grades:
    """What people said of answers in service: queries with a grade of one model, or of a few.

    They are never held out: who routes chooses which model is graded, so that they are no fair sample of anything.

    Attributes:
        features: (n, n_features) float32.
        codes: (n,) int64, category of each query, -1 where its features hold none.
        quality: (n, n_models) float64 in [0, 1], NaN = not graded.
        weight: above 0, up to 1: what such a query counts beside a measured one.
        queries: the text of each query.
    """

    features: Features
    codes: IntArray
    quality: FloatArray
    weight: float
    queries: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that the parts fit.

        Raises:
            TrainingError: They differ in length, or the weight is not above 0 and up to 1.
        """
        n = len(self.features)
        if any(len(part) != n for part in (self.codes, self.quality, self.queries)):
            raise TrainingError(
                f"{n} feature rows, {len(self.codes)} categories, {len(self.quality)} rows of grades and "
                f"{len(self.queries)} queries; expected the same number of each"
            )
        if not 0.0 < self.weight <= 1.0:
            raise TrainingError(f"the weight of grades is {self.weight}; expected a number above 0, up to 1")

    @property
    def n_queries(self) -> int:
        """Number of graded queries."""
        return len(self.codes)

    def take(self, rows: IntArray) -> "Grades":
        """Give some of the queries."""
        queries = tuple(self.queries[row] for row in rows.tolist())
        return Grades(self.features[rows], self.codes[rows], self.quality[rows], self.weight, queries)

    def among(self, columns: IntArray) -> "Grades | None":
        """Give the grades of some of the models, in their order; None where there are none."""
        own = replace(self, quality=np.ascontiguousarray(self.quality[:, columns]))
        rows = np.flatnonzero(np.isfinite(own.quality).any(axis=1))
        return own.take(rows) if rows.size else None

    def digest(self) -> str:
        """SHA-256 of all of it."""
        parts = (self.features, self.codes, self.quality, np.float64(self.weight))
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


@dataclass(frozen=True, eq=False)
class Preferences:
    """Pairs of models of which one was preferred on a query; there may be none. Grades of single answers ride along.

    Attributes:
        features: (n_pairs, n_features) float32.
        preferred: (n_pairs,) int64 column of the model that was preferred.
        other: (n_pairs,) int64 column of the other one.
        confidence: (n_pairs,) float64 above 0, the weight of each pair.
        grades: what single answers were worth; None without any.
    """

    features: Features
    preferred: IntArray
    other: IntArray
    confidence: FloatArray
    grades: Grades | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit.

        Raises:
            TrainingError: They differ in length, a model is paired with itself, or a weight is not above 0.
        """
        n_pairs = len(self.features)
        if any(len(part) != n_pairs for part in (self.preferred, self.other, self.confidence)):
            raise TrainingError(
                f"{n_pairs} feature rows, {len(self.preferred)} preferred models, {len(self.other)} other models and "
                f"{len(self.confidence)} confidences; expected the same number of each"
            )
        same = np.flatnonzero(self.preferred == self.other)
        if same.size:
            raise TrainingError(f"pair {same[0]} has the same model twice; expected two different ones")
        confidence = self.confidence
        if confidence.ndim != 1 or not (np.isfinite(confidence).all() and (confidence > 0).all()):
            raise TrainingError("a confidence is not a number above 0; expected one for every pair")

    @property
    def n_pairs(self) -> int:
        """Number of pairs."""
        return len(self.features)

    def among(self, columns: IntArray) -> "Preferences":
        """Give the pairs between some of the models, numbered by their place in `columns`."""
        kept = np.isin(self.preferred, columns) & np.isin(self.other, columns)
        order = np.argsort(columns)
        return Preferences(
            features=self.features[kept],
            preferred=order[np.searchsorted(columns, self.preferred[kept], sorter=order)],
            other=order[np.searchsorted(columns, self.other[kept], sorter=order)],
            confidence=self.confidence[kept],
            grades=None if self.grades is None else self.grades.among(columns),
        )


@dataclass(frozen=True)
class TrainingData:
    """Queries with measured quality, as every algorithm learns from them.

    Attributes:
        features: (n, n_features) float32.
        codes: (n,) int64, category of each query, -1 where its features hold none.
        quality: (n, n_models) float64 in [0, 1], NaN = not measured.
        prior: the table that residuals are measured from, fitted on the same queries.
        preferences: pairs to learn differences between models from, for algorithms that can; None without a file of
            pairs.
        best: (n,) int64 column of the best model of each query under the objective; empty where nobody asks for it.
        queries: the beginning of each query's text; empty likewise.
        parts: selectors of the same training, for an algorithm that combines them; empty for all others.
        weights: (n,) float64 above 0, up to 1: what each query counts; None where all count alike.
    """

    features: Features
    codes: IntArray
    quality: FloatArray
    prior: MeanTable
    preferences: Preferences | None = None
    best: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    queries: tuple[str, ...] = ()
    parts: "tuple[TrainedSelector, ...]" = ()
    weights: FloatArray | None = None

    @cached_property
    def residual(self) -> FloatArray:
        """(n, n_models) float64: quality less prior less the query's own difficulty, NaN = not measured."""
        return self.prior.residuals(self.quality, self.codes)

    @cached_property
    def completed_residual(self) -> FloatArray:
        """(n, n_models) float64: the same with every cell that was not measured filled (`vsr.prior.completion`)."""
        return complete(self.prior, self.quality, self.features, self.codes)

    @property
    def n_queries(self) -> int:
        """Number of queries."""
        return len(self.codes)

    @property
    def n_models(self) -> int:
        """Number of models."""
        return int(self.quality.shape[1])

    @property
    def adjusted_quality(self) -> FloatArray:
        """(n, n_models) quality at the usual difficulty of the query's category, prior plus residual; NaN as there."""
        return np.where(np.isfinite(self.quality), self.prior.rows(self.codes) + self.completed_residual, np.nan)


def complete(prior: MeanTable, quality: FloatArray, features: Features, codes: IntArray) -> FloatArray:
    """Give residuals from a prior, those of cells that were not measured filled from their rows and from queries alike.

    Args:
        prior: the table that they are measured from.
        quality: (n, n_models) float64, NaN = not measured.
        features: (n, n_features) float32.
        codes: (n,) category of each query, -1 where it is unknown.

    Returns:
        (n, n_models) float64, no NaN; where nothing is missing, those of the table.
    """
    if np.isfinite(quality).all():
        return prior.residuals(quality, codes)
    n_clusters = min(_CLUSTERS, max(len(features) // _QUERIES_PER_CLUSTER, 1))
    _, clusters = cluster_rows(features, n_clusters, 1, 0)
    return completed_residuals(quality - prior.rows(codes), clusters.astype(np.int64))
