import re
import tempfile

import pytest

from vsr.cli import main
from vsr.demo import SIMULATED_MODELS
from vsr.records import read_queries, read_records

ARTEFACTS = ["kmeans_model.json", "knn_model.json", "mf_model.json", "mlp_model.json", "svm_model.json"]
SELECTORS = ["knn", "kmeans", "svm", "mlp", "matrix_factorization"]


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
