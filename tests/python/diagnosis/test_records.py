"""Checks of records: each fires on a file that is spoilt in one respect, and none on healthy ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from diagnosis.files import Line, by_check, changed, records, write
from vsr.diagnosis import Finding, Level
from vsr.diagnosis.records import check_records


def found_in(lines: list[Line], tmp_path: Path) -> dict[str, Finding]:
    return by_check(check_records(str(write(tmp_path / "records.jsonl", lines))).findings)


def of(model: str, then: Line) -> Callable[[int, Line], Line]:
    return lambda _number, line: line | (then if line["model_name"] == model else {})


def unrated(number: int, line: Line) -> Line:
    del line["performance"]
    return line | {"response": f"It is {number % 7}."}


SPOILT: dict[str, tuple[Callable[[int, Line], Line | None], str, Level, int | None, str]] = {
    "bad line": (
        lambda n, line: line | ({"performance": 87} if n == 4 else {}),
        "bad-line",
        "error",
        5,
        "divide per cents by 100",
    ),
    "negative latency": (
        lambda n, line: line | ({"response_time": -1} if n == 4 else {}),
        "bad-line",
        "error",
        5,
        "`response_time` is -1",
    ),
    "misspelt field": (
        lambda _n, line: {("latency_ms" if name == "response_time" else name): held for name, held in line.items()},
        "unknown-field",
        "warning",
        1,
        "Did you mean `response_time`?",
    ),
    "misspelt metric, to be scored": (
        lambda n, line: unrated(n, line) | {"metric": "numerc"},
        "misspelt-metric",
        "error",
        1,
        "(180 lines). Did you mean numeric?",
    ),
    "misspelt metric, scored": (
        lambda n, line: line | ({"metric": "numerc"} if n > 2 else {}),
        "misspelt-metric",
        "warning",
        4,
        "(177 lines)",
    ),
    "misspelt category": (
        lambda n, line: line | ({"category": "mathss"} if n < 3 else {}),
        "misspelt-category",
        "warning",
        1,
        "(1 query). Did you mean math?",
    ),
    "another truth": (
        lambda n, line: line | ({"ground_truth": "99"} if n == 7 else {}),
        "contradictory-ground-truth",
        "warning",
        8,
        "1 record has another ground truth",
    ),
    "another category": (
        lambda n, line: line | ({"category": "physics"} if n == 7 else {}),
        "contradictory-category",
        "warning",
        None,
        "1 record names another category",
    ),
    "answer given away": (
        lambda n, line: line | ({"query": f"{line['query']} Answer: {line['ground_truth']}"} if n < 6 else {}),
        "leaked-answer",
        "warning",
        1,
        "(2 queries)",
    ),
    "same response to everything": (
        lambda _n, line: line | {"response": "Ready."},
        "same-response",
        "error",
        None,
        "all 180 responses are `Ready.`",
    ),
    "nearly the same": (
        lambda n, line: line | {"response": "A" if n == 9 else "Ready."},
        "same-response",
        "error",
        None,
        "179 of 180 responses are `Ready.`",
    ),
    "same response of a model": (
        of("b", {"response": "I cannot help with that."}),
        "same-response",
        "warning",
        None,
        "all 60 responses of b are `I cannot help with that.`",
    ),
    "commits to no answer": (of("b", {"unparsed": True}), "unparsed", "warning", None, "60 of 60 responses of b"),
    "failed calls": (
        lambda n, line: line | ({"error": "timeout: 300 s"} if n % 3 == 1 and n < 60 else {}),
        "failed-calls",
        "warning",
        None,
        "20 of 60 calls to b failed, mostly: timeout: 300 s",
    ),
    "a few failed calls": (
        lambda n, line: line | ({"error": "timeout: 300 s"} if n == 4 else {}),
        "failed-calls",
        "note",
        None,
        "1 call to b failed",
    ),
    "unscored": (
        lambda n, line: line | ({"unscored": True} if n < 9 else {}),
        "unscored",
        "warning",
        None,
        "9 answers are unscored",
    ),
    "no quality anywhere": (
        lambda _n, line: line | {"unscored": True, "performance": None},
        "no-outcomes",
        "error",
        None,
        "none of the 180 records has a quality",
    ),
    "unrated": (unrated, "unrated", "note", None, "180 answers have no `performance`"),
    "repeated": (
        lambda n, line: line if n != 3 else records()[0],
        "repeated-record",
        "note",
        None,
        "1 record repeats a query and model",
    ),
    "missing cells": (
        lambda n, line: None if line["model_name"] == "c" and n > 60 else line,
        "missing-cells",
        "warning",
        None,
        "measured: c (20 of 60)",
    ),
}


def test_healthy_records_have_nothing(tmp_path: Path) -> None:
    assert found_in(records(), tmp_path) == {}


@pytest.mark.parametrize("what", list(SPOILT))
def test_what_is_spoilt_is_found(what: str, tmp_path: Path) -> None:
    change, check, level, line, said = SPOILT[what]
    finding = found_in(changed(records(), change), tmp_path)[check]
    assert (finding.level, finding.line) == (level, line)
    assert said in str(finding)


HARMLESS: dict[str, Callable[[int, Line], Line]] = {
    "other fields": lambda n, line: line | {"answer": "x", "score": 3, "weird name": n, "nested": {"query": [1]}},
    "our own other fields": lambda _n, line: line | {"output_tokens": 3, "endpoint": "e", "vsr_scorer": "3"},
    "null instead of nothing": lambda _n, line: line | {"latency": None, "options": None, "answer": ""},
    "few responses": lambda n, line: line | {"response": "Ready." if n < 9 else ""},
}


@pytest.mark.parametrize("what", list(HARMLESS))
def test_what_is_harmless_is_not_found(what: str, tmp_path: Path) -> None:
    assert found_in(changed(records(), HARMLESS[what]), tmp_path) == {}


def test_records_of_one_query_need_not_follow_one_another(tmp_path: Path) -> None:
    by_model = sorted(records(), key=lambda line: line["model_name"])
    assert found_in(by_model, tmp_path) == {}
    by_model[100]["ground_truth"] = "99"
    assert found_in(by_model, tmp_path)["contradictory-ground-truth"].line == 101
