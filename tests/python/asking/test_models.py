import pytest

from servers.scripted import config_for
from vsr.asking.models import asked_models
from vsr.errors import BenchmarkError

MODEL_KEY, ENDPOINT_KEY, OWN_KEY = "key-of-the-model", "key-of-the-endpoint", "key-of-the-provider"
VARIABLES = ("OPENAI_API_KEY", "HF_TOKEN", "HUGGINGFACE_API_KEY", "NVIDIA_API_KEY", "OPENROUTER_API_KEY")


def asked(endpoints, models, environment=None, **sections):
    return asked_models(config_for(endpoints, models, **sections), environment or {})


def key_of(target):
    return target.headers.get("Authorization", "").removeprefix("Bearer ")


def local(name, port=1000, **fields):
    return {"name": name, "address": "127.0.0.1", "port": port, **fields}


def test_the_models_key_goes_before_the_endpoints():
    found = asked(
        [local("one", api_key=ENDPOINT_KEY)],
        {"a": {"preferred_endpoints": ["one"], "access_key": MODEL_KEY}, "b": {"preferred_endpoints": ["one"]}},
    )
    assert [key_of(model.targets[0]) for model in found.models] == [MODEL_KEY, ENDPOINT_KEY]


def test_white_space_around_a_key_is_none_of_it():
    models = {"a": {"preferred_endpoints": ["one"], "access_key": " \n"}}
    found = asked([local("one", api_key=f" {ENDPOINT_KEY}\n")], models)
    assert found.models[0].targets[0].headers["Authorization"] == f"Bearer {ENDPOINT_KEY}"


def test_the_providers_own_key_goes_to_its_public_host_alone():
    public = [{"name": kind, "type": kind} for kind in ("openai", "huggingface", "nvidia", "openrouter")]
    private = [local(f"own-{kind['name']}", type=kind["type"]) for kind in public]
    plain = [{"name": "plain", "type": "openai", "address": "http://api.openai.com"}]
    models = {each["name"]: {"preferred_endpoints": [each["name"]]} for each in (*public, *private, *plain)}
    environment = dict.fromkeys(VARIABLES, OWN_KEY)
    found = {model.name: model.targets[0] for model in asked([*public, *private, *plain], models, environment).models}
    assert {name for name, target in found.items() if key_of(target) == OWN_KEY} == {each["name"] for each in public}


def test_hugging_face_reads_two_variables():
    endpoints, models = [{"name": "hf", "type": "huggingface"}], {"a": {"preferred_endpoints": ["hf"]}}
    first = asked(endpoints, models, {"HF_TOKEN": "first-key", "HUGGINGFACE_API_KEY": "second-key"})
    second = asked(endpoints, models, {"HUGGINGFACE_API_KEY": "second-key"})
    assert (key_of(first.models[0].targets[0]), key_of(second.models[0].targets[0])) == ("first-key", "second-key")
    missing = asked(endpoints, models)
    assert missing.warnings == (
        "endpoint 'hf' has no key: set HF_TOKEN or HUGGINGFACE_API_KEY, or api_key in the file",
    )


def test_a_models_key_stays_at_the_host_it_was_given_for():
    endpoints = [
        {"name": "home", "address": "home.example.com", "port": 443},
        {"name": "same-host", "address": "home.example.com", "port": 8443, "type": "vllm"},
        {"name": "plain", "address": "home.example.com", "port": 8080},
        {"name": "far", "address": "far.example.com", "port": 443},
        {"name": "own", "address": "own.example.com", "port": 443, "api_key": ENDPOINT_KEY},
    ]
    endpoints[1]["address"] = "https://home.example.com"
    models = {"a": {"preferred_endpoints": [each["name"] for each in endpoints], "access_key": MODEL_KEY}}
    found = asked(endpoints, models)
    assert [key_of(target) for target in found.models[0].targets] == [MODEL_KEY, MODEL_KEY, "", "", ENDPOINT_KEY]
    assert "the access_key of a is for home.example.com alone: endpoint 'far' is asked without it" in found.warnings


