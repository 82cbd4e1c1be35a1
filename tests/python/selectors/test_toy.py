"""A selector of another package, registered by one entry point, is served by every command and file as ours are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.conftest import write_records

TESTS = Path(__file__).parents[1]


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which a package with a selector is installed."""
    package = tmp_path / "packages"
    (package / "toy-1.0.dist-info").mkdir(parents=True)
    (package / "toy-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (package / "toy-1.0.dist-info" / "entry_points.txt").write_text("[vsr.selectors]\ntoy = toy_selector:Toy\n")
    paths = (package, TESTS / "toys", os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def vsr_train(installed: dict[str, str], *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "vsr", *map(str, arguments)],
        env=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_knows_it(installed: dict[str, str], tmp_path: Path) -> None:
    records = write_records(tmp_path / "records.jsonl")
    config = tmp_path / "config.yaml"
    config.write_text(
        "vllm_endpoints: [{name: here, address: 127.0.0.1, port: 8000}]\n"
        "model_config: {newton: {}, cicero: {}}\n"
        "decisions:\n"
        "  - name: any\n"
        "    algorithm: {type: toy, toy: {width: 2}}\n"
        "    modelRefs: [{model: newton}, {model: cicero}]\n"
    )
    assert "--toy-width" in vsr_train(installed, "train", "--help")
    embedder = ("--use-fallback", "--embedding-dim", 16)
    train = ("train", "--data-file", records, "--algorithm", "toy", *embedder, "--json")
    configured, folder = tmp_path / "configured", tmp_path / "models"
    vsr_train(installed, *train, "--config", config, "--output-dir", configured)
    assert json.loads((configured / "toy_model.json").read_text())["width"] == 2
    result = json.loads(vsr_train(installed, *train, "--toy-width", 3, "--output-dir", folder))
    assert result["selectors"]["toy"]["parameters"] == {"width": 3}
    assert "toy (width=3)" in vsr_train(installed, "inspect", folder)
    explained = vsr_train(
        installed, "select", "What is the sum of 2 and 3?", "--models-dir", folder, "--algorithm", "toy", "--explain"
    )
    assert "First features:" in explained


def test_it_passes_the_contract_suite(installed: dict[str, str]) -> None:
    suite = Path(__file__).with_name("test_contract.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", suite, "-k", "toy", "-p", "no:cacheprovider"],
        env=installed,
        cwd=TESTS.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in done.stdout


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nowhere:Toy", "cannot be loaded: No module named 'nowhere'"),
        ("json:loads", "is no algorithm of that name; expected a subclass"),
    ],
)
def test_an_entry_point_that_gives_no_selector_is_named(
    value: str, message: str, installed: dict[str, str], tmp_path: Path
) -> None:
    entry = tmp_path / "packages" / "toy-1.0.dist-info" / "entry_points.txt"
    entry.write_text(f"[vsr.selectors]\ntoy = {value}\n")
    done = subprocess.run(
        [sys.executable, "-m", "vsr", "train", "--help"], env=installed, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"the entry point toy = {value} of vsr.selectors {message}" in " ".join(done.stderr.split())
