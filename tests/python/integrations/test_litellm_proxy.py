"""The proof: LiteLLM's proxy as a process of its own, OpenAI's client, and simulated LLMs that count who was asked."""

import contextlib
import importlib
import importlib.util
import itertools
import json
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
        patch.syspath_prepend(EXAMPLES / "litellm")
        yield importlib.import_module("run")
    for name in ("run", "simulated"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def world(example, tmp_path_factory):
    """All queries, those that are new, the folder of the artefacts."""
    return example.train(tmp_path_factory.mktemp("world"), N_QUERIES)


@contextlib.contextmanager
def running(example, world, config, folder, **environment):
    with (
        SimulatedPool(world[0], time_scale=0.0) as pool,
        example.proxy(
            config,
            pool,
            folder / "proxy.log",
            {"VSR_MODELS_DIR": str(world[2]), "VSR_LITELLM_TIMEOUT_S": "30", **environment},
        ) as client,
    ):
        yield pool, client


def ask(client, queries, **options):
    def one(query):
        return client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": query.prompt}], **options
        )

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(one, queries))


@pytest.fixture(scope="module")
def choices(world):
    """What the router chooses for every new query; `vsr-train select` names the same models."""
    router = Router.load(world[2])
    chosen = {query: router.select(query.prompt) for query in world[1]}
    asked = world[2].with_name("asked.jsonl")
    asked.write_text("".join(json.dumps({"query": query.prompt}) + "\n" for query in chosen), encoding="utf-8")
    command = [sys.executable, "-m", "vsr", "select", "--input", str(asked), "--models-dir", str(world[2])]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [json.loads(line)["model"] for line in said] == [choice.model for choice in chosen.values()]
    return chosen


def as_counts(choices):
    return Counter((choice.model, query.prompt) for query, choice in choices.items())


def test_every_query_is_asked_of_the_model_that_the_router_names(example, world, choices, tmp_path):
    with running(example, world, EXAMPLES / "litellm" / "config.yaml", tmp_path) as (pool, client):
        answers = ask(client, world[1])
        assert len(answers) == N_QUERIES
        assert pool.n_asked == as_counts(choices)
        assert len({model for model, _ in pool.n_asked}) >= 3

        first, second = next(
            (one, two)
            for one, two in itertools.permutations(choices, 2)
            if 0 < choices[two].utility - choices[two].utilities[choices[one].model] < 0.03
        )
        pool.n_asked.clear()
        for query in (first, second):
            ask(client, [query], extra_headers={"x-litellm-session-id": "a conversation"})
        stays_with = choices[first].model
        assert pool.n_asked == {(stays_with, first.prompt): 1, (stays_with, second.prompt): 1}


def test_with_failing_and_slow_plugins_litellm_chooses_and_both_count(example, world, choices, tmp_path):
    plugins = "[litellm_plugins.failing, litellm_plugins.slow]"
    path = changed(tmp_path, "config.yaml", "[vsr.integrations.litellm.plugin]", plugins)
    counts = tmp_path / "counts"
    with running(example, world, path, tmp_path, COUNTS=str(counts)) as (pool, client):
        answers = ask(client, world[1])
    assert len(answers) == pool.n_asked.total() == N_QUERIES
    assert all(answer.choices[0].message.content for answer in answers)
    assert pool.n_asked != as_counts(choices)  # drawn, not chosen
    assert json.loads(counts.with_suffix(".Failing").read_text(encoding="utf-8")) == {"failed": N_QUERIES}
    assert json.loads(counts.with_suffix(".Slow").read_text(encoding="utf-8")) == {"late": N_QUERIES}
    log = (tmp_path / "proxy.log").read_text(encoding="utf-8")
    assert "vsr: the choice failed, so LiteLLM chose itself (128 so far)" in log
    assert "vsr: the choice was not made in time, so LiteLLM chose itself (128 so far)" in log


def test_models_in_groups_of_their_own(example, world, choices, tmp_path):
    own_keys = "master_key: os.environ/LITELLM_MASTER_KEY\n  custom_auth: litellm_plugins.narrow_key"
    path = changed(tmp_path, "groups.yaml", "master_key: os.environ/LITELLM_MASTER_KEY", own_keys)
    # One of the models fails: its group is followed by that of the next best.
    whole, broken = (
        "{model: openai/sim-maths-8b,",
        "{extra_headers: {X-Simulate-Faults: server_error=1}, model: openai/sim-maths-8b,",
    )
    path.write_text(path.read_text(encoding="utf-8").replace(whole, broken), encoding="utf-8")
    with running(example, world, path, tmp_path, COUNTS=str(tmp_path / "counts")) as (pool, client):
        sound = [query for query, choice in choices.items() if choice.model != "sim-maths-8b"]
        ask(client, sound)
        assert pool.n_asked == as_counts({query: choices[query] for query in sound})

        pool.n_asked.clear()
        query = next(query for query, choice in choices.items() if choice.model == "sim-maths-8b")
        ask(client, [query])
        assert {model for model, _ in pool.n_asked} == set(choices[query].ranking[:2])

        pool.n_asked.clear()
        narrow = client.with_options(api_key="sk-narrow")
        ask(narrow, world[1])
        router = Router.load(world[2])
        allowed = ["sim-small-1b", "sim-medic-8b"]
        assert pool.n_asked == as_counts({query: router.select(query.prompt, candidates=allowed) for query in world[1]})


def test_wrong_settings_show_when_the_proxy_starts(example, world, tmp_path):
    config = EXAMPLES / "litellm" / "config.yaml"
    with pytest.raises(SystemExit, match="no artefact"), running(example, world, config, tmp_path, VSR_MODELS_DIR="/"):
        pass


def changed(folder, name, old, new):
    """A configuration of the example with one thing changed, and the module that it names beside it."""
    text = (EXAMPLES / "litellm" / name).read_text(encoding="utf-8")
    assert old in text
    shutil.copy(Path(__file__).with_name("litellm_plugins.py"), folder)
    path = folder / name
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_one_command_runs_it():
    command = [sys.executable, str(EXAMPLES / "litellm" / "run.py"), "--queries", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 5
    assert all(line.startswith("sim-") and len(line) <= 80 for line in done.stdout.splitlines())
