"""The command `import`: what goes where, what it refuses, and that the next command takes what it wrote."""

from pathlib import Path

import pytest

FILES = Path(__file__).parents[1] / "importing/files"


def test_the_account_of_an_import(vsr_train, tmp_path):
    out = tmp_path / "records.jsonl"
    result = vsr_train("import", "--from", "openai", FILES / "openai_requests.jsonl", "--output", out)
    assert (result.code, result.out) == (0, f"{out}: 3 records of 2 models from 1 file\n")
    said = result.err.splitlines()
    assert said[0] == "Models: sim-small-1b 2, sim-large-70b 1."
    assert said[1:4] == [
        "1 failed call.",
        "2 answers without a quality: 0 have a ground truth.",
        "2 can be judged only by feedback or by a judge; training takes them as missing.",
    ]
    assert said[4].startswith("Warning: left out 1: answers of a batch without their requests")
    assert said[5] == f"Next: vsr-train doctor {out}, then vsr-train train --data-file {out}"


def test_json_says_the_same(vsr_train, tmp_path):
    out = tmp_path / "pairs.jsonl"
    result = vsr_train("import", "--from", "routellm", FILES / "routellm_battles.jsonl", "--output", out, "--json")
    assert result.json["rows"] == 2
    assert result.json["left_out"]["ties"]["rows"] == 1
    assert result.err == ""


def test_parquet_goes_through_score_and_back(vsr_train, tmp_path):
    records, scored = tmp_path / "records.parquet", tmp_path / "scored.parquet"
    assert vsr_train("import", "--from", "lm-eval", FILES / "lm-eval", "--output", records).code == 0
    assert vsr_train("score", records, "--metric", "contains", "--output", scored).code == 0
    lines = vsr_train("score", scored).lines
    assert {line["metric"] for line in lines} == {"contains"}
    assert {line["scoring_rule"] for line in lines} == {"contains"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--from", "openai"), "--from openai needs --output"),
        (("--from", "openai", "--output", "x", "--score", "acc"), "--score has no effect with --from openai"),
        (("--from", "openai", "--output-dir", "x"), "--output-dir has no effect with --from openai"),
        (("--from", "semantic-router"), "--from semantic-router needs --output-dir"),
        (("--from", "semantic-router", "--output", "x"), "--output has no effect with --from semantic-router"),
        (("--from", "openai", "--output", FILES / "openai_requests.jsonl"), "one of the files that are read"),
    ],
)
def test_flags_without_effect_are_wrong_usage(vsr_train, flags, message):
    result = vsr_train("import", *flags, FILES / "openai_requests.jsonl")
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_a_misspelt_metric_is_wrong_usage(vsr_train, tmp_path):
    result = vsr_train("score", tmp_path / "x.jsonl", "--metric", "contain")
    assert result.code == 2
    assert "did you mean contains?" in " ".join(result.err.split())


def test_doctor_knows_parquet(vsr_train, tmp_path):
    records = tmp_path / "records.parquet"
    vsr_train("import", "--from", "lm-eval", FILES / "lm-eval", "--output", records)
    assert "9 records, 6 queries, 3 models" in vsr_train("doctor", records).out
