"""What routers that people run today would have chosen for the held-out queries, each fitted on the training folds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vsr.choice.objective import EfficiencyScale, Objective, best_columns, measured_utilities
from vsr.data.outcomes import Outcomes
from vsr.evaluation.held import Held
from vsr.evaluation.results import CategorySource
from vsr.features import join_features, split_features
from vsr.prior.category_means import FloatArray, IntArray

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rival:
    """What another router would have chosen.

    Attributes:
        name: as on the command line.
        label: for people.
        columns: (n_splits, n_queries) int64 column chosen while held out, -1 = not held out.
        seconds: time of a choice, where the router chooses query by query; empty where all are looked up at once.
    """

    name: str
    label: str
    columns: IntArray
    seconds: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class RivalFold:
    """A training part and the queries to choose for.

    Attributes:
        train_features: (n_train, n_features) float32.
        train_outcomes: what was measured of them.
        train_rows: (n_train,) their rows among all queries.
        test_features: (n_test, n_features) float32, categories as they will arrive.
        test_rows: (n_test,) rows to choose for.
        objective: what the choices maximise.
        seed: seed of the fits.
    """

    train_features: Features
    train_outcomes: Outcomes
    train_rows: IntArray
    test_features: Features
    test_rows: IntArray
    objective: Objective
    seed: int

    def best_labels(self) -> IntArray:
        """(n_train,) the best model of every training query."""
        own = self.train_outcomes
        return best_columns(own.quality, own.latency_s, own.cost_usd, self.objective, own.models)

    def best_by_group(self, groups: IntArray, n_groups: int) -> IntArray:
        """Give the model of highest mean utility in every group of training queries; over all where a group is empty.

        Args:
            groups: (n_train,) group of each training query.
            n_groups: how many there are.

        Returns:
            (n_groups,) int64.
        """
        own = self.train_outcomes
        scale = EfficiencyScale.of_outcomes(own.latency_s, own.cost_usd)
        utility = measured_utilities(own.quality, own.latency_s, own.cost_usd, scale, self.objective, own.models)
        overall = _means(utility).argmax()
        best = np.full(n_groups, overall)
        for group in np.unique(groups):
            best[group] = _means(utility[groups == group]).argmax()
        return best


class RivalRouter(Protocol):
    """Somebody else's router."""

    name: str
    label: str

    def prepare(self, outcomes: Outcomes) -> float:
        """Look at the texts of all queries once, before the folds; give the seconds that it took for each."""

    def choose(self, fold: RivalFold) -> IntArray:
        """Learn from the training part and choose for the rest: (n_test,) columns."""


def held_out_rivals(
    held: Held,
    features: Features,
    routers: Sequence[RivalRouter],
    objective: Objective,
    source: CategorySource,
    seed: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Rival, ...]:
    """Let every rival choose for queries that it has not seen, in the folds of a comparison.

    Args:
        held: what the splits gave.
        features: (n_queries, n_features) float32 of the same queries.
        routers: the rivals.
        objective: what the choices maximise.
        source: how the categories of the queries are known.
        seed: seed of the fits.
        progress: told what is being done, how many steps are done, and of how many.
    """
    everywhere = held.n_splits * held.n_folds
    found = []
    for done, router in enumerate(routers):
        seconds = router.prepare(held.outcomes)
        columns = np.full((held.n_splits, held.outcomes.n_queries), -1, dtype=np.int64)
        for split, assignment in enumerate(held.folds):
            shown = _as_they_arrive(held, features, source, split)
            for number in range(held.n_folds):
                if progress is not None:
                    at = done * everywhere + split * held.n_folds + number
                    progress(router.label, at, len(routers) * everywhere)
                train, test = np.flatnonzero(assignment != number), np.flatnonzero(assignment == number)
                own = held.outcomes.take(train)
                fold = RivalFold(features[train], own, train, shown[test], test, objective, seed)
                columns[split, test] = router.choose(fold)
        found.append(Rival(router.name, router.label, columns, (seconds,) if seconds > 0.0 else ()))
    return tuple(found)


def _as_they_arrive(held: Held, features: Features, source: CategorySource, split: int) -> Features:
    """Features of all queries, with the categories that were predicted while they were held out where asked."""
    if source == "given" or len(np.unique(held.codes)) < 2:
        return features
    parts = split_features(features)
    return join_features(parts.embeddings, held.predicted_categories[split], parts.category_weight)


def _means(values: FloatArray) -> FloatArray:
    """Mean of the known values of each column, -inf where there is none."""
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(counts, 1), -np.inf)
