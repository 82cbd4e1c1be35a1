import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.scripted import Scripted, chat, json_response
from vsr.asking.models import asked_models
from vsr.benchmark.plan import make_plan
from vsr.benchmark.runner import run_benchmark
from vsr.config import check_config, load_config, parse_config
from vsr.config.schema import config_schema
from vsr.config.servers import server_url
from vsr.data.records import Query
from vsr.errors import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"
SECRET = "sk-a-secret-that-must-not-show"


def problems(text, **environment):
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yaml", environment=environment)
    return str(caught.value)


def config(text, **environment):
    return parse_config(text, "c.yaml", environment=environment)


MINIMAL = """
vllm_endpoints:
  - {name: one, address: 127.0.0.1, port: 8000}
model_config:
  small: {preferred_endpoints: [one]}
"""


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_loads_and_every_model_has_somewhere_to_go(path):
    keys = dict.fromkeys(("HF_TOKEN", "OPENAI_API_KEY", "OPENROUTER_API_KEY", "VLLM_API_KEY"), SECRET)
    loaded = load_config(path, environment=keys)
    asked = asked_models(loaded, keys)
    assert loaded.warnings == ()
    assert tuple(model.name for model in asked.models) == loaded.offered_models()
    assert all(model.targets for model in asked.models)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_asks_as_its_providers_want_it(path, tmp_path):
    """Every endpoint of an example stands on this machine for the test; all else is as documented."""
    keys = dict.fromkeys(("HF_TOKEN", "OPENAI_API_KEY", "OPENROUTER_API_KEY", "VLLM_API_KEY"), SECRET)
    loaded = load_config(path, environment=keys)

    def reply(seen):
        if seen.path == "/api/chat":
            return json_response({"message": {"role": "assistant", "content": "4"}, "done": True})
        return json_response(chat("4"))

    with Scripted(reply) as server:
        here = [each.model_copy(update={"address": server.url, "port": None}) for each in loaded.vllm_endpoints]
        loaded = loaded.model_copy(update={"vllm_endpoints": tuple(here)})
        plan = make_plan([Query("What is 2 + 2?", ground_truth="4")], loaded, environment=keys)
        summary = run_benchmark(plan, tmp_path / "out.jsonl")
    assert [(model.name, model.n_answers, model.quality) for model in summary.models] == [
        (name, 1, 1.0) for name in loaded.offered_models()
    ]
    asked = {(seen.path, seen.model) for seen in server.asked()}
    expected = {
        (target.url.removeprefix(server.url), target.model_id) for model in plan.models for target in model.targets[:1]
    }
    # A model that is drawn by weight is asked at any of its endpoints.
    drawn = {model.targets[1].model_id for model in plan.models if model.is_drawn}
    assert {entry for entry in asked if entry[1] not in drawn} <= expected
    assert {seen.headers.get("authorization") for seen in server.seen} <= {None, f"Bearer {SECRET}"}
    assert SECRET not in (tmp_path / "out.jsonl").read_text()


def test_there_is_an_example_of_each_documented_kind():
    names = {path.stem for path in CONFIGS.glob("*.yaml")}
    assert names == {"ollama", "huggingface", "openai", "nvidia", "openrouter", "vllm", "mixed", "decisions", "judge"}


def test_four_models_with_decisions_ask_for_four_algorithms():
    loaded = load_config(CONFIGS / "decisions.yaml", environment={})
    assert len(loaded.offered_models()) == 4
    assert loaded.algorithm_parameters() == {"knn": {"k": 5}, "kmeans": {"num_clusters": 8}, "svm": {"kernel": "rbf"}}
    types = [decision.algorithm.type for decision in loaded.decisions if decision.needs_training and decision.algorithm]
    assert types == ["knn", "mlp", "kmeans", "svm"]


def test_schema_is_up_to_date():
    assert json.loads((CONFIGS / "schema.json").read_text()) == config_schema(), "run: make schema"


