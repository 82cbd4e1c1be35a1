"""The whole way with models that have weights: records, vectors, artefact, choice; and artefacts of other models."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.conftest import Command, write_records
from vsr.embedding import load_embedder
from vsr.errors import ArtefactError
from vsr.persistence import load_artefact
from vsr.routing import Router

FOLDERS = {"qwen3": "qwen3-tiny", "gemma": "embeddinggemma-tiny", "bert": "bert-tiny"}
QUICK = ("--algorithm", "knn", "--knn-k", "5", "--holdout", "0.3")
LAW = "What is the court statute contract number 7?"

Train = Callable[..., Path]


@pytest.fixture
def folder_of(shared: Path) -> Callable[[str], Path]:
    return lambda model: shared / "reference" / FOLDERS.get(model, model)


@pytest.fixture
def few_records(tmp_path: Path) -> Path:
    return write_records(tmp_path / "records.jsonl", 36)


def train_flags(model: str, folder: Path, records: Path, target: Path) -> tuple[object, ...]:
    flags = ("--embedding-model", model, "--embedding-path", folder)
    return ("train", "--data-file", records, "--output-dir", target, *QUICK, *flags)


@pytest.mark.parametrize("model", FOLDERS)
def test_from_records_to_a_choice(
    model: str, folder_of: Callable[[str], Path], few_records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    flags = train_flags(model, folder_of(model), few_records, tmp_path / "out")
    trained = vsr_train(*flags, "--cache-dir", tmp_path / "cache", "--json")
    assert trained.code == 0, trained.err
    assert "from the cache" not in trained.err
    again = vsr_train(*flags, "--cache-dir", tmp_path / "cache", "--json")
    assert "36 of 36 texts have their vectors from the cache." in again.err.splitlines()
    assert trained.json["evaluation"]["verdict"] == again.json["evaluation"]["verdict"]

    header = load_artefact(tmp_path / "out" / "knn_model.json").header
    assert header is not None
    assert (header.embedder.name, header.embedder.path) == (model, str(folder_of(model)))

    select = ("select", LAW, "--models-dir", tmp_path / "out", "--category", "law", "--json")
    chosen = vsr_train(*select)
    assert (chosen.code, chosen.err) == (0, "")
    assert chosen.json == vsr_train(*select).json
    assert Router.load(tmp_path / "out").select(LAW, category="law").model == chosen.json["model"]


@pytest.mark.parametrize("model", FOLDERS)
def test_an_artefact_refuses_every_other_model(
    model: str, folder_of: Callable[[str], Path], few_records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    out = tmp_path / "out"
    assert vsr_train(*train_flags(model, folder_of(model), few_records, out)).code == 0
    for other in FOLDERS:
        if other == model:
            continue
        result = vsr_train("select", LAW, "--models-dir", out, "--embedding-path", folder_of(other))
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"Error: {folder_of(other)}: expected a model of the architecture ")
        named = vsr_train("select", LAW, "--models-dir", out, "--embedding-model", other)
        assert named.err.startswith(f"Error: --embedding-model {other}: these artefacts were trained with {model}.")


def test_the_field_that_differs_is_named(
    folder_of: Callable[[str], Path], few_records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    out = tmp_path / "out"
    assert vsr_train(*train_flags("qwen3", folder_of("qwen3"), few_records, out)).code == 0
    select = ("select", LAW, "--models-dir", out)
    # The same architecture and widths, other weights.
    result = vsr_train(*select, "--embedding-path", folder_of("qwen3-tiny-bf16"))
    assert (result.code, result.out) == (1, "")
    assert "is not the one that was used for training (digest: " in result.err
    assert result.err.count(" against ") == 1
    for flags, difference in (
        ("--embedding-max-tokens 100", "(token_limit: 256 against 100)"),
        ("--embedding-prompt query", "--embedding-prompt query: these artefacts were trained with none."),
        ("--embedding-dtype bfloat16", "--embedding-dtype bfloat16: these artefacts were trained with float32."),
        ("--embedding-dim 16", "--embedding-dim 16: these artefacts were trained with 64."),
    ):
        refused = vsr_train(*select, *flags.split())
        assert (refused.code, refused.out) == (1, "")
        assert difference in refused.err
    assert vsr_train(*select, "--embedding-max-tokens", "2048", "--embedding-dim", "64").code == 0


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_an_artefact_in_another_dtype_asks_for_it(
    dtype: str, folder_of: Callable[[str], Path], few_records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    flags = train_flags("qwen3", folder_of("qwen3"), few_records, tmp_path)
    trained = vsr_train(*flags, "--embedding-dtype", dtype)
    if trained.code == 1 and "avx512_bf16" in trained.err:
        pytest.skip(trained.err)
    assert trained.code == 0, trained.err
    header = load_artefact(tmp_path / "knn_model.json").header
    assert header is not None
    assert header.embedder.dtype == dtype
    chosen = vsr_train("select", LAW, "--models-dir", tmp_path, "--json")
    assert Router.load(tmp_path).select(LAW).model == chosen.json["model"]
    refused = vsr_train("select", LAW, "--models-dir", tmp_path, "--embedding-dtype", "float32")
    assert (refused.code, refused.out) == (1, "")
    assert f"--embedding-dtype float32: these artefacts were trained with {dtype}." in refused.err
    with pytest.raises(ArtefactError, match=rf"trained with another embedder \(dtype: '{dtype}' against 'float32'\)"):
        Router.load(tmp_path, embedder=load_embedder("qwen3", folder_of("qwen3")))


def test_a_model_that_moved_is_found_by_its_path(
    folder_of: Callable[[str], Path], few_records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    model = tmp_path / "model"
    shutil.copytree(folder_of("bert"), model)
    out = tmp_path / "out"
    assert vsr_train(*train_flags("bert", model, few_records, out)).code == 0
    expected = vsr_train("select", LAW, "--models-dir", out, "--json").json
    model.rename(tmp_path / "moved")
    lost = vsr_train("select", LAW, "--models-dir", out)
    assert (lost.code, lost.out) == (1, "")
    assert lost.err == (
        f"Error: the embedding model 'bert' was loaded from {model}, which is not here; say where the same model is "
        "(--embedding-path)\n"
    )
    found = vsr_train("select", LAW, "--models-dir", out, "--embedding-path", tmp_path / "moved", "--json")
    assert found.json == expected


def test_a_file_of_queries_is_embedded_once_and_from_the_cache(
    folder_of: Callable[[str], Path], few_records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    out = tmp_path / "out"
    assert vsr_train(*train_flags("bert", folder_of("bert"), few_records, out)).code == 0
    queries = tmp_path / "queries.jsonl"
    lines = [{"query": text, "category": "law"} for text in (LAW, "long " * 100, LAW)]
    queries.write_text("".join(json.dumps(line) + "\n" for line in lines))
    select = ("select", "--input", queries, "--models-dir", out)
    plain = vsr_train(*select)
    assert len(plain.lines) == 3
    assert plain.err == (
        "Warning: 1 of 2 texts are longer than 64 tokens, the limit of the model or of --embedding-max-tokens, "
        "and cut to these.\n"
    )
    for _ in range(2):
        cached = vsr_train(*select, "--cache-dir", tmp_path / "cache")
        assert cached.lines == plain.lines
    assert "2 of 2 texts have their vectors from the cache." in cached.err.splitlines()
    # Ready vectors need no model, so it may be gone.
    assert vsr_train("embed", "--input", queries, "--output", tmp_path / "v.npy", "--use-fallback").code == 0
    refused = vsr_train("select", LAW, "--models-dir", out, "--embedding-file", tmp_path / "v.npy")
    assert "has shape 2 x 768; expected 1 rows" in refused.err


def test_one_long_query_is_reported(
    folder_of: Callable[[str], Path], few_records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    assert vsr_train(*train_flags("bert", folder_of("bert"), few_records, tmp_path / "out")).code == 0
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        result = vsr_train("select", "long " * 100, "--models-dir", tmp_path / "out", "--category", "law")
    assert result.err == "Warning: 1 text is longer than 64 tokens and cut to these\n"


def test_pairs_and_records_are_embedded_by_one_model_at_once(
    folder_of: Callable[[str], Path], few_records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    lines = [{"query": f"Is it {i}?", "preferred": "newton", "other": "cicero"} for i in range(6)]
    pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = list(train_flags("bert", folder_of("bert"), few_records, tmp_path / "out"))
    flags[flags.index("knn")] = "matrix_factorization"
    del flags[flags.index("--knn-k") : flags.index("--knn-k") + 2]
    result = vsr_train(*flags, "--preferences", pairs, "--mf-num-factors", "2")
    assert result.code == 0, result.err
    assert result.err.count("Embedding with") == 1
