"""A new provider is one class and one entry in the table: it is configured, asked and recorded without another line."""

import json

import pytest

from servers.scripted import Scripted, config_for, endpoint, json_response
from vsr.asking.models import asked_models
from vsr.benchmark.plan import make_plan
from vsr.benchmark.runner import RunSettings, run_benchmark
from vsr.config.schema import config_schema
from vsr.data.records import Query
from vsr.errors import ConfigError
from vsr.providers import PROVIDERS
from vsr.providers.call import Answer, ErrorKind, FailedCall


class Toy:
    """A protocol of its own: a question under `q`, its answer under `a`."""

    public_address = "https://toy.example.com"
    key_variables = ("TOY_KEY",)
    loads_on_demand = False
    states_cost = False

    def url(self, server):
        return f"{server}/ask"

    def headers(self):
        return {"X-Toy": "1"}

    def body(self, request):
        return {"model": request.model_id, "messages": [{"content": request.prompt}], "q": request.prompt}

    def answer(self, payload):
        is_right = isinstance(payload, dict) and isinstance(payload.get("a"), str)
        return Answer(payload["a"]) if is_right else FailedCall(ErrorKind.INVALID_ANSWER, "no `a`")

    def joined(self, pieces):
        return pieces[-1]


@pytest.fixture
def _toy(monkeypatch):
    monkeypatch.setitem(PROVIDERS, "toy", Toy())


@pytest.mark.usefixtures("_toy")
def test_a_toy_is_asked_over_a_real_socket(tmp_path):
    with Scripted(lambda seen: json_response({"a": f"to {seen.body['q']}"} if "good" in seen.prompt else {})) as server:
        config = config_for([endpoint(server, kind="toy")], {"a": {"external_model_ids": {"toy": "a-toy"}}})
        plan = make_plan([Query("good", "math", "to good"), Query("bad", "math")], config, environment={})
        run_benchmark(plan, tmp_path / "out.jsonl", RunSettings())
    records = {record["query"]: record for record in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    assert (records["good"]["response"], records["good"]["performance"]) == ("to good", 1.0)
    assert records["bad"]["error_kind"] == "invalid_answer"
    assert all((seen.path, seen.model, seen.headers["x-toy"]) == ("/ask", "a-toy", "1") for seen in server.seen)


@pytest.mark.usefixtures("_toy")
def test_its_public_service_needs_no_address_and_gets_its_own_key():
    (model,) = asked_models(config_for([{"name": "one", "type": "toy"}], {"a": {}}), {"TOY_KEY": "key-of-toys"}).models
    assert model.targets[0].url == "https://toy.example.com/ask"
    assert model.targets[0].headers == {"X-Toy": "1", "Authorization": "Bearer key-of-toys"}


def test_configuration_and_schema_read_the_table(monkeypatch):
    def known():
        return config_schema()["$defs"]["Endpoint"]["properties"]["type"]["enum"]

    with pytest.raises(ConfigError, match=r"must be 'ollama', .* or 'openrouter', not 'toi'"):
        config_for([{"name": "one", "type": "toi", "address": "h"}], {"a": {}})
    assert known() == list(PROVIDERS)
    monkeypatch.setitem(PROVIDERS, "toy", Toy())
    assert known() == list(PROVIDERS)
    with pytest.raises(ConfigError, match="did you mean toy"):
        config_for([{"name": "one", "type": "toi", "address": "h"}], {"a": {}})
