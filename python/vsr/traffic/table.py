"""Decisions with a quality, in columns: what other policies are judged on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vsr.choice.objective import Objective

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

NOBODY = -1


@dataclass(frozen=True, eq=False)
class LoggedTable:
    """Decisions in which there was something to choose, with the quality of the answer.

    Attributes:
        models: that stood on offer somewhere, in the order of the columns.
        taken: (n,) column of the model that answered.
        propensity: (n,) probability with which it was taken.
        quality: (n,) of its answer, in [0, 1].
        scores: (n, n_models) predicted quality when the choice was made; NaN where nothing was predicted.
        utilities: (n, n_models) likewise.
        offered: (n, n_models) whether the model was on offer and not left out by limits.
        margin: (n,) of utility within which a model could have been drawn; 0 where nothing was left to chance.
        objectives: (n,) what was maximised.
        categories: (n,) category of each query, None where it is unknown.
        given: (n,) whether the category came with the request.
        texts: (n,) what was embedded, None where the log does not say.
        run_ids: of the trainings that predicted.
    """

    models: tuple[str, ...]
    taken: IntArray
    propensity: FloatArray
    quality: FloatArray
    scores: FloatArray
    utilities: FloatArray
    offered: BoolArray
    margin: FloatArray
    objectives: Sequence[Objective]
    categories: Sequence[str | None]
    given: BoolArray
    texts: Sequence[str | None]
    run_ids: frozenset[str]

    def __len__(self) -> int:
        return len(self.taken)

    @cached_property
    def compared(self) -> FloatArray:
        """Utilities of the models that were compared: (n, n_models), minus infinity for the others."""
        return np.where(self.offered & np.isfinite(self.utilities), self.utilities, -np.inf)

    @cached_property
    def best(self) -> IntArray:
        """What would have been taken without exploration: (n,)."""
        return np.where(self.propensity < 1.0, self.compared.argmax(axis=1), self.taken)

    @cached_property
    def could_be_taken(self) -> BoolArray:
        """Whether each model had a chance: (n, n_models)."""
        near = self.compared.max(axis=1, keepdims=True) - self.compared <= self.margin[:, None]
        could: BoolArray = near & (self.propensity < 1.0)[:, None]
        could[np.arange(len(self)), self.taken] = True
        return could

    def take(self, rows: npt.NDArray[np.intp]) -> "LoggedTable":
        """Keep some decisions."""
        places = rows.tolist()
        return replace(
            self,
            taken=self.taken[rows],
            propensity=self.propensity[rows],
            quality=self.quality[rows],
            scores=self.scores[rows],
            utilities=self.utilities[rows],
            offered=self.offered[rows],
            margin=self.margin[rows],
            objectives=[self.objectives[row] for row in places],
            categories=[self.categories[row] for row in places],
            given=self.given[rows],
            texts=[self.texts[row] for row in places],
        )

    def takes(self, columns: IntArray) -> BoolArray:
        """Whether another policy takes what was taken: (n,)."""
        return np.equal(columns, self.taken)

    def covers(self, columns: IntArray) -> BoolArray:
        """Whether what another policy takes had a chance to be taken: (n,)."""
        rows = np.arange(len(self))
        covered: BoolArray = self.could_be_taken[rows, np.maximum(columns, 0)] & (columns != NOBODY)
        return covered
