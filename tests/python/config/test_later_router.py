"""Files in the layout of later routers: models under `providers`, decisions under `routing`."""

from typing import Any

import pytest

from vsr.config import parse_config
from vsr.config.servers import server_url
from vsr.errors import ConfigError


def read(text: str, **environment: str) -> Any:
    return parse_config(text, environment=environment)


LATER = """
version: v0.3
listeners: [{name: http, port: 8899, timeout: 300s}]
providers:
  defaults: {model: small, reasoning_effort: medium}
  models:
    - name: small
      provider_model_id: small-instruct
      reasoning: {family: qwen3}
      pricing: {currency: USD, prompt_per_1m: 0.2, cached_input_per_1m: 0.05, completion_per_1m: 0.4, tier: 1}
      external_model_ids: {analytics: small-routing}
      backend_refs:
        - {name: primary, endpoint: "127.0.0.1:8000", protocol: http, weight: 80, provider: vllm, api_key_env: A_KEY}
        - {name: secondary, endpoint: "127.0.0.1:8004", weight: 0}
    - name: large
      provider_model_id: gpt-large
      backend_refs:
        - {base_url: "https://api.example.com/v1", provider: openai, api_key: "${B_KEY}", extra_headers: {X-Tenant: me}}
        - {name: foreign, endpoint: "127.0.0.1:9", provider: anthropic-compatible}
    - {name: bare, catalog: some/where}
evaluation: {records: "${NOWHERE}"}
routing:
  strategy: priority
  modelCards:
    - {name: large, capabilities: [chat, vision], context_window_size: 32768, tags: [premium]}
  signals:
    keywords: [{name: urgent, keywords: ["${NOWHERE}"]}]
  decisions:
    - name: law
      priority: 200
      tier: 2
      output_contract: as asked
      annotations: {owner: me}
      rules: {type: domain, name: law}
      modelRefs: [{model: large, use_reasoning: true, reasoning_effort: low, weight: 1}]
      candidateIterations: [{variable: candidate}]
      algorithm: {type: svm, svm: {kernel: rbf}, on_error: skip}
      plugins: [{type: system_prompt}]
"""


def test_models_and_decisions_are_read():
    config = read(LATER, A_KEY="key-of-a", B_KEY="key-of-b")
    assert config.warnings == ()
    assert (config.default_model, tuple(config.models)) == ("small", ("small", "large", "bare"))
    small, large, bare = config.models.values()
    assert small.pricing.model_dump() == {
        "prompt_per_1m": 0.2,
        "completion_per_1m": 0.4,
        "cached_prompt_per_1m": 0.05,
        "currency": "USD",
    }
    assert small.external_model_ids == {
        "small/primary": "small-instruct",
        "small/secondary": "small-instruct",
    }
    assert (large.capabilities, large.context_tokens) == (("chat", "vision"), 32768)
    assert (bare.capabilities, bare.context_tokens, bare.preferred_endpoints) == ((), None, ())
    servers = {endpoint.name: endpoint for endpoint in config.vllm_endpoints}
    assert {name: server_url(each) for name, each in servers.items()} == {
        "small/primary": "http://127.0.0.1:8000",
        "small/secondary": "http://127.0.0.1:8004",
        "large/0": "https://api.example.com",
    }
    assert servers["small/primary"].api_key.get_secret_value() == "key-of-a"
    assert servers["large/0"].api_key.get_secret_value() == "key-of-b"
    assert servers["large/0"].headers["X-Tenant"].get_secret_value() == "me"
    (law,) = config.decisions
    assert (law.name, law.priority, law.algorithm.type) == ("law", 200, "svm")
    assert (law.rules.type, law.rules.name) == ("domain", "law")
    assert (law.model_refs[0].model, law.model_refs[0].use_reasoning) == ("large", True)


def test_a_variable_that_nobody_set_is_no_key():
    config = read(LATER, B_KEY="x" * 9)
    assert not config.vllm_endpoints[0].api_key.get_secret_value()


def test_errors_name_the_line_of_the_file():
    text = LATER.replace("model: large, use", "model: lagre, use").replace("priority: 200", "priorty: 200")
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yaml", environment={"B_KEY": "b"})
    lines = text.splitlines()
    for line, message in (
        (lines.index("      priorty: 200") + 1, "decisions[0].priorty: unknown key; did you mean priority?"),
        (
            next(number for number, line in enumerate(lines, 1) if "lagre" in line),
            "decisions[0].modelRefs[0].model: there is no model 'lagre'; did you mean 'large'?",
        ),
    ):
        assert f"c.yaml:{line}: {message}" in str(caught.value)


def test_a_section_of_ours_goes_before():
    config = parse_config(LATER + "decisions: [{name: mine}]\n", environment={"B_KEY": "b"})
    assert [decision.name for decision in config.decisions] == ["mine"]
    assert tuple(config.models) == ("small", "large", "bare")


@pytest.mark.parametrize("text", ["providers: 5\nrouting: [a]\n", "providers: {models: 5}\nrouting:\n", "routing: {}"])
def test_another_form_is_left_alone(text):
    config = parse_config(text)
    assert (dict(config.models), config.decisions, config.default_model) == ({}, (), None)


@pytest.mark.parametrize(
    "text",
    [
        "routing: &r\n  decisions: &d\n    - {name: a, rules: {conditions: *d}}\n",
        "routing: &r\n  <<: *r\n  decisions: [{name: a, rules: &x {operator: AND, conditions: [*x]}}]\n",
        "providers: &p\n  models: [{name: a, pricing: *p}]\n",
        "a: &a {type: domain, conditions: []}\n"
        + "".join(
            f"{new}: &{new} {{operator: OR, conditions: [{', '.join(['*' + old] * 9)}]}}\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        )
        + "routing: {decisions: [{name: a, rules: *i}]}\n",
    ],
)
def test_what_stands_inside_itself_or_everywhere_ends(text):
    try:
        parse_config(text)
    except ConfigError as error:
        assert len(str(error)) < 3000


def test_merged_keys_are_read():
    text = "base: &base {rules: {type: domain, name: law}}\nrouting: {decisions: [{<<: *base, name: a}]}\n"
    (decision,) = read(text).decisions
    assert (decision.name, decision.rules.name) == ("a", "law")