def test_headers_are_sent_and_give_way_to_a_key():
    endpoints = [local("one", headers={"Authorization": "Basic x", "X-Team": "routing"})]
    models = {"a": {"preferred_endpoints": ["one"]}, "b": {"preferred_endpoints": ["one"], "access_key": MODEL_KEY}}
    first, second = (dict(model.targets[0].headers) for model in asked(endpoints, models).models)
    assert first == {"Authorization": "Basic x", "X-Team": "routing"}
    assert second == {"Authorization": f"Bearer {MODEL_KEY}", "X-Team": "routing"}


def test_ids_by_endpoint_go_before_ids_by_type():
    endpoints = [local("one"), local("two"), local("three", type="ollama")]
    ids = {"one": "by-name", "vllm": "by-type"}
    models = {"a": {"preferred_endpoints": ["one", "two", "three"], "external_model_ids": ids}}
    assert [target.model_id for target in asked(endpoints, models).models[0].targets] == ["by-name", "by-type", "a"]


def test_a_model_without_endpoints_may_use_those_it_has_an_id_for():
    endpoints = [local("one"), local("two", type="ollama"), local("three")]
    models = {"a": {"external_model_ids": {"vllm": "x"}}, "b": {"external_model_ids": {"two": "y"}}}
    found = asked(endpoints, models).models
    assert [[target.endpoint for target in model.targets] for model in found] == [["one", "three"], ["two"]]
    assert all(model.is_drawn for model in found)
    only_kind = asked([local("one"), local("two")], {"a": {}}).models[0]
    assert [target.endpoint for target in only_kind.targets] == ["one", "two"]
    with pytest.raises(BenchmarkError, match="nothing says where a is asked"):
        asked(endpoints, {"a": {}})
    with pytest.raises(BenchmarkError, match="nothing says where a is asked"):
        asked(endpoints, {"a": {"external_model_ids": {"openai": "x"}}})


def test_decisions_say_who_is_asked_and_whether_to_reason():
    endpoints = [local("one")]
    models = {name: {"preferred_endpoints": ["one"]} for name in ("a", "b", "c", "unused")}
    decisions = [
        {"name": "low", "priority": 1, "modelRefs": [{"model": "a", "use_reasoning": True}, {"model": "b"}]},
        {"name": "high", "priority": 9, "modelRefs": [{"model": "a", "use_reasoning": False}]},
        {"name": "lora", "modelRefs": [{"model": "c", "lora_name": "tuned"}]},
    ]
    found = asked(endpoints, models, decisions=decisions)
    assert [(model.name, model.use_reasoning) for model in found.models] == [("a", False), ("b", None), ("tuned", None)]
    assert found.models[2].targets[0].model_id == "tuned"
    assert "decisions 'high' and 'low' disagree on use_reasoning of a" in found.warnings[0]


def test_nobody_to_ask_is_an_error():
    with pytest.raises(BenchmarkError, match="vllm_endpoints is empty"):
        asked([], {"a": {}})
    with pytest.raises(BenchmarkError, match="model_config is empty"):
        asked([local("one")], {})


def test_what_counts_as_a_secret():
    found = asked(
        [local("one", api_key="EMPTY", headers={"X-Api-Key": "in-a-header", "X-Title": "my application"})],
        {"a": {"preferred_endpoints": ["one"], "access_key": MODEL_KEY}},
        {"OPENAI_API_KEY": OWN_KEY},
    )
    assert set(found.secrets) == {"EMPTY", "in-a-header", "my application", MODEL_KEY, OWN_KEY}


def test_costs():
    found = asked(
        [local("one")],
        {"a": {"preferred_endpoints": ["one"], "pricing": {"prompt_per_1m": 1, "completion_per_1m": 10}}, "b": {}},
    )
    priced, free = found.models
    assert priced.cost_usd(1000, 100) == pytest.approx(0.002)
    assert priced.cost_usd(None, 100) is None
    assert free.cost_usd(1000, 100) is None
