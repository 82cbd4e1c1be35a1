"""Checks of configurations: problems, keys, prices, and real sockets that take a connection or refuse it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diagnosis.files import by_check
from vsr.asking.models import asked_models
from vsr.config import load_config
from vsr.diagnosis import Finding, check_asked
from vsr.diagnosis.configuration import check_configuration

PRICES = {"prompt_per_1m": 1.0, "completion_per_1m": 2.0}


@pytest.fixture
def port() -> Iterator[int]:
    """A port that takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port that refuses them."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def write(folder: Path, endpoints: list[dict[str, Any]], models: dict[str, dict[str, Any]], **sections: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(json.dumps({"vllm_endpoints": endpoints, "model_config": models, **sections}))
    return path


def local(port: int, name: str = "local") -> dict[str, Any]:
    return {"name": name, "address": "127.0.0.1", "port": port}


def at(name: str, **fields: Any) -> dict[str, Any]:
    return {"preferred_endpoints": [name], "pricing": PRICES, **fields}


def found(path: Path, **environment: str) -> dict[str, Finding]:
    return by_check(check_configuration(str(path), environment).findings)


def test_a_healthy_configuration_has_nothing(tmp_path: Path, port: int) -> None:
    assert found(write(tmp_path, [local(port)], {"a": at("local")})) == {}


def test_an_endpoint_that_refuses(tmp_path: Path, port: int, closed_port: int) -> None:
    path = write(tmp_path, [local(port), local(closed_port, "dead")], {"a": at("local"), "b": at("dead")})
    findings = found(path)
    assert list(findings) == ["refused-connection"]
    finding = findings["refused-connection"]
    assert finding.level == "error"
    assert finding.what == (
        f"endpoint 'dead' lets nobody in (127.0.0.1:{closed_port}: connection refused); b is asked there"
    )
    assert finding.field == "vllm_endpoints.dead"


def test_a_key_is_missing_only_where_one_is_needed(tmp_path: Path) -> None:
    path = write(tmp_path, [{"name": "cloud", "type": "openai"}], {"a": at("cloud")})
    config = load_config(path)
    without = check_asked("c.yaml", asked_models(config, {}), probes=False)
    (finding,) = without.findings
    assert (finding.check, finding.level) == ("missing-key", "error")
    assert str(finding) == (
        "c.yaml: endpoint 'cloud' has no key, and a would be refused there. Set OPENAI_API_KEY, or api_key in the file."
    )
    assert without.nobody_answers
    keyed = check_asked("c.yaml", asked_models(config, {"OPENAI_API_KEY": "sk-123456789"}), probes=False)
    assert keyed.findings == ()
    assert not keyed.nobody_answers


def test_somebody_answers_where_one_endpoint_is_left(tmp_path: Path, port: int) -> None:
    endpoints = [{"name": "cloud", "type": "openai"}, local(port)]
    path = write(tmp_path, endpoints, {"a": at("cloud"), "b": at("local")})
    assert not check_asked("c.yaml", asked_models(load_config(path), {}), probes=False).nobody_answers


def test_prices(tmp_path: Path, port: int) -> None:
    path = write(tmp_path, [local(port)], {"a": at("local"), "b": {"preferred_endpoints": ["local"]}})
    assert found(path)["no-prices"].what == "b without prices: what calls cost stays unknown"
    openrouter = write(tmp_path, [{"name": "o", "type": "openrouter", "api_key": "${K}"}], {"a": {}})
    asked = asked_models(load_config(openrouter, environment={"K": "x" * 20}), {})
    assert check_asked("c.yaml", asked, probes=False).findings == ()  # it says itself what a call cost


def test_every_problem_has_its_line_and_its_fix(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "vllm_endpoints:\n"
        "  - {name: local, address: 127.0.0.1, prot: 80}\n"
        "model_config:\n"
        "  a: {preferred_endpoints: [lokal]}\n"
    )
    findings = check_configuration(str(path), {}).findings
    assert [(finding.level, finding.line) for finding in findings] == [("error", 2), ("error", 4)]
    assert str(findings[0]) == f"{path}:2: vllm_endpoints[0].prot: unknown key. Did you mean port?"
    assert findings[1].fix == "Did you mean 'local'?"


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("vllm_endpoints: [}\n")
    (finding,) = check_configuration(str(path), {}).findings
    assert finding.level == "error"


def test_an_unset_variable_is_named_and_a_plain_key_warned_of(tmp_path: Path, port: int) -> None:
    unset = write(tmp_path, [local(port) | {"api_key": "${NO_SUCH}"}], {"a": at("local")})
    assert "NO_SUCH is not set" in found(unset)["configuration"].what
    plain = write(tmp_path, [local(port) | {"api_key": "sk-plain-as-day"}], {"a": at("local")})
    finding = found(plain)["configuration"]
    assert (finding.level, finding.line) == ("warning", 1)
    assert "sk-plain" not in str(finding)


def test_where_nobody_is_asked_no_key_and_no_endpoint_is_missed(tmp_path: Path) -> None:
    models: dict[str, dict[str, Any]] = {"a": {}, "b": {}}
    findings = found(write(tmp_path, [], models))
    assert [finding.level for finding in findings.values()] == ["note"]
    assert findings["no-endpoint"].fix == "Fine for `train` and `select`; `benchmark` needs endpoints."
    off = write(tmp_path, [], models, model_selection={"enabled": False})
    assert found(off)["disabled"].level == "note"
