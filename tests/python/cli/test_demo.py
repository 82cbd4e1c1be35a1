import os
import re
import signal
import subprocess
import sys
import tempfile

import pytest

from vsr.cli import main
from vsr.data.records import read_queries, read_records
from vsr.simulation import N_QUERIES, SIMULATED_MODELS

ARTEFACTS = [
    *("kmeans_model.json", "knn_model.json", "mf_model.json", "mlp_model.json", "recommended.json"),
    *("stacking_model.json", "svm_model.json", "table_model.json", "training_queries.json"),
]
SELECTORS = ["knn", "kmeans", "svm", "mlp", "matrix_factorization", "stacking"]


@pytest.fixture
def run(capsys):
    """Run the demo on few queries; give exit code, stdout and stderr."""

    def run_demo(*arguments):
        code = main(["demo", "--queries", "56", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_demo


def test_the_demo_shows_the_table_routes_three_queries_and_keeps_its_files(run, tmp_path):
    code, out, err = run("--output-dir", str(tmp_path))
    assert code == 0
    lines = err.splitlines()
    assert lines[0] == "The LLMs of this demo are SIMULATED: no real model is asked."
    assert "1. 5 simulated LLMs at http://127.0.0.1:" in err
    assert any(re.fullmatch(r"   280 calls in [\d.]+ s, 0 failed", line) for line in lines)
    assert "3. three new queries, routed by " in err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*ARTEFACTS, "benchmark_training_data.jsonl", "config.yaml", "queries.jsonl"]
    )
    assert len(read_queries(tmp_path / "queries.jsonl")) == 56
    assert len(list(read_records(tmp_path / "benchmark_training_data.jsonl"))) == 56 * len(SIMULATED_MODELS)

    first, *_ = out.splitlines()
    assert first == "56 queries, 5 models, 14 categories; held out: 5-fold, quality weight 0.9"
    table, routed = out.split("\nquery ")
    for name in ("best single", "category table", *SELECTORS, "oracle"):
        assert re.search(rf"^{name}\b.* \d\.\d\d\d .*\d\.\d\d s", table, re.MULTILINE), name
    rows = routed.splitlines()[1:]
    assert len(rows) == 3
    assert all(any(f" {model.name} " in row for model in SIMULATED_MODELS) for row in rows)


def test_no_files_are_left_without_an_output_folder(run, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, _, _ = run("--seed", "4")
    assert code == 0
    assert list(tmp_path.iterdir()) == []


def serve(folder):
    """Run `demo --serve` in a folder until it has said where; give its exit code and that address."""
    command = [sys.executable, "-m", "vsr", "demo", "--serve", "--queries", "14"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        process.send_signal(signal.SIGINT)
    return process.returncode, url


def test_serving_replaces_its_own_files_alone(tmp_path, monkeypatch, capsys):
    config, queries = tmp_path / "demo" / "config.yaml", tmp_path / "demo" / "queries.jsonl"
    for _ in range(2):  # at two ports, which makes no foreign file of the first configuration
        code, url = serve(tmp_path)
        assert code == 130
        assert f"port: {url.rpartition(':')[2]}, " in config.read_text()
    assert len(read_queries(queries)) == 14

    monkeypatch.chdir(tmp_path)
    for path in (config, queries):
        written = path.read_bytes()
        path.write_bytes(written + b"\n")
        assert main(["demo", "--serve", "--queries", "14"]) == 1
        name = path.relative_to(tmp_path)
        assert capsys.readouterr().err == (
            f"Error: {name}: is there already and holds something else; expected no such file, or that of an earlier "
            "`vsr-train demo --serve`. Move it away, or name another folder (--output-dir)\n"
        )
        assert path.read_bytes() == written + b"\n"
        path.write_bytes(written)


def test_the_help_says_how_many_queries_there_are(capsys):
    assert main(["demo", "--help"]) == 0
    assert f"[default: {N_QUERIES}]" in capsys.readouterr().out