def test_all_problems_come_in_one_message_with_their_lines():
    message = problems(
        """
vllm_endpoints:
  - name: one
    adress: 127.0.0.1
    port: 99999
  - name: one
    address: host:90
    type: olama
    weight: 0
model_config:
  small:
    preferred_endpoints: [two]
    temprature: 0.5
    max_tokens: many
    external_model_ids: {olama: x}
    pricing: {currency: EUR}
decisions:
  - name: d
    algorithm: {type: knnn, knn: {kk: 3}}
    modelRefs: [{model: smal}]
"""
    )
    for expected in (
        "c.yaml:4: vllm_endpoints[0].adress: unknown key; did you mean address?",
        "c.yaml:5: vllm_endpoints[0].port: must be less than or equal to 65535, not 99999.",
        "c.yaml:6: vllm_endpoints[1].name: the name 'one' is taken on line 3.",
        "c.yaml:7: vllm_endpoints[1].address: the port stands in a field of its own: address: host, port: 90.",
        "did you mean ollama?",
        "c.yaml:9: vllm_endpoints[1].weight: must be greater than 0, not 0.",
        "c.yaml:12: model_config.small.preferred_endpoints[0]: there is no endpoint 'two'; there is: one, one.",
        "c.yaml:13: model_config.small.temprature: unknown key; did you mean temperature?",
        "c.yaml:14: model_config.small.max_tokens: must be a whole number, not 'many'.",
        "c.yaml:15: model_config.small.external_model_ids.olama: there is no endpoint or type 'olama';",
        "c.yaml:16: model_config.small.pricing.currency: must be 'USD', not 'EUR'.",
        "c.yaml:19: decisions[0].algorithm.type: there is no algorithm 'knnn'; did you mean 'knn'?",
        "c.yaml:19: decisions[0].algorithm.knn.kk: unknown key;",
        "c.yaml:20: decisions[0].modelRefs[0].model: there is no model 'smal'; did you mean 'small'?",
    ):
        assert expected in message
    assert message.startswith("c.yaml: 15 problems in the configuration:")


def test_names_are_checked_beside_values_that_are_missing_or_of_the_wrong_type():
    message = problems(
        """
vllm_endpoints:
  - {address: h}
  - {address: h}
  - {name: 5, address: "http://u:p@h"}
  - {name: one, address: h, port: no}
  - {name: one, address: "ftp://h"}
  - 3
model_config:
  small: {preferred_endpoints: [two]}
decisions:
  - {algorithm: {knn: {k: none}}, modelRefs: [{modell: small}, {model: smal}]}
  - {name: [d], algorithm: {type: svn}}
"""
    )
    for expected in (
        "c.yaml:3: vllm_endpoints[0].name: is missing.",
        "c.yaml:4: vllm_endpoints[1].name: is missing.",
        "c.yaml:5: vllm_endpoints[2].name: must be text (put it in quotes), not 5.",
        "c.yaml:5: vllm_endpoints[2].address: an address must not hold credentials",
        "c.yaml:6: vllm_endpoints[3].port: must be a whole number, not 'no'.",
        "c.yaml:7: vllm_endpoints[4].name: the name 'one' is taken on line 6.",
        "c.yaml:7: vllm_endpoints[4].address: the scheme is http or https, not ftp.",
        "c.yaml:8: vllm_endpoints[5]: must be a mapping, not 3.",
        "c.yaml:10: model_config.small.preferred_endpoints[0]: there is no endpoint 'two'",
        "c.yaml:12: decisions[0].name: is missing.",
        "c.yaml:12: decisions[0].algorithm.type: is missing.",
        "c.yaml:12: decisions[0].modelRefs[0].model: is missing.",
        "c.yaml:12: decisions[0].modelRefs[1].model: there is no model 'smal'; did you mean 'small'?",
        "c.yaml:13: decisions[1].algorithm.type: there is no algorithm 'svn'; did you mean 'svm'?",
    ):
        assert expected in message, expected
    assert "\0" not in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n- b\n", "c.yaml:1: a configuration is a mapping of sections"),
        ("a: [1\nb: 2\n", "c.yaml:2: this is no YAML"),
        ("vllm_endpoints: {api_key: ${KEY}}\n", 'inside { } write variables in quotes: "${NAME}"'),
        ("model_config:\n  a: {}\n  a: {}\n", 'c.yaml:3: found duplicate key "a"'),
        ("model_config: {5: {}}\n", "c.yaml:1: model_config: the key 5 is not text: put it in quotes."),
        ("vllm_endpoints: 3\n", "c.yaml:1: vllm_endpoints: must be a list, not 3."),
        ("vllm_endpoints: [3]\n", "c.yaml:1: vllm_endpoints[0]: must be a mapping, not 3."),
        ("vllm_endpoints:\n  - {address: x}\n", "c.yaml:2: vllm_endpoints[0].name: is missing."),
        ("vllm_endpoints:\n  - {name: x}\n", "address: is missing: an endpoint of type vllm has no public address"),
        ("vllm_endpoints:\n  - {name: x, address: 'http://u:p@h'}\n", "must not hold credentials"),
        ("vllm_endpoints:\n  - {name: x, address: 'ftp://h'}\n", "the scheme is http or https, not ftp"),
        ("model_selection: {embedding_dim: 0}\n", "must be greater than or equal to 1, not 0"),
        ("model_config:\n  a: {temperature: .nan}\n", "must be a finite number"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text, said):
    assert said in problems(text)


