"""The plug-in as the environment names it: a folder of artefacts, or a configuration with decisions."""

import asyncio
import time
from types import SimpleNamespace

import pytest
import yaml

from routing.subjects import MODELS, WIDTH, text_outcomes
from routing.trainings import write_training
from vsr.embedding import load_embedder
from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
from vsr.integrations.litellm import RoutingPlugin, plugin_from_environment
from vsr.routing import DecisionRouter, Router
from vsr.routing.reloading import ReloadingRouter

QUERY = "Which integral and equation of a triangle is prime?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("models")
    embedder = load_embedder("hash", dim=WIDTH)
    outcomes = text_outcomes()
    vectors = embedder.embed(outcomes.queries)
    settings = TrainingSettings(algorithms=("table",), parameters={}, holdout=0.2)
    compare_and_train(outcomes, vectors, embedder.fingerprint, made, settings)
    return made


@pytest.fixture
def environment(monkeypatch):
    for name in ("VSR_CONFIG", "VSR_MODELS_DIR", "VSR_LITELLM_TIMEOUT_S"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def narrowed(plugin, *candidates):
    context = SimpleNamespace(
        structured_messages=[{"role": "user", "content": QUERY}],
        candidate_models=list(candidates),
        metadata={},
        signals={},
    )
    return asyncio.run(plugin.run(context)).candidate_models


def test_a_folder_of_artefacts(environment, folder):
    environment.setenv("VSR_MODELS_DIR", str(folder))
    environment.setenv("VSR_LITELLM_TIMEOUT_S", "20")
    plugin = plugin_from_environment()
    assert plugin.timeout_s == 20
    chosen = Router.load(folder).select(QUERY).model
    assert narrowed(plugin, *(f"openai/{model}" for model in MODELS)) == [f"openai/{chosen}"]


def test_a_configuration_with_decisions_narrows_to_their_models_and_maps_ids(environment, folder, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "model_selection": {"models_path": str(folder)},
                "vllm_endpoints": [{"name": "here", "address": "127.0.0.1", "port": 9, "type": "vllm"}],
                "model_config": {
                    model: {"preferred_endpoints": ["here"], "external_model_ids": {"vllm": f"org/{model}-it"}}
                    for model in (*MODELS, "fresh")
                },
                "default_model": "fresh",
                "decisions": [
                    {
                        "name": "all",
                        "priority": 1,
                        "rules": {"operator": "OR", "conditions": [{"type": "domain", "name": "math"}]},
                        "modelRefs": [{"model": "cicero"}, {"model": "darwin"}],
                    }
                ],
            }
        ),
        encoding="utf-8",
    )
    environment.setenv("VSR_CONFIG", str(path))
    environment.setenv("VSR_LITELLM_TIMEOUT_S", "20")
    plugin = plugin_from_environment()
    assert isinstance(plugin.router, ReloadingRouter)
    assert isinstance(plugin.router.current, DecisionRouter)
    choice = plugin.router.select(QUERY)
    assert choice.decision == "all"
    theirs = [f"hosted_vllm/org/{model}-it" for model in (*MODELS, "fresh")]
    assert narrowed(plugin, *theirs) == [f"hosted_vllm/org/{choice.model}-it"]
    assert narrowed(plugin, "org/newton-it", "openai/gpt-9", "openai/fresh") == ["openai/fresh"]  # the default
    assert narrowed(plugin, "org/newton-it", "openai/gpt-9") == ["org/newton-it", "openai/gpt-9"]


def test_the_workers_of_a_proxy_share_conversations(environment, folder):
    environment.setenv("VSR_MODELS_DIR", str(folder))
    environment.setenv("VSR_LITELLM_TIMEOUT_S", "20")
    one, other = plugin_from_environment(), plugin_from_environment()
    seen = []
    for plugin in (one, other):

        def watched(asked, route=plugin.router.route):
            seen.extend(asked)
            return route(asked)

        environment.setattr(plugin.router, "route", watched)
    messages = [{"role": "user", "content": QUERY}]
    for plugin, session in ((one, "s"), (other, "s"), (other, "t")):
        metadata = {"session_id": session, "user_api_key_hash": "of alice"}
        asyncio.run(plugin.rank(messages, [f"openai/{model}" for model in MODELS], metadata))
    first = Router.load(folder).select(QUERY).model
    assert [request.previous for request in seen] == [None, first, None]


def test_a_new_training_is_served_while_requests_go_on(tmp_path):
    folder = tmp_path / "models"
    write_training(folder)
    router = ReloadingRouter.load(folder)
    plugin = RoutingPlugin(router, timeout_s=20, reload_s=0.0)
    before = router.run_id
    write_training(folder, n_queries=180)
    offered = [f"openai/{model}" for model in MODELS]
    until_s = time.monotonic() + 20
    while router.run_id == before and time.monotonic() < until_s:
        assert len(narrowed(plugin, *offered)) == 1
    assert router.reloads.served == 1
    assert narrowed(plugin, *offered) == [f"openai/{Router.load(folder).select(QUERY).model}"]
    assert set(plugin.counts) == {"routed"}


def test_a_damaged_training_is_not_served(tmp_path):
    folder = tmp_path / "models"
    write_training(folder)
    router = ReloadingRouter.load(folder)
    plugin = RoutingPlugin(router, timeout_s=20, reload_s=0.0)
    (folder / "recommended.json").write_bytes(b"{")
    until_s = time.monotonic() + 20
    while not router.reloads.refused and time.monotonic() < until_s:
        assert len(narrowed(plugin, *MODELS)) == 1
    assert router.reloads.refused == 1
    assert set(plugin.counts) == {"routed"}
