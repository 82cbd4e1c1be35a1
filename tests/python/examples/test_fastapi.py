"""The gateway of the example, under OpenAI's client, in front of simulated LLMs that count who was asked."""

import importlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import openai
import pytest

from vsr.routing import Router
from vsr.simulation.server import Faults, SimulatedPool

EXAMPLES = Path(__file__).parents[3] / "examples"
for _package in ("fastapi", "uvicorn"):
    pytest.importorskip(_package)


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES / "fastapi")
        yield importlib.import_module("gateway")
    for name in ("gateway", "simulated"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def world(example, tmp_path_factory):
    return example.train(tmp_path_factory.mktemp("world"), 30)


def ask(url, prompt, model="auto"):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        return client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])


def test_every_query_is_asked_of_the_model_that_the_router_names(example, world):
    queries, fresh, artefacts = world
    router = Router.load(artefacts)
    with (
        SimulatedPool(queries, time_scale=0.0) as pool,
        example.served(example.make_app(artefacts, f"{pool.url}/v1")) as url,
    ):
        answers = {query.prompt: ask(url, query.prompt) for query in fresh}
        assert pool.n_asked == Counter((router.select(prompt).model, prompt) for prompt in answers)
        assert all(answers[prompt].model == model for model, prompt in pool.n_asked)
        assert ask(url, fresh[0].prompt, "sim-small-1b").model == "sim-small-1b"
        with pytest.raises(openai.BadRequestError, match="query 0 is blank"):
            ask(url, " ")
        with pytest.raises(openai.NotFoundError, match="`gpt-9` does not exist"):
            ask(url, fresh[0].prompt, "gpt-9")


def test_a_model_that_fails_is_followed_by_the_next_best(example, world):
    queries, fresh, artefacts = world
    ranking = Router.load(artefacts).select(fresh[0].prompt).ranking
    faults = Faults({"server_error": 1.0})
    with (
        SimulatedPool(queries, time_scale=0.0, faults=faults) as pool,
        example.served(example.make_app(artefacts, f"{pool.url}/v1")) as url,
    ):
        with pytest.raises(openai.InternalServerError):
            ask(url, fresh[0].prompt)
        assert [model for model, _ in pool.n_asked] == list(ranking[:2])


def test_one_command_runs_it():
    command = [sys.executable, str(EXAMPLES / "fastapi" / "gateway.py"), "--queries", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 5
    assert all(line.startswith("sim-") for line in done.stdout.splitlines())
