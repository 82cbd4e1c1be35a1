"""Queries on which an exported file is fitted, and others on which it is judged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from vsr._core import KnnIndex
from vsr.data.categories import CATEGORIES
from vsr.errors import ArtefactError
from vsr.features import split_features
from vsr.prior.category_means import FloatArray
from vsr.selectors.base import TrainedSelector
from vsr.selectors.knn import KnnPredictor
from vsr.selectors.svm import SvmPredictor

Features = npt.NDArray[np.float32]
Source = Literal["records", "training queries"]

_N_FITTED = 6_000
_N_JUDGED = 1_000
_JUDGED_SHARE = 0.2
_N_NEIGHBOURS = 50
_N_MIXED = 3
_LEAST_QUERIES = 20


@dataclass(frozen=True, eq=False)
class HeldOutQueries:
    """Queries with measured utilities, none of which the training has seen.

    Attributes:
        features: (n, n_features) float32, of the width and category weight of the artefacts.
        utilities: (n, n_models) float64 in the order of the artefacts' models, NaN = not measured.
    """

    features: Features
    utilities: FloatArray


@dataclass(frozen=True, eq=False)
class Queries:
    """What an export works on.

    Attributes:
        known: (n, n_features) float32, queries to fit on.
        fitted: (n, n_features) float32, points between these.
        judged: (n, n_features) float32, other queries.
        utilities: (n_judged, n_models) measured utilities, NaN = not measured; None where only our own predictions
            can say what another choice loses.
        source: where the judged ones come from.
    """

    known: Features
    fitted: Features
    judged: Features
    utilities: FloatArray | None
    source: Source

    @classmethod
    def gather(
        cls, selectors: Mapping[str, TrainedSelector], held_out: HeldOutQueries | None, generator: np.random.Generator
    ) -> "Queries":
        """Take training queries from the artefacts that keep them, else some of the held-out ones.

        Selectors know their training queries by heart, so files are fitted on points between neighbouring ones, where
        they answer as they do on a new query. Without
        held-out queries they are judged on such points, too, between training queries that are left out of the fit.

        Raises:
            ArtefactError: There are no queries to fit on.
        """
        known = _training_rows(selectors)
        if known is None and held_out is not None and len(held_out.features) >= 2 * _LEAST_QUERIES:
            order = generator.permutation(len(held_out.features))
            for_fit, for_judging = np.array_split(order, 2)
            return cls(
                held_out.features[for_fit],
                _between(held_out.features[for_fit], _N_FITTED, generator),
                held_out.features[for_judging],
                held_out.utilities[for_judging],
                "records",
            )
        if known is None or len(known) < _LEAST_QUERIES:
            raise ArtefactError(
                f"there are no queries to fit on: export knn or svm with the others, whose files keep {_LEAST_QUERIES} "
                f"or more training queries, or give records of at least {2 * _LEAST_QUERIES} queries (--data-file)"
            )
        if held_out is not None:
            fitted = _between(known, _N_FITTED, generator)
            return cls(known, fitted, held_out.features, held_out.utilities, "records")
        order = generator.permutation(len(known))
        n_judged = max(2, int(_JUDGED_SHARE * len(known)))
        return cls(
            known[order[n_judged:]],
            _between(known[order[n_judged:]], _N_FITTED, generator),
            _between(known[order[:n_judged]], _N_JUDGED, generator),
            None,
            "training queries",
        )


def _training_rows(selectors: Mapping[str, TrainedSelector]) -> Features | None:
    predictors = [selector.predictor for selector in selectors.values()]
    for predictor in predictors:
        if isinstance(predictor, KnnPredictor):
            return predictor.features
    for predictor in predictors:
        if isinstance(predictor, SvmPredictor) and len(predictor.vectors) >= _LEAST_QUERIES:
            return predictor.vectors
    return None


def _between(features: Features, n_points: int, generator: np.random.Generator) -> Features:
    """Draw points between a query and two of its near neighbours; each has the category of the query."""
    if len(features) < 2:
        return features
    index = KnnIndex(features, len(CATEGORIES), "flat")
    rows, _ = index.search(features, min(_N_NEIGHBOURS + 1, len(features)))
    start = generator.integers(0, len(features), n_points)
    shares = generator.dirichlet(np.ones(_N_MIXED), n_points).astype(np.float32)
    embeddings = split_features(features).embeddings
    mixed = shares[:, :1] * embeddings[start]
    for share in shares.T[1:]:
        end = rows[start, generator.integers(1, rows.shape[1], n_points)]
        mixed += share[:, None] * embeddings[end]
    mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
    return np.ascontiguousarray(np.hstack([mixed, features[start, -len(CATEGORIES) :]]), dtype=np.float32)
