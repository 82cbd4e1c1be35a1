"""Train on some queries, choose for the others, compare: the held-out table."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr._checks import as_texts, repeated, require_kind, require_number, require_whole_number
from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective, as_objective
from vsr.data.categories import MISSING
from vsr.data.outcomes import Outcomes
from vsr.errors import TrainingError
from vsr.evaluation.results import Evaluation
from vsr.evaluation.summary import BEST_SINGLE, CATEGORY_TABLE, HIGHEST_QUALITY, JUDGED, Choices, summarise
from vsr.features import join_features, split_features
from vsr.prior.category_means import IntArray
from vsr.selectors import registry
from vsr.selectors.base import TrainedSelector
from vsr.selectors.training_data import Preferences
from vsr.training.folds import stratified_folds
from vsr.training.trainer import Trainer, features_of, require_seed

# Single choices are timed on so many queries; the median of these settles within a few microseconds.
_TIMED_QUERIES = 30


def cross_validate(
    features: npt.ArrayLike,
    outcomes: Outcomes,
    algorithms: Sequence[str] | None = None,
    folds: int = 5,
    objective: Objective | None = None,
    seed: int = 0,
    *,
    holdout: float | None = None,
    parameters: dict[str, dict[str, Any]] | None = None,
    preferences: Preferences | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Compare selectors with the baselines on queries that they have not seen.

    Queries are split by row (one row is one unique query), stratified by category. Everything that a selector chooses
    is chosen inside the training part, and so is the selector that the verdict judges.

    Args:
        features: (n_queries, n_features) float32, as `build_features` makes them.
        outcomes: one row per query, in the same order.
        algorithms: registry names; all without it.
        folds: number of folds.
        objective: what the choices maximise; `Objective()` without it.
        seed: seed of the folds, the fits and the bootstrap.
        holdout: share of the queries to hold out once, instead of folds.
        parameters: per algorithm, its own parameters.
        preferences: pairs of the models of `outcomes`, for algorithms that learn from them.
        progress: told what is being done, how many steps are done, and of how many.

    Raises:
        TrainingError: Features and outcomes do not fit, too few queries for the folds, `holdout` is not a fraction, no
            such algorithm or parameter, or the seed is negative.
        SelectionError: `objective` is none.
    """
    seed = require_seed(seed)
    objective = as_objective(objective)
    names = _names(registry.names() if algorithms is None else algorithms)
    if parameters is not None:
        require_kind(parameters, dict, "parameters", "a dict of one dict of parameters per algorithm", TrainingError)
    rows = features_of(outcomes, features)
    measured = outcomes.measured_rows
    rows, outcomes = rows[measured], outcomes.take(measured)
    split = split_features(rows)
    n_queries = outcomes.n_queries
    assignment = _assign(split.codes, folds, holdout, seed)
    held_out = np.flatnonzero(assignment >= 0)
    n_folds = int(assignment.max()) + 1
    steps = n_folds * len(names)
    choices = {
        name: Choices.none_yet(n_queries) for name in (BEST_SINGLE, HIGHEST_QUALITY, CATEGORY_TABLE, JUDGED, *names)
    }
    accuracies = []
    winners: Counter[str] = Counter()
    for number in range(n_folds):
        fold = _Fold.prepare(rows, outcomes, assignment == number, objective, seed, preferences)
        fold.choose_baselines(choices)
        if fold.table.classifier is not None:
            accuracies.append(fold.table.classifier.accuracy)
        highest_gain = -math.inf
        winner = names[0]
        for done, name in enumerate(names):
            if progress is not None:
                progress(f"{name}, fold {number + 1} of {n_folds}", number * len(names) + done, steps)
            selector = fold.table.train(name, **(parameters or {}).get(name, {}))
            fold.choose(selector, choices[name])
            if selector.gain > highest_gain:
                highest_gain, winner = selector.gain, name
        fold.copy(choices[winner], choices[JUDGED])
        winners[winner] += 1
    if progress is not None:
        progress("held-out table", steps, steps)
    return summarise(
        outcomes,
        choices,
        names,
        held_out,
        objective,
        seed,
        n_folds=n_folds,
        n_categories=len(np.unique(split.codes)),
        recommended=winners.most_common(1)[0][0],
        classifier_accuracy=float(np.mean(accuracies)) if accuracies else None,
    )


def _names(algorithms: Sequence[str]) -> tuple[str, ...]:
    expected = f"a list of at least one of {', '.join(registry.names())}"
    names = as_texts(algorithms, "algorithms", expected, TrainingError)
    if not names:
        raise TrainingError(f"algorithms are an empty list; expected {expected}")
    twice = repeated(names)
    if twice:
        raise TrainingError(f"algorithms name {', '.join(twice)} more than once; expected each one once")
    return names