def test_no_such_file_and_no_text(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="it is not UTF-8 text"):
        load_config(tmp_path / "bytes.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_variables_are_filled_in_and_unset_ones_named():
    text = """
vllm_endpoints:
  - {name: one, address: "${HOST}.example.com", port: "${PORT:-8000}", api_key: "${KEY}"}
"""
    loaded = config(text, HOST="gpu", KEY=SECRET)
    endpoint = loaded.vllm_endpoints[0]
    assert (endpoint.address, endpoint.port, endpoint.api_key.get_secret_value()) == ("gpu.example.com", 8000, SECRET)
    message = problems(text, HOST="gpu", PORT="80")
    assert "c.yaml:3: vllm_endpoints[0].api_key: the environment variable KEY is not set" in message
    assert "1 problem" in message


def test_other_sections_are_left_alone():
    loaded = config(MINIMAL + "semantic_cache: {enabled: '${NOT_SET}', vllm_endpoint: 3}\n")
    assert loaded.offered_models() == ("small",)


def test_fields_of_the_router_are_accepted():
    loaded = config(
        """
vllm_endpoints:
  - {name: one, address: 127.0.0.1, port: 8000, health_check_path: /health}
model_config:
  small:
    preferred_endpoints: [one]
    reasoning_family: qwen3
    loras: [{name: adapter}]
    pii_policy: {allow_by_default: true}
decisions:
  - name: d
    rules: {operator: AND, conditions: [{type: keyword, name: urgent}, {operator: OR, conditions: []}]}
    algorithm: {type: elo, elo: {k_factor: 3}}
    plugins: [{type: pii, configuration: {enabled: true}}]
    modelRefs: [{model: small, use_reasoning: true, reasoning_effort: high}]
"""
    )
    assert not any(decision.needs_training for decision in loaded.decisions)
    assert loaded.algorithm_parameters() == {}


def test_a_key_without_a_value_counts_as_absent_unless_null_means_something():
    loaded = config(
        """
vllm_endpoints:
  - {name: one, address: h, weight: , headers: , type: , api_key: }
model_config:
  small: {preferred_endpoints: , external_model_ids: , max_tokens: null, temperature: null, pricing: }
decisions:
"""
    )
    endpoint, model = loaded.vllm_endpoints[0], loaded.models["small"]
    assert (endpoint.weight, endpoint.headers, endpoint.type, endpoint.api_key) == (1.0, {}, "vllm", None)
    assert (model.preferred_endpoints, model.max_tokens, model.temperature) == ((), None, None)
    assert "vllm_endpoints[0].name: is missing." in problems("vllm_endpoints:\n  - {name: , address: h}\n")


def test_secrets_never_show():
    text = f"""
vllm_endpoints:
  - {{name: one, address: 127.0.0.1, port: 8000, api_key: {SECRET}, headers: {{X-Api-Key: {SECRET}}}}}
model_config:
  small: {{preferred_endpoints: [one], access_key: {SECRET}}}
"""
    loaded = config(text)
    assert SECRET not in repr(loaded) + str(loaded) + loaded.model_dump_json() + " ".join(loaded.warnings)
    asked = asked_models(loaded, {})
    assert SECRET not in repr(asked)
    assert asked.secrets == (SECRET,)
    for wrong in (
        f"api_key: [{SECRET}]",
        f"api_key: {{a: {SECRET}}}",
        f"headers: {SECRET}",
        f"headers: {{a: [{SECRET}]}}",
    ):
        assert SECRET not in problems(f"vllm_endpoints:\n  - {{name: one, address: h, {wrong}}}\n")
    duplicate = f"vllm_endpoints:\n  - name: a\n    api_key: {SECRET}\n    api_key: {SECRET}\n"
    assert SECRET not in problems(duplicate)


def test_a_plain_key_and_a_key_over_plain_http_warn():
    loaded = config(
        f"""
vllm_endpoints:
  - {{name: far, address: 10.0.0.9, port: 8000, api_key: {SECRET}}}
  - {{name: near, address: 127.0.0.1, port: 8000, api_key: "${{KEY}}"}}
  - {{name: safe, address: 10.0.0.9, port: 443, api_key: "${{KEY}}"}}
""",
        KEY=SECRET,
    )
    assert len(loaded.warnings) == 2
    assert "vllm_endpoints[0].api_key is a key as plain text" in loaded.warnings[0]
    assert "endpoint 'far' gets its key over plain http" in loaded.warnings[1]


@pytest.mark.parametrize("asked_at", ["preferred_endpoints: [far]", "external_model_ids: {vllm: x}", "tags: [any]"])
def test_a_models_key_over_plain_http_warns_wherever_the_model_is_asked(asked_at):
    loaded = config(
        f"""
vllm_endpoints:
  - {{name: far, address: 10.0.0.9, port: 8000}}
  - {{name: farther, address: 10.0.0.8, port: 8000}}
model_config:
  small: {{access_key: "${{KEY}}", {asked_at}}}
""",
        KEY=SECRET,
    )
    assert len(loaded.warnings) == 1
    assert "line 3: endpoint 'far' gets its key over plain http" in loaded.warnings[0]


def test_a_key_in_any_header_counts_as_one():
    loaded = config(
        f"""
vllm_endpoints:
  - {{name: far, address: 10.0.0.9, port: 8000, headers: {{X-Gateway-Token: {SECRET}, X-Token-Limit: "500"}}}}
"""
    )
    assert len(loaded.warnings) == 2
    assert "vllm_endpoints[0].headers.X-Gateway-Token" in loaded.warnings[0].replace('["', ".").replace('"]', "")
    assert "over plain http" in loaded.warnings[1]


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"address": "127.0.0.1", "port": 8000}, "http://127.0.0.1:8000"),
        ({"address": "host", "port": 443}, "https://host"),
        ({"address": "host", "port": 80}, "http://host"),
        ({"address": "host"}, "http://host"),
        ({"address": "::1", "port": 8000}, "http://[::1]:8000"),
        ({"address": "https://host/base/", "port": 8443}, "https://host:8443/base"),
        ({"address": "http://host:99/v1"}, "http://host:99/v1"),
        ({"address": "api.openai.com", "type": "openai"}, "https://api.openai.com"),
        ({"type": "openai"}, "https://api.openai.com"),
        ({"type": "huggingface"}, "https://router.huggingface.co"),
        (
            {"address": "api-inference.huggingface.co", "port": 443, "type": "huggingface"},
            "https://router.huggingface.co",
        ),
        ({"type": "nvidia"}, "https://integrate.api.nvidia.com"),
        ({"type": "openrouter"}, "https://openrouter.ai"),
    ],
)
def test_address_and_port_become_a_url(fields, url):
    text = json.dumps({"vllm_endpoints": [{"name": "one", **fields}]})
    assert server_url(config(text).vllm_endpoints[0]) == url


