"""`train --feedback`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.conftest import Command, write_records
from routing.subjects import MODELS, TOPICS
from traffic.days import train, usual, write_log
from vsr.routing import Request, Router

FLAGS = ("--use-fallback", "--embedding-dim", "32", "--holdout", "0.3")


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def without_time(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text())
    content["vsr"].pop("created_at")
    return dict(content)


def knows(model: str, text: str) -> bool:
    """Whether a question is about the subject of a model."""
    subject = dict(zip(MODELS, TOPICS.values(), strict=True))[model]
    return any(word in text for word in subject)


def test_a_weight_of_zero_changes_nothing(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    feedback = write(
        tmp_path / "feedback.jsonl",
        {"query": "A?", "model": "newton", "quality": 1},
        {"query": "A?", "preferred": "newton", "other": "darwin"},
    )
    both = ("--algorithm", "knn", "--algorithm", "matrix_factorization", "--mf-num-factors", "4")
    plain = ("train", "--data-file", records, *FLAGS, *both)
    given = ("--feedback", feedback, "--feedback-weight")
    runs = {"none": (), "zero": (*given, "0"), "half": (*given, "0.5")}
    for name, flags in runs.items():
        result = vsr_train(*plain, *flags, "--output-dir", tmp_path / name)
        assert result.code == 0, result.err
    assert "Feedback: 1 grade of 1 query, 1 preference; weight 0.5." in result.err
    for file in ("knn_model.json", "mf_model.json"):
        none, zero, half = (without_time(tmp_path / name / file) for name in runs)
        assert none == zero
        assert none != half


def test_pairs_train_the_factorization(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    lines = [
        {"query": f"What is the enzyme protein cell number {number}?", "preferred": "darwin", "other": other}
        for number in range(200, 240)
        for other in ("newton", "cicero")
    ]
    flags = ("--algorithm", "matrix_factorization", "--feedback", write(tmp_path / "f.jsonl", *lines))
    result = vsr_train("train", "--data-file", records, *FLAGS, *flags, "--output-dir", tmp_path / "out", "--json")
    assert result.code == 0, result.err
    text = "What is the enzyme protein cell number 250?"
    asked = ("--models-dir", tmp_path / "out", "--algorithm", "matrix_factorization", "--json")
    assert vsr_train("select", text, *asked).json["model"] == "darwin"


def test_grades_by_the_ids_of_a_log_teach_what_few_records_do_not(tmp_path: Path, vsr_train: Command) -> None:
    log = write_log(train(tmp_path / "served"), tmp_path / "log" / "decisions.jsonl", [usual] * 3, with_text=True)
    generator = np.random.default_rng(0)
    lines = []
    for name, model, _ in log:
        day, number = (int(part) for part in name.split("-"))
        is_good = generator.random() < (0.9 if knows(model, usual(day, number)) else 0.2)
        lines.append({"id": name, "quality": float(is_good)})
    feedback = write(tmp_path / "feedback.jsonl", *lines, {"id": "nobody", "quality": 1})
    measured = write_records(tmp_path / "measured.jsonl", 30).read_text().splitlines()
    records = write(tmp_path / "records.jsonl", *({**json.loads(line), "category": None} for line in measured))
    flags = ("train", "--data-file", records, *FLAGS, "--algorithm", "kmeans")
    given = ("--feedback", feedback, "--feedback-weight", "1")
    assert vsr_train(*flags, "--output-dir", tmp_path / "without").code == 0
    result = vsr_train(*flags, *given, "--log", tmp_path / "log", "--output-dir", tmp_path / "with")
    assert result.code == 0, result.err
    assert "Warning: 1 line of feedback left out: no log holds their decision; name it with --log" in result.err
    assert "Feedback: 450 grades of 450 queries, 0 preferences; weight 1." in result.err
    texts = [usual(9, number) for number in range(150)]
    right = {}
    for name in ("without", "with"):
        choices = Router.load(tmp_path / name, "kmeans").route([Request(text) for text in texts])
        right[name] = np.mean([knows(choice.model, text) for text, choice in zip(texts, choices, strict=True)])
    assert right["with"] > right["without"] + 0.2, right
    refused = vsr_train(*flags, *given, "--output-dir", tmp_path / "none")
    assert refused.code == 1
    assert refused.err.splitlines()[-1] == (
        "Error: no feedback can be trained on: 451 lines of feedback left out: no log holds their decision; name it "
        "with --log"
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--log x", "--log has no effect without --feedback."),
        ("--feedback-weight 0.2", "--feedback-weight has no effect without --feedback."),
        ("--feedback f --algorithm table", "--feedback has no effect here: no algorithm that learns is trained"),
        ("--feedback f --embedding-file e.npy", "--feedback needs an embedding model: --embedding-file lacks vectors"),
        ("--feedback f --analyze-only --config c", "--feedback has no effect with --analyze-only: nothing is trained."),
        ("--feedback f --svm-solver linfa", "--svm-solver linfa knows no weights of queries: use shared-gram, or"),
        ("--feedback f --feedback-weight 1.5", "1.5 is not in the range 0.0<=x<=1.0."),
    ],
)
def test_flags_without_effect_are_wrong_usage(flags: str, said: str, records: Path, vsr_train: Command) -> None:
    result = vsr_train("train", "--data-file", records, *flags.split())
    assert (result.code, result.out) == (2, "")
    assert said in " ".join(result.err.split())
