"""One fold: what was trained on, and what every method chooses for the rest."""

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import OTHER
from vsr.data.outcomes import Outcomes
from vsr.features import join_features, split_features
from vsr.prior.category_means import IntArray
from vsr.selectors.base import TrainedSelector
from vsr.selectors.training_data import Preferences
from vsr.training.trainer import Trainer

CATEGORY_TABLE = "category table"
JUDGED = "judged"
# Single choices are timed on so many queries; the median of these settles within a few microseconds.
_TIMED_QUERIES = 30


@dataclass(eq=False)
class Choices:
    """Columns that a method chose, filled fold by fold.

    Attributes:
        given: (n_splits, n_queries) int64 column chosen with the categories as they are, -1 = not held out.
        predicted: (n_splits, n_queries) int64 column chosen with every category predicted.
        seconds: times of single choices.
    """

    given: IntArray
    predicted: IntArray
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def none_yet(cls, n_splits: int, n_queries: int) -> "Choices":
        """Start empty."""
        shape = (n_splits, n_queries)
        return cls(np.full(shape, -1, dtype=np.int64), np.full(shape, -1, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Fold:
    """What was trained on, and the features of the test queries with given and with predicted categories.

    Attributes:
        table: the training part.
        columns: models that the training part has measured at all; the others cannot be chosen.
        chooser: chooses by scores, as an artefact of this training part would.
        test: rows to choose for.
        given: (n_test, n_features) float32.
        given_codes: (n_test,) category of each.
        predicted: the same features with predicted categories; `other` where nothing was there to learn them from, as a
            router takes a query without a category. The given ones where all queries have one category.
        predicted_codes: (n_test,) category of each.
    """

    table: Trainer
    columns: IntArray
    chooser: Chooser
    test: IntArray
    given: npt.NDArray[np.float32]
    given_codes: IntArray
    predicted: npt.NDArray[np.float32]
    predicted_codes: IntArray

    @classmethod
    def prepare(
        cls,
        features: npt.NDArray[np.float32],
        outcomes: Outcomes,
        train: IntArray,
        test: IntArray,
        objective: Objective,
        seed: int,
        preferences: Preferences | None,
    ) -> "Fold":
        """Train the table on some rows, and put the features of others in place."""
        own = outcomes.take(train)
        columns = np.flatnonzero(own.observed.any(axis=0))
        own = own.with_models([outcomes.models[column] for column in columns])
        among = None if preferences is None else preferences.among(columns)
        table = Trainer.prepare(features[train], own, seed, objective, among)
        given = np.ascontiguousarray(features[test])
        split = split_features(given)
        predicted, codes = given, split.codes
        if len(np.unique(split_features(features).codes)) > 1:
            codes = np.full(len(test), OTHER)
            if table.classifier is not None:
                codes = table.classifier.predict(split.embeddings)
            predicted = join_features(split.embeddings, codes, table.category_weight)
        chooser = Chooser.prepare(table.statistics(), objective)
        return cls(table, columns, chooser, test, given, split.codes, predicted, codes)

    def choose_by_table(self, into: Choices, split: int) -> None:
        """Choose by the means in the category, without reading a query."""
        prior = self.table.data.prior
        self._set(
            into,
            split,
            self.chooser.best(prior.rows(self.given_codes), self.given_codes),
            self.chooser.best(prior.rows(self.predicted_codes), self.predicted_codes),
        )

    def choose(self, selector: TrainedSelector, into: Choices, split: int, *, is_timed: bool) -> None:
        """Choose by a selector's scores, and time single choices."""
        given = predicted = self.chooser.best(selector.scores(self.given), self.given_codes)
        if self.predicted is not self.given:
            predicted = self.chooser.best(selector.scores(self.predicted), self.predicted_codes)
        self._set(into, split, given, predicted)
        for row in range(min(_TIMED_QUERIES, len(self.test)) if is_timed else 0):
            started = time.perf_counter()
            self.chooser.best(selector.scores(self.given[row : row + 1]), self.given_codes[row : row + 1])
            into.seconds.append(time.perf_counter() - started)

    def copy(self, choices: Choices, into: Choices, split: int) -> None:
        """Take over the choices of this fold."""
        into.given[split, self.test] = choices.given[split, self.test]
        into.predicted[split, self.test] = choices.predicted[split, self.test]

    def _set(self, into: Choices, split: int, given: IntArray, predicted: IntArray) -> None:
        into.given[split, self.test] = self.columns[given]
        into.predicted[split, self.test] = self.columns[predicted]
