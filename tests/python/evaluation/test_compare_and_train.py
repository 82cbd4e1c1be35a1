"""A whole training as a call."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pools import DIM, planted_pool, topics
from vsr import _mapped
from vsr._files import require_writable
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_records
from vsr.embedding import Fingerprint
from vsr.embedding.vector_file import read_embedding_file
from vsr.errors import OutputError, RecordError, TrainingError
from vsr.evaluation import fold_work
from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
from vsr.evaluation.document import evaluation_document
from vsr.features import classifier
from vsr.persistence import load_artefact
from vsr.selectors.training_data import Preferences
from vsr.training.outcomes import read_outcomes

EXTERNAL = Fingerprint.external(DIM)
QUICK = TrainingSettings(algorithms=("knn", "kmeans"), parameters={"knn": {"k": 5}}, objective=Objective(0.8), seed=3)


def test_a_training_gives_what_it_wrote(tmp_path: Path) -> None:
    pool = planted_pool(100)
    told: list[tuple[str, int, int]] = []
    result = compare_and_train(
        pool.outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path, QUICK, lambda *state: told.append(state)
    )
    assert [selector.name for selector in result.selectors] == ["knn", "kmeans", "table"]
    assert [path.name for path in result.paths] == ["knn_model.json", "kmeans_model.json", "table_model.json"]
    assert result.notes == ()
    assert result.duration_s > 0.0
    assert result.evaluation is not None
    assert (result.evaluation.n_folds, result.evaluation.n_splits) == (5, 3)
    kind = result.evaluation.verdict.kind
    assert result.recommended == ("table" if kind == "category_table" else result.evaluation.recommended)
    for selector, path in zip(result.selectors, result.paths, strict=True):
        artefact = load_artefact(path)
        assert artefact.header is not None
        assert artefact.header.objective == Objective(0.8)
        assert artefact.header.embedder == EXTERNAL
        assert artefact.header.held_out is not None
        assert artefact.header.held_out["verdict"]["kind"] == result.evaluation.verdict.kind
        assert artefact.selector.seed == 3
        unseen = planted_pool(20, seed=1).features
        np.testing.assert_array_equal(artefact.selector.scores(unseen), selector.scores(unseen))
    assert result.selectors[0].parameters["k"] == 5
    assert told[0] == ("knn, fold 1 of 15", 0, 32)
    assert told[-2:] == [("kmeans on all queries", 31, 32), ("held-out table", 32, 32)]
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert {total for _, _, total in told} == {32}


def test_vectors_are_brought_to_unit_length(tmp_path: Path) -> None:
    pool = planted_pool(40)
    settings = TrainingSettings(algorithms=("knn",), parameters={"knn": {"k": 3}})
    unseen = planted_pool(10, seed=1).features
    scores = [
        compare_and_train(pool.outcomes, factor * pool.features[:, :DIM], EXTERNAL, tmp_path, settings)
        .selectors[0]
        .scores(unseen)
        for factor in (1.0, 7.0)
    ]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)


def test_queries_that_nobody_answered_and_models_that_answered_nothing_are_left_out(tmp_path: Path) -> None:
    pool = planted_pool(80)
    quality = np.column_stack([pool.outcomes.quality, np.full(80, np.nan)])
    quality[70:] = np.nan
    outcomes = Outcomes(pool.outcomes.queries, pool.outcomes.categories, [*pool.outcomes.models, "silent"], quality)
    result = compare_and_train(outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path, QUICK)
    assert result.notes == ("left out, because no answer of theirs has a quality: silent",)
    assert result.evaluation is not None
    assert (result.evaluation.n_queries, result.evaluation.n_models) == (70, 3)
    assert result.selectors[0].models == pool.outcomes.models


def test_preference_pairs_follow_the_models_that_are_left(tmp_path: Path) -> None:
    pool = planted_pool(60)
    quality = np.column_stack([np.full(60, np.nan), pool.outcomes.quality])
    outcomes = Outcomes(pool.outcomes.queries, pool.outcomes.categories, ["silent", *pool.outcomes.models], quality)
    strong = pool.expected.argmax(axis=1) + 1
    other = np.where(strong == 1, 2, 1)
    pairs = Preferences(pool.features.repeat(8, axis=0), strong.repeat(8), other.repeat(8), np.ones(480))
    settings = TrainingSettings(
        algorithms=("matrix_factorization",),
        parameters={"matrix_factorization": {"num_factors": 4}},
        preferences=pairs,
    )
    result = compare_and_train(outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path, settings)
    assert result.selectors[0].models == pool.outcomes.models
    chosen = result.selectors[0].scores(pool.features).argmax(axis=1)
    assert (chosen == pool.expected.argmax(axis=1)).mean() > 0.6


def test_missing_categories_are_predicted_and_counted(tmp_path: Path) -> None:
    pool = planted_pool(120)
    vectors, topic = topics(120, np.random.default_rng(0))
    categories = [None if row < 15 else CATEGORIES[topic[row]] for row in range(120)]
    result = compare_and_train(pool.outcomes.with_categories(categories), vectors, EXTERNAL, tmp_path, QUICK)
    assert result.n_predicted_categories == 15
    assert result.notes[0].startswith("15 missing categories predicted from the embedding")
    nothing = compare_and_train(
        pool.outcomes.with_categories([None] * 120), pool.features[:, :DIM], EXTERNAL, tmp_path, QUICK
    )
    assert nothing.n_predicted_categories == 0
    assert nothing.notes[0].startswith("120 queries without a category count as other")


def test_what_few_queries_mean_is_noted(tmp_path: Path) -> None:
    pool = planted_pool(39)
    notes = compare_and_train(pool.outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path, QUICK).notes
    assert notes[0].startswith("queries without a category will be taken as other when they are routed: no classifier")
    assert notes[1].startswith("only 39 unique queries: the intervals are too wide to say whether routing pays")
    few = planted_pool(3)
    result = compare_and_train(few.outcomes, few.features[:, :DIM], EXTERNAL, tmp_path, QUICK)
    assert result.evaluation is None
    assert result.notes[-1] == "too few queries to hold any out: there is no table"
    assert len(result.paths) == 3
    assert result.recommended == "table"


def test_one_model_is_nothing_to_choose(tmp_path: Path) -> None:
    pool = planted_pool(120)
    result = compare_and_train(pool.outcomes.with_models(["small"]), pool.features[:, :DIM], EXTERNAL, tmp_path, QUICK)
    assert result.evaluation is None
    assert result.notes == ("small is the only model: there is nothing to choose",)
    assert load_artefact(result.paths[0]).selector.models == ("small",)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    pool = planted_pool(30)
    vectors = pool.features[:, :DIM]
    with pytest.raises(RecordError, match="29 embeddings for 30 unique queries"):
        compare_and_train(pool.outcomes, vectors[1:], EXTERNAL, tmp_path, QUICK)
    with pytest.raises(TrainingError, match="1 unique queries have a measured quality"):
        compare_and_train(pool.outcomes.take([0]), vectors[:1], EXTERNAL, tmp_path, QUICK)
    with pytest.raises(TrainingError, match="no algorithm is called 'forest'"):
        compare_and_train(pool.outcomes, vectors, EXTERNAL, tmp_path, TrainingSettings(algorithms=("forest",)))
    with pytest.raises(RecordError, match="category weight is -1"):
        compare_and_train(
            pool.outcomes, vectors, EXTERNAL, tmp_path, TrainingSettings(algorithms=("knn",), category_weight=-1.0)
        )
    assert list(tmp_path.iterdir()) == []


def test_a_category_weight_stands_in_the_artefact(tmp_path: Path) -> None:
    pool = planted_pool(40)
    settings = TrainingSettings(algorithms=("knn",), category_weight=0.25)
    result = compare_and_train(pool.outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path, settings)
    assert load_artefact(result.paths[0]).selector.category_weight == 0.25


def test_a_folder_is_tried_or_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "empty" / "a" / "b"):
        require_writable(folder)
        assert [path.name for path in tmp_path.rglob("*")] == ["empty"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/c: cannot be written to \(Not a directory\)"):
        require_writable(tmp_path / "file" / "c")
    pool = planted_pool(30)
    with pytest.raises(OutputError, match=r"file: cannot be written to"):  # before any work: the vectors are wrong too
        compare_and_train(pool.outcomes, pool.features[1:, :DIM], EXTERNAL, tmp_path / "file", QUICK)


def test_records_of_one_query_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"query": "a?", "model_name": "m", "performance": 1}\n' * 3)
    with pytest.raises(RecordError, match=rf"{path}: only 1 unique query has a measured quality; expected 2"):
        read_outcomes(read_records(path))


def test_vectors_are_read_as_they_were_saved(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((4, 3))
    np.save(tmp_path / "v.npy", vectors)
    read = read_embedding_file(tmp_path / "v.npy", 4)
    assert read.dtype == np.float32
    np.testing.assert_allclose(read, vectors, atol=1e-6)
    np.save(tmp_path / "f.npy", np.asfortranarray(vectors))
    np.testing.assert_array_equal(read_embedding_file(tmp_path / "f.npy", 4), read)


def test_the_classifier_of_all_queries_is_fitted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    decompose = classifier._thin_svd

    def counted(centred: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], ...]:
        sizes.append(len(centred))
        return decompose(centred)

    monkeypatch.setattr(classifier, "_thin_svd", counted)
    pool = planted_pool(120)
    result = compare_and_train(pool.outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path, replace(QUICK, splits=1))
    assert sizes.count(120) == 1
    assert len(sizes) == 6  # and once for each fold
    assert len({id(selector.classifier) for selector in result.selectors}) == 1


def test_many_queries_are_compared_on_a_sample_and_trained_on_all(tmp_path: Path) -> None:
    pool = planted_pool(300)
    told: list[tuple[str, int, int]] = []
    settings = replace(QUICK, most_compared=120)
    embeddings = pool.features[:, :DIM]
    sampled = compare_and_train(
        pool.outcomes, embeddings, EXTERNAL, tmp_path / "sampled", settings, lambda *state: told.append(state)
    )
    evaluation, held = sampled.evaluation, sampled.held
    assert evaluation is not None
    assert held is not None
    assert (evaluation.n_queries, evaluation.n_sampled_from, evaluation.n_splits) == (120, 300, 1)
    assert evaluation_document(evaluation)["n_sampled_from"] == 300
    assert held.sample is not None
    assert len(np.unique(held.sample)) == 120
    assert held.outcomes.queries == tuple(pool.outcomes.queries[row] for row in held.sample)
    # What is deployed has seen all queries, and is what a training that compares on all of them gives.
    whole = compare_and_train(pool.outcomes, embeddings, EXTERNAL, tmp_path / "whole", replace(QUICK, splits=1))
    assert whole.evaluation is not None
    assert (whole.evaluation.n_queries, whole.evaluation.n_sampled_from) == (300, None)
    unseen = planted_pool(20, seed=1).features
    for name in ("knn", "kmeans"):
        one, other = (
            next(selector for selector in result.selectors if selector.name == name) for result in (sampled, whole)
        )
        np.testing.assert_array_equal(one.scores(unseen), other.scores(unseen))
    deployed = held.deployed["knn"].given[0]
    np.testing.assert_array_equal(deployed, whole.held.deployed["knn"].given[0][held.sample] if whole.held else None)
    assert told[0] == ("knn, fold 1 of 5", 0, 12)


@pytest.mark.parametrize("most", [1, 3, 5])
def test_a_sample_of_next_to_nothing_still_trains(tmp_path: Path, most: int) -> None:
    pool = planted_pool(40)
    settings = replace(QUICK, most_compared=most)
    trained = compare_and_train(pool.outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path, settings)
    assert {"knn", "kmeans"} <= {selector.name for selector in trained.selectors}


def test_the_model_that_a_verdict_on_a_sample_names_answers_everything(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pool = planted_pool(300)
    pool = pool.with_quality(generator.integers(0, 2, pool.outcomes.quality.shape).astype(np.float64))
    named = set()
    for seed in range(6):
        settings = replace(QUICK, most_compared=40, seed=seed, objective=Objective(quality_weight=1.0))
        trained = compare_and_train(pool.outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path / str(seed), settings)
        assert trained.evaluation is not None
        if trained.recommended == "table" and trained.evaluation.verdict.kind != "category_table":
            table = next(selector for selector in trained.selectors if selector.name == "table")
            best = table.scores(pool.features[:5]).argmax(axis=1)
            assert {table.models[column] for column in best.tolist()} == {trained.evaluation.best_single}
            named.add(trained.evaluation.best_single)
    assert len(named) > 1


def test_features_on_disk_give_the_same_artefacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    pool = planted_pool(120)
    settings = replace(QUICK, algorithms=("knn", "kmeans", "matrix_factorization"), holdout=0.2)
    in_memory = compare_and_train(pool.outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path / "memory", settings)
    monkeypatch.setattr(_mapped, "MOST_ROWS_IN_MEMORY", 50)
    monkeypatch.setattr(_mapped, "BLOCK_ROWS", 16)
    mapped = compare_and_train(pool.outcomes, pool.features[:, :DIM], EXTERNAL, tmp_path / "mapped", settings)
    for one, other in zip(in_memory.paths, mapped.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_of_many_queries_what_keeps_them_all_is_fitted_last_and_stands_where_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fold_work, "MOST_ROWS_IN_MEMORY", 50)
    pool = planted_pool(60)
    told: list[str] = []
    result = compare_and_train(
        pool.outcomes,
        pool.features[:, :DIM],
        EXTERNAL,
        tmp_path,
        replace(QUICK, holdout=0.5),
        lambda what, _done, _total: told.append(what),
    )
    assert told == ["knn, fold 1 of 1", "kmeans, fold 1 of 1", "kmeans on all queries", "knn on all queries", told[-1]]
    assert [selector.name for selector in result.selectors] == ["knn", "kmeans", "table"]
