"""`vsr-train embed`: the file that training takes, what is said on the way, and runs that are cut short."""

import gzip
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.conftest import Command
from vsr.cli import terminal
from vsr.data.prompts import unique_prompts
from vsr.data.records import read_prompts
from vsr.embedding import load_embedder
from vsr.embedding.vector_folder import VectorFolder, shards_of
from vsr.persistence import load_artefact

HASH = ("--use-fallback", "--embedding-dim", "16")


@pytest.fixture
def bert(shared: Path) -> tuple[str, ...]:
    """Flags of a small model with weights."""
    return ("--embedding-model", "bert", "--embedding-path", str(shared / "reference" / "bert-tiny"))


def write_lines(path: Path, *lines: Any) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


# The file


def test_one_row_per_unique_query_in_order_of_first_appearance(tmp_path: Path, vsr_train: Command) -> None:
    queries = write_lines(
        tmp_path / "q.jsonl",
        {"query": "What is a cell?"},
        {"query": "Which one?", "choices": ["red", "blue"]},
        {"query": "  what IS a\ncell? ", "category": "biology"},
        {"query": "Which one?", "choices": ["red", "green"]},
        {"query": "Cafe\u0301"},
        {"query": "caf\u00e9"},
    )
    result = vsr_train("embed", "--input", queries, "--output", tmp_path / "v.npy", *HASH)
    assert (result.code, result.out) == (0, "")
    vectors = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    expected = ["What is a cell?", "Which one?\nA) red\nB) blue", "Which one?\nA) red\nB) green", "Cafe\u0301"]
    np.testing.assert_array_equal(vectors, load_embedder("hash", dim=16).embed(expected))
    first, last = result.err.splitlines()
    assert first.startswith("4 unique queries. Embedding with hash, 16 wide, digest hash-")
    assert last.startswith(f"4 vectors of 16 numbers in {tmp_path / 'v.npy'}, after ")


@pytest.mark.parametrize("embedder", ["hash", "bert"])
def test_training_on_the_file_is_training_on_the_embedder(
    embedder: str, records: Path, bert: tuple[str, ...], tmp_path: Path, vsr_train: Command
) -> None:
    flags = HASH if embedder == "hash" else bert
    assert vsr_train("embed", "--input", records, "--output", tmp_path / "v.npy", *flags).code == 0
    train = ("train", "--data-file", records, "--algorithm", "knn", "--knn-k", "5", "--holdout", "0.3", "--json")
    own = vsr_train(*train, "--output-dir", tmp_path / "own", *flags)
    brought = vsr_train(*train, "--output-dir", tmp_path / "brought", "--embedding-file", tmp_path / "v.npy")
    assert (own.code, brought.code) == (0, 0)
    assert own.json["evaluation"]["verdict"] == brought.json["evaluation"]["verdict"]
    artefacts = [load_artefact(tmp_path / name / "knn_model.json") for name in ("own", "brought")]
    unseen = np.random.default_rng(0).standard_normal((5, artefacts[0].selector.n_features)).astype(np.float32)
    first, second = (artefact.selector.scores(unseen) for artefact in artefacts)
    np.testing.assert_array_equal(first, second)
    fingerprints = [artefact.header.embedder for artefact in artefacts if artefact.header is not None]
    assert [fingerprint.name for fingerprint in fingerprints] == [embedder, "external"]


def test_records_are_read_as_training_reads_them(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    lines = records.read_text().splitlines(keepends=True)
    # A line that is a query but no record (nothing to learn from it) is no row for training, so it is none here.
    lines.insert(30, '{"query": "What is not a record?", "model_name": "newton"}\n')
    file = write_lines(tmp_path / "r.jsonl", *lines)
    refused = vsr_train("embed", "--input", file, "--output", tmp_path / "v.npy", *HASH)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"Error: {file}:31: has no `performance` and nothing to score; expected ")
    assert not (tmp_path / "v.npy").exists()
    result = vsr_train("embed", "--input", file, "--output", tmp_path / "v.npy", *HASH, "--skip-bad-lines")
    assert result.code == 0
    assert result.err.startswith(f"Warning: 1 bad lines left out; the first: {file}:31: ")
    trained = vsr_train(
        *("train", "--data-file", file, "--skip-bad-lines", "--embedding-file", tmp_path / "v.npy"),
        *("--algorithm", "knn", "--holdout", "0.3", "--output-dir", tmp_path),
    )
    assert trained.code == 0


