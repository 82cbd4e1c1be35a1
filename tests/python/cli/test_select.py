"""`vsr-train select`: one query or a file of them, and everything that may be wrong with either."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.conftest import MODELS, Command, write_records
from documented import FILE_NAMES, document
from routing.subjects import WIDTH, text_outcomes
from vsr.cli import main
from vsr.embedding import load_embedder

LAW = "What is the court statute contract number 7?"


# One query


def test_the_model_stands_on_the_first_line(trained: Path, vsr_train: Command) -> None:
    result = vsr_train("select", LAW, "--models-dir", trained)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[0] == "cicero"
    assert lines[1].startswith("category law (predicted), margin ")
    assert lines[1].endswith(" points, reason predicted")
    assert lines[2] == ""
    assert lines[3].split() == ["model", "quality", "utility"]
    assert lines[4].startswith("cicero ")
    assert {line.split()[0] for line in lines[4:]} == set(MODELS)


def test_a_configuration_says_where_the_artefacts_are(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"model_selection": {"models_path": str(trained)}}))
    result = vsr_train("select", LAW, "--config", config)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[0] == "cicero"
    config.write_text(json.dumps({"model_selection": {"models_path": "nowhere", "enabled": False}}))
    flag_wins = vsr_train("select", LAW, "--config", config, "--models-dir", trained)
    assert flag_wins.out == result.out
    assert "model_selection.enabled is false" in flag_wins.err


def decisions(trained: Path, tmp_path: Path, **more: object) -> Path:
    config = tmp_path / "decisions.yaml"
    rules = {
        "operator": "AND",
        "conditions": [{"type": "domain", "name": "law"}, {"type": "keyword", "name": "urgent"}],
    }
    document = {
        "model_selection": {"models_path": str(trained)} | more,
        "model_config": {name: {} for name in ("newton", "cicero", "darwin")},
        "decisions": [
            {
                "name": "urgent law",
                "priority": 2,
                "rules": rules,
                "modelRefs": [{"model": "darwin", "use_reasoning": True}],
            },
            {"name": "rest", "algorithm": {"type": "knn"}, "modelRefs": [{"model": "newton"}, {"model": "darwin"}]},
        ],
    }
    config.write_text(json.dumps(document))
    return config


def test_decisions_of_a_configuration_route(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    config = decisions(trained, tmp_path)
    urgent = vsr_train("select", LAW, "--config", config, "--signal", "keyword=urgent")
    assert (urgent.code, urgent.err) == (0, "")
    assert urgent.out == "darwin\ndecision urgent law, category law (predicted), reason single_candidate\n"
    calm = vsr_train("select", LAW, "--config", config, "--signal", "keyword=calm", "--json", "--explain").json
    assert (calm["model"], calm["decision"], set(calm["scores"])) == ("newton", "rest", {"newton", "darwin"})
    assert calm["reference"] == {"model": "newton", "use_reasoning": None, "lora_name": None}
    assert calm["explanation"]["summary"]
    many = tmp_path / "queries.jsonl"
    many.write_text(json.dumps({"query": LAW, "category": "law"}) + "\n" + json.dumps({"query": "2 + 2"}) + "\n")
    lines = vsr_train("select", "--input", many, "--config", config, "--signal", "keyword=urgent").out.splitlines()
    assert [json.loads(line)["decision"] for line in lines] == ["urgent law", "rest"]


def test_signals_that_nobody_gave_are_named(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    found = vsr_train("select", LAW, "--config", decisions(trained, tmp_path), "--json")
    assert " ".join(found.err.split()).endswith(
        "decisions.yaml: rules ask about keyword, of which nothing was said: such conditions do not hold "
        "(--signal keyword=NAME)"
    )
    assert found.json["missing_signals"] == ["keyword"]


def test_images_of_a_conversation_need_a_model_that_can_see(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    line = {"messages": [{"role": "user", "content": [{"type": "text", "text": LAW}, image]}]}
    (tmp_path / "q.jsonl").write_text(json.dumps(line) + "\n")
    config = tmp_path / "c.yaml"
    models = {name: {"capabilities": ["vision"] if name == "newton" else []} for name in MODELS}
    config.write_text(json.dumps({"model_selection": {"models_path": str(trained)}, "model_config": models}))
    found = vsr_train("select", "--input", tmp_path / "q.jsonl", "--config", config).json
    assert (found["model"], found["reason"]) == ("newton", "single_candidate")
    assert found["excluded"] == dict.fromkeys(("cicero", "darwin"), "no vision")


def test_signals_without_decisions_are_refused(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    alone = vsr_train("select", LAW, "--models-dir", trained, "--signal", "keyword=urgent")
    assert alone.code == 2
    assert "--signal has no effect without --config with decisions" in alone.err
    wrong = vsr_train("select", LAW, "--config", decisions(trained, tmp_path), "--signal", "urgent")
    assert wrong.code == 2
    assert "--signal urgent: expected TYPE=NAME" in wrong.err


def test_the_default_answers_where_selection_is_off(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    config = decisions(trained, tmp_path, enabled=False)
    assert vsr_train("select", LAW, "--config", config, "--default", "darwin", "--json").json["model"] == "darwin"


@pytest.mark.parametrize("algorithm", list(FILE_NAMES))
def test_every_algorithm_routes(algorithm: str, trained: Path, vsr_train: Command) -> None:
    result = vsr_train("select", LAW, "--models-dir", trained, "--algorithm", algorithm, "--json")
    assert (result.code, result.err) == (0, "")
    document = result.json
    assert document["model"] == "cicero"
    assert set(document) == {
        *("model", "quality", "utility", "margin", "reason", "propensity", "scores", "utilities"),
        *("category", "category_source", "ranking", "decision", "reference", "excluded", "missing_signals"),
    }
    assert document["scores"][document["model"]] == document["quality"]
    assert document["utilities"][document["model"]] == document["utility"]


def test_a_category_that_is_given_is_used(trained: Path, vsr_train: Command) -> None:
    given = vsr_train("select", "What is it?", "--models-dir", trained, "--category", "Biology", "--json").json
    assert (given["category"], given["category_source"]) == ("biology", "given")
    assert given["model"] == "darwin"
    unknown = vsr_train("select", "What is it?", "--models-dir", trained, "--category", "astrology")
    assert unknown.code == 0
    assert unknown.err == "Warning: astrology is no known category and counts as other (once)\n"


ASSUMED = (
    "Warning: no category was given and the artefact has no classifier to predict one, so other is assumed{}. "
    "Give the category, or train on at least 40 labelled queries of two or more categories\n"
)


@pytest.fixture(scope="module")
def unclassified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artefacts of too few labelled queries for a classifier."""
    folder = tmp_path_factory.mktemp("unclassified")
    records = write_records(folder / "records.jsonl", 36)
    flags = ["--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--holdout", "0.3"]
    assert main(["-q", "train", "--data-file", str(records), "--output-dir", str(folder), *flags]) == 0
    return folder


