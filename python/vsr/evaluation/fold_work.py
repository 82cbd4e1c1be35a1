"""The work on folds, in parts that need nothing of each other but the parts of what combines others.

This process does them one after the other, or who else is asked to does them at a time.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from vsr._mapped import MOST_ROWS_IN_MEMORY
from vsr.data.categories import category_shares
from vsr.data.outcomes import Outcomes
from vsr.evaluation.fold import Fold
from vsr.evaluation.held import FoldTraining, Predictions
from vsr.evaluation.settings import ComparisonSettings
from vsr.prior.category_means import FloatArray, IntArray
from vsr.selectors import registry
from vsr.selectors.base import TrainedSelector

FittedT = TypeVar("FittedT")


@dataclass(frozen=True, eq=False)
class FoldTask:
    """A fold to work on.

    Attributes:
        place: what it is called behind the name of an algorithm.
        test: rows to choose for.
        split: which split it belongs to; None for the training on all rows, whose selectors are for use.
        is_timed: whether single choices are timed.
    """

    place: str
    test: IntArray
    split: int | None = None
    is_timed: bool = False

    @property
    def is_for_use(self) -> bool:
        """Whether it trains on all rows."""
        return self.split is None


@dataclass(frozen=True, eq=False)
class TableResult:
    """What a fold gives before any selector is trained.

    Attributes:
        predictions: by the means in the category.
        categories: (n_test, 15) shares of the predicted categories.
        training: the training part.
        classifier_accuracy: of the category classifier; None where there is none.
    """

    predictions: Predictions
    categories: FloatArray
    training: FoldTraining
    classifier_accuracy: float | None


@dataclass(frozen=True, eq=False)
class SelectorResult:
    """What a selector chose for the rows that a fold holds out.

    Attributes:
        predictions: what it predicts of them.
        gain: of its choices out of fold, inside the training part.
        seconds: of single choices; none where they are not timed.
    """

    predictions: Predictions
    gain: float
    seconds: list[float]


Fit = tuple[TrainedSelector, SelectorResult]


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What every method chose for the rows that a fold holds out.

    Attributes:
        table: what the fold gives without a selector.
        selectors: by each selector, those that combine others last.
        trained: the selectors in the same order, where they are for use.
    """

    table: TableResult
    selectors: Mapping[str, SelectorResult]
    trained: tuple[TrainedSelector, ...] = ()

    @property
    def judged(self) -> str:
        """The selector that the training part recommends: what combines the others, else what gains most out of fold.

        Both are known from the training queries alone.
        """
        return max(self.selectors, key=lambda name: (registry.algorithm(name).combines, self.selectors[name].gain))


@dataclass(frozen=True, eq=False)
class FoldWork:
    """What folds share.

    Attributes:
        features: (n_queries, n_features) float32.
        outcomes: of the same queries, all measured.
        settings: what is compared, and how.
    """

    features: npt.NDArray[np.float32]
    outcomes: Outcomes
    settings: ComparisonSettings

    def n_train(self, task: FoldTask) -> int:
        """Number of rows that a fold trains on."""
        return self.outcomes.n_queries - (0 if task.is_for_use else len(task.test))

    def prepare(self, task: FoldTask) -> Fold:
        """Train the table of a fold on the rows that it does not hold out, or on all for use."""
        settings, rows = self.settings, np.arange(self.outcomes.n_queries)
        return Fold.prepare(
            self.features,
            self.outcomes,
            rows if task.is_for_use else np.setdiff1d(rows, task.test, assume_unique=True),
            task.test,
            settings.objective,
            settings.seed,
            settings.preferences,
            settings.classifier if task.is_for_use else None,  # that of all queries is none of a fold
        )

    def fit(self, task: FoldTask, fold: Fold, name: str, parts: Sequence[TrainedSelector]) -> Fit:
        """Train a selector on a fold, and choose by it.

        Args:
            task: the fold.
            fold: the same, prepared.
            name: registry name.
            parts: selectors of the same fold, for an algorithm that combines them.

        Raises:
            TrainingError: It cannot be trained.
        """
        usual = {} if task.is_for_use else registry.algorithm(name).parameters_in_folds
        selector = fold.table.train(name, parts, **{**usual, **self.settings.parameters.get(name, {})})
        predictions = fold.predict(selector)
        # Behind the predictions: what came from elsewhere has been read once by then.
        return selector, SelectorResult(predictions, selector.gain, fold.time(selector) if task.is_timed else [])

    def run(self, task: FoldTask, told: Callable[[str], None]) -> FoldResult:
        """Do all the work on a fold.

        Args:
            task: the fold.
            told: told every selector, and where, before it is trained.

        Raises:
            TrainingError: A selector cannot be trained.
        """
        fold = self.prepare(task)

        def fit(name: str, parts: Sequence[Fit]) -> Fit:
            told(f"{name}{task.place}")
            return self.fit(task, fold, name, [part for part, _ in parts])

        fits = fit_each(self.settings.algorithms, self.n_train(task), fit)
        chosen = {name: result for name, (_, result) in fits.items()}
        trained = tuple(selector for selector, _ in fits.values()) if task.is_for_use else ()
        return FoldResult(table_result(fold), chosen, trained)


def table_result(fold: Fold) -> TableResult:
    """Choose by the means in the category alone."""
    classifier = fold.table.classifier
    return TableResult(
        predictions=fold.predict_by_table(),
        categories=category_shares(fold.predicted_categories),
        training=fold.training,
        classifier_accuracy=None if classifier is None else classifier.accuracy,
    )


FoldEngine = Callable[[Sequence[tuple[FoldWork, FoldTask]], Callable[[str, int], None]], Iterator[FoldResult]]
"""Works on folds and gives the results in their order; it says what is being done, and how many fits are done."""


def in_this_process(
    folds: Sequence[tuple[FoldWork, FoldTask]], progress: Callable[[str, int], None]
) -> Iterator[FoldResult]:
    """Work on one fold after the other."""
    done = itertools.count()
    for work, task in folds:
        yield work.run(task, lambda what: progress(what, next(done)))


def fit_each(
    algorithms: Sequence[str], n_queries: int, fit: Callable[[str, Sequence[FittedT]], FittedT]
) -> dict[str, FittedT]:
    """Fit algorithms, those that combine others behind their parts.

    Args:
        algorithms: registry names.
        n_queries: that are trained on: of many, what keeps all features is fitted behind the others.
        fit: fits one, from what it gave for the parts of this one.

    Returns:
        What `fit` gave, by algorithm, those that combine others last.
    """
    names = registry.parts_first(algorithms)
    combines = {name: registry.algorithm(name).combines for name in names}
    order = list(names)
    if n_queries > MOST_ROWS_IN_MEMORY:
        order.sort(key=lambda name: (combines[name], registry.algorithm(name).keeps_features))
    fitted: dict[str, FittedT] = {}
    for name in order:
        fitted[name] = fit(name, [fitted[part] for part in names if combines[name] and not combines[part]])
    return {name: fitted[name] for name in names}
