"""Routers of others: fitted on the training folds alone, and against slow readings of what they do."""

import numpy as np
import pytest

from pools import DIM, make_pool, planted_pool
from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.evaluation.cross_validation import compare, hold_out
from vsr.evaluation.held import Held
from vsr.evaluation.rivals.documented import KMeansBestModel, KnnByVotes
from vsr.evaluation.rivals.rival import RivalFold, held_out_rivals
from vsr.evaluation.settings import ComparisonSettings

QUALITY = Objective(1.0)


class Spy:
    """Answers with the first model, and remembers what it was shown."""

    name = "spy"
    label = "a spy"

    def __init__(self) -> None:
        self.folds: list[RivalFold] = []

    def prepare(self, outcomes: Outcomes) -> float:
        assert outcomes.n_queries == 60
        return 0.25

    def choose(self, fold: RivalFold) -> np.ndarray:
        self.folds.append(fold)
        return np.zeros(len(fold.test_rows), dtype=np.int64)


def held_of(pool, splits: int = 2) -> Held:
    return hold_out(pool.features, pool.outcomes, ComparisonSettings(("knn",), splits=splits, objective=QUALITY))[0]


def test_a_rival_sees_the_training_part_and_chooses_for_the_rest():
    pool, spy = planted_pool(60), Spy()
    held = held_of(pool)
    steps: list[tuple[str, int, int]] = []
    (rival,) = held_out_rivals(held, pool.features, [spy], QUALITY, "given", 0, lambda *step: steps.append(step))
    assert (rival.columns == 0).all()
    assert rival.seconds == (0.25,)
    assert [step for _, step, _ in steps] == list(range(10))
    for fold, (split, number) in zip(spy.folds, ((s, n) for s in range(2) for n in range(5)), strict=True):
        np.testing.assert_array_equal(fold.test_rows, np.flatnonzero(held.folds[split] == number))
        assert not set(fold.test_rows.tolist()) & set(fold.train_rows.tolist())
        np.testing.assert_array_equal(fold.train_outcomes.quality, pool.outcomes.quality[fold.train_rows])
        np.testing.assert_array_equal(fold.test_features, pool.features[fold.test_rows])


def test_predicted_categories_are_those_that_the_folds_predicted():
    pool, spy = planted_pool(60), Spy()
    held = held_of(pool, splits=1)
    held_out_rivals(held, pool.features, [spy], QUALITY, "predicted", 0)
    fold = spy.folds[0]
    np.testing.assert_array_equal(fold.test_features[:, :DIM], pool.features[fold.test_rows, :DIM])
    shown = fold.test_features[:, DIM:].argmax(axis=1)
    np.testing.assert_array_equal(shown, held.predicted_categories[0, fold.test_rows].argmax(axis=1))


def test_votes_are_counted_as_a_loop_would():
    pool = planted_pool(120)
    held = held_of(pool, splits=1)
    (rival,) = held_out_rivals(held, pool.features, [KnnByVotes()], QUALITY, "given", 0)
    features, quality = pool.features.astype(np.float64), pool.outcomes.quality
    for row in range(0, 120, 7):
        train = np.flatnonzero(held.folds[0] != held.folds[0][row])
        nearest = train[np.argsort(((features[train] - features[row]) ** 2).sum(axis=1), kind="stable")[:5]]
        labels = [int(quality[other].argmax()) for other in nearest]
        most = max(labels.count(label) for label in labels)
        assert rival.columns[0, row] == next(label for label in labels if labels.count(label) == most)


def test_each_cluster_answers_with_its_best_model():
    pool = planted_pool(240)
    comparison = compare(
        pool.features,
        pool.outcomes,
        ComparisonSettings(("knn",), splits=1, objective=QUALITY, rivals=(KMeansBestModel(), KnnByVotes())),
    )
    line = comparison.evaluation.method("kmeans-best")
    assert (line.label, line.kind) == ("kmeans 8, best model per cluster", "baseline")
    assert line.gain is not None
    # Topics are clusters: what is planted is found.
    assert line.gain.low > 0.1
    assert line.seconds_per_query is None
    names = [method.name for method in comparison.evaluation.methods]
    assert names.index("category table") < names.index("kmeans-best") < names.index("knn")
    without = compare(
        pool.features, pool.outcomes, ComparisonSettings(("knn",), splits=1, objective=QUALITY)
    ).evaluation
    assert comparison.evaluation.verdict == without.verdict


def test_groups_without_a_training_query_have_the_best_model_of_all():
    quality = np.array([[1.0, 0.0], [np.nan, 1.0], [1.0, 0.0]])
    outcomes = Outcomes(["a", "b", "c"], [None] * 3, ["m", "n"], quality)
    features = make_pool(np.eye(3, DIM), ("math",) * 3, np.zeros((3, 2))).features
    rows = np.arange(3)
    fold = RivalFold(features, outcomes, rows, features[:0], rows[:0], QUALITY, 0)
    np.testing.assert_array_equal(fold.best_by_group(np.array([0, 1, 0]), 3), [0, 1, 0])


def test_two_training_queries_are_enough():
    pool = planted_pool(4)
    held = hold_out(pool.features, pool.outcomes, ComparisonSettings(("table",), folds=2, splits=1))[0]
    for rival in held_out_rivals(held, pool.features, [KnnByVotes(), KMeansBestModel()], QUALITY, "given", 0):
        assert (rival.columns >= 0).all()


@pytest.mark.parametrize("objective", [Objective(1.0), Objective(0.0)])
def test_best_models_are_best_under_the_objective(objective: Objective):
    quality, latency = np.array([[1.0, 0.9]] * 4), np.array([[9.0, 0.1]] * 4)
    outcomes = Outcomes(list("abcd"), [None] * 4, ["m", "n"], quality, latency)
    features = make_pool(np.eye(4, DIM), ("math",) * 4, np.zeros((4, 2))).features
    rows = np.arange(4)
    fold = RivalFold(features, outcomes, rows, features[:0], rows[:0], objective, 0)
    assert fold.best_by_group(np.zeros(4, dtype=np.int64), 1).tolist() == [0 if objective.quality_weight else 1]