def test_a_category_that_is_neither_given_nor_predicted_is_assumed_aloud(
    unclassified: Path, vsr_train: Command
) -> None:
    flags = ("select", LAW, "--models-dir", unclassified)
    assumed = vsr_train(*flags)
    assert (assumed.code, assumed.err) == (0, ASSUMED.format(""))
    assert assumed.out.splitlines()[1].startswith("category other (assumed: none was given), margin ")
    assert vsr_train(*flags, "--json").json["category_source"] is None
    given = vsr_train(*flags, "--category", "other")
    assert (given.code, given.err) == (0, "")
    assert given.out.splitlines()[1].startswith("category other (given), margin ")
    default = vsr_train(*flags, "--candidates", "galen", "--default", "galen")
    assert (default.code, default.err) == (0, "")  # nothing is compared, so nothing is assumed


def test_categories_that_are_assumed_in_a_file_are_counted_once(
    queries: Path, unclassified: Path, vsr_train: Command
) -> None:
    result = vsr_train("select", "--input", queries, "--models-dir", unclassified)
    assert (result.code, result.err) == (0, ASSUMED.format(" (3 of 4 lines)"))
    assert [line["category_source"] for line in result.lines] == [None, "given", None, None]


def test_candidates(trained: Path, vsr_train: Command) -> None:
    single = vsr_train("select", LAW, "--models-dir", trained, "--candidates", "newton", "--json").json
    assert (single["model"], single["reason"], single["margin"]) == ("newton", "single_candidate", None)
    two = vsr_train("select", LAW, "--models-dir", trained, "--candidates", "newton, galen,darwin", "--json")
    assert two.err == "Warning: not compared, because the artefact does not know them: galen\n"
    assert set(two.json["scores"]) == {"newton", "darwin"}
    assert two.json["excluded"] == {"galen": "unknown"}