def test_decisions_that_want_different_artefacts_are_named():
    text = MINIMAL + (
        "  big: {preferred_endpoints: [one]}\n"
        "decisions:\n"
        "  - {name: a, algorithm: {type: knn, knn: {k: 5}}, modelRefs: [{model: small}, {model: big}]}\n"
        "  - {name: b, algorithm: {type: knn, knn: {k: 7}}, modelRefs: [{model: small, lora_name: tuned}]}\n"
    )
    loaded = config(text)
    assert loaded.offered_models() == ("small", "big", "tuned")
    assert [decision.name for decision in loaded.decisions if decision.needs_training] == ["a"]
    with pytest.raises(ConfigError, match="decisions 'a' and 'b' want different knn artefacts: k 5 and 7"):
        loaded.algorithm_parameters()


@given(st.text(alphabet="ab:{}[]-&*!|>'\"\n #$%@,", max_size=60))
def test_any_text_loads_or_is_refused(text):
    try:
        parse_config(f"vllm_endpoints:{text}", environment={})
    except ConfigError as error:
        assert str(error)


def test_problems_can_be_had_one_by_one(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("vllm_endpoints:\n  - {name: one, adress: 127.0.0.1}\nmodel_config: {}\n")
    config, problems = check_config(path)
    assert config is None
    assert [problem.line for problem in problems] == [2, 2]
    path.write_text("vllm_endpoints:\n  - {name: one, address: 127.0.0.1}\n")
    config, problems = check_config(path)
    assert (config, problems) == (load_config(path), ())
