"""`vsr-train evaluate`: records alone, saved artefacts on new records, queries without records."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import vsr
from cli.conftest import MODELS, Command, write_records
from vsr.persistence.training_queries import TRAINING_QUERIES_NAME

HASHED = ("--use-fallback", "--embedding-dim", "32")
QUICK = (*HASHED, "--algorithm", "knn", "--algorithm", "kmeans", "--splits", "1")


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 queries of the training and 60 others."""
    return write_records(tmp_path_factory.mktemp("more") / "more.jsonl", 150)


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("queries") / "queries.jsonl"
    lines = [
        {"query": "What is the court statute contract number 900?", "category": "law"},
        {"query": "What is the prime triangle equation number 901?"},
        {"query": "What is the  PRIME triangle equation number 901?"},
        {"query": "Zwei jagen im Walde einen Hirsch und essen Brot."},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


# Records alone


def test_records_alone_are_compared_as_train_compares_them(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    arguments = ("--data-file", records, *QUICK)
    trained = vsr_train("train", *arguments, "--output-dir", tmp_path / "models", "--json")
    evaluated = vsr_train("evaluate", *arguments, "--baseline", "none", "--json")
    assert (trained.code, evaluated.code) == (0, 0)
    document = evaluated.json["evaluation"]
    for name, value in trained.json["evaluation"].items():
        assert document[name] == value, name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


def test_decisions_of_a_configuration_have_their_own_verdicts(
    records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    config = tmp_path / "config.yaml"

    def decision(topic: str, models: tuple[str, ...], **more: object) -> dict[str, object]:
        rules = {"operator": "OR", "conditions": [{"type": "domain", "name": topic}]}
        return {"name": f"{topic} queries", "rules": rules, "modelRefs": [{"model": name} for name in models], **more}

    decisions = [decision("law", MODELS, algorithm={"type": "kmeans"}), decision("math", MODELS[:1])]
    config.write_text(json.dumps({"model_config": {name: {} for name in MODELS}, "decisions": decisions}))
    arguments = ("--data-file", records, *QUICK, "--config", config, "--baseline", "none")
    result = vsr_train("evaluate", *arguments)
    assert result.code == 0
    lines = result.out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("decision "))
    assert lines[start].split() == ["decision", "queries", "models", "gain", "95", "%", "verdict"]
    assert lines[start + 1].startswith("law queries   30 (33%)       3")
    assert lines[start + 2].split() == ["math", "queries", "30", "(33%)", "1", "-", "nothing", "to", "choose"]
    assert "30 of 90 queries fall into no decision by their category." in lines
    law = vsr_train("evaluate", *arguments, "--json").json["decisions"]["decisions"][0]
    assert law["algorithm"] == "kmeans"
    assert law["best_single"] == "cicero"


# Saved artefacts on new records


def test_artefacts_are_judged_on_what_they_have_not_seen(trained: Path, more: Path, vsr_train: Command) -> None:
    result = vsr_train("evaluate", "--models-dir", trained, "--data-file", more)
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == "60 queries, 3 models, 3 categories; categories predicted, quality weight 0.9"
    assert lines[1] == "90 queries of the file left out: they were in the training."
    assert lines[3].split()[:4] == ["selector", "utility", "quality", "promised"]
    assert any(line.startswith("stacking") for line in lines)
    assert "It chose 3 models for 60 queries of 3 categories." in lines
    assert any("unlike anything measured" in line for line in lines)


def test_json_holds_the_same(trained: Path, more: Path, vsr_train: Command) -> None:
    document = vsr_train("evaluate", "--models-dir", trained, "--data-file", more, "--json").json
    assert (document["n_queries"], document["n_left_out"]) == (60, 90)
    names = [each["name"] for each in document["artefacts"]]
    assert document["recommended"] == names[0]
    assert set(names) == {"knn", "kmeans", "svm", "mlp", "matrix_factorization", "stacking", "table"}
    assert all(each["promise"]["quality"] > 0.0 for each in document["artefacts"])
    assert document["novelty"]["n_queries"] == 60
    alone = vsr_train("evaluate", "--models-dir", trained, "--data-file", more, "--algorithm", "svm", "--json").json
    assert [each["name"] for each in alone["artefacts"]] == ["svm"]
    assert alone["artefacts"][0] == document["artefacts"][names.index("svm")]


def test_python_gives_the_same(trained: Path, more: Path, vsr_train: Command) -> None:
    outcomes = vsr.Outcomes.from_records(vsr.read_records(more))
    vectors = vsr.load_embedder("hash", dim=32).embed(outcomes.queries)
    evaluation = vsr.evaluate(trained, outcomes, vectors, algorithms=("knn", "svm"))
    flags = ("--algorithm", "knn", "--algorithm", "svm", "--json")
    document = vsr_train("evaluate", "--models-dir", trained, "--data-file", more, *flags).json
    assert (evaluation.n_queries, evaluation.n_left_out) == (document["n_queries"], document["n_left_out"]) == (60, 90)
    assert evaluation.novelty is not None
    assert evaluation.novelty.n_queries == document["novelty"]["n_queries"]
    for name in ("knn", "svm"):
        written = next(each for each in document["artefacts"] if each["name"] == name)
        assert evaluation.artefact(name).utility == written["utility"]


def test_records_of_the_training_say_nothing_new(trained: Path, records: Path, vsr_train: Command) -> None:
    result = vsr_train("evaluate", "--models-dir", trained, "--data-file", records)
    assert (result.code, result.out) == (1, "")
    assert f"all 90 queries were in the training of {trained}" in result.err


def test_where_the_folder_keeps_no_hashes_that_is_said(
    trained: Path, more: Path, tmp_path: Path, vsr_train: Command
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / TRAINING_QUERIES_NAME).unlink()
    result = vsr_train("evaluate", "--models-dir", tmp_path, "--data-file", more)
    assert result.code == 0
    assert "it cannot be known which queries were in the training" in result.err
    assert result.out.startswith("150 queries, 3 models")
    assert vsr_train("evaluate", "--models-dir", tmp_path, "--data-file", more, "--json").json["n_left_out"] is None


def test_hashes_of_another_training_are_not_believed(
    trained: Path, more: Path, tmp_path: Path, vsr_train: Command
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    path = tmp_path / TRAINING_QUERIES_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | {"run_id": "0" * 16}))
    result = vsr_train("evaluate", "--models-dir", tmp_path, "--data-file", more)
    assert result.code == 0
    assert "belongs to another training" in result.err


# Queries without records


def test_queries_show_what_would_be_chosen(trained: Path, queries: Path, vsr_train: Command) -> None:
    result = vsr_train("evaluate", "--models-dir", trained, "--queries", queries)
    assert result.code == 0
    assert "3 unique queries." in result.err
    lines = result.out.splitlines()
    assert re.fullmatch(r"\w+, quality weight 0\.9: predicted quality 0\.\d{3}, latency \d\.\d\d s", lines[0])
    assert any(line.startswith("Categories: given for 1, predicted for 2 (right for ") for line in lines)
    assert any("of these queries (95 %" in line for line in lines)


def test_queries_as_json_for_several_artefacts(trained: Path, queries: Path, vsr_train: Command) -> None:
    arguments = ("--models-dir", trained, "--queries", queries, "--algorithm", "knn", "--algorithm", "table")
    document = vsr_train("evaluate", *arguments, "--json").json
    assert {each["name"] for each in document["artefacts"]} == {"knn", "table"}
    assert (document["n_queries"], document["n_in_training"], document["unmeasured_categories"]) == (3, 0, [])
    assert sum(document["artefacts"][0]["selection"].values()) == pytest.approx(1.0)
    assert document["novelty"]["n_queries"] == 3


def test_without_vectors_of_the_training_the_distance_is_not_known(
    trained: Path, queries: Path, tmp_path: Path, vsr_train: Command
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (tmp_path / TRAINING_QUERIES_NAME).unlink()
    arguments = ("evaluate", "--models-dir", tmp_path, "--queries", queries, "--algorithm", "table")
    assert "unlike anything measured" in vsr_train(*arguments).out
    (tmp_path / "knn_model.json").unlink()
    assert "How far they are from the training cannot be said" in vsr_train(*arguments).out


# Wrong usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--models-dir", "m"), "--models-dir needs --data-file FILE (new records) or --queries FILE."),
        (("--models-dir", "m", "--data-file", "f", "--folds", "3"), "--folds has no effect with --models-dir"),
        (("--models-dir", "m", "--data-file", "f", "--config", "c"), "--config has no effect with --models-dir"),
        (("--models-dir", "m", "--data-file", "f", "--holdout", "0.2"), "--holdout has no effect with --models-dir"),
        (("--queries", "q", "--data-file", "f"), "--data-file has no effect with --queries"),
        (("--queries", "q", "--categories", "given"), "--categories has no effect with --queries"),
        (("--queries", "q", "--splits", "1"), "--splits has no effect with --queries"),
        (
            ("--models-dir", "m", "--data-file", "f", "--compare-on", "9"),
            "--compare-on has no effect with --models-dir",
        ),
        (("--queries", "q", "--seed", "1"), "--seed has no effect with --queries"),
        (("--data-file", "f", "--holdout", "0.2", "--splits", "2"), "--splits has no effect with --holdout"),
    ],
)
def test_a_flag_without_effect_is_refused(arguments: tuple[str, ...], message: str, vsr_train: Command) -> None:
    result = vsr_train("evaluate", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_another_embedder_is_refused(trained: Path, more: Path, vsr_train: Command) -> None:
    arguments = ("evaluate", "--models-dir", trained, "--data-file", more, "--embedding-dim", "64")
    result = vsr_train(*arguments)
    assert (result.code, result.out) == (1, "")
    assert "--embedding-dim 64: these artefacts were trained with 32" in result.err


# Judged qualities


def judged_records(path: Path, n_true: int) -> Path:
    """200 queries and two models; a judge is right on four of five answers, and the truth of some queries is known."""
    generator = np.random.default_rng(3)
    lines = []
    for number in range(200):
        for model, level in (("strong", 0.8), ("weak", 0.3)):
            truth = float(generator.random() < level)
            judged = truth if generator.random() < 0.8 else 1.0 - truth
            known = {"performance": truth} if number < n_true else {"performance": judged, "is_judged": True}
            query = f"What is the integral number {number}?"
            lines.append({"query": query, "category": "math", "model_name": model, "judged": judged, **known})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_verdict_says_what_it_rests_on(tmp_path: Path, vsr_train: Command) -> None:
    some, none = (judged_records(tmp_path / f"{n}.jsonl", n) for n in (100, 0))
    flags = (*QUICK, "--baseline", "none", "--algorithm", "kmeans")
    corrected = vsr_train("evaluate", "--data-file", some, *flags)
    assert "200 of 400 qualities are judged by LLMs; where the quality is known as well (200) they agree on" in (
        " ".join(corrected.out.split())
    )
    believed = vsr_train("evaluate", "--data-file", none, *flags)
    assert "400 of 400 qualities are judged by LLMs, and too few are known" in " ".join(believed.out.split())
    document = vsr_train("evaluate", "--data-file", some, *flags, "--json").json["evaluation"]
    assert document["judged_labels"]["n_both"] == 200
    assert document["n_missing_cells"] == 0
    weak = next(each for each in document["methods"] if each["name"] == "always weak")
    raw = next(
        each
        for each in vsr_train("evaluate", "--data-file", none, *flags, "--json").json["evaluation"]["methods"]
        if each["name"] == "always weak"
    )
    # A judge who errs brings models together: 0.3 becomes 0.38, 0.8 becomes 0.68.
    assert weak["gain"]["mean"] < raw["gain"]["mean"] - 0.1
