"""Scoring the records of a file again: what changes, what stays, and how the file is replaced."""

import fcntl
import gzip
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.benchmark.rescoring import Rescoring, rescore_file
from vsr.data.records import read_records
from vsr.errors import BenchmarkError, RecordError
from vsr.scoring import SCORER_VERSION

ANSWERED = {"query": "2 + 2?", "model_name": "m", "response": "The answer is 4.", "ground_truth": "4"}


def write(path, *records):
    lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rescored(tmp_path, *records):
    source = write(tmp_path / "records.jsonl", *records)
    rescoring = Rescoring(source)
    return [json.loads(line) for line in rescoring], rescoring.report


def test_a_score_is_written_into_the_record(tmp_path):
    (record,), report = rescored(tmp_path, ANSWERED)
    assert record == {
        **ANSWERED,
        "performance": 1.0,
        "extracted": "4",
        "scoring_rule": "numeric",
        "vsr_scorer": SCORER_VERSION,
    }
    assert (report.n_records, report.n_scored, report.n_changed) == (1, 1, 1)
    assert report.rules == {"numeric": 1}


def test_fields_keep_their_order_and_their_bytes(tmp_path):
    line = (
        '{"z": 1e-05, "performance":0, "query":"2 + 2?","model_name":"m","big":123456789012345678901234567890,'
        '"response":"The answer is 4.","vsr_scorer":"0","nested": {"b":1,  "a":[2.50]},"t":"\\u00e9é","ground_truth":4}'
    )
    (written,) = Rescoring(write(tmp_path / "records.jsonl", line))
    assert written.decode() == (
        '{"z":1e-05,"performance":1.0,"query":"2 + 2?","model_name":"m","big":123456789012345678901234567890,'
        f'"response":"The answer is 4.","vsr_scorer":"{SCORER_VERSION}","nested":{{"b":1,  "a":[2.50]}},"t":"\\u00e9é",'
        '"ground_truth":4,"extracted":"4","scoring_rule":"numeric"}'
    )


@pytest.mark.parametrize(
    "line",
    [
        '{"query": "q",  "model_name": "m", "response": null, "error": "timeout: 30 s", "performance": 0}',
        '{"query": "q",  "model_name": "m", "performance": 0.25, "ground_truth": "4"}',
        '{"query": "q",  "model_name": "m", "performance": 0.25, "ground_truth": "4", "response": ""}',
        '{"query": "q",  "model_name": "m", "performance": 0.25, "response": "Hello"}',
    ],
)
def test_a_record_with_nothing_to_score_stays_as_it_is(tmp_path, line):
    rescoring = Rescoring(write(tmp_path / "records.jsonl", line))
    assert [written.decode() for written in rescoring] == [line]
    assert rescoring.report.n_scored == 0


def test_without_truth_and_quality_a_record_is_marked_unscored(tmp_path):
    bare = {"query": "q", "model_name": "m", "response": "Hello"}
    (record,), report = rescored(tmp_path, bare)
    assert (record["performance"], record["unscored"]) == (0.5, True)
    (again,), _ = rescored(tmp_path, record)
    assert again == record
    assert report.n_without_truth == 1


def test_marks_of_an_earlier_score_are_taken_back(tmp_path):
    before = {**ANSWERED, "performance": 0.5, "unscored": True, "unparsed": True, "extracted": "7"}
    (record,), report = rescored(tmp_path, before)
    assert (record["performance"], record["unscored"], record["unparsed"], record["extracted"]) == (
        1,
        False,
        False,
        "4",
    )
    assert report.n_compared == 0


def test_an_uncommitted_answer_is_marked(tmp_path):
    (record,), report = rescored(tmp_path, {**ANSWERED, "response": "No idea.", "extracted": "4"})
    assert (record["performance"], record["unparsed"], record["extracted"]) == (0.0, True, None)
    assert report.n_unparsed == 1


