"""Every misuse of the public names ends in an error of the package's own that says what was expected."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vsr
from pools import planted_pool

DIM = 8


@dataclass(frozen=True)
class World:
    """What the cases use."""

    outcomes: vsr.Outcomes
    features: Any
    embedder: vsr.Embedder
    selector: vsr.Selector
    folder: Path
    router: vsr.Router

    @property
    def scores(self) -> Any:
        return self.selector.scores(self.features)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("models")
    outcomes = planted_pool(40).outcomes
    embedder = vsr.load_embedder("hash", dim=DIM)
    features = vsr.build_features(embedder.embed(outcomes.queries), outcomes.categories)
    selector = vsr.train_selector("kmeans", features, outcomes, num_clusters=2)
    vsr.save_selector(selector, folder, embedder.fingerprint)
    return World(outcomes, features, embedder, selector, folder, vsr.Router.load(folder, "kmeans"))


def measured(queries: Any = ("a", "b"), categories: Any = (None, "law"), models: Any = ("m", "n")) -> vsr.Outcomes:
    return vsr.Outcomes(queries, categories, models, np.full((2, 2), 0.5))


Case = tuple[Callable[[Any], object], type[vsr.VsrError], str]
CASES: dict[str, Case] = {
    "objective of text": (
        lambda _: vsr.Objective("a"),  # type: ignore[arg-type]
        vsr.SelectionError,
        "quality_weight is 'a'; expected a number from 0 to 1",
    ),
    "choose: objective": (
        lambda w: vsr.choose(w.scores, w.selector.statistics, objective=0.5),  # type: ignore[arg-type]
        vsr.SelectionError,
        r"objective is 0.5; expected vsr.Objective\(quality_weight=...\)",
    ),
    "choose: candidates": (
        lambda w: vsr.choose(w.scores, w.selector.statistics, candidates=5),  # type: ignore[arg-type]
        vsr.SelectionError,
        "candidates are 5; expected a list of names or references",
    ),
    "choose: one mapping": (
        lambda w: vsr.choose(w.scores, w.selector.statistics, candidates={"model": "m"}),  # type: ignore[arg-type]
        vsr.SelectionError,
        "candidates are {'model': 'm'}; expected a list",
    ),
    "choose: category": (
        lambda w: vsr.choose(w.scores[:1], w.selector.statistics, [5]),  # type: ignore[list-item]
        vsr.RecordError,
        "category 5 is no text; expected a name",
    ),
    "choose: categories": (
        lambda w: vsr.choose(w.scores, w.selector.statistics, "math"),
        vsr.SelectionError,
        "categories are the text 'math'; expected a list",
    ),
    "choose: statistics": (
        lambda w: vsr.choose(w.scores, None),  # type: ignore[arg-type]
        vsr.SelectionError,
        "statistics is None; expected those of a selector",
    ),
    "choose: default": (
        lambda w: vsr.choose(w.scores, w.selector.statistics, candidates=[], default=5),  # type: ignore[arg-type]
        vsr.SelectionError,
        "default is 5; expected the name of a model",
    ),
    "features: no categories": (
        lambda _: vsr.build_features(np.ones((2, 3)), None),  # type: ignore[arg-type]
        vsr.RecordError,
        r"categories are None; expected one name \(or None, with a classifier\) for each of 2 rows",
    ),
    "features: weight": (
        lambda _: vsr.build_features(np.ones((1, 3)), ["law"], category_weight="a"),  # type: ignore[arg-type]
        vsr.RecordError,
        "category weight is 'a'; expected a number of 0 or more",
    ),
    "records: path": (
        lambda _: vsr.read_records(None),  # type: ignore[arg-type]
        vsr.RecordError,
        "file of records is None; expected a path",
    ),
    "outcomes: dicts": (
        lambda _: vsr.Outcomes.from_records([{"query": "a"}]),  # type: ignore[list-item]
        vsr.RecordError,
        "record 1 is {'query': 'a'}; expected a vsr.Record, as vsr.read_records",
    ),
    "outcomes: no records": (
        lambda _: vsr.Outcomes.from_records(None),  # type: ignore[arg-type]
        vsr.RecordError,
        "records is None; expected what vsr.read_records",
    ),
    "outcomes: names of models": (
        lambda _: vsr.Outcomes.from_records([vsr.Record("a", "m", 1.0)], models="m"),
        vsr.RecordError,
        "models are the text 'm'; expected a list of names",
    ),
    "outcomes: categories": (
        lambda _: measured(categories="ab"),
        vsr.RecordError,
        r"categories are the text 'ab'; expected a list of one name \(or None\) per query",
    ),
    "outcomes: category": (lambda _: measured(categories=[5, None]), vsr.RecordError, "category 5 is no text"),
    "outcomes: queries": (
        lambda _: measured(queries=[1, "b"]),
        vsr.RecordError,
        "queries hold 1 at index 0; expected a list of texts",
    ),
    "outcomes: models": (lambda _: measured(models="mn"), vsr.RecordError, "models are the text 'mn'"),
    "outcomes: one query twice": (
        lambda _: measured(queries=["a  B", "A b "]),
        vsr.RecordError,
        "queries 0 and 1 are one query",
    ),
    "embedder: width": (
        lambda _: vsr.load_embedder("hash", dim="a"),  # type: ignore[arg-type]
        vsr.EmbeddingError,
        "embedding width is 'a'; expected a whole number of 1 or more",
    ),
    "embedder: path": (
        lambda _: vsr.load_embedder("bert", 5),  # type: ignore[arg-type]
        vsr.EmbeddingError,
        "path of the model is 5; expected a path",
    ),
    "embedder: texts": (
        lambda w: w.embedder.embed(None),
        vsr.EmbeddingError,
        "texts are None; expected a list of texts",
    ),
    "train: outcomes": (
        lambda w: vsr.train_selector("knn", w.features, None),  # type: ignore[arg-type]
        vsr.TrainingError,
        "outcomes is None; expected vsr.Outcomes",
    ),
    "train: two algorithms": (
        lambda w: vsr.train_selector(["knn"], w.features, w.outcomes),  # type: ignore[arg-type]
        vsr.TrainingError,
        r"no algorithm is called \['knn'\]; there are knn",
    ),
    "train: parameter": (
        lambda w: vsr.train_selector("knn", w.features, w.outcomes, foo=3),
        vsr.TrainingError,
        "knn has no parameter foo; it has k, index",
    ),
    "pairs: parameter": (
        lambda w: vsr.train_with_preferences(w.features[:1], ["m"], ["n"], ["m", "n"], foo=3),
        vsr.TrainingError,
        "matrix_factorization has no parameter foo; it has num_factors",
    ),
    "pairs: models": (
        lambda w: vsr.train_with_preferences(w.features[:1], ["m"], ["n"], "mn"),
        vsr.TrainingError,
        "models are the text 'mn'; expected a list of names",
    ),
    "compare: rows": (
        lambda w: vsr.cross_validate(w.features[:4], w.outcomes),
        vsr.TrainingError,
        "4 feature rows but outcomes of 40 queries; expected one row per query",
    ),
    "compare: no algorithm": (
        lambda w: vsr.cross_validate(w.features, w.outcomes, algorithms=()),
        vsr.TrainingError,
        "algorithms are an empty list; expected a list of at least one of knn, kmeans",
    ),
    "compare: algorithms": (
        lambda w: vsr.cross_validate(w.features, w.outcomes, algorithms="knn"),
        vsr.TrainingError,
        "algorithms are the text 'knn'; expected a list",
    ),
    "compare: folds": (
        lambda w: vsr.cross_validate(w.features, w.outcomes, folds=2.5),  # type: ignore[arg-type]
        vsr.TrainingError,
        "folds is 2.5; expected a whole number of 2 or more",
    ),
    "compare: holdout": (
        lambda w: vsr.cross_validate(w.features, w.outcomes, holdout="a"),  # type: ignore[arg-type]
        vsr.TrainingError,
        "holdout is 'a'; expected a fraction",
    ),
    "compare: objective": (
        lambda w: vsr.cross_validate(w.features, w.outcomes, objective=0.5),  # type: ignore[arg-type]
        vsr.SelectionError,
        "objective is 0.5; expected vsr.Objective",
    ),
    "compare: parameters": (
        lambda w: vsr.cross_validate(w.features, w.outcomes, parameters=[3]),  # type: ignore[arg-type]
        vsr.TrainingError,
        r"parameters is \[3\]; expected a dict",
    ),
    "save: embedder": (
        lambda w: vsr.save_selector(w.selector, w.folder, embedder=w.embedder),
        vsr.ArtefactError,
        "embedder is .*; expected the fingerprint of one: embedder.fingerprint",
    ),
    "save: selector": (
        lambda w: vsr.save_selector("knn", w.folder),  # type: ignore[arg-type]
        vsr.ArtefactError,
        "selector is 'knn'; expected what vsr.train_selector",
    ),
    "save: folder": (
        lambda w: vsr.save_selector(w.selector, None),  # type: ignore[arg-type]
        vsr.ArtefactError,
        "directory is None; expected a path",
    ),
    "load: folder": (
        lambda _: vsr.load_selector(None, "knn"),  # type: ignore[arg-type]
        vsr.ArtefactError,
        "directory is None; expected a path",
    ),
    "load: algorithm": (
        lambda w: vsr.load_selector(w.folder, ["knn"]),  # type: ignore[arg-type]
        vsr.ArtefactError,
        r"no algorithm is called \['knn'\]",
    ),
    "load: models as a text": (
        lambda w: vsr.load_selector(w.folder, "kmeans", models="a"),
        vsr.ArtefactError,
        "models are the text 'a'; expected a list of names",
    ),
    "load: models in another order": (
        lambda w: vsr.load_selector(w.folder, "kmeans", models=w.selector.models[::-1]),
        vsr.ArtefactError,
        "kmeans_model.json: holds the names of its models .*; expected the same in the same order. Leave `models` out",
    ),
    "router: embedder": (
        lambda w: vsr.Router.load(w.folder, "kmeans", embedder="hash"),  # type: ignore[arg-type]
        vsr.ArtefactError,
        "embedder is 'hash'; expected what vsr.load_embedder",
    ),
    "router: objective of all": (
        lambda w: vsr.Router.load(w.folder, "kmeans", objective=0.5),  # type: ignore[arg-type]
        vsr.SelectionError,
        "objective is 0.5",
    ),
    "router: objective": (
        lambda w: w.router.select("x", objective=0.5),
        vsr.SelectionError,
        "objective is 0.5",
    ),
    "router: category": (
        lambda w: w.router.select("x", category=5),
        vsr.RecordError,
        "category 5 is no text",
    ),
    "router: candidates": (
        lambda w: w.router.select("x", candidates=5),
        vsr.SelectionError,
        "candidates are 5",
    ),
    "router: categories": (
        lambda w: w.router.select_many(["x"], "m"),
        vsr.SelectionError,
        "categories are the text 'm'",
    ),
    "router: queries": (
        lambda w: w.router.select_many(5),
        vsr.SelectionError,
        "queries are 5; expected a list of texts",
    ),
    "router: blank": (
        lambda w: w.router.select(" \n "),
        vsr.SelectionError,
        "query 0 is blank; expected a text that is not blank",
    ),
    "router: one of them blank": (
        lambda w: w.router.select_many(["x", ""]),
        vsr.SelectionError,
        "query 1 is blank",
    ),
    "router: text and vector": (
        lambda w: w.router.select("x", embedding=np.ones(DIM)),
        vsr.SelectionError,
        "a query and an embedding were given; expected one of them",
    ),
    "features: classifier": (
        lambda _: vsr.build_features(np.ones((1, 3)), [None], classifier="x"),  # type: ignore[arg-type]
        vsr.RecordError,
        "classifier is 'x'; expected vsr.features.CategoryClassifier.fit",
    ),
    "embedder: prompt": (
        lambda _: vsr.load_embedder("bert", "folder", prompt=5),  # type: ignore[arg-type]
        vsr.EmbeddingError,
        "prompt is 5; expected its name",
    ),
    "embedder: set of texts": (
        lambda w: w.embedder.embed({"a"}),
        vsr.EmbeddingError,
        "texts are {'a'}; expected a list of texts",
    ),
    "compare: one algorithm twice": (
        lambda w: vsr.cross_validate(w.features, w.outcomes, ["knn", "svm", "knn"]),
        vsr.TrainingError,
        "algorithms name knn more than once",
    ),
    "save: held-out result": (
        lambda w: vsr.save_selector(w.selector, w.folder, held_out=5),  # type: ignore[arg-type]
        vsr.ArtefactError,
        "held_out is 5; expected a mapping",
    ),
    "router: cache": (
        lambda w: vsr.Router.load(w.folder, "kmeans", cache_dir=5),  # type: ignore[arg-type]
        vsr.EmbeddingError,
        "cache_dir is 5; expected a path",
    ),
    "router: texts and vectors that do not fit": (
        lambda w: w.router.select_many(["x"], embeddings=np.ones((2, DIM))),
        vsr.SelectionError,
        "1 queries but 2 embeddings; expected one per query",
    ),
    "router: configuration": (
        lambda _: vsr.Router.from_config(5),  # type: ignore[arg-type]
        vsr.ConfigError,
        "config is 5; expected a path",
    ),
    "doctor: one path": (
        lambda _: vsr.doctor("records.jsonl"),
        vsr.RecordError,
        "paths are the text 'records.jsonl'; expected a list of paths",
    ),
    "evaluate: outcomes": (
        lambda w: vsr.evaluate(w.folder, [], []),  # type: ignore[arg-type]
        vsr.RecordError,
        r"outcomes is \[\]; expected vsr.Outcomes.from_records",
    ),
    "evaluate: embeddings": (
        lambda w: vsr.evaluate(w.folder, w.outcomes, np.zeros((1, DIM))),
        vsr.RecordError,
        "1 embeddings for 40 queries; expected one per query",
    ),
    "evaluate: algorithms": (
        lambda w: vsr.evaluate(w.folder, w.outcomes, np.zeros((40, DIM)), algorithms="knn"),
        vsr.ArtefactError,
        "algorithms are the text 'knn'; expected a list of names",
    ),
    "router that is disabled: queries": (
        lambda _: vsr.DisabledRouter("m").select_many("abc"),
        vsr.SelectionError,
        "queries are one text; expected a list of texts",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_misuse_is_refused(name: str, world: World) -> None:
    misuse, error, message = CASES[name]
    with pytest.raises(error, match=message):
        misuse(world)


def test_the_names_of_an_artefact_may_be_said_again(world: World) -> None:
    names = list(world.selector.models)
    assert vsr.load_selector(world.folder, "kmeans", models=names).models == world.selector.models


def test_outcomes_of_arrays_and_of_records_have_parts(world: World) -> None:
    """What is known to differ is not compared again, but the rest is checked as ever."""
    with pytest.raises(vsr.RecordError, match="3 categories"):
        world.outcomes.take([0, 1]).with_categories([None] * 3)
    with pytest.raises(vsr.RecordError, match=r"name .* more than once"):
        world.outcomes.with_models([world.outcomes.models[0]] * 2)


def test_of_two_references_to_one_model_the_first_counts(world: World) -> None:
    name = world.selector.models[0]
    references: list[dict[str, object]] = [{"model": name, "use_reasoning": on} for on in (True, False)]
    choice = world.router.select("x", candidates=references)
    assert choice.reference is references[0]
    assert choice.reason == "single_candidate"
