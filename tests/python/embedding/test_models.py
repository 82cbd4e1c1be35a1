"""Names of embedding models: one entry is enough, and naming them costs nothing."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vsr.embedding import load_embedder, load_from_fingerprint
from vsr.embedding.models import EMBEDDING_MODELS
from vsr.errors import EmbeddingError

RUN = "import sys, embedding.toy_embedder; from vsr.cli import main; sys.exit(main(sys.argv[1:]))"


def run_with_toy(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": ":".join(sys.path), "COLUMNS": "200"}
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_model_that_is_named_in_one_line_is_one_of_the_command_line(tmp_path: Path) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text("".join(json.dumps({"query": "x" * n}) + "\n" for n in (1, 5, 3)))
    target = tmp_path / "vectors.npy"
    arguments = ("embed", "--input", queries, "--output", target, "--embedding-model", "toy")
    done = run_with_toy(*arguments, "--embedding-dim", 4, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["embedder"]["name"] == "toy"
    np.testing.assert_array_equal(np.load(target), np.eye(4)[[1, 1, 3]])
    refused = run_with_toy(*arguments, "--embedding-path", tmp_path)
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (
        2,
        "Error: --embedding-path has no effect here: the toy embedder has no model files. Leave it out.",
    )
    assert "[qwen3|gemma|bert|hash|toy]" in run_with_toy("embed", "--help").stdout


def test_it_trains_and_routes_too(tmp_path: Path) -> None:
    records = tmp_path / "records.jsonl"
    records.write_text(
        "".join(
            json.dumps({"query": "x" * n, "category": "math", "model_name": model, "performance": quality}) + "\n"
            for n in range(1, 61)
            for model, quality in (("odd", n % 2), ("even", 1 - n % 2))
        )
    )
    folder = tmp_path / "models"
    flags = ("--embedding-model", "toy", "--embedding-dim", 2, "--algorithm", "knn", "--output-dir", folder)
    trained = run_with_toy("train", "--data-file", records, *flags)
    assert trained.returncode == 0, trained.stderr
    for query, model in (("yyy", "odd"), ("yy", "even")):
        chosen = run_with_toy("select", query, "--models-dir", folder, "--json")
        assert chosen.returncode == 0, chosen.stderr
        assert json.loads(chosen.stdout)["model"] == model


def test_an_unknown_name_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbeddingError, match="unknown embedding model 'toy'; expected one of qwen3, gemma, bert, hash"):
        load_embedder("toy")
    monkeypatch.setitem(EMBEDDING_MODELS, "mine", EMBEDDING_MODELS["hash"])
    assert load_from_fingerprint(load_embedder("mine", dim=5).fingerprint).dim == 5


def test_the_names_are_read_without_numpy() -> None:
    program = (
        "import sys, vsr.cli.options; print([m for m in ('numpy', 'vsr._core', 'threadpoolctl') if m in sys.modules])"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n"
