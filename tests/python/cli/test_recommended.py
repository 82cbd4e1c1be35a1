"""From records to a choice without naming an algorithm: what the training recommends is what answers."""

import json
import shutil
from pathlib import Path

import pytest

from cli.conftest import Command

LAW = "What is the court statute contract number 7?"


def test_what_is_recommended_answers(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    flags = ("--use-fallback", "--embedding-dim", 16, "--algorithm", "knn", "--algorithm", "stacking")
    training = vsr_train("train", "--data-file", records, "--output-dir", tmp_path, *flags, "--holdout", 0.3)
    assert training.code == 0
    recommended = json.loads((tmp_path / "recommended.json").read_text())["recommended"]
    assert training.err.splitlines()[-1] == (f"Recommended, and the default of `vsr-train select`: {recommended}.")
    usual = vsr_train("select", LAW, "--models-dir", tmp_path, "--json")
    assert (usual.code, usual.err) == (0, "")
    for name in ("recommended", recommended):
        assert vsr_train("select", LAW, "--models-dir", tmp_path, "--json", "--algorithm", name).out == usual.out
    shown = vsr_train("inspect", tmp_path, "--json").json
    assert shown["recommended"][0]["algorithm"] == recommended
    alone = vsr_train("inspect", tmp_path / "recommended.json")
    assert (alone.code, alone.err) == (0, "")
    assert alone.out.startswith(f"recommended  {recommended} ({tmp_path / 'recommended.json'}, run ")


@pytest.mark.parametrize("flag", ["mf", "matrix_factorization"])
def test_short_names_are_known(flag: str, trained: Path, vsr_train: Command) -> None:
    result = vsr_train("select", LAW, "--models-dir", trained, "--algorithm", flag, "--explain")
    assert (result.code, result.err) == (0, "")
    wrong = vsr_train("train", "--algorithm", flag, "--knn-k", "3")
    assert "--knn-k has no effect here: knn is not trained (--algorithm)." in wrong.err


def test_folders_that_recommend_nothing(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    shutil.copy(trained / "svm_model.json", tmp_path)
    only = vsr_train("select", LAW, "--models-dir", tmp_path)
    assert only.code == 0
    assert only.err == f"Warning: {tmp_path}: has no recommended.json; its only artefact, of svm, is used\n"
    shutil.copy(trained / "knn_model.json", tmp_path)
    several = vsr_train("select", LAW, "--models-dir", tmp_path)
    assert (several.code, several.out) == (1, "")
    assert several.err == (
        f"Error: {tmp_path}: has no recommended.json, so it recommends none of its artefacts (knn, svm); name one of "
        "these algorithms, or train again\n"
    )
    shutil.copy(trained / "recommended.json", tmp_path)
    missing = vsr_train("select", LAW, "--models-dir", tmp_path)
    assert missing.code == 1
    assert "is missing; copy all files of a training together, or train again" in missing.err


def test_who_always_answers_is_said(tmp_path: Path, vsr_train: Command) -> None:
    lines = [
        {"query": f"What is the integral number {n}?", "category": "math", "model_name": model, "performance": quality}
        for n in range(60)
        for model, quality in (("strong", 1.0), ("weak", 0.0))
    ]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ("--use-fallback", "--embedding-dim", 16, "--algorithm", "kmeans", "--holdout", 0.3)
    training = vsr_train(
        "train", "--data-file", tmp_path / "records.jsonl", "--output-dir", tmp_path / "models", *flags
    )
    assert training.err.splitlines()[-1].endswith(": table (always strong).")
    assert vsr_train("select", LAW, "--models-dir", tmp_path / "models").out.startswith("strong\n")