def test_packed_queries_and_those_of_standard_input(
    tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b'{"query": "a cell"}\n{"query": "a court"}\n'
    (tmp_path / "q.jsonl.gz").write_bytes(gzip.compress(content))
    assert vsr_train("embed", "--input", tmp_path / "q.jsonl.gz", "--output", tmp_path / "a.npy", *HASH).code == 0
    with (tmp_path / "q.jsonl").open("wb+") as file:
        file.write(content)
        file.seek(0)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert vsr_train("embed", "--input", "-", "--output", tmp_path / "b.npy", *HASH).code == 0
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_json_says_what_was_made(tmp_path: Path, bert: tuple[str, ...], vsr_train: Command) -> None:
    queries = write_lines(tmp_path / "q.jsonl", {"query": "short"}, "nonsense\n", {"query": "long " * 300})
    flags = ("--input", queries, "--output", tmp_path / "v.npy", "--skip-bad-lines", "--cache-dir", tmp_path / "c")
    documents = [vsr_train("-q", "embed", *flags, *bert, "--json").json for _ in range(2)]
    for document in documents:
        assert document.pop("duration_s") >= 0
        assert document["embedder"].pop("digest")
        assert document["embedder"].pop("path") == bert[-1]
    assert documents[0] == {
        "output": str(tmp_path / "v.npy"),
        "n_queries": 2,
        "dim": 48,
        "n_cached": 0,
        "n_truncated": 1,
        "n_tokens": 64 + 6,
        "n_bad_lines": 1,
        "embedder": {
            "name": "bert",
            "width": 48,
            "pooling": "mean",
            "prompt": "",
            "normalisation": "l2",
            "dtype": "float32",
            "token_limit": 64,
            "prompt_name": None,
            "revision": None,
            "text": "last",
        },
    }
    assert documents[1] == documents[0] | {"n_cached": 2, "n_tokens": 0}


# What it says


def test_cut_texts_are_reported_once(tmp_path: Path, bert: tuple[str, ...], vsr_train: Command) -> None:
    queries = write_lines(tmp_path / "q.jsonl", {"query": "short"}, {"query": "long " * 300})
    flags = ("--input", queries, "--output", tmp_path / "v.npy", "--cache-dir", tmp_path / "c")
    for _ in range(2):
        result = vsr_train("embed", *flags, *bert)
        warned = [line for line in result.err.splitlines() if "longer" in line]
        (warning,) = warned
        assert warning == (
            "Warning: 1 of 2 texts are longer than 64 tokens, the limit of the model or of --embedding-max-tokens, "
            "and cut to these."
        )
    assert "2 of 2 texts have their vectors from the cache." in result.err.splitlines()
    lower = vsr_train("embed", *flags, *bert, "--embedding-max-tokens", "3")
    assert "Warning: 2 of 2 texts are longer than 3 tokens" in lower.err


def test_progress_tells_speed_and_time_left(
    tmp_path: Path, bert: tuple[str, ...], vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = write_lines(tmp_path / "q.jsonl", *({"query": f"number {i} {'math ' * (i % 9)}"} for i in range(200)))
    flags = ("--output", tmp_path / "v.npy", *bert, "--cache-dir", tmp_path / "c")
    monkeypatch.setattr(terminal, "_LINE_EVERY_S", 0.0)
    few = write_lines(tmp_path / "few.jsonl", *queries.read_text().splitlines(keepends=True)[:20])
    assert vsr_train("embed", "--input", few, *flags).code == 0
    lines = vsr_train("embed", "--input", queries, *flags).err.splitlines()
    first = next(line for line in lines if line.startswith("Embedding: "))
    said = first.split(", ", 1)[0].split()
    assert 20 < int(said[1]) < 200
    assert said[2:5] == ["of", "200", "texts"]
    assert " left, " in first
    assert first.endswith(" tokens/s, 20 from the cache")
    assert vsr_train("-q", "embed", "--input", queries, *flags).err == ""


# What it refuses


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--input q.jsonl --output v.npy --embedding-file w.npy", "--embedding-file has no effect here: its vectors"),
        ("--input q.jsonl --output v.npy.gz", "--output cannot be packed"),
        ("--input q.jsonl --output .", "'.' is a directory"),
        ("--output v.npy", "Missing option '--input'"),
        ("--input q.jsonl", "Missing option '--output'"),
        ("--input q.jsonl --output v.npy --use-fallback --cache-dir c", "--cache-dir has no effect here"),
        ("--input q.jsonl --output v.npy --ray-address auto", "--ray-address has no effect without --engine ray"),
        ("--input q.jsonl --output v.npy --engine ray", "--output v.npy: --engine ray writes a folder of Parquet"),
        ("--input q.jsonl --output q.jsonl --engine ray", "--output q.jsonl: --engine ray writes a folder of Parquet"),
        ("--input q.jsonl --output v --engine ray --cache-dir c", "--cache-dir has no effect with --engine ray"),
    ],
)
def test_wrong_usage(
    flags: str, message: str, tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "q.jsonl", {"query": "a"})
    result = vsr_train("embed", *flags.split())
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.split())


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path, vsr_train: Command) -> None:
    missing = vsr_train("embed", "--input", tmp_path / "q.jsonl", "--output", tmp_path / "v.npy", *HASH)
    assert (missing.code, missing.err) == (
        1,
        f"Error: {tmp_path / 'q.jsonl'}: no such file; expected a JSON Lines file of queries or records\n",
    )
    queries = write_lines(tmp_path / "q.jsonl", {"query": "a"})
    refused = vsr_train("embed", "--input", queries, "--output", queries / "v.npy", *HASH)
    assert refused.code == 1
    assert refused.err.startswith(f"Error: {queries}: cannot be written to (")
    blank = write_lines(tmp_path / "blank.jsonl", {"query": " "})
    assert vsr_train("embed", "--input", blank, "--output", tmp_path / "v.npy", *HASH).err.startswith(
        f"Error: {blank}:1: `query` is "
    )