def _assign(codes: IntArray, folds: int, holdout: float | None, seed: int) -> IntArray:
    """Fold of each row, -1 for rows that are never held out."""
    generator = np.random.default_rng(seed)
    if holdout is None:
        require_whole_number(folds, "folds", "a whole number of 2 or more", TrainingError)
        if not 2 <= folds <= len(codes):
            raise TrainingError(
                f"{folds} folds of {len(codes)} queries with a measured quality; expected 2 folds at least and one "
                "query per fold"
            )
        return stratified_folds(codes, folds, generator)
    require_number(holdout, "holdout", "a fraction between 0 and 1", TrainingError)
    if not 0.0 < holdout < 1.0:
        raise TrainingError(f"holdout is {holdout}; expected a fraction between 0 and 1, for example 0.2")
    if len(codes) < 3:
        raise TrainingError(f"{len(codes)} queries with a measured quality; to hold one out takes 3 at least")
    n_held_out = min(max(1, round(holdout * len(codes))), len(codes) - 2)
    # As many folds as rows number them category by category; every so many-th of them is held out.
    position = stratified_folds(codes, len(codes), generator)
    return np.where((position + 1) * n_held_out // len(codes) > position * n_held_out // len(codes), 0, -1)


@dataclass(frozen=True, eq=False)
class _Fold:
    """One split: what was trained on, and the features of the rest with given and with predicted categories.

    `columns` are the models that the training part has measured at all; the others cannot be chosen.
    """

    table: Trainer
    columns: IntArray
    chooser: Chooser
    test: IntArray
    given: npt.NDArray[np.float32]
    given_codes: IntArray
    predicted: npt.NDArray[np.float32] | None
    predicted_codes: IntArray

    @classmethod
    def prepare(
        cls,
        features: npt.NDArray[np.float32],
        outcomes: Outcomes,
        held_out: npt.NDArray[np.bool_],
        objective: Objective,
        seed: int,
        preferences: Preferences | None,
    ) -> "_Fold":
        train, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        own = outcomes.take(train)
        columns = np.flatnonzero(own.observed.any(axis=0))
        own = own.with_models([outcomes.models[column] for column in columns])
        among = None if preferences is None else preferences.among(columns)
        table = Trainer.prepare(features[train], own, seed, objective, among)
        given = np.ascontiguousarray(features[test])
        split = split_features(given)
        predicted, codes = None, split.codes
        if table.classifier is not None:
            codes = table.classifier.predict(split.embeddings)
            predicted = join_features(split.embeddings, codes, table.category_weight)
        chooser = Chooser.prepare(table.statistics(), objective)
        return cls(table, columns, chooser, test, given, split.codes, predicted, codes)

    def choose_baselines(self, choices: dict[str, Choices]) -> None:
        """Choose by what is known without reading a query."""
        prior = self.table.data.prior
        unknown = np.array([MISSING])
        overall = prior.overall[None, :]
        single = int(self.chooser.best(overall, unknown)[0])
        self._set(choices[BEST_SINGLE], np.full(len(self.test), single), None)
        self._set(choices[HIGHEST_QUALITY], np.full(len(self.test), int(overall.argmax())), None)
        predicted = None
        if self.predicted is not None:
            predicted = self.chooser.best(prior.rows(self.predicted_codes), self.predicted_codes)
        self._set(choices[CATEGORY_TABLE], self.chooser.best(prior.rows(self.given_codes), self.given_codes), predicted)

    def choose(self, selector: TrainedSelector, into: Choices) -> None:
        """Choose by a selector's scores, and time single choices."""
        predicted = None
        if self.predicted is not None:
            predicted = self.chooser.best(selector.scores(self.predicted), self.predicted_codes)
        self._set(into, self.chooser.best(selector.scores(self.given), self.given_codes), predicted)
        for row in range(min(_TIMED_QUERIES, len(self.test))):
            started = time.perf_counter()
            self.chooser.best(selector.scores(self.given[row : row + 1]), self.given_codes[row : row + 1])
            into.seconds.append(time.perf_counter() - started)

    def copy(self, choices: Choices, into: Choices) -> None:
        """Take over the choices of this fold."""
        into.given[self.test] = choices.given[self.test]
        into.predicted[self.test] = choices.predicted[self.test]

    def _set(self, into: Choices, given: IntArray, predicted: IntArray | None) -> None:
        into.given[self.test] = self.columns[given]
        into.predicted[self.test] = self.columns[given if predicted is None else predicted]
