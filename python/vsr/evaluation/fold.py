"""One fold: what was trained on, and what every method chooses for the rest."""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import MISSING, Categories
from vsr.data.outcomes import Outcomes
from vsr.evaluation.held import FoldTraining, Predictions
from vsr.features import join_features, resolve_categories, split_features
from vsr.features.classifier import CategoryClassifier
from vsr.prior.category_means import FloatArray, IntArray
from vsr.selectors.base import TrainedSelector
from vsr.selectors.training_data import Preferences
from vsr.training.trainer import Trainer

# Single choices are timed on so many queries; the median of these settles within a few microseconds.
_TIMED_QUERIES = 30


@dataclass(frozen=True, eq=False)
class Fold:
    """What was trained on, and the features of the test queries with given and with predicted categories.

    Attributes:
        table: the training part.
        n_models: models that there are in all.
        columns: models that the training part has measured at all; the others cannot be chosen.
        chooser: chooses by scores, as an artefact of this training part would.
        test: rows to choose for.
        given: (n_test, n_features) float32.
        given_categories: category of each, as codes or shares.
        predicted: the same features with predicted categories, resolved as a router does it for a query without one.
            The given ones where all queries have one category.
        predicted_categories: category of each, as codes or shares.
    """

    table: Trainer
    n_models: int
    columns: IntArray
    chooser: Chooser
    test: IntArray
    given: npt.NDArray[np.float32]
    given_categories: Categories
    predicted: npt.NDArray[np.float32]
    predicted_categories: Categories

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
        classifier: CategoryClassifier | None = None,
    ) -> "Fold":
        """Train the table on some rows, with a classifier that was fitted on them if there is one; prepare others.

        `train` is ascending.
        """
        is_all = len(train) == outcomes.n_queries
        own = outcomes if is_all else outcomes.take(train)
        columns = np.flatnonzero(own.observed.any(axis=0))
        if len(columns) < outcomes.n_models:
            own = own.with_models([outcomes.models[column] for column in columns])
        among = None if preferences is None else preferences.among(columns)
        rows = features if is_all else features[train]
        table = Trainer.prepare(rows, own, seed, objective, among, classifier)
        given = np.ascontiguousarray(features[test])
        split = split_features(given)
        predicted, categories = given, split.categories
        if len(np.unique(split_features(features).codes)) > 1:
            unknown = np.full(len(test), MISSING)
            categories = resolve_categories(split.embeddings, unknown, table.classifier).categories
            predicted = join_features(split.embeddings, categories, table.category_weight)
        chooser = Chooser.prepare(table.statistics, objective)
        return cls(table, outcomes.n_models, columns, chooser, test, given, split.categories, predicted, categories)

    @property
    def training(self) -> FoldTraining:
        """What a choice under another objective needs to know of the training part."""
        return FoldTraining(self.chooser.statistics, self.columns)

    def predict_by_table(self) -> Predictions:
        """Predict the means in the category, without reading a query."""
        prior = self.table.data.prior
        return self._predictions(prior.rows(self.given_categories), prior.rows(self.predicted_categories))

    def predict(self, selector: TrainedSelector) -> Predictions:
        """Predict by a selector."""
        given = predicted = selector.scores(self.given)
        if self.predicted is not self.given:
            predicted = selector.scores(self.predicted)
        return self._predictions(given, predicted)

    def time(self, selector: TrainedSelector) -> list[float]:
        """Time single choices, in seconds each."""
        seconds = []
        for row in range(min(_TIMED_QUERIES, len(self.test))):
            started = time.perf_counter()
            self.chooser.best(selector.scores(self.given[row : row + 1]), self.given_categories[row : row + 1])
            seconds.append(time.perf_counter() - started)
        return seconds

    def _predictions(self, given: FloatArray, predicted: FloatArray) -> Predictions:
        """Choose by scores of the models that the training part knows."""
        return Predictions(
            given=self.columns[self.chooser.best(given, self.given_categories)],
            predicted=self.columns[self.chooser.best(predicted, self.predicted_categories)],
            given_scores=self._among_all(given),
            predicted_scores=self._among_all(predicted),
        )

    def _among_all(self, scores: FloatArray) -> FloatArray:
        result = np.full((len(scores), self.n_models), np.nan)
        result[:, self.columns] = scores
        return result
