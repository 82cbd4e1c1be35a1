"""Queries to decisions, decisions to their models: every choice against a plain reading of the configuration."""

import itertools
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from routing.subjects import MODELS, TOPICS, WIDTH, text_outcomes
from vsr.embedding import load_embedder
from vsr.errors import ArtefactError, SelectionError
from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
from vsr.persistence import find_artefacts
from vsr.routing import DecisionRouter, Request, Router

ADAPTER = "newton-lora"
CONFIGS = Path(__file__).parents[3] / "configs"

DECISIONS: list[dict[str, Any]] = [
    {
        "name": "general",
        "priority": 1,
        "rules": {"operator": "NOT", "conditions": [{"type": "domain", "name": "biology"}]},
        "modelRefs": [{"model": model} for model in MODELS],
    },
    {
        "name": "urgent science",
        "priority": 50,
        "rules": {
            "operator": "AND",
            "conditions": [
                {"type": "keyword", "name": "urgent"},
                {"operator": "OR", "conditions": [{"type": "domain", "name": n} for n in ("math", "biology")]},
            ],
        },
        "algorithm": {"type": "kmeans"},
        "modelRefs": [{"model": "newton"}, {"model": "darwin", "use_reasoning": True}],
    },
    {
        "name": "law",
        "priority": 40,
        "rules": {"operator": "OR", "conditions": [{"type": "domain", "name": "Law"}]},
        "algorithm": {"type": "knn"},
        "modelRefs": [{"model": "cicero", "use_reasoning": False}, {"model": "newton"}],
    },
    {
        "name": "law in French",
        "priority": 40,  # as high as the one before, and behind it in the file: never reached
        "rules": {"operator": "AND", "conditions": [{"type": "domain", "name": "law"}]},
        "modelRefs": [{"model": "darwin"}],
    },
    {
        "name": "quiet math",
        "priority": 30,
        "rules": {
            "operator": "AND",
            "conditions": [
                {"type": "domain", "name": "math"},
                {"operator": "NOT", "conditions": [{"type": "keyword", "name": "urgent"}]},
            ],
        },
        "algorithm": {"type": "matrix_factorization"},
        "modelRefs": [{"model": "newton", "lora_name": ADAPTER}, {"model": "cicero"}],
    },
    {
        "name": "Spanish",
        "priority": 90,
        "rules": {"operator": "OR", "conditions": [{"type": "language", "name": "es"}]},
        "modelRefs": [{"model": "cicero"}],
    },
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("models")
    embedder = load_embedder("hash", dim=WIDTH)
    outcomes = text_outcomes()
    settings = TrainingSettings(algorithms=("knn", "kmeans", "matrix_factorization"), splits=1)
    compare_and_train(outcomes, embedder.embed(outcomes.queries), embedder.fingerprint, made, settings)
    return made


def written(folder: Path, decisions: list[dict[str, Any]], **more: Any) -> Path:
    path = folder.parent / "router.yaml"
    entry: dict[str, Any] = {}
    document = {
        "model_selection": {"models_path": str(folder)},
        "model_config": dict.fromkeys(MODELS, entry),
        "decisions": decisions,
    }
    path.write_text(yaml.safe_dump(document | more, sort_keys=False))
    return path


def expected_decision(category: str, urgent: bool, spanish: bool) -> str | None:
    """Read the configuration above as a person would."""
    if spanish:
        return "Spanish"
    if urgent and category in ("math", "biology"):
        return "urgent science"
    if category == "law":
        return "law"
    if category == "math":
        return "quiet math"
    return "general" if category != "biology" else None


def requests(n: int) -> tuple[list[Request], list[str | None]]:
    generator = np.random.default_rng(1)
    asked, expected = [], []
    for number in range(n):
        category = (*TOPICS, "history")[number % 4]
        words = TOPICS.get(category, ("battle", "king", "treaty"))
        urgent, spanish = generator.random(2) < (0.4, 0.1)
        signals = {"keyword": ["urgent"] if urgent else [], "language": ["es"] if spanish else ["en"]}
        text = f"What is the {' '.join(generator.permutation(words)[:3])} number {number}?"
        asked.append(Request(text, category, signals))
        expected.append(expected_decision(category, bool(urgent), bool(spanish)))
    return asked, expected


def test_every_choice_follows_a_plain_reading_of_the_rules(folder: Path) -> None:
    router = Router.from_config(written(folder, DECISIONS))
    assert isinstance(router, DecisionRouter)
    asked, expected = requests(500)
    choices = router.route(asked)
    assert [choice.decision for choice in choices] == expected
    assert set(expected) == {"general", "urgent science", "law", "quiet math", "Spanish", None}
    references = {each["name"]: each["modelRefs"] for each in DECISIONS}
    alone = {name: Router.load(folder, name) for name in ("recommended", "knn", "kmeans", "matrix_factorization")}
    algorithms = {each["name"]: each.get("algorithm", {}).get("type", "recommended") for each in DECISIONS}
    for request, choice in zip(asked, choices, strict=True):
        offered = references.get(choice.decision or "", [{"model": model} for model in MODELS])
        assert choice.model in {one.get("lora_name", one["model"]) for one in offered}
        if choice.decision is not None:
            chosen = next(one for one in offered if one.get("lora_name", one["model"]) == choice.model)
            assert choice.reference.use_reasoning == chosen.get("use_reasoning")  # type: ignore[union-attr]
            assert choice.reference.lora_name == chosen.get("lora_name")  # type: ignore[union-attr]
        if choice.decision == "Spanish":
            assert (choice.model, choice.reason, choice.scores) == ("cicero", "single_candidate", {})
            continue
        same = alone[algorithms.get(choice.decision or "", "recommended")].select(
            request.query, category=request.category, candidates=offered
        )
        assert (choice.model, choice.ranking) == (same.model, same.ranking)
        assert choice.scores == pytest.approx(same.scores)  # many at once: another order of sums


def test_one_at_a_time_is_the_same_as_many(folder: Path) -> None:
    router = Router.from_config(written(folder, DECISIONS))
    asked, _ = requests(40)
    many = router.route(asked)
    for request, choice in zip(asked, many, strict=True):
        alone = router.select(request.query, category=request.category, signals=request.signals)
        assert (alone.model, alone.decision, alone.reason) == (choice.model, choice.decision, choice.reason)


def test_a_category_is_predicted_where_the_rules_need_it(folder: Path) -> None:
    router = Router.from_config(written(folder, DECISIONS))
    choice = router.select(
        "Which court reads this contract, and which statute?", signals={"keyword": [], "language": []}
    )
    assert (choice.decision, choice.category, choice.category_source) == ("law", "law", "predicted")


def test_one_model_is_chosen_without_reading_the_text(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router.from_config(written(folder, DECISIONS))
    assert isinstance(router, DecisionRouter)

    def refuse(*_: object) -> None:
        raise AssertionError("the text was embedded")

    for each in router.routers.values():
        monkeypatch.setattr(each.embedder, "embed", refuse)
    choice = router.select("hola", signals={"language": ["es"], "keyword": []})
    assert (choice.model, choice.category, choice.decision) == ("cicero", None, "Spanish")


def test_no_folder_is_needed_where_no_decision_has_a_choice(tmp_path: Path) -> None:
    single = [{"name": "all", "rules": {"conditions": []}, "modelRefs": [{"model": "cicero"}]}]
    router = Router.from_config(written(tmp_path / "none", single, default_model="cicero"))
    assert router.select("anything").decision == "all"


def test_the_default_model_answers_where_no_decision_holds(folder: Path) -> None:
    path = written(folder, DECISIONS, default_model="darwin")
    signals = {"keyword": ["calm"], "language": ["en"]}
    choice = Router.from_config(path).select("Which enzyme?", category="biology", signals=signals)
    assert (choice.model, choice.reason, choice.decision) == ("darwin", "default", None)
    without = Router.from_config(written(folder, DECISIONS)).select(
        "Which enzyme?", category="biology", signals=signals
    )
    assert (without.reason, set(without.scores)) == ("predicted", set(MODELS))


def test_candidates_of_a_request_narrow_those_of_the_decision(folder: Path) -> None:
    router = Router.from_config(written(folder, DECISIONS))
    choice = router.select("Which court?", category="law", candidates=["newton", "darwin"])
    assert (choice.model, choice.reason, choice.decision) == ("newton", "single_candidate", "law")
    with pytest.raises(SelectionError, match="no candidate is known"):
        router.select("Which court?", category="law", candidates=["darwin"])
    assert router.select("Which court?", category="law", candidates=["darwin"], default="cicero").model == "cicero"


def test_what_no_request_says_is_named_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        router = Router.from_config(written(folder, DECISIONS))
        half = router.select("Which court?", category="law", signals={"keyword": ["calm"]})
        none = [router.select("Which court?", category="law") for _ in range(3)]
        both = router.select("Which court?", category="law", signals={"keyword": [], "language": []})
    assert half.missing_signals == ("language",)
    assert {choice.missing_signals for choice in none} == {("keyword", "language")}
    assert both.missing_signals == ()
    said = [record.getMessage() for record in caplog.records]
    assert ["rules ask about language," in said[0], "rules ask about keyword," in said[1], len(said)] == [True, True, 2]


def test_a_batch_is_embedded_once_for_all_decisions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router.from_config(written(folder, DECISIONS), query_cache=0)
    assert isinstance(router, DecisionRouter)
    (embedder,) = {id(each.embedder): each.embedder for each in router.routers.values()}.values()
    assert embedder is not None
    calls: list[int] = []
    embed = embedder.embed

    def counted(texts: Any, **options: Any) -> Any:
        calls.append(len(texts))
        return embed(texts, **options)

    monkeypatch.setattr(type(embedder), "embed", lambda _self, texts, **options: counted(texts, **options))
    asked, expected = requests(60)
    choices = router.route(asked)
    assert calls == [sum(name != "Spanish" for name in expected)]
    assert len({choice.decision for choice in choices}) > 4


def test_candidates_for_which_no_decision_holds_are_compared_all_the_same(folder: Path) -> None:
    """A default model and rules without domains: the recommended artefact is not among those that are needed."""
    named = [
        {
            "name": "urgent",
            "rules": {"type": "keyword", "name": "urgent"},
            "algorithm": {"type": "knn"},
            "modelRefs": [{"model": "newton"}, {"model": "cicero"}],
        }
    ]
    router = Router.from_config(written(folder, named, default_model="darwin"))
    assert isinstance(router, DecisionRouter)
    assert list(router.routers) == ["knn"]
    assert router.select("Which court?", category="law", signals={"keyword": []}).model == "darwin"
    choice = router.select("Which court?", category="law", candidates=["cicero", "newton"])
    assert (choice.model, choice.decision, choice.reason) == ("cicero", None, "predicted")


def test_without_artefacts_what_is_not_on_offer_is_an_error_or_the_default(tmp_path: Path) -> None:
    single = [{"name": "all", "modelRefs": [{"model": "cicero"}]}]
    router = Router.from_config(written(tmp_path / "none", single, default_model="newton"))
    assert router.select("anything", candidates=["darwin"]).model == "newton"
    keyword = [single[0] | {"rules": {"type": "keyword", "name": "x"}}]
    router = Router.from_config(written(tmp_path / "none", keyword, default_model="newton"))
    with pytest.raises(SelectionError, match="none of the candidates"):
        DecisionRouter(router.config.model_copy(update={"default_model": None}), {}).select("a", candidates=["darwin"])  # type: ignore[attr-defined]


def test_an_algorithm_that_was_not_trained_is_an_error(folder: Path) -> None:
    decision = DECISIONS[2] | {"algorithm": {"type": "svm"}}
    with pytest.raises(ArtefactError, match="no artefact of svm"):
        Router.from_config(written(folder, [decision]))


def test_another_algorithm_takes_the_place_of_all(folder: Path) -> None:
    router = Router.from_config(written(folder, DECISIONS), "kmeans")
    assert isinstance(router, DecisionRouter)
    assert list(router.routers) == ["kmeans"]


@pytest.mark.parametrize("signals", [5, {"keyword": "urgent"}, {"keyword": [1]}, ["urgent"]])
def test_signals_of_another_form_are_refused(folder: Path, signals: Any) -> None:
    router = Router.from_config(written(folder, DECISIONS))
    with pytest.raises(SelectionError, match="signals"):
        router.select("a", category="law", signals=signals)


def test_artefacts_of_two_trainings_cannot_share_a_router(folder: Path, tmp_path: Path) -> None:
    embedder = load_embedder("hash", dim=32)
    outcomes = text_outcomes(60)
    settings = TrainingSettings(algorithms=("knn",), splits=1)
    compare_and_train(outcomes, embedder.embed(outcomes.queries), embedder.fingerprint, tmp_path, settings)
    router = Router.from_config(written(folder, DECISIONS))
    assert isinstance(router, DecisionRouter)
    with pytest.raises(ArtefactError, match="another embedding model or layout"):
        DecisionRouter(router.config, {"recommended": Router.load(folder), "knn": Router.load(tmp_path, "knn")})
    assert len(find_artefacts(folder)) == 4


def test_ready_vectors_take_the_place_of_texts(folder: Path) -> None:
    router = Router.from_config(written(folder, DECISIONS))
    asked, _ = requests(20)
    vectors = load_embedder("hash", dim=WIDTH).embed([request.query or "" for request in asked])
    ready = [
        Request(None, request.category, request.signals, embedding=vector)
        for request, vector in zip(asked, vectors, strict=True)
    ]
    mixed = [pair[number % 2] for number, pair in enumerate(zip(asked, ready, strict=True))]
    expected = [choice.model for choice in router.route(asked)]
    assert [choice.model for choice in router.route(ready)] == expected
    assert [choice.model for choice in router.route(mixed)] == expected


def test_the_example_of_the_repository_routes(tmp_path: Path) -> None:
    """The decisions of `configs/decisions.yaml`, on artefacts that were trained for its models."""
    document = yaml.safe_load((CONFIGS / "decisions.yaml").read_text())
    names = list(document["model_config"])
    outcomes = text_outcomes(120)
    embedder = load_embedder("hash", dim=WIDTH)
    pool = type(outcomes)(
        queries=outcomes.queries,
        categories=outcomes.categories,
        models=names,
        quality=np.random.default_rng(0).random((120, len(names))),
    )
    algorithms = {each["algorithm"]["type"] for each in document["decisions"] if "algorithm" in each}
    settings = TrainingSettings(algorithms=tuple(sorted(algorithms)), splits=1)
    compare_and_train(pool, embedder.embed(pool.queries), embedder.fingerprint, tmp_path, settings)
    document["model_selection"] = {"models_path": str(tmp_path)}
    path = tmp_path / "decisions.yaml"
    path.write_text(yaml.safe_dump(document))
    router = Router.from_config(path)
    by_domain = {
        condition["name"]: each
        for each in sorted(document["decisions"], key=lambda each: each["priority"])
        for condition in each["rules"]["conditions"]
    }
    assert len(by_domain) > 5
    for domain, decision in itertools.islice(by_domain.items(), 14):
        choice = router.select("What is it?", category=domain)
        assert choice.decision == decision["name"]
        assert choice.model in {one["model"] for one in decision["modelRefs"]}
