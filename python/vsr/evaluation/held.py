"""What the splits gave: what every method chose for queries that it had not seen, and what the judged one predicted."""

from dataclasses import dataclass, field, replace

import numpy as np

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import category_shares
from vsr.data.outcomes import Outcomes
from vsr.evaluation.results import CategorySource
from vsr.prior.category_means import FloatArray, IntArray
from vsr.prior.statistics import Statistics

CATEGORY_TABLE = "category table"
JUDGED = "judged"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What one method predicts and chooses for the test queries of a fold, once for each way to know categories.

    Attributes:
        given: (n_test,) int64 column chosen with the categories as they are.
        predicted: (n_test,) int64 column chosen with every category predicted.
        given_scores: (n_test, n_models) float64 predicted quality; NaN for models that the fold does not know.
        predicted_scores: the same with predicted categories.
    """

    given: IntArray
    predicted: IntArray
    given_scores: FloatArray
    predicted_scores: FloatArray


@dataclass(eq=False)
class Choices:
    """What a method chose, filled fold by fold.

    Attributes:
        given: (n_splits, n_queries) int64 column chosen with the categories as they are, -1 = not held out.
        predicted: (n_splits, n_queries) int64 column chosen with every category predicted.
        given_scores: (n_splits, n_queries, n_models) float64, NaN = not held out, or not known to the fold; None where
            scores are not kept.
        predicted_scores: the same with predicted categories.
        seconds: times of single choices.
    """

    given: IntArray
    predicted: IntArray
    given_scores: FloatArray | None = None
    predicted_scores: FloatArray | None = None
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def none_yet(cls, n_splits: int, n_queries: int, n_models: int | None = None) -> "Choices":
        """Start empty; scores are kept where the number of models is given."""
        shape = (n_splits, n_queries)
        choices = cls(np.full(shape, -1, dtype=np.int64), np.full(shape, -1, dtype=np.int64))
        if n_models is not None:
            choices.given_scores = np.full((*shape, n_models), np.nan)
            choices.predicted_scores = np.full((*shape, n_models), np.nan)
        return choices

    def take(self, split: int, rows: IntArray, predictions: Predictions) -> None:
        """Take over what a fold predicts for its test queries."""
        self.given[split, rows] = predictions.given
        self.predicted[split, rows] = predictions.predicted
        if self.given_scores is not None and self.predicted_scores is not None:
            self.given_scores[split, rows] = predictions.given_scores
            self.predicted_scores[split, rows] = predictions.predicted_scores

    def columns(self, source: CategorySource) -> IntArray:
        """(n_splits, n_queries) what was chosen, by the way in which categories were known."""
        return self.given if source == "given" else self.predicted

    def scores(self, source: CategorySource) -> FloatArray:
        """(n_splits, n_queries, n_models) what was predicted; of methods whose scores are kept alone."""
        scores = self.given_scores if source == "given" else self.predicted_scores
        assert scores is not None, "the scores of this method are not kept"
        return scores


@dataclass(frozen=True, eq=False)
class FoldTraining:
    """What a choice needs to know of a training part beside scores.

    Attributes:
        statistics: quality, latency and cost of the models that it has measured.
        columns: (n_known,) columns of these models among all.
    """

    statistics: Statistics
    columns: IntArray


@dataclass(frozen=True, eq=False)
class Held:
    """What the splits gave.

    Attributes:
        outcomes: all queries that were compared.
        codes: (n_queries,) category of each.
        predicted_categories: (n_splits, n_queries, 15) shares of the categories that were predicted for each while it
            was held out.
        folds: per split, (n_queries,) the fold in which each was held out, -1 for never.
        trainings: per split and fold, the training part.
        choices: per method, what it chose for held-out queries; with scores for the category table and the judged one.
        deployed: per method, what it chooses for these queries when trained on all.
        groups: (n_queries,) queries that belong together, which were held out together and vary together.
        deployed_training: these queries, as a training part.
        deployed_categories: (n_queries, 15) shares that a classifier trained on all would predict for each.
        n_folds: folds that there were.
        recommended: the selector that the folds' choices inside are judged for.
        classifier_accuracy: of the category classifier; None where there is none.
        sample: (n_queries,) ascending numbers of the queries among all measured ones, where these are a random sample
            of them; None where they are all.
        n_sampled_from: how many measured queries there are in all.
    """

    outcomes: Outcomes
    codes: IntArray
    predicted_categories: FloatArray
    folds: list[IntArray]
    trainings: list[list[FoldTraining]]
    choices: dict[str, Choices]
    deployed: dict[str, Choices]
    groups: IntArray
    deployed_training: FoldTraining
    deployed_categories: FloatArray
    n_folds: int
    recommended: str
    classifier_accuracy: float | None
    sample: IntArray | None
    n_sampled_from: int

    @property
    def n_splits(self) -> int:
        """How often the queries were split."""
        return len(self.folds)

    @property
    def rows(self) -> IntArray:
        """Rows that were held out, the same in every split."""
        return np.flatnonzero(self.folds[0] >= 0)

    def choose_again(self, name: str, source: CategorySource, objective: Objective) -> IntArray:
        """Choose by the kept scores of held-out queries under another objective, as each fold would have.

        Args:
            name: the category table or the judged method.
            source: how the categories of the queries are known.
            objective: what is maximised.

        Returns:
            (n_splits, n_held_out) int64 columns.
        """
        return self.columns_of(self.choices[name], source, objective)[:, self.rows]

    def under(self, objective: Objective) -> "Held":
        """Choose everything again under another objective; the scores of every method must have been kept.

        Which selector is judged was chosen inside the folds, and stays what it is.
        """
        everything = np.zeros(self.outcomes.n_queries, dtype=np.int64)
        alone = replace(
            self,
            folds=[everything],
            trainings=[[self.deployed_training]],
            predicted_categories=self.deployed_categories[None, :],
        )

        def again(held: "Held", choices: Choices) -> Choices:
            return replace(
                choices,
                given=held.columns_of(choices, "given", objective),
                predicted=held.columns_of(choices, "predicted", objective),
            )

        return replace(
            self,
            choices={name: again(self, choices) for name, choices in self.choices.items()},
            deployed={name: again(alone, choices) for name, choices in self.deployed.items()},
        )

    def columns_of(
        self, choices: Choices, source: CategorySource, objective: Objective, offered: IntArray | None = None
    ) -> IntArray:
        """Choose by the kept scores of a method, among all models or some columns of them.

        Returns:
            (n_splits, n_queries) int64 columns; -1 = not held out, or by a fold that measured none on offer.
        """
        scores = choices.scores(source)
        columns = np.full((self.n_splits, self.outcomes.n_queries), -1, dtype=np.int64)
        for split, (assignment, trainings) in enumerate(zip(self.folds, self.trainings, strict=True)):
            categories = category_shares(self.codes) if source == "given" else self.predicted_categories[split]
            for number, training in enumerate(trainings):
                rows = np.flatnonzero(assignment == number)
                known = None if offered is None else np.isin(training.columns, offered)
                if known is not None and not known.any():
                    continue
                chooser = Chooser.prepare(training.statistics, objective)
                own = scores[split, rows][:, training.columns]
                columns[split, rows] = training.columns[chooser.best(own, categories[rows], known)]
        return columns
