"""LiteLLM's own Router with the plug-in, on simulated LLMs: retries, fallbacks to other groups, sessions."""

import asyncio
import warnings

import pytest

from vsr.choice.chooser import Choice
from vsr.integrations.litellm import RoutingPlugin
from vsr.routing import ModelRouter
from vsr.simulation.server import SimulatedPool

# Its warnings are not ours.
pytestmark = pytest.mark.filterwarnings("ignore")

FAILS = {"extra_headers": {"X-Simulate-Faults": "server_error=1"}}
UTILITIES = {"sim-maths-8b": 0.9, "sim-small-1b": 0.8, "sim-medic-8b": 0.7}


class Preferring(ModelRouter):
    models = tuple(UTILITIES)

    def route(self, requests):
        return [self.choice(request.candidates or list(UTILITIES)) for request in requests]

    def choice(self, candidates):
        utilities = {name: UTILITIES[name] for name in candidates}
        return Choice(max(utilities, key=utilities.__getitem__), 0.9, 0.9, None, "predicted", utilities, utilities)


@pytest.fixture(scope="module")
def litellm():
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else the import asks the network for prices
        warnings.simplefilter("ignore")
        yield pytest.importorskip("litellm", reason="litellm is not installed (the extra `litellm`)")


@pytest.fixture
def pool():
    with SimulatedPool([], time_scale=0.0) as running:
        yield running


@pytest.fixture
def plugin():
    return RoutingPlugin(Preferring(), timeout_s=10)


def deployment(pool, group, model, **params):
    return {
        "model_name": group,
        "litellm_params": {"model": f"openai/{model}", "api_base": f"{pool.url}/v1", "api_key": "any", **params},
    }


def ask(litellm, deployments, plugin, *prompts, group="auto", metadata=None, **settings):
    async def all_of_them():
        router = litellm.Router(model_list=deployments, plugins=[plugin], retry_after=0, **settings)
        for prompt in prompts:
            await router.acompletion(
                model=group, messages=[{"role": "user", "content": prompt}], metadata=dict(metadata or {})
            )

    asyncio.run(all_of_them())


def asked(pool):
    return [(model, prompt) for (model, prompt), times in pool.n_asked.items() for _ in range(times)]


def test_a_request_goes_to_the_choice(litellm, pool, plugin):
    ask(litellm, [deployment(pool, "auto", model) for model in UTILITIES], plugin, *"abcde")
    assert asked(pool) == [("sim-maths-8b", prompt) for prompt in "abcde"]
    assert plugin.counts == {"routed": 5}


def test_a_retry_goes_to_the_next_best(litellm, pool, plugin):
    deployments = [
        deployment(pool, "auto", "sim-maths-8b", **FAILS),
        deployment(pool, "auto", "sim-small-1b", **FAILS),
        deployment(pool, "auto", "sim-medic-8b"),
    ]
    ask(litellm, deployments, plugin, "a", num_retries=2)
    assert asked(pool) == [("sim-maths-8b", "a"), ("sim-small-1b", "a"), ("sim-medic-8b", "a")]


def test_a_fallback_to_another_group_works_after_narrowing(litellm, pool, plugin):
    deployments = [
        deployment(pool, "auto", "sim-maths-8b", **FAILS),
        deployment(pool, "auto", "sim-small-1b"),
        deployment(pool, "backup", "sim-large-70b"),
    ]
    ask(litellm, deployments, plugin, "a", num_retries=0, fallbacks=[{"auto": ["backup"]}])
    assert asked(pool) == [("sim-maths-8b", "a"), ("sim-large-70b", "a")]


def test_without_mending_that_fallback_fails(litellm, pool, plugin):
    """If this begins to pass, LiteLLM drops the stale list itself, and the plug-in need not mend it."""

    class Unmended:
        async def run(self, context):
            context.metadata.pop("_routing_plugin_candidate_models", None)  # a copy: LiteLLM keeps its own
            return await plugin.run(context)

    deployments = [
        deployment(pool, "auto", "sim-maths-8b", **FAILS),
        deployment(pool, "auto", "sim-small-1b"),
        deployment(pool, "backup", "sim-large-70b"),
    ]
    with pytest.raises(Exception, match="deployment"):
        ask(litellm, deployments, Unmended(), "a", num_retries=0, fallbacks=[{"auto": ["backup"]}])
    assert asked(pool) == [("sim-maths-8b", "a")]


def test_a_model_in_cooldown_is_followed_by_the_next_best(litellm, pool, plugin):
    deployments = [deployment(pool, "auto", "sim-maths-8b", **FAILS), deployment(pool, "auto", "sim-small-1b")]
    ask(litellm, deployments, plugin, *"abcdefgh", num_retries=2, allowed_fails=0, cooldown_time=60)
    answered = [prompt for model, prompt in asked(pool) if model == "sim-small-1b"]
    assert answered == list("abcdefgh")


def test_without_retries_a_model_in_cooldown_is_followed_by_the_group_of_the_fallbacks(litellm, pool, plugin):
    deployments = [
        deployment(pool, "auto", "sim-maths-8b", **FAILS),
        deployment(pool, "auto", "sim-small-1b"),
        deployment(pool, "backup", "sim-large-70b"),
    ]
    settings = {"num_retries": 0, "allowed_fails": 0, "cooldown_time": 60}
    ask(litellm, deployments, plugin, *"abcd", fallbacks=[{"auto": ["backup"]}], **settings)
    assert [prompt for model, prompt in asked(pool) if model == "sim-large-70b"] == list("abcd")