def test_no_known_candidate_is_an_error_or_the_default(trained: Path, vsr_train: Command) -> None:
    flags = ("select", LAW, "--models-dir", trained, "--candidates", "galen,plato")
    refused = vsr_train(*flags)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        "Error: no candidate is known: offered galen, plato; the artefact knows newton, cicero, darwin. "
        "Offer one of these, train on records of the others, or pass a default\n"
    )
    answered = vsr_train(*flags, "--default", "plato")
    assert (answered.code, answered.err) == (0, "")
    assert answered.out == "plato\nthe default, because no candidate is known (galen, plato)\n"
    as_json = vsr_train(*flags, "--default", "plato", "--json").json
    assert (as_json["model"], as_json["reason"], as_json["quality"]) == ("plato", "default", None)
    explained = vsr_train(*flags, "--default", "plato", "--explain")
    assert explained.code == 0


def test_the_weights_are_those_of_the_training_unless_said_otherwise(trained: Path, vsr_train: Command) -> None:
    def utility(*flags: str) -> Any:
        return vsr_train("select", LAW, "--models-dir", trained, "--json", *flags).json

    usual, quality, speed = utility(), utility("--quality-weight", "1"), utility("--quality-weight", "0")
    assert usual == utility("--quality-weight", "0.9") == utility("--cost-share", "0")
    assert quality["utility"] == quality["quality"]
    assert speed["model"] == "newton"
    assert utility("--cost-share", "1")["utility"] == pytest.approx(0.9 * usual["quality"] + 0.1 * 0.5)


@pytest.mark.parametrize(
    ("algorithm", "title"),
    [
        ("knn", "Nearest training queries and their measured quality:"),
        ("kmeans", "Nearest clusters and their mean quality:"),
        ("svm", "Distance from the margin:"),
        ("mlp", "Against the means of law:"),
        ("mf", "Against the means of law:"),
        ("table", "Means, shrunk:"),
        ("stacking", "Parts and their weights:"),
    ],
)
def test_explanations(algorithm: str, title: str, trained: Path, vsr_train: Command) -> None:
    flags = ("select", LAW, "--models-dir", trained, "--algorithm", algorithm, "--explain")
    result = vsr_train(*flags)
    assert (result.code, result.err) == (0, "")
    assert "Scores are the means of category law" in result.out
    assert title in result.out.splitlines()
    explanation = vsr_train(*flags, "--json").json["explanation"]
    assert title.removesuffix(":") in explanation["tables"]


# Many queries


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.jsonl"
    lines: list[dict[str, Any]] = [
        {"query": LAW},
        {"query": "What is the prime integral equation number 3?", "category": "math"},
        {"query": "What is the enzyme?", "choices": ["a protein", "a membrane", "a cell"], "ground_truth": "A"},
        {"query": LAW},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_file_gives_a_line_per_query(queries: Path, trained: Path, vsr_train: Command) -> None:
    result = vsr_train("select", "--input", queries, "--models-dir", trained)
    assert (result.code, result.err) == (0, "")
    assert [line["model"] for line in result.lines] == ["cicero", "newton", "darwin", "cicero"]
    assert [line["category_source"] for line in result.lines] == ["predicted", "given", "predicted", "predicted"]
    assert result.lines[0] == result.lines[3]
    explained = vsr_train("select", "--input", queries, "--models-dir", trained, "--explain")
    assert all(line["explanation"]["tables"] for line in explained.lines)


def test_standard_input(queries: Path, trained: Path, vsr_train: Command) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "vsr", "select", "--input", "-", "--models-dir", str(trained)],
        input=queries.read_text(),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout == vsr_train("select", "--input", queries, "--models-dir", trained).out


def test_bad_queries_are_named_or_left_out(tmp_path: Path, trained: Path, vsr_train: Command) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"query": "a court?"}\n{"text": "b"}\n{"query": "a cell?"}\n')
    refused = vsr_train("select", "--input", path, "--models-dir", trained)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"Error: {path}:2: `query` is missing")
    result = vsr_train("select", "--input", path, "--models-dir", trained, "--skip-bad-lines")
    assert (result.code, len(result.lines)) == (0, 2)
    assert result.err.startswith(f"Warning: 1 bad lines left out; the first: {path}:2: `query` is missing")
    for content in ("", "\n"):
        path.write_text(content)
        assert vsr_train("select", "--input", path, "--models-dir", trained).code == 1
    missing = vsr_train("select", "--input", tmp_path / "no.jsonl", "--models-dir", trained)
    assert (missing.code, missing.err) == (
        1,
        f"Error: {tmp_path / 'no.jsonl'}: no such file; expected a JSON Lines file of queries\n",
    )


