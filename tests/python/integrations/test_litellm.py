"""The plug-in alone, with contexts as LiteLLM passes them."""

import asyncio
import logging
import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from vsr.choice.chooser import Choice
from vsr.choice.objective import Objective
from vsr.errors import ArtefactError, ConfigError
from vsr.integrations import litellm as integration
from vsr.integrations.litellm import RoutingPlugin
from vsr.routing import DisabledRouter, ModelRouter

MODELS = ("large", "meta/small", "maths")
QUALITY = {"large": 0.8, "meta/small": 0.5, "maths": 0.79}


class Fixed(ModelRouter):
    """Scores every text alike, and remembers what it was asked."""

    models = MODELS

    def __init__(self, quality=None):
        self.quality = QUALITY if quality is None else quality
        self.asked = []

    def route(self, requests):
        self.asked += [request.text("last") for request in requests]
        return [self.choice(request.candidates or MODELS, request.previous) for request in requests]

    def choice(self, candidates, previous=None):
        known = {name: self.quality[name] for name in candidates}
        best = max(known, key=known.__getitem__)
        if previous in known and known[best] - known[previous] <= Objective().switch_margin:
            best = previous
        return Choice(best, known[best], known[best], None, "predicted", known, known, category="math")


class Broken(Fixed):
    def route(self, requests):
        if not self.asked:  # the warm-up
            return super().route(requests)
        raise ArtefactError("it broke")


class Slow(Fixed):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def route(self, requests):
        if self.asked:
            time.sleep(self.seconds)
        return super().route(requests)


@dataclass
class Context:
    candidate_models: list[str]
    structured_messages: list[dict[str, object]] = field(
        default_factory=lambda: [{"role": "user", "content": "What is 2 + 2?"}]
    )
    metadata: dict[str, object] = field(default_factory=dict)
    signals: dict[str, object] = field(default_factory=dict)


ALL = ["openai/large", "hosted_vllm/meta/small", "maths"]


def make_plugin(router=None, **options):
    return RoutingPlugin(Fixed() if router is None else router, **options)


def run(plugin, *contexts):
    async def together():
        return await asyncio.gather(*(plugin.run(context) for context in contexts))

    return asyncio.run(together())


def test_candidates_are_narrowed_to_the_choice_under_litellms_name():
    plugin = make_plugin()
    (context,) = run(plugin, Context(ALL))
    assert context.candidate_models == ["openai/large"]
    assert context.signals["vsr"] == {
        "model": "large", "quality": 0.8, "utility": 0.8, "reason": "predicted", "category": "math", "decision": None
    }  # fmt: skip
    assert plugin.router.asked[-1] == "What is 2 + 2?"
    assert plugin.counts == {"routed": 1}


def test_every_deployment_of_the_chosen_model_stays():
    (context,) = run(make_plugin(), Context(["a/large", "maths", "b/large", "a/large"]))
    assert context.candidate_models == ["a/large", "b/large", "a/large"]


def test_names_are_mapped_by_the_configuration():
    plugin = make_plugin(names={"gpt-9": "large"})
    (context,) = run(plugin, Context(["azure/gpt-9", "maths"]))
    assert context.candidate_models == ["azure/gpt-9"]


@pytest.mark.parametrize(
    ("candidates", "outcome"),
    [(["openai/large"], "single"), (["openai/large"] * 2, "single"), (["a/b", "c"], "unknown"), ([], "single")],
)
def test_what_leaves_no_choice_passes(candidates, outcome):
    plugin = make_plugin()
    (context,) = run(plugin, Context(list(candidates)))
    assert context.candidate_models == candidates
    assert context.signals == {}
    assert plugin.counts == {outcome: 1}


def test_a_choice_that_is_not_on_offer_passes():
    plugin = make_plugin(
        SimpleNamespace(route=lambda _: [Choice("other", None, None, None, "default")], select=id, models=MODELS)
    )
    (context,) = run(plugin, Context(list(ALL)))
    assert context.candidate_models == ALL
    assert plugin.counts == {"unknown": 1}


def test_a_disabled_router_passes():
    plugin = make_plugin(DisabledRouter())
    (context,) = run(plugin, Context(list(ALL)))
    assert context.candidate_models == ALL
    assert plugin.counts == {"disabled": 1}


@pytest.mark.parametrize("messages", [[], [{"role": "system", "content": "x"}], ["text"], [{"role": "user"}]])
def test_messages_without_a_text_pass(messages):
    class Strict(Fixed):
        def route(self, requests):
            if not all(request.query for request in requests):
                raise ArtefactError("blank")
            return super().route(requests)

    plugin = make_plugin(Strict())
    (context,) = run(plugin, Context(list(ALL), messages))
    assert context.candidate_models == ALL
    assert plugin.counts == {"failed": 1}


def test_the_last_message_of_the_user_is_what_is_routed():
    plugin = make_plugin()
    parts = [{"type": "text", "text": "And"}, {"type": "image_url", "image_url": {"url": "x"}}]
    run(plugin, Context(ALL, [{"role": "user", "content": "First"}, {"role": "user", "content": parts}]))
    assert plugin.router.asked[-1] == "And"


