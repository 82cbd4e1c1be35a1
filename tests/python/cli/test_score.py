"""The command `score`: what goes to stdout, what to stderr, and what it refuses."""

import json

import pytest
from click.testing import CliRunner

from vsr.cli.score import score
from vsr.errors import RecordError

ANSWERED = {"query": "2 + 2?", "model_name": "m", "response": "4", "ground_truth": "4", "performance": 0}
FAILED = {"query": "2 + 2?", "model_name": "m", "response": None, "error": "timeout: 30 s"}


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text(f"{json.dumps(ANSWERED)}\n{json.dumps(FAILED)}\n")
    return path


def run(*arguments, text=None):
    return CliRunner().invoke(score, [str(argument) for argument in arguments], input=text)


def test_without_a_flag_the_records_go_to_stdout(records):
    before = records.read_bytes()
    result = run(records)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert [json.loads(line).get("performance") for line in lines] == [1.0, None]
    assert json.loads(lines[1]) == FAILED
    assert "2 records: 1 scored, 1 got another quality." in result.stderr
    assert "1 have no response and stay as they are." in result.stderr
    assert "0.000 before, 1.000 now" in result.stderr
    assert records.read_bytes() == before


def test_output_gets_the_records_and_stdout_nothing(records, tmp_path):
    result = run(records, "--output", tmp_path / "out.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


def test_in_place_replaces_the_file(records):
    result = run(records, "--in-place")
    assert (result.exit_code, result.stdout) == (0, "")
    assert json.loads(records.read_text().splitlines()[0])["performance"] == 1.0


@pytest.mark.parametrize("flags", [("--in-place", "--output", "x"), ("-", "--in-place")])
def test_flags_that_contradict_are_wrong_usage(records, flags):
    arguments = flags if flags[0] == "-" else (records, *flags)
    result = run(*arguments)
    assert result.exit_code == 2


def test_a_bad_line_is_an_error(records):
    records.write_text("nonsense\n")
    result = run(records)
    assert isinstance(result.exception, RecordError)
    assert result.stdout == ""