# A cluster


def test_without_ray_the_engine_says_what_to_install(
    tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    queries = write_lines(tmp_path / "q.jsonl", {"query": "a"})
    result = vsr_train("embed", "--input", queries, "--output", tmp_path / "v", "--engine", "ray", *HASH)
    assert (result.code, result.out) == (1, "")
    assert (
        result.err == "Error: --engine ray needs the extra `ray`: `pip install '.[ray]'` in a checkout of vsr-train\n"
    )
    assert not (tmp_path / "v").exists()


def test_one_process_does_not_import_what_a_cluster_needs(records: Path, tmp_path: Path) -> None:
    train = ["train", "--data-file", records, "--output-dir", tmp_path, "--algorithm", "knn", "--holdout", "0.3", *HASH]
    code = (
        "import sys; from vsr.cli import main; "
        f"assert main({['embed', '--input', str(records), '--output', str(tmp_path / 'v.npy'), *HASH]!r}) == 0; "
        f"assert main({[str(each) for each in train]!r}) == 0; "
        "print({'ray', 'pandas', 'pyarrow', 'vsr.cluster'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_training_on_a_folder_knows_its_embedder(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    queries = unique_prompts(read_prompts(records))
    embedder = load_embedder("hash", dim=16)
    folder = VectorFolder(tmp_path / "v")
    folder.require_writable()
    shards = list(shards_of(queries, embedder.fingerprint))
    for shard in shards:
        folder.write(shard, embedder.embed(shard.texts), 0)
    train = ("train", "--data-file", records, "--algorithm", "knn", "--knn-k", "5", "--holdout", "0.3", "--json")
    brought = (*train, "--output-dir", tmp_path / "brought", "--embedding-file", tmp_path / "v")
    early = vsr_train(*brought)
    assert (early.code, early.out) == (1, "")
    assert "its run has not finished" in " ".join(early.err.split())
    folder.finish([shard.name for shard in shards], len(queries), embedder.fingerprint)
    assert vsr_train(*brought).code == 0
    assert vsr_train(*train, "--output-dir", tmp_path / "own", *HASH).code == 0
    artefacts = [load_artefact(tmp_path / name / "knn_model.json") for name in ("brought", "own")]
    headers = [artefact.header for artefact in artefacts if artefact.header is not None]
    assert headers[0].embedder == headers[1].embedder == embedder.fingerprint
    chosen = [vsr_train("select", "What cell is it?", "--models-dir", tmp_path / name) for name in ("brought", "own")]
    assert chosen[0].out == chosen[1].out != ""


# Cut short


def embed_in_a_process(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "vsr", "embed", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_run_that_is_interrupted_leaves_the_old_file_and_the_cache(
    shared: Path, tmp_path: Path, vsr_train: Command
) -> None:
    # Some seconds of work in batches of less than one.
    queries = write_lines(
        tmp_path / "q.jsonl", *({"query": f"number {i} {'a triangle and a prime ' * 16}"} for i in range(900))
    )
    target, cache = tmp_path / "v.npy", tmp_path / "c"
    target.write_bytes(b"older")
    flags: list[object] = ["--input", queries, "--output", target, "--cache-dir", cache]
    flags += ["--embedding-model", "qwen3", "--embedding-path", shared / "reference" / "qwen3-tiny"]
    process = embed_in_a_process(*flags)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(size > 80_000 for size in cache_sizes(cache)):
        time.sleep(0.02)
    signalled_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "Error: Interrupted."
    assert time.monotonic() - signalled_at < 10  # a batch takes a second on a machine that does nothing else
    assert target.read_bytes() == b"older"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "q.jsonl", "v.npy"]
    document = vsr_train("-q", "embed", *flags, "--json").json
    assert 0 < document["n_cached"] < 900
    assert np.load(target).shape == (900, 64)


def cache_sizes(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.glob("*.sqlite3")]
