"""How the gain grows with the number of queries, and how many would decide what these leave open.

The held-out queries of three folds are chosen for once more, by a selector that was trained on a quarter and on a half
of the training part. To these points, and that of all queries, goes the law `gain(n) = a - b / sqrt(n)`: what is learnt
from averages converges so. The selector is the first algorithm that stands on its own, not all of them: a curve costs a
few per cent of the comparison. Its slope is taken for that of the judged one, through whose gain the curve is put.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.evaluation.fold import Fold
from vsr.evaluation.held import Choices, Held
from vsr.evaluation.results import CategorySource, LearningPoint
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.statistics.intervals import Interval, gain_interval, variance_of_mean
from vsr.prior.category_means import FloatArray, IntArray
from vsr.selectors import registry
from vsr.training.folds import stratified_folds

#: Shares of the training part to train on beside the whole: one half, and one half of that.
_HALVINGS = (4, 2)
# Folds that are trained on less: with five, 60 per cent of the queries for 60 per cent of the time.
_FOLDS = 3
# Fewer training queries than these teach nothing that could be compared.
_LEAST_QUERIES = 20


@dataclass(frozen=True, eq=False)
class LessTraining:
    """What was chosen for held-out queries after training on a part of the other queries.

    Attributes:
        n_queries: how many queries there would be in all.
        name: the selector that was trained.
        choices: of that selector, with one split.
    """

    n_queries: int
    name: str
    choices: Choices


def train_on_less(
    features: npt.NDArray[np.float32], held: Held, settings: ComparisonSettings
) -> tuple[LessTraining, ...]:
    """Train on a quarter and on a half of the training parts of a few folds, and choose for what these hold out.

    Args:
        features: (n_queries, n_features) float32 of the queries of `held`.
        held: what the splits gave.
        settings: what was compared, and how.

    Returns:
        The least first; nothing where there are too few queries or only algorithms that combine others.
    """
    alone = [name for name in registry.parts_first(settings.algorithms) if not registry.algorithm(name).combines]
    assignment, outcomes = held.folds[0], held.outcomes
    n_train = int((assignment != 0).sum())
    if not alone or n_train // max(_HALVINGS) < _LEAST_QUERIES:
        return ()
    name = alone[0]
    parameters = dict(registry.algorithm(name).parameters_in_folds) | dict(settings.parameters.get(name, {}))
    generator = np.random.default_rng(settings.seed)
    trained = []
    for part in _HALVINGS:
        choices = Choices.none_yet(1, outcomes.n_queries)
        for number in range(min(held.n_folds, _FOLDS)):
            train, test = np.flatnonzero(assignment != number), np.flatnonzero(assignment == number)
            train = train[stratified_folds(held.codes[train], part, generator) == 0]
            fold = Fold.prepare(
                features, outcomes, train, test, settings.objective, settings.seed, settings.preferences
            )
            choices.take(0, test, fold.predict(fold.table.train(name, **parameters)))
        trained.append(LessTraining(outcomes.n_queries // part, name, choices))
    return tuple(trained)


@dataclass(frozen=True, eq=False)
class LearningSeries:
    """Utilities behind a curve: the same held-out queries at every number of training queries, the least first.

    Attributes:
        n_queries: how many queries there are in all at each point; the last is all of them.
        chosen: (n_points, n_chosen_for) utility of the selector that was trained on less.
        named: (n_chosen_for,) of the single model.
        groups: (n_chosen_for,) group of each query.
    """

    n_queries: tuple[int, ...]
    chosen: FloatArray
    named: FloatArray
    groups: IntArray

    @classmethod
    def of(
        cls,
        less: tuple[LessTraining, ...],
        held: Held,
        utility: FloatArray,
        named: int,
        groups: IntArray,
        source: CategorySource,
    ) -> "LearningSeries":
        """Look up what was chosen.

        Args:
            less: of `train_on_less`, not empty.
            held: what the splits gave.
            utility: (n_held_out, n_models), complete.
            named: column of the single model.
            groups: (n_held_out,) group of each query.
            source: how categories are known.
        """
        name = less[0].name
        rows = np.flatnonzero(less[0].choices.columns(source)[0, held.rows] >= 0)

        columns = [each.choices.columns(source)[0] for each in less]
        columns.append(held.choices[name].columns(source)[0])
        chosen = np.stack([utility[rows, each[held.rows[rows]]] for each in columns])
        n_queries = (*(each.n_queries for each in less), held.outcomes.n_queries)
        return cls(n_queries, chosen, utility[rows, named], groups[rows])

    def points(self, judged: Interval) -> tuple[LearningPoint, ...]:
        """Give the points, put through the judged gain over the single model, which is the last one."""
        gains = self.chosen - self.named
        points = []
        for number, gain in zip(self.n_queries[:-1], gains[:-1], strict=True):
            middle = judged.mean + float(gain.mean() - gains[-1].mean())
            own = gain_interval(gain[None, :], groups=self.groups)
            half = (own.high - own.low) / 2.0
            points.append(LearningPoint(number, middle, middle - half, middle + half))
        return (*points, LearningPoint(self.n_queries[-1], judged.mean, judged.low, judged.high))

    def to_come(self) -> float:
        """Say how far the gain over the single model is below the one that it tends to; 0 or more.

        That is b / sqrt(n) at the last n, with `a - b / sqrt(n)` fitted by least squares, shrunk as far as b may be
        luck. The slope is the mean over queries of each query's own, so that its variance is known; b comes down to
        `b^3 / (b^2 + variance)`, an empirical Bayes estimate.
        """
        places = 1.0 / np.sqrt(np.array(self.n_queries, dtype=np.float64))
        around = places - places.mean()
        slopes = around @ (self.chosen - self.named) / float(around @ around)
        fall = max(0.0, -float(slopes.mean()))
        if fall == 0.0:
            return 0.0
        variance = variance_of_mean(slopes, self.groups)
        return fall**3 / (fall**2 + variance) * float(places[-1])


def queries_needed(gain: Interval, to_come: float) -> float:
    """Solve for the number of queries at which the interval leaves 0.

    With `gain(n) = m + c - c sqrt(N / n)` and a half width of `h sqrt(N / n)`, N there now, that is
    `N ((h + c) / (m + c))^2`; never below N, infinite where the gain tends to nothing above 0.

    Args:
        gain: as it is now.
        to_come: c, what of the gain is still to come.
    """
    limit = gain.mean + to_come
    if limit <= 0.0:
        return float("inf")
    half = (gain.high - gain.low) / 2.0
    return gain.n * max((half + to_come) / limit, 1.0) ** 2
