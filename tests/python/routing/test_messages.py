"""Conversations in the place of a text."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from routing.subjects import MODELS, WIDTH, text_outcomes
from vsr.choice import Limits, Objective
from vsr.embedding import load_embedder
from vsr.errors import ArtefactError, SelectionError
from vsr.features import build_features
from vsr.persistence import save_selector
from vsr.routing import Router
from vsr.routing.decisions import DecisionRouter
from vsr.routing.messages import TextOf, text_of
from vsr.training.trainer import train_selector

LAW = "Which court reads this contract, and which statute?"
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TALK = [
    {"role": "system", "content": "Which enzyme is in the membrane of a cell?"},
    {"role": "user", "content": "Which prime solves the equation of this triangle?"},
    {"role": "assistant", "content": "7"},
    {"role": "user", "content": [{"type": "text", "text": LAW}]},
]
SEEN = [*TALK[:3], {"role": "user", "content": [{"type": "text", "text": LAW}, PICTURE]}]


def trained(folder: Path, text: str = "last", algorithm: str = "knn") -> Path:
    embedder = load_embedder("hash", dim=WIDTH)
    outcomes = text_outcomes()
    features = build_features(embedder.embed(outcomes.queries), outcomes.categories)
    save_selector(train_selector(algorithm, features, outcomes), folder, replace(embedder.fingerprint, text=text))
    return folder


@pytest.mark.parametrize("which", ["last", "users", "all"])
def test_the_text_of_the_training_is_embedded(tmp_path: Path, which: TextOf) -> None:
    router = Router.load(trained(tmp_path, which))
    choice = router.select(messages=TALK)
    assert choice == router.select(text_of(TALK, which))
    others = [text_of(TALK, other) for other in ("last", "users", "all") if other != which]
    assert all(choice.scores != router.select(text).scores for text in others)


def test_old_artefacts_were_trained_on_the_last_text(tmp_path: Path) -> None:
    path = trained(tmp_path) / "knn_model.json"
    content = path.read_text()
    assert '"text": "last"' in content
    path.write_text(content.replace(',\n      "text": "last"', ""))
    assert '"text": "last"' not in path.read_text()
    router = Router.load(tmp_path)
    assert router.select(messages=TALK) == router.select(LAW)
    path.write_text(content.replace('"text": "last"', '"text": "first"'))
    with pytest.raises(ArtefactError, match="was trained on the text 'first' of conversations"):
        Router.load(tmp_path)


def test_one_of_text_messages_and_vector(tmp_path: Path) -> None:
    router = Router.load(trained(tmp_path))
    with pytest.raises(SelectionError, match="a query and messages were given"):
        router.select(LAW, messages=TALK)
    with pytest.raises(SelectionError, match="messages and an embedding were given"):
        router.select(messages=TALK, embedding=[1.0] * WIDTH)
    for wrong in ([], "hello", [{"role": "system", "content": "hello"}]):
        with pytest.raises(SelectionError, match="messages"):
            router.select(messages=wrong)  # type: ignore[arg-type]


def configured(folder: Path, path: Path, **more: Any) -> Any:
    models = {
        "newton": {"capabilities": ["vision"]},
        "cicero": {"pricing": {"prompt_per_1m": 1.0, "completion_per_1m": 2.0}},
        "darwin": {"capabilities": ["vision", "tools"]},
    }
    document = {"model_selection": {"models_path": str(folder)}, "model_config": models} | more
    (path / "c.yaml").write_text(yaml.safe_dump(document))
    return Router.from_config(path / "c.yaml", objective=Objective(1.0))


def test_an_image_needs_a_model_that_can_see(tmp_path: Path) -> None:
    folder = trained(tmp_path)
    router = configured(folder, tmp_path)
    assert (router.select(messages=TALK).model, router.select(messages=TALK).excluded) == ("cicero", {})
    seen = router.select(messages=SEEN)
    assert seen.model in {"newton", "darwin"}
    assert seen.excluded == {"cicero": "no vision"}
    # Nobody says what the models of a bare artefact can do.
    assert Router.load(folder, objective=Objective(1.0)).select(messages=SEEN).model == "cicero"
    blind = router.select(messages=SEEN, candidates=["cicero"])
    assert (blind.model, blind.reason, blind.excluded) == ("cicero", "relaxed", {"cicero": "no vision"})
    with pytest.raises(SelectionError, match=r"cicero: no vision"):
        router.select(messages=SEEN, candidates=["cicero"], limits=Limits(nobody_left="error"))


def test_decisions_read_messages_too(tmp_path: Path) -> None:
    decisions = [
        {"name": "law", "priority": 1, "rules": {"type": "domain", "name": "law"}, "modelRefs": [{"model": "cicero"}]},
        {"name": "rest", "modelRefs": [{"model": model} for model in MODELS]},
    ]
    router = configured(trained(tmp_path), tmp_path, decisions=decisions)
    assert router.select(messages=SEEN, category="biology").excluded == {"cicero": "no vision"}
    assert router.select(messages=TALK) == router.select(LAW)
    only = router.select(messages=SEEN, category="law")
    assert (only.decision, only.reason, only.excluded) == ("law", "relaxed", {"cicero": "no vision"})


def test_routers_of_other_texts_do_not_share_an_embedder(tmp_path: Path) -> None:
    one, two = Router.load(trained(tmp_path / "a")), Router.load(trained(tmp_path / "b", "users", "kmeans"))
    with pytest.raises(ArtefactError, match="train both in one run"):
        DecisionRouter(
            configured(
                tmp_path / "a",
                tmp_path,
                decisions=[{"name": "all", "modelRefs": [{"model": model} for model in MODELS]}],
            ).config,
            {"knn": one, "kmeans": two},
        )


def test_the_tokens_of_a_request_are_counted_or_refused(tmp_path: Path) -> None:
    router = configured(trained(tmp_path), tmp_path)
    assert router.select(LAW, input_tokens=1000).model == "cicero"
    for wrong in (-1, 1.5, "many"):
        with pytest.raises(SelectionError, match="input_tokens is"):
            router.select(LAW, input_tokens=wrong)  # type: ignore[arg-type]
