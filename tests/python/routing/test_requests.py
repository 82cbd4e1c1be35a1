"""What a request may set: limits, the model before, and a text that comes again."""

import json
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from routing.subjects import LAW, MODELS, WIDTH, text_outcomes
from vsr.choice import Exploration, Limits, Objective
from vsr.embedding import Embedder, ProgressCallback, load_embedder
from vsr.errors import ArtefactError, SelectionError
from vsr.features import build_features
from vsr.persistence import save_selector
from vsr.routing import DisabledRouter, Request, Router
from vsr.training.trainer import train_selector


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    embedder = load_embedder("hash", dim=WIDTH)
    outcomes = text_outcomes()
    features = build_features(embedder.embed(outcomes.queries), outcomes.categories)
    save_selector(train_selector("knn", features, outcomes, k=10), made, embedder.fingerprint)
    return made


class Counting:
    """An embedder that notes what it is asked for."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.dim, self.fingerprint = embedder.dim, embedder.fingerprint
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, progress: ProgressCallback | None = None) -> npt.NDArray[np.float32]:
        self.asked += texts
        return self._embedder.embed(texts, progress=progress)


def counting(folder: Path, **options: Any) -> tuple[Router, Counting]:
    embedder = Counting(load_embedder("hash", dim=WIDTH))
    router = Router.load(folder, embedder=embedder, **options)
    embedder.asked.clear()
    return router, embedder


# A text that comes again


def test_a_repeated_text_is_embedded_once(folder: Path) -> None:
    router, embedder = counting(folder)
    fresh = Router.load(folder, query_cache=0)
    texts = ["a cell", "a court", "a cell", "a prime", "a court"]
    many = router.select_many(texts)
    assert embedder.asked == ["a cell", "a court", "a prime"]
    assert many == fresh.select_many(texts)
    assert [router.select(text) for text in texts] == [fresh.select(text) for text in texts]
    assert router.select_many(["a prime", "new", "a cell"]) == fresh.select_many(["a prime", "new", "a cell"])
    assert embedder.asked == ["a cell", "a court", "a prime", "new"]


def test_the_least_recently_used_text_is_forgotten(folder: Path) -> None:
    router, embedder = counting(folder, query_cache=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        router.select(text)
    assert embedder.asked == ["b", "c", "b"]  # `a` was known from the warm-up
    router.select_many(["x", "y", "z"])
    router.select_many(["y", "z"])
    assert embedder.asked == ["b", "c", "b", "x", "y", "z"]


def test_without_a_cache_every_text_is_embedded(folder: Path) -> None:
    router, embedder = counting(folder, query_cache=0)
    router.select_many(["x", "x"])
    router.select("x")
    assert embedder.asked == ["x"] * 3
    for wrong, message in ((-1, "query_cache is -1"), (1.5, "query_cache is 1.5"), ("a", "query_cache is 'a'")):
        with pytest.raises(SelectionError, match=message):
            Router.load(folder, query_cache=wrong)  # type: ignore[arg-type]


def test_of_long_texts_the_vectors_are_kept_alone(folder: Path) -> None:
    router, embedder = counting(folder, query_cache=10)
    long = "a court " * 2_000
    for text in (long, long, "short", "short"):
        router.select(text)
    assert embedder.asked == [long, "short"]
    assert all(len(key) < 100 for key in router._vectors._kept)


def test_many_threads_share_the_cache(folder: Path) -> None:
    router = Router.load(folder, query_cache=20)
    texts = [f"which court {number % 30}" for number in range(600)]
    expected = [choice.model for choice in Router.load(folder, query_cache=0).select_many(texts)]
    start = threading.Barrier(8)

    def choose(offset: int) -> list[str]:
        start.wait()
        turned = texts[offset:] + texts[:offset]
        found = [router.select(text).model for text in turned]
        return found[-offset:] + found[:-offset] if offset else found

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(choose, range(0, 80, 10))) == [expected] * 8


# Limits and the model before


def test_limits_and_the_model_before_go_through(folder: Path) -> None:
    router = Router.load(folder, objective=Objective(1.0))
    assert router.select(LAW).model == "cicero"
    limited = router.select(LAW, limits=Limits(max_latency_s=1.5))
    assert (limited.model, set(limited.excluded)) == ("newton", {"cicero", "darwin"})
    many = router.select_many([LAW, "an enzyme"], limits=Limits(max_latency_s=2.5))
    assert many[0].model == "cicero"
    assert [set(choice.excluded) for choice in many] == [{"darwin"}] * 2
    sticky = Objective(1.0, switch_margin=1.0)
    assert router.select(LAW, previous="newton", objective=sticky).reason == "stayed"
    assert router.select(LAW, previous="newton").model == "cicero"
    with pytest.raises(SelectionError, match=r"limits is 5; expected vsr\.Limits"):
        router.select(LAW, limits=5)  # type: ignore[arg-type]
    with pytest.raises(SelectionError, match="previous is 5; expected the name of a model"):
        router.select(LAW, previous=5)  # type: ignore[arg-type]


def test_exploration_goes_through_and_is_off_by_default(folder: Path) -> None:
    router = Router.load(folder)
    assert {router.select(LAW).propensity for _ in range(20)} == {1.0}
    always = Exploration(1.0, margin=2.0, uniform=random.Random(0).random)
    choices = [router.select(LAW, explore=always) for _ in range(60)]
    assert {choice.model for choice in choices} == set(MODELS)
    assert {choice.propensity for choice in choices} == {1 / 3}
    assert all((choice.reason == "explored") == (choice.model != "cicero") for choice in choices)
    assert router.select(LAW, explore=always, candidates=["newton"]).propensity == 1.0
    assert router.select(LAW, explore=always, previous="cicero").model == "cicero"
    assert router.select(LAW, explore=0.0) == router.select(LAW)
    with pytest.raises(SelectionError, match="explore is 2"):
        router.select(LAW, explore=2)
    with pytest.raises(SelectionError, match="request_id is 5; expected a text"):
        router.select(LAW, request_id=5)  # type: ignore[arg-type]


def configured(folder: Path, path: Path, **more: Any) -> Router:
    models = {
        "newton": {"capabilities": ["vision"], "context_window_size": 8000},
        "cicero": {"pricing": {"prompt_per_1m": 1.0, "completion_per_1m": 2.0}},
        "darwin": {"context_tokens": 100_000, "capabilities": ["vision", "tools"]},
    }
    document = {"model_selection": {"models_path": str(folder)}, "model_config": models} | more
    (path / "c.yaml").write_text(yaml.safe_dump(document))
    return Router.from_config(path / "c.yaml")  # type: ignore[return-value]


def test_the_configuration_says_what_models_can(folder: Path, tmp_path: Path) -> None:
    router = configured(folder, tmp_path)
    choice = router.select(LAW, limits=Limits(capabilities=["vision"], context_tokens=9000))
    assert (choice.model, choice.excluded) == (
        "darwin",
        {"newton": "context 8,000 < 9,000 tokens", "cicero": "no vision, context not known"},
    )


DECISIONS: list[dict[str, Any]] = [
    {"name": "law", "rules": {"type": "domain", "name": "law"}, "modelRefs": [{"model": "cicero"}]},
    {"name": "rest", "priority": -1, "modelRefs": [{"model": model} for model in MODELS]},
]


def test_limits_hold_in_a_decision_with_one_model_too(folder: Path, tmp_path: Path) -> None:
    router = configured(folder, tmp_path, decisions=DECISIONS)
    can_see = Limits(capabilities=["vision"])
    relaxed = router.select(LAW, category="law", limits=can_see)
    assert (relaxed.model, relaxed.reason, relaxed.excluded) == ("cicero", "relaxed", {"cicero": "no vision"})
    assert relaxed.decision == "law"
    meets = router.select(LAW, category="law", limits=Limits(max_latency_s=10.0))
    assert (meets.model, meets.reason, meets.excluded) == ("cicero", "single_candidate", {})
    seen = router.select(LAW, category="math", limits=can_see)
    assert (seen.decision, seen.excluded) == ("rest", {"cicero": "no vision"})
    with pytest.raises(SelectionError, match=r"no candidate meets the limits \(cicero: no vision\)"):
        router.select(LAW, category="law", limits=Limits(capabilities=["vision"], nobody_left="error"))
    default = router.select(
        LAW, category="law", limits=Limits(capabilities=["vision"], nobody_left="default"), default="darwin"
    )
    assert (default.model, default.reason, default.excluded) == ("darwin", "default", {"cicero": "no vision"})


def test_limits_hold_where_no_artefact_is_needed(tmp_path: Path) -> None:
    router = configured(tmp_path / "none", tmp_path, decisions=[DECISIONS[0] | {"rules": None}], default_model="newton")
    relaxed = router.select(LAW, limits=Limits(capabilities=["vision"]))
    assert (relaxed.model, relaxed.reason, relaxed.excluded) == ("cicero", "relaxed", {"cicero": "no vision"})
    default = router.select(LAW, limits=Limits(capabilities=["vision"], nobody_left="default"))
    assert (default.model, default.reason) == ("newton", "default")
    with pytest.raises(SelectionError, match="no candidate meets the limits"):
        router.select(LAW, limits=Limits(min_quality=0.1, nobody_left="error"))
    assert router.select(LAW).reason == "single_candidate"


# Messages

TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You know about prime numbers and integrals."},
    {"role": "user", "content": "Solve the equation of a triangle."},
    {"role": "assistant", "content": "Gladly."},
    {"role": "user", "content": [{"type": "text", "text": LAW}]},
]
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}


def test_of_messages_the_last_of_the_user_is_embedded(folder: Path) -> None:
    router, embedder = counting(folder)
    assert router.select(messages=TALK) == router.select(LAW)
    assert embedder.asked == [LAW]
    assert router.select_many([TALK, LAW, "an enzyme"]) == router.select_many([LAW, LAW, "an enzyme"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("last", LAW),
        ("users", f"Solve the equation of a triangle.\n\n{LAW}"),
        ("all", f"{TALK[0]['content']}\n\nSolve the equation of a triangle.\n\nGladly.\n\n{LAW}"),
    ],
)
def test_the_artefact_says_which_text_is_embedded(text: str, expected: str, folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "knn_model.json").read_text())
    content["vsr"]["embedder"]["text"] = text
    (tmp_path / "knn_model.json").write_text(json.dumps(content))
    router, embedder = counting(tmp_path)
    router.select(messages=TALK)
    assert embedder.asked == [expected]


def test_a_text_that_nobody_knows_is_refused(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "knn_model.json").read_text())
    content["vsr"]["embedder"]["text"] = "first"
    (tmp_path / "knn_model.json").write_text(json.dumps(content))
    with pytest.raises(ArtefactError, match="was trained on the text 'first' of conversations, not last, users, all"):
        Router.load(tmp_path)


def test_images_need_a_model_that_can_see(folder: Path, tmp_path: Path) -> None:
    with_image = [*TALK[:-1], {"role": "user", "content": [{"type": "text", "text": LAW}, IMAGE]}]
    router = configured(folder, tmp_path)
    seen = router.select(messages=with_image)
    assert seen.excluded == {"cicero": "no vision"}
    assert seen.model in ("newton", "darwin")
    assert router.select(messages=TALK).excluded == {}
    blind = Router.load(folder).select(messages=with_image)  # no configuration says that anybody can
    assert (blind.model, blind.reason, len(blind.excluded)) == ("cicero", "relaxed", 3)


def test_messages_go_to_decisions_and_to_a_disabled_router(folder: Path, tmp_path: Path) -> None:
    router = configured(folder, tmp_path, decisions=DECISIONS)
    assert router.select(messages=TALK, category="law").decision == "law"
    assert router.select(messages=TALK).decision == "law"
    with_image = [{"role": "user", "content": [IMAGE, {"type": "text", "text": LAW}]}]
    assert router.select(messages=with_image, category="law").reason == "relaxed"
    assert DisabledRouter("somebody").select(messages=TALK).model == "somebody"


def test_messages_that_cannot_be_are_refused(folder: Path) -> None:
    router = Router.load(folder)
    with pytest.raises(SelectionError, match="a query and messages were given; expected one of them"):
        router.select(LAW, messages=TALK)
    with pytest.raises(SelectionError, match="messages are 'hello'"):
        router.select(messages="hello")  # type: ignore[arg-type]
    with pytest.raises(SelectionError, match="query 0 is blank"):
        router.select(messages=[{"role": "user", "content": [IMAGE]}])


def test_the_tokens_of_a_request_are_counted_or_refused(folder: Path, tmp_path: Path) -> None:
    router = configured(folder, tmp_path)
    (choice,) = router.route([Request(LAW, input_tokens=1000)])
    assert choice == router.select(LAW)
    for wrong in (-1, 1.5, "many"):
        with pytest.raises(SelectionError, match="input_tokens is"):
            router.route([Request(LAW, input_tokens=wrong)])  # type: ignore[arg-type]
