"""How far logged queries are from those of their training; measured many at once, where nobody waits for it."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import VsrError
from vsr.persistence.training_queries import read_training_queries
from vsr.persistence.yardstick import Yardstick, yardstick_of
from vsr.routing.query_vectors import Vectors
from vsr.routing.router import Router

_MOST_TRAININGS = 4  # the one that is served, and those before it whose last choices still wait


@dataclass(frozen=True, eq=False, slots=True)
class Measurable:
    """The vector of a query, and the router whose training it is measured against."""

    router: Router
    vector: Vectors


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a query is from those of the training.

    Attributes:
        cosine: distance to the nearest of a sample of the training queries, 0 for the same direction: that of the mean
            Euclidean distance to the nearest five.
        rank: share of the training queries that are nearer to it; about 0.5 is typical, above 0.99 is unlike them.
    """

    cosine: float
    rank: float


class Distances:
    """Measures queries against what their training kept; for one thread."""

    def __init__(self) -> None:
        """Know no training yet."""
        self._yardsticks: OrderedDict[str, Yardstick | None] = OrderedDict()

    def of(self, queries: Sequence[Measurable | None]) -> list[Distance | None]:
        """Measure queries; None where there is no vector, or its training kept none."""
        found: list[Distance | None] = [None] * len(queries)
        by_training: dict[str, list[tuple[int, Measurable]]] = {}
        for row, query in enumerate(queries):
            if query is not None and query.router.artefact.header is not None:
                by_training.setdefault(query.router.artefact.header.run_id, []).append((row, query))
        for run_id, some in by_training.items():
            yardstick = self._yardstick(run_id, some[0][1].router)
            if yardstick is None:
                continue
            vectors = unit_rows(as_embeddings([query.vector for _, query in some], dim=yardstick.sample.shape[1]))
            far = yardstick.distances_of(vectors)
            for (row, _), cosine, rank in zip(some, np.square(far) / 2.0, yardstick.ranks(far), strict=True):
                found[row] = Distance(float(cosine), float(rank))
        return found

    def _yardstick(self, run_id: str, router: Router) -> Yardstick | None:
        """Read what a training kept, once; None where the folder holds nothing of it."""
        if run_id not in self._yardsticks:
            try:
                kept = read_training_queries(router.artefact.path.parent)
            except VsrError:
                kept = None  # the choices are sound without it
            is_own = kept is not None and kept.run_id == run_id
            self._yardsticks[run_id] = yardstick_of(kept) if kept is not None and is_own else None
            if len(self._yardsticks) > _MOST_TRAININGS:
                self._yardsticks.popitem(last=False)
        return self._yardsticks[run_id]
