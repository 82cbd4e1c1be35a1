"""Text or vectors in, model out."""

import inspect
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pools import DIM, planted_pool
from routing.subjects import MODELS, WIDTH, text_outcomes
from vsr.choice.chooser import choose
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES
from vsr.embedding import Fingerprint, ProgressCallback, load_embedder
from vsr.errors import ArtefactError, EmbeddingError, RecordError, SelectionError
from vsr.features import build_features
from vsr.persistence import save_selector
from vsr.routing import DisabledRouter, Router
from vsr.routing.explanation import explain
from vsr.selectors.base import TrainedSelector
from vsr.training.trainer import train_selector


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A KNN on hashed texts, with an objective of its own."""
    made = tmp_path_factory.mktemp("models")
    embedder = load_embedder("hash", dim=WIDTH)
    outcomes = text_outcomes()
    features = build_features(embedder.embed(outcomes.queries), outcomes.categories)
    selector = train_selector("knn", features, outcomes, k=10)
    save_selector(selector, made, embedder.fingerprint, objective=Objective(0.95))
    return made


@pytest.fixture(scope="module")
def router(folder: Path) -> Router:
    return Router.load(folder)


@pytest.fixture(scope="module")
def external_selector() -> TrainedSelector:
    pool = planted_pool(90)
    return train_selector("knn", pool.features, pool.outcomes, k=10)


@pytest.fixture(scope="module")
def external(external_selector: TrainedSelector, tmp_path_factory: pytest.TempPathFactory) -> Router:
    """A KNN on vectors from elsewhere."""
    made = tmp_path_factory.mktemp("external")
    save_selector(external_selector, made)
    return Router.load(made)


# Texts


def test_a_text_becomes_a_choice(router: Router) -> None:
    choice = router.select("Which court reads this contract, and which statute?", category="law")
    assert choice.model == "cicero"
    assert choice.reason == "predicted"
    assert (choice.category, choice.category_source) == ("law", "given")
    assert set(choice.scores) == set(router.models) == set(MODELS)
    assert choice.scores["cicero"] > 0.6


def test_a_category_is_predicted_where_none_is_given(router: Router) -> None:
    choice = router.select("Which court reads this contract, and which statute?")
    assert (choice.model, choice.category, choice.category_source) == ("cicero", "law", "predicted")
    given = router.select("Which court reads this contract, and which statute?", category="law")
    assert given.scores == choice.scores


def test_an_explicit_other_counts_as_given(router: Router) -> None:
    for name in ("other", "astrology", "unknown"):
        choice = router.select("Which statute?", category=name)
        assert (choice.category, choice.category_source) == ("other", "given")
    assert router.select("Which statute?", category="Medicine").category == "health"
    assert router.select("Which statute?", category=" ").category_source == "predicted"


def test_the_choice_is_that_of_the_parts(router: Router) -> None:
    texts, categories = ["the enzyme of a cell", "a prime equation"], ["biology", "math"]
    embeddings = load_embedder("hash", dim=WIDTH).embed(texts)
    selector = router.artefact.selector
    scores = selector.scores(build_features(embeddings, categories))
    expected = choose(scores, selector.statistics, categories, objective=Objective(0.95))
    assert router.select_many(texts, categories) == expected
    assert router.select_many(None, categories, embeddings=embeddings) == expected


def test_one_and_many_agree(router: Router) -> None:
    texts = list(text_outcomes().queries[:40])
    categories = [None if number % 2 else "math" for number in range(40)]
    many = router.select_many(texts, categories)
    assert [router.select(text, category=name).model for text, name in zip(texts, categories, strict=True)] == [
        choice.model for choice in many
    ]
    assert [choice.category_source for choice in many[:4]] == ["given", "predicted", "given", "predicted"]
    assert router.select_many([]) == []


def test_many_threads_choose_what_one_does(router: Router) -> None:
    texts = list(text_outcomes().queries)
    expected = [router.select(text) for text in texts]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(router.select, texts)) == expected
        halves = list(threads.map(router.select_many, [texts[:60], texts[60:]] * 4))
    assert [choice.model for choice in halves[0] + halves[1]] == [choice.model for choice in expected]


@pytest.fixture(scope="module")
def unsure(tmp_path_factory: pytest.TempPathFactory) -> Router:
    """A router whose vectors tell the categories roughly."""
    generator = np.random.default_rng(4)
    outcomes = text_outcomes(600)
    topic = np.arange(600) % 3
    vectors = 0.6 * np.eye(3, DIM)[topic] + generator.standard_normal((600, DIM)) / np.sqrt(DIM)
    selector = train_selector("knn", build_features(vectors, outcomes.categories), outcomes)
    folder = tmp_path_factory.mktemp("unsure")
    save_selector(selector, folder, Fingerprint.external(DIM))
    return Router.load(folder, "knn")


def test_a_predicted_category_counts_by_its_probability(unsure: Router) -> None:
    selector = unsure.artefact.selector
    assert selector.classifier is not None
    assert selector.classifier.temperature > 0.0
    assert selector.prior is not None
    vectors = np.random.default_rng(5).standard_normal((200, DIM)).astype(np.float32)
    shares = selector.classifier.shares(vectors)
    prepared = unsure.prepare_vectors(vectors)
    np.testing.assert_array_equal(prepared.categories, shares)
    np.testing.assert_allclose(prepared.features[:, DIM:], shares[:, :14], atol=1e-7)
    many = unsure.select_many(embeddings=vectors)
    scores = np.array([[choice.scores[name] for name in MODELS] for choice in many])
    assert ((scores >= 0.0) & (scores <= 1.0)).all()
    prior = shares[:, :14] @ selector.prior.by_category
    residual = selector.predictor.predicted_residuals(prepared.features, prior)
    np.testing.assert_allclose(scores, np.clip(prior + selector.slope * residual, 0.0, 1.0), atol=1e-6)
    assert [choice.category for choice in many] == [list(CATEGORIES)[code] for code in shares.argmax(axis=1)]
    assert [unsure.select(embedding=vector) for vector in vectors] == many
    mixed = unsure.select_many(categories=["law", *[None] * 199], embeddings=vectors)
    assert mixed[1:] == many[1:]
    assert mixed[0] == unsure.select(embedding=vectors[0], category="law")


def test_an_explanation_names_the_probable_categories(unsure: Router) -> None:
    classifier = unsure.artefact.selector.classifier
    assert classifier is not None
    vectors = np.random.default_rng(5).standard_normal((200, DIM)).astype(np.float32)
    least_sure = vectors[classifier.shares(vectors).max(axis=1).argmin()][None]
    prepared = unsure.prepare_vectors(least_sure)
    explained = explain(unsure.artefact.selector, prepared.features, MODELS)
    assert re.match(r"Scores are the means of category (\w+ \(\d\d? %\), ){1,2}\w+ \(\d\d? %\)", explained.summary)


def test_without_a_classifier_a_query_is_other(tmp_path: Path) -> None:
    embedder = load_embedder("hash", dim=WIDTH)
    outcomes = text_outcomes(labelled=False)
    features = build_features(embedder.embed(outcomes.queries), ["other"] * 120)
    save_selector(train_selector("knn", features, outcomes, k=10), tmp_path, embedder.fingerprint)
    choice = Router.load(tmp_path).select("Which statute has the court?")
    assert (choice.model, choice.category, choice.category_source) == ("cicero", "other", None)


# Objective, candidates, default


def test_the_objective_is_the_artefacts_unless_said_otherwise(folder: Path, router: Router) -> None:
    text = "Which enzyme has the cell?"
    assert router.objective == Objective(0.95)
    usual = router.select(text)
    assert usual.model == "darwin"
    assert usual.utility != usual.quality
    assert router.select(text, objective=Objective(1.0)).utility == usual.quality
    assert router.select(text, objective=Objective(0.0)).model == "newton"  # the fastest
    quick = Router.load(folder, objective=Objective(0.0))
    assert quick.select(text).model == "newton"
    assert quick.select(text, objective=Objective(1.0)).model == "darwin"


@dataclass(frozen=True)
class Reference:
    model: str
    use_reasoning: bool = False
    lora_name: str | None = None


def test_candidates_and_default_go_through(router: Router) -> None:
    text = "Which enzyme has the cell?"
    assert router.select(text, candidates=["newton", "cicero"]).model in ("newton", "cicero")
    reference = Reference("darwin", use_reasoning=True)
    choice = router.select(text, candidates=["newton", reference, "galen"])
    assert choice.reference is reference
    assert choice.excluded == {"galen": "unknown"}
    fallback = router.select(text, candidates=["galen"], default="galen")
    assert (fallback.model, fallback.reason, fallback.category) == ("galen", "default", "biology")
    with pytest.raises(SelectionError, match="no candidate is known: offered galen; the artefact knows newton, cicero"):
        router.select(text, candidates=["galen"])
    assert {choice.model for choice in router.select_many([text] * 3, candidates=["cicero"])} == {"cicero"}


# Embedders


def test_another_embedder_is_refused(folder: Path) -> None:
    with pytest.raises(ArtefactError, match=r"trained with another embedder \(width: 64 against 32\)"):
        Router.load(folder, embedder=load_embedder("hash", dim=32))
    assert Router.load(folder, embedder=load_embedder("hash", dim=WIDTH)).select("a cell?").model == "darwin"


@dataclass(frozen=True)
class Foreign:
    """An embedder of somebody else, which says so."""

    fingerprint: Fingerprint

    @property
    def dim(self) -> int:
        return self.fingerprint.width

    def embed(self, texts: Any, *, progress: Any = None) -> Any:
        del progress
        return np.ones((len(texts), self.dim), dtype=np.float32)


def test_every_field_of_the_fingerprint_that_differs_is_named(folder: Path) -> None:
    foreign = Foreign(Fingerprint("mine", WIDTH, digest="abc", pooling="mean", prompt="query: "))
    with pytest.raises(ArtefactError) as caught:
        Router.load(folder, embedder=foreign)
    for field in ("digest", "pooling", "prompt"):
        assert f"{field}: " in str(caught.value)


def test_vectors_from_elsewhere_may_come_from_an_embedder_of_ones_own(folder: Path) -> None:
    own = Foreign(Fingerprint.external(WIDTH))
    assert Router.load(folder, embedder=own).select("anything").model in MODELS


def test_an_embedding_path_without_meaning_is_refused(folder: Path, external: Router, tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="the hash embedder has no path"):
        Router.load(folder, embedding_path=tmp_path)
    with pytest.raises(ArtefactError, match="an embedding path has no meaning here"):
        Router.load(external.artefact.path.parent, embedding_path=tmp_path)


def test_a_hash_of_another_version_is_refused(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "knn_model.json").read_text())
    content["vsr"]["embedder"]["digest"] = "hash-0"
    (tmp_path / "knn_model.json").write_text(json.dumps(content))
    with pytest.raises(EmbeddingError, match=r"not the one that was used for training \(digest: hash-0 against hash-"):
        Router.load(tmp_path)


def test_a_router_is_warm_when_it_is_loaded(folder: Path) -> None:
    embedder = load_embedder("hash", dim=WIDTH)
    asked: list[list[str]] = []

    class Watched:
        dim, fingerprint = embedder.dim, embedder.fingerprint

        def embed(self, texts: Sequence[str], *, progress: ProgressCallback | None = None) -> npt.NDArray[np.float32]:
            asked.append(list(texts))
            return embedder.embed(texts, progress=progress)

    Router.load(folder, embedder=Watched())
    assert [len(texts) for texts in asked] == [1]


def test_a_cache_that_would_hold_nothing_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="the hash embedder has no cache"):
        Router.load(folder, cache_dir=tmp_path)


# Vectors


def test_ready_vectors(external: Router, external_selector: TrainedSelector) -> None:
    assert external.embedder is None
    unseen = planted_pool(20, seed=1)
    categories = list(unseen.outcomes.categories)
    choices = external.select_many(categories=categories, embeddings=unseen.features[:, :DIM])
    expected = choose(external_selector.scores(unseen.features), external_selector.statistics, categories)
    assert [choice.model for choice in choices] == [choice.model for choice in expected]
    single = external.select(embedding=unseen.features[3, :DIM], category=categories[3])
    assert single.model == choices[3].model
    assert single.scores == pytest.approx(choices[3].scores, abs=1e-6)


def test_vectors_are_brought_to_unit_length(external: Router) -> None:
    vector = planted_pool(20, seed=1).features[3, :DIM]
    usual = external.select(embedding=vector)
    for same in (5.0 * vector, vector.tolist(), tuple(vector), vector.astype(np.float64)):
        assert external.select(embedding=same).scores == pytest.approx(usual.scores, abs=1e-6)


def test_a_ready_vector_serves_where_there_is_an_embedder_too(router: Router) -> None:
    text = "Which enzyme has the cell?"
    vector = load_embedder("hash", dim=WIDTH).embed([text])[0]
    assert router.select(embedding=vector) == router.select(text)


def test_vectors_that_do_not_fit_are_refused(external: Router) -> None:
    wrong: list[tuple[Any, str]] = [
        (np.ones(DIM + 1), f"17 dimensions; expected {DIM}"),
        ([math.nan] * DIM, "hold nan in row 0"),
        (np.ones((1, DIM)), "shape"),
        ([[1.0], [1.0, 2.0]], "no matrix of numbers"),
        (["a"] * DIM, "no matrix of numbers"),
    ]
    for vector, message in wrong:
        with pytest.raises(RecordError, match=message):
            external.select(embedding=vector)
    with pytest.raises(RecordError, match="shape"):
        external.select_many(embeddings=np.ones(DIM))


def test_texts_cannot_be_asked_where_no_embedder_is_known(external: Router) -> None:
    with pytest.raises(SelectionError, match=r"names no embedding model.* give the query's vector of 16 numbers"):
        external.select("What is it?")


def test_misuse_is_refused(router: Router) -> None:
    with pytest.raises(SelectionError, match="neither a query nor an embedding was given"):
        router.select()
    with pytest.raises(SelectionError, match="queries are one text; expected a list of texts"):
        router.select_many("What is it?")
    with pytest.raises(SelectionError, match="2 queries but 1 categories"):
        router.select_many(["a", "b"], ["math"])
    with pytest.raises(EmbeddingError):
        router.select(5)  # type: ignore[arg-type]
    with pytest.raises(ArtefactError, match="has no artefact of svm"):
        Router.load(router.artefact.path.parent, "svm")


def written_config(folder: Path, **selection: object) -> Path:
    path = folder.parent / f"{folder.name}-config.yaml"
    path.write_text(json.dumps({"model_selection": {"models_path": str(folder), **selection}}))
    return path


def test_a_configuration_leads_to_the_artefact(folder: Path) -> None:
    router = Router.from_config(written_config(folder, embedding_model="hash", embedding_dim=WIDTH))
    assert isinstance(router, Router)
    assert router.select("integral equation", category="math").model == "newton"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"embedding_model": "bert"}, "was trained with embedding_model hash, but the configuration says bert"),
        ({"embedding_dim": 128}, f"was trained with embedding_dim {WIDTH}, but the configuration says 128"),
    ],
)
def test_a_configuration_that_contradicts_the_artefact_is_refused(
    folder: Path, selection: dict[str, object], message: str
) -> None:
    with pytest.raises(ArtefactError, match=message):
        Router.from_config(written_config(folder, **selection))


@pytest.mark.parametrize("selection", [{"embedding_model": "bert"}, {"embedding_dim": 128}])
def test_the_configuration_is_compared_before_weights_are_loaded(
    folder: Path, selection: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_arguments: object, **_options: object) -> None:
        raise AssertionError("the embedder was loaded")

    monkeypatch.setattr("vsr.routing.router.load_from_fingerprint", never)
    with pytest.raises(ArtefactError, match="but the configuration says"):
        Router.from_config(written_config(folder, **selection))


@pytest.mark.parametrize("method", ["select", "select_many"])
def test_every_router_takes_the_same_arguments(method: str) -> None:
    assert inspect.signature(getattr(Router, method)) == inspect.signature(getattr(DisabledRouter, method))


def test_a_misspelt_argument_is_an_error_of_every_router(folder: Path, router: Router) -> None:
    off = Router.from_config(written_config(folder, enabled=False), default="cicero")
    for each in (router, off):
        with pytest.raises(TypeError, match="candidate"):
            each.select("integral", candidate=["newton"])  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="category"):
            each.select_many(["integral"], category=["math"])  # type: ignore[call-arg]
        for wrong, message in (
            ({}, "neither a query nor an embedding"),
            ({"query": "a", "embedding": [0.0] * WIDTH}, "a query and an embedding were given"),
        ):
            with pytest.raises(SelectionError, match=message):
                each.select(**wrong)  # type: ignore[arg-type]
        with pytest.raises(SelectionError, match="2 queries but 1 embeddings"):
            each.select_many(["a", "b"], embeddings=np.ones((1, WIDTH)))


def test_a_disabled_selection_answers_with_the_default(folder: Path) -> None:
    path = written_config(folder, enabled=False)
    router = Router.from_config(path, default="cicero")
    choice = router.select("integral equation", category="math", candidates=["newton"])
    assert (choice.model, choice.reason, choice.quality) == ("cicero", "default", None)
    assert [choice.model for choice in router.select_many(["a", "b"], default="darwin")] == ["darwin"] * 2
    with pytest.raises(SelectionError, match="disabled"):
        Router.from_config(path).select("a")


def test_one_variable_limits_all_threads_of_a_gateway(folder: Path) -> None:
    program = (
        "import sys, threadpoolctl, vsr; from vsr import _core; vsr.Router.load(sys.argv[1]); "
        "print(_core.n_threads(), max(p['num_threads'] for p in threadpoolctl.threadpool_info()))"
    )
    environment = os.environ | {"VSR_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, str(folder)]
    assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout == "1 1\n"
