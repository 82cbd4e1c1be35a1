"""`vsr-train train` on a small file: what it says, what it refuses, what becomes of older artefacts."""

import errno
import gzip
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.conftest import MODELS, Command, write_records
from documented import FILE_NAMES
from vsr.data.outcomes import Outcomes
from vsr.evaluation import compare_and_train
from vsr.persistence import find_artefacts, load_artefact

FAST = ("--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--knn-k", "5", "--holdout", "0.3")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# What it says


def test_a_training_ends_with_the_table_and_the_verdict(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train(
        "train", "--data-file", records, *FAST, "--algorithm", "kmeans", "--output-dir", tmp_path / "out"
    )
    assert result.code == 0
    assert "Traceback" not in result.err
    lines = result.out.splitlines()
    assert lines[0] == "90 queries, 3 models, 3 categories; held out: hold-out of 28, quality weight 0.9"
    titles = ["selector", "utility", "quality", "vs best single", "95 %", "latency", "per query"]
    assert re.split("  +", lines[2]) == titles
    for label in ("best single (", "random", "category table", "knn", "kmeans", "chosen inside the folds", "oracle"):
        assert any(line.startswith(label) for line in lines), label
    assert lines[-1].endswith(".")
    assert "best model per category is enough" in lines[-1] or "Routing pays" in lines[-1]
    err = result.err.splitlines()
    assert err[0] == "90 unique queries, 3 models."
    assert err[1].startswith("Embedding with hash, 16 wide")
    assert f"  knn (k=5): {tmp_path / 'out' / 'knn_model.json'}" in err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "knn_model.json",
        "kmeans_model.json",
        "table_model.json",
        "training_queries.json",
        "recommended.json",
    }