def test_a_failure_passes_is_counted_and_logged_less_and_less(caplog):
    plugin = make_plugin(Broken())
    with caplog.at_level(logging.WARNING):
        for context in run(plugin, *(Context(list(ALL)) for _ in range(9))):
            assert context.candidate_models == ALL
    assert plugin.counts == {"failed": 9}
    assert [record.getMessage() for record in caplog.records] == [
        f"vsr: the choice failed, so LiteLLM chose itself ({times} so far)" for times in (1, 2, 4, 8)
    ]
    assert "it broke" in caplog.text


def test_a_late_choice_passes_and_later_ones_are_in_time_again():
    plugin = make_plugin(Slow(0.4), timeout_s=0.05)
    started = time.perf_counter()
    (context,) = run(plugin, Context(list(ALL)))
    assert time.perf_counter() - started < 0.4
    assert context.candidate_models == ALL
    assert plugin.counts == {"late": 1}
    plugin.router.seconds = 0.0
    plugin.timeout_s = 10.0
    (context,) = run(plugin, Context(list(ALL)))
    assert context.candidate_models == ["openai/large"]


def test_a_full_pool_passes_at_once():
    release = threading.Event()

    class Held(Fixed):
        def route(self, requests):
            if self.asked:
                release.wait(10)
            return super().route(requests)

    plugin = make_plugin(Held(), timeout_s=10, n_threads=1, max_waiting=1)

    async def five():
        runs = [asyncio.ensure_future(plugin.run(Context(list(ALL)))) for _ in range(5)]
        async with asyncio.timeout(5):
            while sum(each.done() for each in runs) < 3:
                await asyncio.sleep(0.01)
        release.set()
        await asyncio.gather(*runs)

    asyncio.run(five())
    assert plugin.counts == {"full": 3, "routed": 2}


def test_the_default_timeout_is_three_times_the_warm_up():
    class Warm(Fixed):
        def route(self, requests):
            time.sleep(0.1)
            return super().route(requests)

    assert 0.3 <= make_plugin(Warm()).timeout_s < 3
    assert make_plugin().timeout_s == 0.2


@pytest.mark.parametrize("metadata", [{"request_retry_count": 1}, {"previous_models": [{"model_group": "auto"}]}])
def test_a_retry_is_narrowed_to_the_next_best(metadata):
    (context,) = run(make_plugin(), Context(ALL, metadata=metadata))
    assert context.candidate_models == ["maths"]
    (context,) = run(make_plugin(), Context(ALL, metadata={"request_retry_count": 2}))
    assert context.candidate_models == ["hosted_vllm/meta/small"]
    (context,) = run(make_plugin(), Context(ALL, metadata={"request_retry_count": 3}))
    assert context.candidate_models == ["openai/large"]


def test_a_conversation_stays_with_its_model_unless_another_is_clearly_better():
    plugin = make_plugin(Fixed(dict(QUALITY)))
    session = {"session_id": "one", "user_api_key_hash": "alice"}

    def ask(metadata):
        return run(plugin, Context(ALL, metadata=dict(metadata)))[0].candidate_models[0]

    assert ask(session) == "openai/large"
    plugin.router.quality["maths"] = 0.82
    assert ask(session) == "openai/large"
    assert ask(session | {"user_api_key_hash": "bob"}) == "maths"
    plugin.router.quality["maths"] = 0.84
    assert ask(session) == "maths"


def test_a_stale_list_of_another_group_is_mended_in_place_even_where_nothing_is_chosen():
    stale = ["openai/large"]
    run(make_plugin(), Context(["openai/backup"], metadata={"_routing_plugin_candidate_models": stale}))
    assert stale == ["openai/backup"]


@pytest.mark.parametrize(("config", "folder", "found"), [(None, None, "neither is"), ("a.yaml", "b", "both are")])
def test_the_environment_names_what_is_loaded(monkeypatch, config, folder, found):
    for name, value in (("VSR_CONFIG", config), ("VSR_MODELS_DIR", folder)):
        monkeypatch.delenv(name, raising=False)
        if value:
            monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^environment: {found} set of VSR_CONFIG and VSR_MODELS_DIR; expected one"):
        integration.plugin  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'router'"):
        integration.router  # noqa: B018


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan"])
def test_a_timeout_that_is_none(monkeypatch, value):
    monkeypatch.setenv("VSR_LITELLM_TIMEOUT_S", value)
    with pytest.raises(ConfigError, match=f"VSR_LITELLM_TIMEOUT_S is '{value}'; expected seconds"):
        integration.plugin  # noqa: B018


def test_a_folder_without_artefacts_is_an_error_at_once(monkeypatch, tmp_path):
    monkeypatch.delenv("VSR_CONFIG", raising=False)
    monkeypatch.setenv("VSR_MODELS_DIR", str(tmp_path))
    with pytest.raises(ArtefactError):
        integration.plugin  # noqa: B018