# Vectors from elsewhere


def test_ready_vectors_are_those_of_the_unique_queries(
    queries: Path, trained: Path, tmp_path: Path, vsr_train: Command
) -> None:
    hashed = ("--use-fallback", "--embedding-dim", "32")
    assert vsr_train("embed", "--input", queries, "--output", tmp_path / "v.npy", *hashed).code == 0
    assert np.load(tmp_path / "v.npy").shape == (3, 32)  # for four lines, two of which hold one query
    flags = ("select", "--input", queries, "--models-dir", trained)
    ready = vsr_train(*flags, "--embedding-file", tmp_path / "v.npy")
    assert (ready.code, ready.out) == (0, vsr_train(*flags).out)
    np.save(tmp_path / "rows.npy", np.ones((4, 32)))
    np.save(tmp_path / "wide.npy", np.ones((3, 33)))
    for name, message in (
        ("rows", "has shape 4 x 32; expected 3 rows, one per unique query"),
        ("wide", "embeddings have 33 dimensions; expected 32"),
    ):
        refused = vsr_train(*flags, "--embedding-file", tmp_path / f"{name}.npy")
        assert (refused.code, refused.out) == (1, "")
        assert message in refused.err


# Artefacts


def test_a_file_of_the_documented_fields_routes_and_says_what_it_lacks(tmp_path: Path, vsr_train: Command) -> None:
    (tmp_path / "knn_model.json").write_text(json.dumps(document("knn")))
    np.save(tmp_path / "v.npy", np.array([[0.0, 1.0, 0.0]]))
    flags = ("select", "anything", "--models-dir", tmp_path, "--category", "math")
    result = vsr_train(*flags, "--embedding-file", tmp_path / "v.npy")
    assert (result.code, result.out.splitlines()[0]) == (0, "mistral")
    first, *lines = result.err.splitlines()
    assert first == f"Warning: {tmp_path}: has no recommended.json; its only artefact, of knn, is used"
    assert len(lines) == 4
    assert all("has the documented fields alone; it lacks" in line for line in lines)
    without = vsr_train("-q", *flags)
    assert without.code == 1
    assert without.err.splitlines()[-1].startswith(f"Error: {tmp_path / 'knn_model.json'}: names no embedding model")


