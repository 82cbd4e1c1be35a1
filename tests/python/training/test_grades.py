"""Grades from production: what selectors learn from them, and what nothing learns from them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pools import Pool, planted_pool
from vsr.choice.objective import Objective
from vsr.embedding import Fingerprint
from vsr.errors import TrainingError
from vsr.evaluation.fold import Fold
from vsr.features import split_features
from vsr.persistence import load_selector, save_selector
from vsr.persistence.sidecar import ArtefactFormat
from vsr.selectors.base import TrainedSelector
from vsr.selectors.training_data import Grades, Preferences
from vsr.training.folds import with_grades
from vsr.training.trainer import Trainer

SMALL: dict[str, dict[str, Any]] = {"mlp": {"hidden_layers": (16,)}, "matrix_factorization": {"num_factors": 4}}
NEW = planted_pool(600, seed=3)


def graded(pool: Pool, weight: float = 0.5, seed: int = 0) -> Grades:
    """One grade a query, of a model that was drawn."""
    n = pool.n_queries
    taken = np.random.default_rng(seed).integers(0, 3, n)
    quality = np.full((n, 3), np.nan)
    quality[np.arange(n), taken] = pool.outcomes.quality[np.arange(n), taken]
    codes = split_features(pool.features).codes
    return Grades(pool.features, codes, quality, weight, tuple(f"graded {row}" for row in range(n)))


def riding(grades: Grades | None) -> Preferences:
    none = np.zeros(0, dtype=np.int64)
    return Preferences(np.zeros((0, NEW.features.shape[1]), dtype=np.float32), none, none, np.zeros(0), grades)


def trainer(grades: Grades | None, seed: int = 6) -> Trainer:
    pool = planted_pool(40, seed=seed)
    return Trainer.prepare(pool.features, pool.outcomes, preferences=None if grades is None else riding(grades))


def worth(selector: TrainedSelector) -> float:
    """Expected quality of the choices on queries that nobody saw: 0.55 by one model for all, 0.9 at best."""
    return float(NEW.expected[np.arange(NEW.n_queries), selector.scores(NEW.features).argmax(axis=1)].mean())


@pytest.mark.parametrize("name", ["knn", "kmeans", "svm", "mlp", "matrix_factorization"])
def test_many_grades_choose_better_than_few_measured_queries_alone(name: str) -> None:
    grades = graded(planted_pool(600, seed=2))
    without, by_grades = (trainer(each).train(name, **SMALL.get(name, {})) for each in (None, grades))
    assert worth(by_grades) > worth(without) + 0.09


@pytest.mark.parametrize("name", ["knn", "kmeans", "svm", "mlp", "matrix_factorization"])
def test_wrong_grades_do_the_less_harm_the_less_they_weigh(name: str) -> None:
    measured, more = planted_pool(120, seed=6), planted_pool(600, seed=2)
    wrong = graded(more.with_quality(1.0 - more.outcomes.quality), 1.0)
    worths = []
    for grades in (None, replace(wrong, weight=0.02), wrong):
        riders = None if grades is None else riding(grades)
        own = Trainer.prepare(measured.features, measured.outcomes, preferences=riders)
        worths.append(worth(own.train(name, **SMALL.get(name, {}))))
    without, light, heavy = worths
    assert light > without - 0.1
    assert light > heavy + 0.05


def test_a_graded_query_counts_its_weight() -> None:
    own = trainer(graded(planted_pool(90, seed=2), 0.25))
    assert own.grades is not None
    light, heavy = with_grades(own.data, own.grades), with_grades(own.data, replace(own.grades, weight=1.0))
    assert heavy.weights is None
    assert light.weights is not None
    assert light.weights.tolist() == 40 * [1.0] + 90 * [0.25]
    np.testing.assert_array_equal(light.quality, heavy.quality)
    np.testing.assert_array_equal(light.completed_residual, heavy.completed_residual)


def test_means_statistics_and_what_is_held_out_come_from_records_alone() -> None:
    without, with_grades = trainer(None), trainer(graded(planted_pool(600, seed=2)))
    np.testing.assert_array_equal(with_grades.data.prior.by_category, without.data.prior.by_category)
    trained = with_grades.train("knn")
    np.testing.assert_array_equal(trained.statistics.quality, without.train("knn").statistics.quality)
    assert trained.held_out is not None
    assert sorted(trained.held_out.rows.tolist()) == list(range(40))
    assert trained.training_digest != without.train("knn").training_digest


def test_grades_follow_the_models_of_a_fold() -> None:
    pool, grades = planted_pool(40), graded(planted_pool(90, seed=2))
    quality = pool.outcomes.quality.copy()
    quality[:20, 1] = np.nan  # the second model is unknown to the fold
    outcomes = pool.with_quality(quality).outcomes
    train, test = np.arange(20), np.arange(20, 40)
    fold = Fold.prepare(pool.features, outcomes, train, test, Objective(), 0, riding(grades))
    kept = fold.table.grades
    assert kept is not None
    assert kept.n_queries == np.isfinite(grades.quality[:, [0, 2]]).any(axis=1).sum()
    np.testing.assert_array_equal(np.nansum(kept.quality, axis=0), np.nansum(grades.quality[:, [0, 2]], axis=0))
    assert grades.among(np.array([0])) is not None
    nothing = Grades(grades.features, grades.codes, np.full((90, 3), np.nan), 0.5, grades.queries)
    assert nothing.among(np.array([0, 1])) is None


@pytest.mark.parametrize("form", ["json", "binary"])
@pytest.mark.parametrize("is_complete", [False, True])
def test_an_artefact_with_grades_gives_the_same_scores(form: ArtefactFormat, is_complete: bool, tmp_path: Path) -> None:
    pool = planted_pool(200, seed=2)
    grades = graded(pool)
    own = trainer(replace(grades, quality=pool.outcomes.quality) if is_complete else grades)
    assert own.grades is not None
    selector, fingerprint = own.train("knn"), Fingerprint("external", 16, "test")
    scores = selector.scores(NEW.features)
    save_selector(selector, tmp_path, fingerprint, artefact_format=form)
    np.testing.assert_array_equal(load_selector(tmp_path, "knn").scores(NEW.features), scores)
    heavy = trainer(replace(own.grades, weight=1.0)).train("knn").scores(NEW.features)
    assert np.abs(scores - heavy).max() > 0.01


def test_a_bad_grade_is_no_vote_for_the_model_that_was_asked() -> None:
    grades = graded(planted_pool(90, seed=2), 1.0)
    selector = trainer(grades).train("knn")
    best = selector.predictor.best[40:]  # type: ignore[attr-defined]
    row, column = np.nonzero(np.isfinite(grades.quality))
    is_bad = grades.quality[row, column] == 0.0
    assert is_bad.any()
    assert (best[is_bad] != column[is_bad]).all()
    assert (best[~is_bad] == column[~is_bad]).all()


def test_grades_that_do_not_fit_are_refused() -> None:
    grades = graded(planted_pool(9))
    with pytest.raises(TrainingError, match="9 feature rows, 9 categories, 9 rows of grades and 1 queries"):
        Grades(grades.features, grades.codes, grades.quality, 0.5, ("one",))
    with pytest.raises(TrainingError, match="the weight of grades is 0; expected a number above 0, up to 1"):
        Grades(grades.features, grades.codes, grades.quality, 0, grades.queries)
    narrow = Grades(grades.features[:, 1:], grades.codes, grades.quality, 0.5, grades.queries)
    with pytest.raises(TrainingError, match="grades are not of the width and the models of the outcomes"):
        trainer(narrow)
