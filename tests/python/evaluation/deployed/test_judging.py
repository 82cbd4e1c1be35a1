"""Saved artefacts on records that they have not seen."""

import math
from pathlib import Path

import numpy as np
import pytest

from pools import DIM, Pool, planted_pool
from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.embedding import Fingerprint
from vsr.errors import ArtefactError
from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
from vsr.evaluation.deployed.foreseen import foresee, unseen_categories
from vsr.evaluation.deployed.judging import DeployedEvaluation, evaluate_deployed
from vsr.evaluation.deployed.promise import Promise
from vsr.evaluation.statistics.intervals import Interval
from vsr.persistence import Artefact, open_artefact, read_manifest
from vsr.persistence.training_queries import read_training_queries

QUALITY_ALONE = Objective(quality_weight=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployed")
    pool = planted_pool(300)
    settings = TrainingSettings(algorithms=("knn", "kmeans"), objective=QUALITY_ALONE, categories="given", splits=1)
    compare_and_train(pool.outcomes, pool.features[:, :DIM], Fingerprint.external(DIM), folder, settings)
    return folder


@pytest.fixture(scope="module")
def new() -> Pool:
    return planted_pool(200, seed=1)


def artefacts(folder: Path) -> list[Artefact]:
    return [open_artefact(folder, name) for name in ("knn", "kmeans", "table")]


def judged(folder: Path, pool: Pool, outcomes: Outcomes | None = None) -> DeployedEvaluation:
    manifest = read_manifest(folder)
    assert manifest is not None
    return evaluate_deployed(
        artefacts(folder),
        pool.outcomes if outcomes is None else outcomes,
        pool.features[:, :DIM],
        recommended=manifest.recommended,
        training=read_training_queries(folder),
    )


def test_figures_are_those_of_the_chosen_models(folder: Path, new: Pool) -> None:
    evaluation = judged(folder, new)
    assert (evaluation.n_queries, evaluation.categories, evaluation.objective) == (200, "given", QUALITY_ALONE)
    quality, models = new.outcomes.quality, new.outcomes.models
    for artefact in artefacts(folder):
        result = evaluation.artefact(artefact.selector.name)
        chosen = artefact.selector.scores(new.features).argmax(axis=1)
        at_chosen = quality[np.arange(200), chosen]
        assert result.quality == pytest.approx(at_chosen.mean())
        assert result.utility == pytest.approx(at_chosen.mean())
        shares = np.bincount(chosen, minlength=len(models)) / 200
        assert result.selection == {models[j]: shares[j] for j in np.argsort(-shares, kind="stable") if shares[j]}
        assert sum(row.n_queries for row in result.by_category) == 200
        named = models.index(str(evaluation.named))
        difference = at_chosen - quality[:, named]
        half = 1.959964 * math.sqrt(difference.var() / 200 + 1e-4)
        if (chosen == named).all():
            assert result.over_named is None
            continue
        assert result.over_named is not None
        assert result.over_named.mean == pytest.approx(difference.mean())
        assert result.over_named.high == pytest.approx(difference.mean() + half, rel=1e-5)
    assert evaluation.artefact("knn").over_named is not None
    best = quality.mean(axis=0).argmax()
    assert evaluation.best_single == models[int(best)]
    assert evaluation.singles[0].name == f"always {evaluation.best_single}"
    assert evaluation.singles[0].over_best is None


def test_the_promise_is_that_of_the_held_out_table(folder: Path, new: Pool) -> None:
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.held_out is not None
    lines = {line["name"]: line for line in manifest.held_out["methods"]}
    evaluation = judged(folder, new)
    for name in ("knn", "kmeans"):
        promise = evaluation.artefact(name).promise
        assert promise is not None
        assert promise.quality == lines[name]["quality"]
        assert promise.selection == lines[name]["selection"]
        for model, share in promise.selection.items():
            by_category = sum(row.n_queries * row.shares.get(model, 0.0) for row in promise.by_category) / 300
            assert by_category == pytest.approx(share)
        assert promise.is_kept_by(evaluation.artefact(name).over_named)


def test_a_broken_promise_is_noticed() -> None:
    promise = Promise(0.6, 0.6, None, None, Interval(0.10, 0.08, 0.12, 900), {}, ())
    assert promise.is_kept_by(Interval(0.05, -0.01, 0.11, 100)) is True
    assert promise.is_kept_by(Interval(0.02, 0.00, 0.04, 900)) is False
    assert promise.is_kept_by(None) is None


def test_models_that_one_side_lacks_are_named_and_never_chosen(folder: Path, new: Pool) -> None:
    everything = new.outcomes
    best = judged(folder, new).named
    left = [name for name in everything.models if name != best]
    quality = np.column_stack([everything.with_models(left).quality, np.ones(200)])
    outcomes = Outcomes(everything.queries, everything.categories, [*left, "stranger"], quality)
    evaluation = judged(folder, new, outcomes)
    assert evaluation.unknown_models == ("stranger",)
    assert evaluation.unmeasured_models == (best,)
    assert evaluation.models == tuple(left)
    assert evaluation.best_single == "stranger"
    for result in evaluation.artefacts:
        assert set(result.selection) <= set(left)
        assert result.over_named is None
        assert result.over_best is not None
        assert result.over_best.high < 0.0


def test_records_of_none_of_its_models_are_refused(folder: Path, new: Pool) -> None:
    outcomes = Outcomes(new.outcomes.queries, new.outcomes.categories, ["stranger"], np.ones((200, 1)))
    with pytest.raises(ArtefactError, match="none of which the records measured"):
        judged(folder, new, outcomes)


def test_missing_cells_are_estimated_so_that_every_line_is_about_all_queries(folder: Path, new: Pool) -> None:
    complete = judged(folder, new)
    generator = np.random.default_rng(0)
    quality = np.where(generator.random(new.outcomes.quality.shape) < 0.3, np.nan, new.outcomes.quality)
    outcomes = Outcomes(new.outcomes.queries, new.outcomes.categories, new.outcomes.models, quality)
    evaluation = judged(folder, new, outcomes)
    assert evaluation.n_missing_cells == np.isnan(quality).sum()
    for result in evaluation.artefacts:
        before = complete.artefact(result.name)
        assert result.n_unmeasured > 0
        assert result.selection == before.selection
        assert abs(result.quality - before.quality) < 0.08


def test_what_would_be_chosen_needs_no_records(folder: Path, new: Pool) -> None:
    artefact = open_artefact(folder, "knn")
    categories = [None if row % 2 else name for row, name in enumerate(new.outcomes.categories)]
    found = foresee(artefact, categories, new.features[:, :DIM])
    assert (found.n_queries, found.n_given, found.n_predicted + found.n_assumed) == (200, 100, 100)
    assert sum(found.selection.values()) == pytest.approx(1.0)
    assert sum(row.n_queries for row in found.by_category) == 200
    assert found.novelty is None
    assert unseen_categories(artefact, found) == ()
    elsewhere = foresee(artefact, ["engineering"] * 200, new.features[:, :DIM])
    assert unseen_categories(artefact, elsewhere) == ("engineering",)
    assert 0.0 < elsewhere.quality < 1.0