def test_json_replaces_the_table(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train("train", "--data-file", records, *FAST, "--output-dir", tmp_path, "--json")
    assert result.code == 0
    assert len(result.out.splitlines()) == 1
    document = result.json
    assert document["verdict"] in ("route", "category_table")
    assert document["verdict"] == document["evaluation"]["verdict"]["kind"]
    assert document["recommended"] in ("knn", "table")
    assert document["selectors"]["knn"]["file"] == str(tmp_path / "knn_model.json")
    assert document["selectors"]["knn"]["parameters"]["k"] == 5
    assert document["evaluation"]["methods"][0]["name"] == "best single"
    assert document["notes"] == []


def test_the_verdict_is_for_the_way_queries_arrive(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    folds = ("--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--knn-k", "5", "--splits", "1")
    for way, flags in {"predicted": (), "given": ("--categories", "given")}.items():
        result = vsr_train("train", "--data-file", records, *folds, *flags, "--output-dir", tmp_path, "--json")
        assert result.code == 0
        evaluation = result.json["evaluation"]
        assert evaluation["verdict"]["categories"] == way
        assert (evaluation["n_folds"], evaluation["n_splits"], evaluation["n_missing_cells"]) == (5, 1, 0)
        assert evaluation["luck"] >= 0.0
        methods = {method["name"]: method for method in evaluation["methods"]}
        other = "given" if way == "predicted" else "predicted"
        assert methods["judged"]["categories"] == way
        assert methods[f"judged, categories {other}"]["categories"] == other
        singles = {name for name, method in methods.items() if method["kind"] == "single"}
        assert singles == {f"always {model}" for model in MODELS if model != evaluation["best_single"]}
    text = vsr_train("train", "--data-file", records, *folds, "--output-dir", tmp_path).out.splitlines()
    assert text[0].endswith("held out: 5-fold, quality weight 0.9")
    assert any(line.startswith("chosen inside the folds, categories given") for line in text)


def test_all_five_by_default(trained: Path) -> None:
    assert list(find_artefacts(trained)) == list(FILE_NAMES)
    headers = [load_artefact(path).header for path in find_artefacts(trained).values()]
    assert len({header.run_id for header in headers if header is not None}) == 1
    held_out = headers[0].held_out if headers[0] is not None else None
    assert held_out is not None
    assert held_out["n_held_out"] == 27


def test_quiet_leaves_data_alone(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train("-q", "train", "--data-file", records, *FAST, "--output-dir", tmp_path)
    assert (result.code, result.err) == (0, "")
    assert "category table" in result.out


def test_the_defaults_are_found_in_the_working_folder(
    records: Path, tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = vsr_train("train", *FAST)
    assert missing.code == 1
    assert missing.err == (
        "Error: benchmark_training_data.jsonl: no such file; expected a JSON Lines file of records\n"
    )
    assert list(tmp_path.iterdir()) == []  # no empty folder is left of a failure
    shutil.copy(records, "benchmark_training_data.jsonl")
    assert vsr_train("train", *FAST).code == 0
    assert Path("trained_models/knn_model.json").is_file()


def test_the_same_command_gives_the_same_bytes(
    records: Path, tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for run in ("first", "second"):
        assert vsr_train("train", "--data-file", records, *FAST, "--output-dir", tmp_path / run, "--seed", 5).code == 0
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_flags_reach_the_algorithms(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    priced = tmp_path / "records.jsonl"
    with priced.open("w") as file:
        for line in records.read_text().splitlines():
            record = json.loads(line)
            file.write(json.dumps(record | {"cost": 0.001 * len(record["model_name"])}) + "\n")
    result = vsr_train(
        *("train", "--data-file", priced, "--output-dir", tmp_path, "--json"),
        *("--use-fallback", "--embedding-dim", "16", "--holdout", "0.3", "--seed", "3", "--quality-weight", "0.7"),
        *("--knn-k", "4", "--knn-index", "ball-tree", "--kmeans-clusters", "3", "--svm-kernel", "linear"),
        *("--svm-c", "0.5", "--svm-solver", "shared-gram", "--mlp-hidden-layers", "6, 4", "--mf-num-factors", "2"),
        *("--cost-share", "0.25"),
    )
    assert result.code == 0
    parameters = {name: each["parameters"] for name, each in result.json["selectors"].items()}
    assert parameters["knn"]["k"] == 4
    assert parameters["kmeans"]["num_clusters"] == 3
    assert (parameters["svm"]["kernel"], parameters["svm"]["c"]) == ("linear", 0.5)
    assert parameters["mlp"]["hidden_layers"] == [6, 4]
    assert parameters["matrix_factorization"]["num_factors"] == 2
    assert result.json["evaluation"]["objective"] == {"quality_weight": 0.7, "cost_share": 0.25}
    assert result.json["evaluation"]["seed"] == 3
    assert json.loads((tmp_path / "knn_model.json").read_text())["vsr"]["predictor"]["index"] == "ball-tree"


def test_packed_records_and_ready_vectors(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    packed = tmp_path / "records.jsonl.gz"
    packed.write_bytes(gzip.compress(records.read_bytes()))
    vectors = tmp_path / "vectors.npy"
    np.save(vectors, np.random.default_rng(0).standard_normal((90, 8)))
    result = vsr_train(
        *("train", "--data-file", packed, "--embedding-file", vectors, "--algorithm", "knn", "--holdout", "0.3"),
        *("--output-dir", tmp_path / "out"),
    )
    assert result.code == 0
    header = load_artefact(tmp_path / "out" / "knn_model.json").header
    assert header is not None
    assert (header.embedder.name, header.embedder.width) == ("external", 8)


def test_preferences_teach_the_factorization(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    lines = [
        {"query": f"What is the enzyme protein cell number {number}?", "preferred": "darwin", "other": other}
        for number in range(200, 240)
        for other in ("newton", "cicero")
    ]
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = (
        *("train", "--data-file", records, "--use-fallback", "--embedding-dim", "32", "--holdout", "0.3"),
        *("--algorithm", "matrix_factorization", "--preferences", pairs, "--output-dir", tmp_path / "out"),
    )
    result = vsr_train(*flags, "--json")
    assert result.code == 0, result.err
    text = "What is the enzyme protein cell number 250?"
    chosen = vsr_train(
        "select", text, "--models-dir", tmp_path / "out", "--algorithm", "matrix_factorization", "--json"
    )
    assert chosen.json["model"] == "darwin"
    pairs.write_text(pairs.read_text() + '{"query": "a?", "preferred": "galen", "other": "darwin"}\n')
    refused = vsr_train(*flags)
    assert refused.code == 1
    assert f'Error: {pairs}:81: `preferred` is "galen"; expected one of the models of the records' in refused.err
    skipped = vsr_train(*flags, "--skip-bad-lines")
    assert skipped.code == 0
    assert f"Warning: {pairs}: 1 bad lines left out" in skipped.err


# Odd data


def test_few_queries_are_warned_of(tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train("train", "--data-file", write_records(tmp_path / "r.jsonl", 12), *FAST, "--output-dir", tmp_path)
    assert result.code == 0
    assert "Warning: only 12 unique queries: the intervals are too wide to say whether routing pays" in result.err


def test_two_queries_are_enough_to_train(tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train("train", "--data-file", write_records(tmp_path / "r.jsonl", 2), *FAST, "--output-dir", tmp_path)
    assert result.code == 0
    assert "Warning: too few queries to hold any out: there is no table" in result.err
    assert (tmp_path / "knn_model.json").is_file()


def test_one_model_trains_and_says_that_there_is_nothing_to_choose(
    records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    data = tmp_path / "one.jsonl"
    data.write_text("".join(line + "\n" for line in records.read_text().splitlines() if '"darwin"' in line))
    result = vsr_train("train", "--data-file", data, *FAST, "--output-dir", tmp_path)
    assert (result.code, result.out) == (0, "")
    assert "90 unique queries, 1 model." in result.err.splitlines()
    assert "Warning: darwin is the only model: there is nothing to choose" in result.err
    as_json = vsr_train("train", "--data-file", data, *FAST, "--output-dir", tmp_path, "--json")
    assert (as_json.json["verdict"], as_json.json["evaluation"]) == (None, None)


def test_a_model_without_a_single_answer_is_left_out_and_named(
    records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    data = tmp_path / "down.jsonl"
    first = json.loads(records.read_text().splitlines()[0])
    down = {"query": first["query"], "model_name": "galen", "error": "unavailable: connection refused"}
    data.write_text(records.read_text() + json.dumps(down) + "\n")
    result = vsr_train("train", "--data-file", data, *FAST, "--output-dir", tmp_path)
    assert result.code == 0
    assert "galen" in result.err
    assert load_artefact(tmp_path / "knn_model.json").selector.models == MODELS


def test_missing_categories_are_predicted_and_unknown_ones_reported(
    records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    changed = []
    for number, line in enumerate(records.read_text().splitlines()):
        record = json.loads(line)
        if number < 15:
            del record["category"]
        elif number < 30:
            record["category"] = "astrology"
        changed.append(json.dumps(record) + "\n")
    data = tmp_path / "gaps.jsonl"
    data.write_text("".join(changed))
    result = vsr_train("train", "--data-file", data, *FAST, "--output-dir", tmp_path)
    assert result.code == 0
    assert "5 missing categories predicted from the embedding" in result.err
    assert "astrology" in result.err


def test_bad_lines_can_be_left_out(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    data = tmp_path / "bad.jsonl"
    data.write_text("{bad\n" + records.read_text())
    refused = vsr_train("train", "--data-file", data, *FAST, "--output-dir", tmp_path)
    assert refused.code == 1
    assert refused.err.startswith(f"Error: {data}:1: is not valid JSON")
    left_out = vsr_train("train", "--data-file", data, *FAST, "--output-dir", tmp_path, "--skip-bad-lines")
    assert left_out.code == 0
    assert "1 bad lines left out" in left_out.err


# Bad input

GOOD = json.dumps({"query": "a?", "model_name": "m", "performance": 1.0})
BAD_RECORDS = {
    "": "holds no records; expected one JSON object a line",
    "\n\n": "holds no records; expected one JSON object a line",
    GOOD + "\n{": ":2: is not valid JSON",
    GOOD + "\n[1]": ":2: ",
    GOOD + '\n{"model_name": "m", "performance": 1}': ":2: `query` is missing; expected the text of the query",
    GOOD + '\n{"query": " ", "model_name": "m", "performance": 1}': ":2: `query` ",
    GOOD + '\n{"query": "a?", "performance": 1}': ":2: `model_name` is missing; expected the name of the LLM",
    GOOD + '\n{"query": "a?", "model_name": "m", "performance": 1.7}': ":2: `performance` is 1.7; expected a number",
    GOOD + '\n{"query": "a?", "model_name": "m", "performance": "high"}': ':2: `performance` is "high"; expected a',
    GOOD + '\n{"query": "a?", "model_name": "m", "performance": NaN}': ":2: `performance` is NaN; expected a number",
    GOOD: ": only 1 unique query has a measured quality; expected 2 at least",
    '{"query": "a?", "model_name": "m", "error": "unavailable: down"}': "quality",
}


@pytest.mark.parametrize("content", list(BAD_RECORDS))
def test_bad_records_are_named(content: str, tmp_path: Path, vsr_train: Command) -> None:
    data = tmp_path / "records.jsonl"
    data.write_text(content)
    result = vsr_train("train", "--data-file", data, *FAST, "--output-dir", tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"Error: {data}")
    assert BAD_RECORDS[content] in result.err
    assert len(result.err.splitlines()) <= 2
    assert not (tmp_path / "out").exists()


def test_no_such_file(tmp_path: Path, vsr_train: Command) -> None:
    for wrong, message in ((tmp_path / "no.jsonl", "no such file"), (tmp_path, "is a folder")):
        result = vsr_train("train", "--data-file", wrong, *FAST, "--output-dir", tmp_path)
        assert result.code == 1
        assert result.err == f"Error: {wrong}: {message}; expected a JSON Lines file of records\n"


BAD_VECTORS: dict[str, tuple[Any, str]] = {
    "rows": (np.ones((89, 4)), "has shape 89 x 4; expected 90 rows, one per unique query in order of first appearance"),
    "rank": (np.ones(90), "has shape 90; expected 90 rows"),
    "nan": (np.full((90, 4), np.nan), "embeddings hold nan in row 0, column 0; expected finite numbers"),
    "text": (np.full((90, 4), "a"), "no matrix of numbers"),
    "nothing": (b"", "is no NumPy file of one array; expected a .npy matrix"),
    "archive": (b"PK\x03\x04 no archive", "is no NumPy file of one array; expected a .npy matrix"),
    "damaged": (b"\x93NUMPY\x01\x00nothing", "is damaged"),
    "missing": (None, "no such file"),
}


@pytest.mark.parametrize("what", list(BAD_VECTORS))
def test_bad_vectors_are_named(what: str, records: Path, tmp_path: Path, vsr_train: Command) -> None:
    content, message = BAD_VECTORS[what]
    file = tmp_path / "vectors.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content)
    result = vsr_train("train", "--data-file", records, "--embedding-file", file, "--output-dir", tmp_path / "out")
    assert (result.code, result.out) == (1, "")
    assert result.err.splitlines()[1].startswith(f"Error: {file}: ")
    assert message in result.err
    assert len(result.err.splitlines()) == 2
    assert not (tmp_path / "out").exists()


def test_several_arrays_are_no_matrix(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    np.savez(tmp_path / "v.npz", a=np.ones((90, 2)), b=np.ones(3))
    result = vsr_train(
        "train", "--data-file", records, "--embedding-file", tmp_path / "v.npz", "--output-dir", tmp_path
    )
    assert result.code == 1
    assert f"Error: {tmp_path / 'v.npz'}: is no NumPy file of one array; expected a .npy matrix" in result.err


def test_a_folder_that_cannot_be_written_is_said_before_any_work(
    records: Path, tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "models"
    result = vsr_train("train", "--data-file", tmp_path / "no.jsonl", *FAST, "--output-dir", below)
    assert result.code == 1
    assert result.err == (
        f"Error: {below}: cannot be written to (Not a directory); name a folder that this user may write to\n"
    )

    def refuse(**_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    denied = vsr_train("train", "--data-file", records, *FAST, "--output-dir", tmp_path)
    assert denied.code == 1
    assert f"Error: {tmp_path}: cannot be written to (Permission denied)" in denied.err
    assert vsr_train("train", "--data-file", records, *FAST, "--output-dir", tmp_path / "file").code == 2


def test_qwen_without_its_files_names_the_ways_out(
    records: Path, tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    result = vsr_train(
        *("train", "--data-file", records, "--embedding-model", "bert", "--embedding-path", tmp_path / "nowhere"),
        *("--output-dir", tmp_path / "out"),
    )
    assert result.code == 1
    assert str(tmp_path / "nowhere") in result.err
    assert "Traceback" not in result.err


WITHOUT_EFFECT = {
    "--algorithm svm --knn-k 3": "--knn-k has no effect here: knn is not trained (--algorithm).",
    "--algorithm knn --mlp-hidden-layers 8": "--mlp-hidden-layers has no effect here: mlp is not trained",
    "--svm-kernel linear --svm-gamma 0.5": "--svm-gamma has no effect with --svm-kernel linear.",
    "--splits 2 --holdout 0.3": "--splits has no effect with --holdout: queries are held out once.",
    "--quality-weight 1 --cost-share 0.5": "--cost-share has no effect with --quality-weight 1",
    "--use-fallback --embedding-model bert": "--use-fallback means --embedding-model hash and contradicts",
    "--use-fallback --embedding-path x": "--embedding-path has no effect here: the hash embedder has no model files.",
    "--use-fallback --embedding-file x.npy": "--use-fallback has no effect here: --embedding-file brings ready",
    "--embedding-file x.npy --embedding-dim 8": "--embedding-dim has no effect here",
    "--concurrency 4": "--concurrency has no effect without --benchmark.",
    "--rate-limit-delay 0": "--rate-limit-delay has no effect without --benchmark.",
    "--retry-failed": "--retry-failed has no effect without --benchmark.",
    "--max-cost 1": "--max-cost has no effect without --benchmark.",
    "--benchmark": "--benchmark needs --config FILE.",
    "--analyze-only": "--analyze-only needs --config FILE.",
    "--preferences x.jsonl --algorithm knn": "--preferences has no effect here: matrix_factorization is not trained",
}
WRONG_VALUES = {
    "--knn-k 0": "'0' is not a whole number of 1 or more, or 'auto'.",
    "--knn-k 2.5": "'2.5' is not a whole number of 1 or more, or 'auto'.",
    "--svm-c nan": "'nan' is not a number above 0, or 'auto'.",
    "--svm-c inf": "'inf' is not a number above 0, or 'auto'.",
    "--kmeans-clusters many": "'many' is not a whole number of 1 or more, or 'auto'.",
    "--mlp-hidden-layers 8,,4": "'8,,4' is not widths such as 256,128, or 'auto'.",
    "--mf-num-factors 0": "'0' is not a whole number of 1 or more.",
    "--quality-weight 1.5": "1.5 is not in the range 0.0<=x<=1.0.",
    "--quality-weight nan": "nan",
    "--holdout 0": "0.0 is not in the range 0.0<x<1.0.",
    "--holdout 1": "1.0 is not in the range 0.0<x<1.0.",
    "--algorithm forest": "'forest' is not one of 'knn', 'kmeans', 'svm', 'mlp', 'matrix_factorization', 'table', ",
    "--seed -1": "-1 is not in the range",
    "--frobnicate": "No such option",
}


@pytest.mark.parametrize("flags", [*WITHOUT_EFFECT, *WRONG_VALUES])
def test_flags_without_effect_and_wrong_values_are_wrong_usage(
    flags: str, records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    result = vsr_train("train", "--data-file", records, "--output-dir", tmp_path / "out", *flags.split())
    assert (result.code, result.out) == (2, "")
    assert (WITHOUT_EFFECT | WRONG_VALUES)[flags] in result.err
    assert not (tmp_path / "out").exists()


# Older artefacts


def in_a_process(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "VSR_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "vsr", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def test_a_full_disk_leaves_older_artefacts(records: Path, trained: Path, tmp_path: Path) -> None:
    """No file may become larger than the smallest of the artefacts: some are written before one does not fit."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    before = contents(tmp_path)
    limit = min(map(len, before.values())) + 4096
    process = in_a_process(
        *("train", "--data-file", records, "--output-dir", tmp_path, "--use-fallback", "--embedding-dim", "32"),
        *("--algorithm", "kmeans", "--algorithm", "knn", "--holdout", "0.3"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, ""), err
    assert err.splitlines()[-1] == (
        f"Error: {tmp_path / 'knn_model.json'}: cannot be written (File too large); older files are untouched. "
        "Free some space there, or name another folder"
    )
    assert contents(tmp_path) == before


def test_an_interrupt_leaves_older_artefacts(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(trained, folder)
    before = contents(folder)
    process = in_a_process(
        *("train", "--data-file", write_records(tmp_path / "many.jsonl", 1500), "--output-dir", folder),
        "--use-fallback",
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Embedding with"):
            break
    try:
        process.wait(1.0)  # whole trainings of this size take many seconds
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert (out, err.splitlines()[-1]) == ("", "Error: Interrupted.")
    assert contents(folder) == before


def test_an_interrupt_at_any_step_leaves_older_artefacts(
    records: Path, trained: Path, tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    before = contents(tmp_path)

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    steps = (
        (Outcomes, "from_records"),
        (compare_and_train, "hold_out"),
        (compare_and_train, "save_selectors"),
    )
    for holder, step in steps:
        with monkeypatch.context() as patched:
            patched.setattr(holder, step, interrupted)
            result = vsr_train("train", "--data-file", records, *FAST, "--output-dir", tmp_path)
        assert (result.code, result.out) == (130, "")
        assert result.err.splitlines()[-1] == "Error: Interrupted."
        assert contents(tmp_path) == before


def test_arrays_apart_of_algorithms_that_have_none(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    flags = ("--algorithm", "kmeans", "--artefact-format", "binary", "--output-dir", tmp_path / "out")
    result = vsr_train("train", "--data-file", records, *flags)
    assert (result.code, result.out) == (2, "")
    assert "--artefact-format binary has no effect here: only knn, svm, stacking have big arrays" in result.err