DAMAGE: dict[str, tuple[Any, str]] = {
    "truncated": (lambda text: text[: len(text) // 2], "damaged"),
    "empty": (lambda _: "", "cut off"),
    "another algorithm": (lambda text: text.replace('"knn"', '"svm"', 1), "'algorithm' is 'svm'; expected 'knn'"),
    "newer": (
        lambda text: text.replace('"format_version": 2', '"format_version": 4'),
        "'vsr.format_version' is 4; this",
    ),
    "untrained": (lambda text: text.replace('"trained": true', '"trained": false'), "'trained' is false"),
    "ragged": (lambda text: text.replace('"embedding": [', '"embedding": [0.5,', 1), "training_records[1].embedding"),
    "another hash": (lambda text: text.replace('"hash-1"', '"hash-0"'), "is not the one that was used for training"),
}


@pytest.mark.parametrize("what", list(DAMAGE))
def test_damaged_artefacts_are_named(what: str, trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    change, message = DAMAGE[what]
    path = tmp_path / "knn_model.json"
    path.write_text(change((trained / "knn_model.json").read_text()))
    result = vsr_train("select", LAW, "--models-dir", tmp_path, "--algorithm", "knn")
    assert (result.code, result.out) == (1, "")
    assert message in result.err
    if what != "another hash":
        assert result.err.startswith(f"Error: {path}: ")
    assert len(result.err.splitlines()) <= 2


def test_missing_artefacts_are_named(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    nowhere = tmp_path / "nowhere"
    assert vsr_train("select", LAW, "--models-dir", nowhere).err == (
        f"Error: {nowhere}: no such folder; train selectors with `vsr-train train --output-dir {nowhere}`\n"
    )
    (tmp_path / "svm_model.json").write_text((trained / "svm_model.json").read_text())
    assert vsr_train("select", LAW, "--models-dir", tmp_path, "--algorithm", "knn").err == (
        f"Error: {tmp_path}: has no artefact of knn (knn_model.json); it has svm\n"
    )


# Wrong usage

WRONG = {
    "": "Give either a query or --input FILE.",
    "text --input q.jsonl": "Give either a query or --input FILE.",
    "--input q.jsonl --category math": "--category has no effect with --input",
    "--input q.jsonl --json": "--json has no effect with --input",
    "text --skip-bad-lines": "--skip-bad-lines has no effect without --input.",
    "text --default newton": "--default has no effect without --candidates",
    "text --embedding-file v.npy --cache-dir c": "--cache-dir has no effect here: --embedding-file brings",
    "text --embedding-file v.npy --embedding-path p": "--embedding-path has no effect here: --embedding-file brings",
    "text --quality-weight 1 --cost-share 0.5": "--cost-share has no effect with --quality-weight 1",
    "text --cache-dir c": "--cache-dir has no effect here: these artefacts need no embedding model.",
    "text --embedding-path p": "--embedding-path has no effect here: these artefacts need no embedding model.",
    "text --algorithm forest": "'forest' is not one of",
    "text --quality-weight 2": "not in the range",
}


@pytest.mark.parametrize("flags", list(WRONG))
def test_flags_without_effect_are_wrong_usage(flags: str, trained: Path, vsr_train: Command) -> None:
    result = vsr_train("select", "--models-dir", trained, *flags.split())
    assert (result.code, result.out) == (2, "")
    assert WRONG[flags] in result.err


def test_a_blank_query_is_wrong_usage(trained: Path, vsr_train: Command) -> None:
    for blank in ("", "  "):
        result = vsr_train("select", blank, "--models-dir", trained)
        assert (result.code, result.out) == (2, "")
        assert "The query is blank." in result.err


@pytest.mark.parametrize(
    ("flags", "asked", "recorded"),
    [
        ("--embedding-model bert", "--embedding-model bert", "hash"),
        ("--use-fallback --embedding-dim 16", "--embedding-dim 16", "32"),
    ],
)
def test_a_flag_that_contradicts_the_artefact_is_refused(
    flags: str, asked: str, recorded: str, trained: Path, vsr_train: Command
) -> None:
    result = vsr_train("select", LAW, "--models-dir", trained, *flags.split())
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        f"Error: {asked}: these artefacts were trained with {recorded}. Leave the flag out, or train again\n"
    )


def test_flags_that_agree_with_the_artefact_are_taken(trained: Path, vsr_train: Command) -> None:
    flags = ("select", LAW, "--models-dir", trained, "--json")
    assert vsr_train(*flags, "--use-fallback", "--embedding-dim", "32").json == vsr_train(*flags).json


# Artefacts that do not say what made their vectors


def test_flags_name_the_embedder_of_an_artefact_of_the_documented_fields(tmp_path: Path, vsr_train: Command) -> None:
    (tmp_path / "knn_model.json").write_text(json.dumps(document("knn")))
    select = ("select", LAW, "--models-dir", tmp_path, "--category", "law", "--json")
    without = vsr_train(*select)
    assert without.code == 1
    assert "names no embedding model, because it was trained on vectors from elsewhere" in without.err
    routed = vsr_train(*select, "--use-fallback", "--embedding-dim", "3")
    assert routed.code == 0
    assert routed.json["model"] in ("llama", "mistral")
    wrong = vsr_train(*select, "--use-fallback", "--embedding-dim", "4")
    assert (wrong.code, wrong.out) == (1, "")
    assert "17" in wrong.err and "18" in wrong.err


def test_flags_name_the_embedder_of_an_artefact_of_ready_vectors(
    records: Path, tmp_path: Path, vsr_train: Command
) -> None:
    hashed = ("--use-fallback", "--embedding-dim", "16")
    assert vsr_train("embed", "--input", records, "--output", tmp_path / "v.npy", *hashed).code == 0
    train = ("train", "--data-file", records, "--output-dir", tmp_path, "--algorithm", "knn", "--holdout", "0.3")
    assert vsr_train(*train, "--embedding-file", tmp_path / "v.npy").code == 0
    select = ("select", LAW, "--models-dir", tmp_path)
    assert vsr_train(*select, *hashed).out.startswith("cicero\n")
    wrong = vsr_train(*select, "--use-fallback", "--embedding-dim", "17")
    assert (wrong.code, wrong.out) == (1, "")
    assert "was trained with another embedder (width: 16 against 17)" in wrong.err


def test_ready_vectors_need_no_embedder(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    np.save(tmp_path / "v.npy", load_embedder("hash", dim=32).embed([LAW]))
    flags = ("select", LAW, "--models-dir", trained, "--json")
    ready = vsr_train(*flags, "--embedding-file", tmp_path / "v.npy")
    assert (ready.code, ready.err) == (0, "")
    assert ready.json == vsr_train(*flags).json


def test_conversations_are_trained_and_routed_by_the_same_text(tmp_path: Path, vsr_train: Command) -> None:
    """The question stands in the first turn alone: only `--text users` can tell the subjects apart."""
    outcomes = text_outcomes()
    lines, talks = [], []
    for row, query in enumerate(outcomes.queries):
        talk = [{"role": "user", "content": query}, {"role": "user", "content": f"Please be quick, number {row}."}]
        talks.append(talk)
        lines += [
            {"messages": talk, "model_name": model, "performance": outcomes.quality[row, column]}
            for column, model in enumerate(outcomes.models)
        ]
    records = tmp_path / "r.jsonl"
    records.write_text("".join(json.dumps(line) + "\n" for line in lines))
    flags = ("--use-fallback", "--embedding-dim", WIDTH, "--algorithm", "knn", "--splits", 1)
    chosen = {}
    for text in ("last", "users"):
        folder = tmp_path / text
        trained = vsr_train("train", "--data-file", records, "--output-dir", folder, *flags, "--text", text)
        assert trained.code == 0, trained.err
        queries = tmp_path / "q.jsonl"
        queries.write_text("".join(json.dumps({"messages": talk}) + "\n" for talk in talks))
        found = vsr_train("select", "--input", queries, "--models-dir", folder, "--algorithm", "knn")
        chosen[text] = [json.loads(line)["model"] for line in found.out.splitlines()]
    best = [outcomes.models[row % 3] for row in range(len(talks))]
    right = {text: sum(a == b for a, b in zip(models, best, strict=True)) for text, models in chosen.items()}
    assert right["users"] > 100 > 80 > right["last"]
    contradicts = vsr_train("select", LAW, "--models-dir", tmp_path / "users", "--algorithm", "knn", "--text", "all")
    assert contradicts.code == 1
    assert "--text all: these artefacts were trained with users" in contradicts.err


# Limits and the model before


def test_limits_leave_models_out_and_say_so(trained: Path, vsr_train: Command) -> None:
    limited = vsr_train("select", LAW, "--models-dir", trained, "--max-latency", "0.7")
    assert limited.code == 0
    lines = limited.out.splitlines()
    assert lines[0] == "newton"
    assert lines[2].startswith("left out by the limits: ")
    assert "cicero (latency 1 > 0.7 s)" in lines[2]
    relaxed = vsr_train("select", LAW, "--models-dir", trained, "--max-latency", "0.1")
    assert relaxed.out.splitlines()[0] == "newton"
    assert "reason relaxed\nno candidate meets the limits, and this one misses least: " in relaxed.out
    strict = ("--max-latency", "0.1", "--on-limit")
    failed = vsr_train("select", LAW, "--models-dir", trained, *strict, "error")
    assert (failed.code, failed.out) == (1, "")
    assert "no candidate meets the limits" in failed.err
    default = vsr_train("select", LAW, "--models-dir", trained, *strict, "default", "--default", "darwin")
    assert default.out.startswith("darwin\nthe default, because no candidate meets the limits: ")
    document = vsr_train("select", LAW, "--models-dir", trained, "--min-quality", "1", "--json").json
    assert (document["reason"], set(document["excluded"])) == ("relaxed", set(MODELS))
    useless = vsr_train("select", LAW, "--models-dir", trained, "--on-limit", "error")
    assert useless.code == 2
    assert "--on-limit has no effect without" in useless.err


def test_a_conversation_stays_with_its_model(trained: Path, vsr_train: Command) -> None:
    """Between speed alone and quality alone there is a weight at which two models are nearly equal."""
    two = ("select", LAW, "--models-dir", trained, "--candidates", "newton,cicero", "--json", "--quality-weight")
    found = ((str(step / 40), vsr_train(*two, step / 40).json) for step in range(41))
    weight, free = next((weight, each) for weight, each in found if each["margin"] <= 0.03)
    stayed = vsr_train(*two, weight, "--previous", free["ranking"][1]).json
    assert (stayed["model"], stayed["reason"]) == (free["ranking"][1], "stayed")
    assert stayed["margin"] == pytest.approx(-free["margin"])
    gained = vsr_train(*two, 1, "--previous", "newton").json
    assert (gained["model"], gained["reason"]) == ("cicero", "predicted")
    explained = vsr_train(*two, weight, "--previous", free["ranking"][1], "--explain").json
    assert explained["explanation"]["summary"]
