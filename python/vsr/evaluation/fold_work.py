"""The work on one fold, as a task that needs nothing of the others: this process does it, or who else is asked to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from vsr.training.trainer import Trainer


@dataclass(frozen=True, eq=False)
class FoldTask:
    """A fold to work on.

    Attributes:
        split: which split it belongs to.
        test: rows that it holds out; it trains on all others.
        is_timed: whether single choices are timed.
    """

    split: int
    test: IntArray
    is_timed: bool


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What every method chose for the rows that a fold holds out.

    Attributes:
        table: by the means in the category.
        predictions: by each selector, in the order in which they were trained.
        judged: the selector that the training part recommends.
        categories: (n_test, 15) shares of the predicted categories.
        training: the training part.
        seconds: of single choices, by selector; none where they are not timed.
        classifier_accuracy: of the category classifier; None where there is none.
    """

    table: Predictions
    predictions: dict[str, Predictions]
    judged: str
    categories: FloatArray
    training: FoldTraining
    seconds: dict[str, list[float]]
    classifier_accuracy: float | None

    @classmethod
    def of(cls, fold: Fold, trained: Sequence[TrainedSelector], *, is_timed: bool) -> "FoldResult":
        """Choose by what was trained."""
        classifier = fold.table.classifier
        return cls(
            table=fold.predict_by_table(),
            predictions={selector.name: fold.predict(selector) for selector in trained},
            judged=_best_of(trained).name,
            categories=category_shares(fold.predicted_categories),
            training=fold.training,
            seconds={selector.name: fold.time(selector) for selector in trained} if is_timed else {},
            classifier_accuracy=None if classifier is None else classifier.accuracy,
        )


@dataclass(frozen=True, eq=False)
class FoldWork:
    """What all folds share.

    Attributes:
        features: (n_queries, n_features) float32.
        outcomes: of the same queries, all measured.
        settings: what is compared, and how.
    """

    features: npt.NDArray[np.float32]
    outcomes: Outcomes
    settings: ComparisonSettings

    def run(self, task: FoldTask, told: Callable[[str], None] = lambda _name: None) -> FoldResult:
        """Train on the other rows, and choose for those of the fold.

        Args:
            task: the fold.
            told: told the name of every selector before it is trained.

        Raises:
            TrainingError: A selector cannot be trained.
        """
        settings = self.settings
        train = np.setdiff1d(np.arange(self.outcomes.n_queries), task.test, assume_unique=True)
        fold = Fold.prepare(
            self.features, self.outcomes, train, task.test, settings.objective, settings.seed, settings.preferences
        )
        return FoldResult.of(fold, train_all(fold, settings, told), is_timed=task.is_timed)


FoldEngine = Callable[[FoldWork, Sequence[FoldTask], Callable[[str, int], None]], Iterator[FoldResult]]
"""Works on folds and gives the results in their order; it says what is being done, and how many fits are done."""


def in_this_process(
    work: FoldWork, tasks: Sequence[FoldTask], progress: Callable[[str, int], None]
) -> Iterator[FoldResult]:
    """Work on one fold after the other."""
    n_done = 0
    for number, task in enumerate(tasks, start=1):

        def told(name: str, number: int = number) -> None:
            nonlocal n_done
            progress(f"{name}, fold {number} of {len(tasks)}", n_done)
            n_done += 1

        yield work.run(task, told)


def train_all(
    fold: Fold, settings: ComparisonSettings, told: Callable[[str], None], *, is_kept: bool = False
) -> list[TrainedSelector]:
    """Train every selector of a comparison on a training part, those that combine others last.

    Args:
        fold: the training part.
        settings: what is compared, and how.
        told: told the name of each before it is trained.
        is_kept: whether the selectors are for use, and not for this fold alone.
    """
    parameters = {
        name: ({} if is_kept else dict(registry.algorithm(name).parameters_in_folds))
        | dict(settings.parameters.get(name, {}))
        for name in settings.algorithms
    }
    return train_each(fold.table, settings.algorithms, parameters, told)


def train_each(
    table: Trainer, algorithms: Sequence[str], parameters: Mapping[str, Mapping[str, Any]], told: Callable[[str], None]
) -> list[TrainedSelector]:
    """Train selectors on one table, those that combine others last.

    Args:
        table: what they are trained on.
        algorithms: registry names.
        parameters: of each, where there are any.
        told: told the name of each before it is trained.
    """
    names = registry.parts_first(algorithms)
    trained: dict[str, TrainedSelector] = {}
    for name in _fitting_order(names, table.data.n_queries):
        told(name)
        parts = [trained[part] for part in names if part in trained]
        trained[name] = table.train(name, parts, **parameters.get(name, {}))
    return [trained[name] for name in names]


def _fitting_order(names: Sequence[str], n_queries: int) -> list[str]:
    """Order algorithms as they are to be fitted: of many queries, what keeps all features comes behind the others."""
    if n_queries <= MOST_ROWS_IN_MEMORY:
        return list(names)
    algorithms = {name: registry.algorithm(name) for name in names}
    return sorted(names, key=lambda name: (algorithms[name].combines, algorithms[name].keeps_features))


def _best_of(selectors: Sequence[TrainedSelector]) -> TrainedSelector:
    """Give the selector to use: one that combines the others, else the one whose choices gain most out of fold.

    Both are known from the training queries alone.
    """
    return max(selectors, key=lambda selector: (registry.algorithm(selector.name).combines, selector.gain))
