"""The proof: LiteLLM's proxy as a process of its own, OpenAI's client, and simulated LLMs that count who was asked."""

import contextlib
import importlib.util
import json
import shutil
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from vsr.routing import Router
from vsr.simulation.server import SimulatedPool

EXAMPLES = Path(__file__).parents[3] / "examples"
N_QUERIES = 200
needed = ("litellm", "fastapi", "uvicorn", "uvloop", "apscheduler", "orjson")
missing = [name for name in needed if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}, see examples/litellm")


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        spec = importlib.util.spec_from_file_location("litellm_example", EXAMPLES / "litellm" / "run.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    sys.modules.pop("simulated", None)


@pytest.fixture(scope="module")
def world(example, tmp_path_factory):
    """All queries, those that are new, the folder of the artefacts."""
    return example.train(tmp_path_factory.mktemp("world"), N_QUERIES)


@contextlib.contextmanager
def running(example, world, config, folder, **environment):
    with (
        SimulatedPool(world[0], time_scale=0.0) as pool,
        example.proxy(config, pool, folder / "proxy.log", {"VSR_MODELS_DIR": str(world[2]), **environment}) as client,
    ):
        yield pool, client


def ask(client, queries, **options):
    def one(query):
        return client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": query.prompt}], **options
        )

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(one, queries))


def named(world):
    router = Router.load(world[2])
    return Counter((router.select(query.prompt).model, query.prompt) for query in world[1])


def test_every_query_is_asked_of_the_model_that_the_router_names(example, world, tmp_path):
    with running(example, world, EXAMPLES / "litellm" / "config.yaml", tmp_path) as (pool, client):
        answers = ask(client, world[1])
    assert len(answers) == N_QUERIES
    assert pool.n_asked == named(world)
    assert len({model for model, _ in pool.n_asked}) >= 3


def test_with_failing_and_slow_plugins_litellm_chooses_and_both_count(example, world, tmp_path):
    config = (EXAMPLES / "litellm" / "config.yaml").read_text(encoding="utf-8")
    plugins = "[litellm_plugins.failing, litellm_plugins.slow]"
    path = tmp_path / "config.yaml"
    path.write_text(config.replace("[vsr.integrations.litellm.plugin]", plugins), encoding="utf-8")
    shutil.copy(Path(__file__).with_name("litellm_plugins.py"), tmp_path)
    counts = tmp_path / "counts.json"
    with running(example, world, path, tmp_path, COUNTS=str(counts)) as (pool, client):
        answers = ask(client, world[1])
    assert len(answers) == pool.n_asked.total() == N_QUERIES
    assert all(answer.choices[0].message.content for answer in answers)
    assert {model for model, _ in pool.n_asked} == set(Router.load(world[2]).models)  # drawn, not chosen
    assert json.loads(counts.read_text(encoding="utf-8")) == {
        "failing": {"failed": N_QUERIES},
        "slow": {"late": N_QUERIES},
    }
    log = (tmp_path / "proxy.log").read_text(encoding="utf-8")
    assert "vsr: the choice failed, so LiteLLM chose itself (128 so far)" in log
    assert "vsr: the choice was not made in time, so LiteLLM chose itself (128 so far)" in log


def test_models_in_groups_of_their_own(example, world, tmp_path):
    config = (EXAMPLES / "litellm" / "groups.yaml").read_text(encoding="utf-8")
    first = named(world).most_common(1)[0][0][0]
    # The model of the first query fails: its group is followed by that of the next best.
    failing = world[1][0]
    worst = Router.load(world[2]).select(failing.prompt)
    path = tmp_path / "groups.yaml"
    path.write_text(config, encoding="utf-8")
    with running(example, world, path, tmp_path) as (pool, client):
        ask(client, world[1])
        assert pool.n_asked == named(world)
        pool.n_asked.clear()
        with pytest.raises(openai.APIStatusError):
            client.chat.completions.create(
                model=worst.model,
                messages=[{"role": "user", "content": failing.prompt}],
                extra_body={"extra_headers": {"X-Simulate-Faults": "server_error=1"}},
            )
        ask(client, [failing], extra_body={"fallbacks": [first]})
        assert set(pool.n_asked) >= {(worst.model, failing.prompt)}


def test_wrong_settings_show_when_the_proxy_starts(example, world, tmp_path):
    config = EXAMPLES / "litellm" / "config.yaml"
    with pytest.raises(SystemExit, match="no artefact"), running(example, world, config, tmp_path, VSR_MODELS_DIR="/"):
        pass