def test_the_whole_record_decides(tmp_path):
    records, _ = rescored(
        tmp_path,
        {**ANSWERED, "response": "(B)", "ground_truth": "B", "choices": ["3", "4"]},
        {**ANSWERED, "response": "(B)", "ground_truth": "B", "choices": {"text": ["3", "4"], "label": ["A", "B"]}},
        {**ANSWERED, "response": "x=1", "ground_truth": "x = 1", "metric": "code_eval"},
        {**ANSWERED, "response": "B", "ground_truth": "B", "task_name": "mmlu"},
    )
    assert [record["scoring_rule"] for record in records] == [
        "multiple_choice",
        "multiple_choice",
        "code",
        "multiple_choice",
    ]
    assert all(record["performance"] == 1 for record in records)


def test_reports_the_mean_before_and_after(tmp_path):
    _, report = rescored(
        tmp_path,
        {**ANSWERED, "performance": 0.0},
        {**ANSWERED, "performance": 1},
        ANSWERED,
        {**ANSWERED, "response": "5"},
    )
    assert (report.n_compared, report.quality_before, report.quality_after, report.n_changed) == (2, 1.0, 2.0, 3)


def test_reads_every_form_of_json_lines(tmp_path):
    source = tmp_path / "records.jsonl.gz"
    text = "\ufeff" + json.dumps(ANSWERED, indent=2) + "\n\n" + json.dumps(ANSWERED)
    source.write_bytes(gzip.compress(text.encode()))
    report = rescore_file(source, tmp_path / "out.jsonl.gz")
    lines = gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).splitlines()
    assert report.n_records == len(lines) == 2
    assert lines[0] == lines[1]


def test_replaces_the_file_itself(tmp_path):
    source = write(tmp_path / "records.jsonl", ANSWERED, ANSWERED)
    assert rescore_file(source).n_scored == 2
    assert [record["performance"] for record in read(source)] == [1.0, 1.0]
    once = source.read_bytes()
    assert rescore_file(source).n_changed == 0
    assert source.read_bytes() == once
    assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        '{"query": "q", "response": 5}',
        '{"performance": NaN, "response": "x"}',
        "[1]",
        '{"response": "x"',
        "nonsense",
    ],
)
def test_a_bad_line_is_named_and_the_file_untouched(tmp_path, bad):
    source = write(tmp_path / "records.jsonl", ANSWERED, bad)
    before = source.read_bytes()
    with pytest.raises(RecordError, match=r"records\.jsonl:2: "):
        rescore_file(source)
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]


def test_a_file_that_a_benchmark_writes_to_is_not_replaced(tmp_path):
    source = write(tmp_path / "records.jsonl", ANSWERED)
    with source.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(BenchmarkError, match="a benchmark is writing"):
            rescore_file(source)
        assert rescore_file(source, tmp_path / "other.jsonl").n_scored == 1
    assert read(source) == [ANSWERED]


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(RecordError, match="no such file"):
        rescore_file(tmp_path / "nothing.jsonl")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text().map("x_{}".format), VALUES, max_size=5), st.text(), st.text(max_size=5))
def test_everything_else_comes_back(tmp_path_factory, others, response, truth):
    path = tmp_path_factory.mktemp("rescoring") / "records.jsonl"
    record = {**others, "query": "q", "model_name": "m", "response": response, "ground_truth": truth}
    path.write_bytes(msgspec.json.encode(record))
    (line,) = Rescoring(path)
    written = msgspec.json.decode(line)
    assert {name: written[name] for name in record} == record
    assert list(written)[: len(record)] == list(record)


def test_a_judged_quality_that_a_rule_replaces_is_not_called_judged_any_more(tmp_path):
    path = tmp_path / "judged.jsonl"
    judged = {"query": "q", "model_name": "m", "response": "Paris it is", "judged": 0.9, "performance": 0.9}
    judged |= {"is_judged": True, "scored_performance": 0.4}
    path.write_text(json.dumps(judged | {"ground_truth": "Paris"}) + "\n" + json.dumps(judged) + "\n")
    rescore_file(path, metric="contains")
    with_truth, without = (json.loads(line) for line in path.read_text().splitlines())
    assert (with_truth["performance"], with_truth["is_judged"], with_truth["judged"]) == (1.0, False, 0.9)
    assert with_truth["scored_performance"] is None
    assert without == judged
    assert [each.is_judged for each in read_records(path)] == [False, True]
