"""Configurations that nobody writes in good faith: one line of error, at once, and nothing of the file in it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from vsr.config import load_config, parse_config
from vsr.errors import ConfigError

SECRET = "sk-a-secret-that-must-not-show"
MIB = 1 << 20
SECTION = "model_config:"
BEGIN = "vllm_endpoints:\n  - {name: one, address: h}\nmodel_config:\n"

BOMB = "model_config:\n  a0: &a0 {k: v}\n" + "".join(
    f"  a{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(10))}}}\n" for i in range(1, 12)
)
MERGE_BOMB = "model_config:\n  a0: &a0 {k: v}\n" + "".join(
    f"  a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 12)
)
ATTACKS = {
    "deep flow lists": f"{SECTION} " + "[" * 300_000,
    "deep flow mappings": f"{SECTION} " + "{a: " * 100_000,
    "deep closed lists": f"{SECTION} " + "[" * 900 + "]" * 900,
    "deep block": f"{SECTION}\n" + "".join(" " * i + "a:\n" for i in range(1, 1_000)),
    "deep dashes": f"{SECTION}\n  " + "- " * 100_000 + "a",
    "just too deep": f"{SECTION} " + "{a: " * 33 + "1" + "}" * 33,
    "deep in a section of others": "others: " + "[" * 300_000,
    "aliases that multiply": BOMB,
    "merges that multiply": MERGE_BOMB,
    "a merge onto itself": "model_config: &a\n  <<: *a\n  b: {}\n",
    "merges onto itself, twice": "model_config: &a\n  <<: [*a, *a]\n  b: {}\n",
    "a list inside itself": "vllm_endpoints: &a [*a]\n",
    "a mapping inside itself": "model_config: &a {b: *a}\n",
    "a merge of a number": "model_config: {<<: 3}\n",
    "an alias to nothing": "model_config: *nothing\n",
    "5,000 digits": "vllm_endpoints: [{name: one, address: h, port: " + "9" * 5_000 + "}]\n",
    "5,000 digits as a key": "model_config: {" + "9" * 5_000 + ": 1}\n",
    "5,000 binary digits": "model_selection: {embedding_dim: 0x" + "f" * 5_000 + "}\n",
    "an exponent": "vllm_endpoints: [{name: one, address: h, timeout_s: 1e999999999}]\n",
    "more than a MiB": "# comment\n" * 120_000,
    "too many values": "model_config:\n" + "".join(f"  m{i}: {{}}\n" for i in range(10_001)),
    "many unknown keys": "model_config:\n  m:\n" + "".join(f"    unknown_{i}: 1\n" for i in range(9_000)),
    "many wrong values": "model_config:\n" + "".join(f"  m{i}: x\n" for i in range(9_000)),
    "many names of nothing": "model_config:\n"
    + "".join(f"  a_model_of_a_long_name_{i}: {{}}\n" for i in range(4_000))
    + "decisions:\n  - name: d\n    modelRefs:\n"
    + "".join(f"      - {{model: a_model_of_long_name_{i}}}\n" for i in range(3_000)),
    "many unset variables": "model_config:\n"
    + "".join(f"  m{i}: {{tags: '${{NOT_SET_{i}}}'}}\n" for i in range(4_000)),
    "a key of half a MiB": "model_config: {m: {'" + "k" * (MIB // 2) + "': 1}}\n",
    "a value of half a MiB": "vllm_endpoints: [{name: one, address: h, port: " + "k" * (MIB // 2) + "}]\n",
    "two documents": f"{SECTION} {{}}\n---\n{SECTION} {{}}\n",
    "a control character": f"{SECTION}\n  a: \x07\n",
    "half a surrogate pair": f"{SECTION}\n  a\ud800: 1\n",
    "a tag of Python": f"{SECTION} !!python/object/apply:os.system ['true']\n",
    "a directive": f"%YAML 9.9\n---\n{SECTION} {{}}\n",
    "a list as a key": f"{SECTION} {{[a]: 1}}\n",
    "a mapping as a key": f"{SECTION} {{{{a: b}}: 1}}\n",
    "null as a key": f"{SECTION} {{~: 1}}\n",
    "brackets that close nothing": f"{SECTION} " + "]" * 100_000,
    "a cut quote": f"{SECTION} '" + "x" * 500_000,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_at_once_in_one_error(name: str) -> None:
    started = time.process_time()
    with pytest.raises(ConfigError) as caught:
        parse_config(ATTACKS[name], "c.yaml", environment={})
    assert time.process_time() - started < 1.0
    message = str(caught.value)
    assert message.startswith("c.yaml:")
    assert len(message) < 40_000
    assert max(map(len, message.splitlines())) < 1_000
    assert caught.value.__cause__ is None


LAWFUL = {
    "other sections are not built": "others:\n" + "".join(f"  - {{k{i}: [1, 2]}}\n" for i in range(30_000)) + BEGIN,
    "other sections may be deep": "others: " + "[" * 200 + "]" * 200 + "\n" + BEGIN,
    "other sections may hold an alias bomb": BOMB.replace(SECTION, "others:") + BEGIN,
    "other sections may merge onto themselves": "others: &a\n  <<: *a\n" + BEGIN,
    "anchors of other sections count": "others: {deep: [&m {max_tokens: 7}]}\n" + BEGIN + "  small: *m\n",
    "many endpoints, each with the keys of many models": "vllm_endpoints:\n"
    + "".join(f"  - {{name: e{i}, address: h{i}}}\n" for i in range(1_200))
    + "model_config:\n"
    + "".join(f"  m{i}: {{access_key: '${{KEY}}'}}\n" for i in range(2_500)),
    "many models that name many endpoints": "vllm_endpoints:\n"
    + "".join(f"  - {{name: e{i}, address: h{i}}}\n" for i in range(500))
    + "model_config:\n"
    + "".join(f"  m{i}: {{preferred_endpoints: [e{i}, e1, e2]}}\n" for i in range(500)),
    "a long float": "vllm_endpoints: [{name: one, address: h, timeout_s: 0." + "1" * 100_000 + "}]\n",
    "a merge gives way": "base: &b {max_tokens: 1, temperature: 0.5}\n" + BEGIN + "  small: {<<: *b, max_tokens: 9}\n",
}


@pytest.mark.parametrize("name", LAWFUL)
def test_what_is_large_but_lawful_loads_at_once(name: str) -> None:
    started = time.process_time()
    loaded = parse_config(LAWFUL[name], "c.yaml", environment={"KEY": SECRET})
    assert time.process_time() - started < 2.0
    if name == "a merge gives way":
        assert (loaded.models["small"].max_tokens, loaded.models["small"].temperature) == (9, 0.5)
    if name == "anchors of other sections count":
        assert loaded.models["small"].max_tokens == 7


SECRETIVE = {
    "an anchor used twice": f"others: [&x {SECRET}, &x {SECRET}]\nmodel_config: {{a: {{tags: *x, b: 1}}}}\n",
    "a duplicate key": f"vllm_endpoints:\n  - api_key: {SECRET}\n    api_key: {SECRET}2\n",
    "a duplicate section": f"model_config: {{a: {SECRET}}}\nmodel_config: {{b: {SECRET}}}\n",
    "an alias that looks like a key": f"vllm_endpoints:\n  - api_key: *{SECRET}\n",
    "a cut quote": f"vllm_endpoints:\n  - api_key: '{SECRET}\n",
    "a tag that looks like a key": f"vllm_endpoints:\n  - api_key: !{SECRET}\n  x\n",
    "a tag handle": f"vllm_endpoints:\n  - api_key: !sk!{SECRET} x\n",
    "a wrong indent": f"vllm_endpoints:\n  - name: x\n   api_key: {SECRET}\n",
    "a brace": f"vllm_endpoints: {{api_key: {SECRET}\n",
    "an escape": f'vllm_endpoints:\n  - api_key: "\\q{SECRET}"\n',
    "a colon": f"vllm_endpoints:\n  - api_key: a: {SECRET}\n",
    "a tab": f"vllm_endpoints:\n\t- api_key: {SECRET}\n",
    "a variable where a number belongs": "vllm_endpoints:\n  - {name: x, address: h, port: '${KEY}'}\n",
    "a variable where a section belongs": "vllm_endpoints: ${KEY}\n",
}


@pytest.mark.parametrize("name", SECRETIVE)
def test_no_error_quotes_the_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(SECRETIVE[name], "c.yaml", environment={"KEY": SECRET})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    path = tmp_path / "c.yaml"
    path.write_text(SECRETIVE[name])
    command = [sys.executable, "-W", "always", "-c", "from vsr.cli import main; raise SystemExit(main())"]
    done = subprocess.run(
        [*command, "-v", "analyze", "--config", path],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path), "KEY": SECRET},
    )
    assert done.returncode == 1, done
    assert SECRET not in done.stdout + done.stderr


def test_an_endless_file_is_read_no_further_than_needed() -> None:
    with pytest.raises(ConfigError, match="is larger than 1 MiB"):
        load_config("/dev/zero", environment={})
