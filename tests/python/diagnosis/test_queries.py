"""Checks of queries: each fires on a file that is spoilt in one respect, and none on healthy ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from diagnosis.files import Line, by_check, changed, queries, write
from vsr.data.records import read_queries
from vsr.diagnosis import Finding, Level, check_queries


def found_in(lines: list[Line], tmp_path: Path) -> dict[str, Finding]:
    return by_check(check_queries(read_queries(write(tmp_path / "queries.jsonl", lines), skip_bad_lines=True)))


def without(name: str, then: Line | None = None) -> Callable[[int, Line], Line]:
    def change(_number: int, line: Line) -> Line:
        line.pop(name)
        return line | (then or {})

    return change


def lettered(query: str, **fields: object) -> Line:
    return {"query": query, "category": "math", "ground_truth": "B", "metric": "em_mc", **fields}


# What is done to healthy queries; the check that fires, its level, its line, and a part of what it says.
SPOILT: dict[str, tuple[Callable[[int, Line], Line | None], str, Level, int | None, str]] = {
    "bad line": (lambda n, line: line if n != 4 else {"q": 1}, "bad-line", "error", 5, "`query` is missing"),
    "misspelt metric": (
        lambda n, line: line | ({"metric": "gsm8kk"} if n in (2, 7) else {}),
        "misspelt-metric",
        "error",
        3,
        '"metric": "gsm8kk" names no scoring rule (2 lines). Did you mean gsm8k?',
    ),
    "unknown metric": (lambda _n, line: line | {"metric": "rouge"}, "unknown-metric", "warning", 1, "known are em_mc"),
    "misspelt category": (
        lambda n, line: line | ({"category": "mathss"} if n == 6 else {}),
        "misspelt-category",
        "warning",
        7,
        'category "mathss" is not known and counts as other (1 query). Did you mean math?',
    ),
    "unknown category": (
        lambda n, line: line | ({"category": "geography"} if n == 6 else {}),
        "unknown-category",
        "note",
        7,
        "Use one of math",
    ),
    "near-empty category": (
        lambda n, line: line | ({"category": "health"} if n < 2 else {}),
        "near-empty-category",
        "note",
        None,
        "hardly any query of health (2)",
    ),
    "no category": (without("category"), "no-category", "note", None, "no query has a category"),
    "few categories": (
        lambda n, line: line | ({"category": None} if n < 3 else {}),
        "missing-category",
        "note",
        None,
        "3 queries of 60 have no category",
    ),
    "misspelt field": (
        without("category", {"catgory": "law"}),
        "unknown-field",
        "warning",
        1,
        "field `catgory` means nothing here, and there is no `category` (60 lines). Did you mean `category`?",
    ),
    "truth under another name": (
        without("ground_truth", {"answer": "4"}),
        "unknown-field",
        "error",
        1,
        "Did you mean `ground_truth`?",
    ),
    "options under another name": (
        lambda n, _line: lettered(f"Which one is {n}?", options=["x", "y"]),
        "unknown-field",
        "error",
        1,
        "Did you mean `choices`?",
    ),
    "options not shown": (
        lambda n, _line: lettered(f"Which is {n}?"),
        "options-not-shown",
        "warning",
        1,
        "(60 queries)",
    ),
    "no truth": (without("ground_truth"), "no-ground-truth", "warning", None, "no query has a ground truth"),
    "truths missing": (
        lambda n, line: line | ({"ground_truth": " "} if n in (8, 9) else {}),
        "missing-ground-truth",
        "warning",
        9,
        "2 queries of 60 have no ground truth",
    ),
    "answer given away": (
        lambda n, line: line | ({"query": f"{line['query']} Answer: {line['ground_truth']}."} if n == 5 else {}),
        "leaked-answer",
        "warning",
        6,
        "the query ends with its own answer (1 query)",
    ),
    "repeated": (
        lambda n, line: line if n != 9 else queries()[3] | {"query": "  HOW much is 3 and 3?"},
        "duplicate-query",
        "note",
        10,
        "1 line repeats a query",
    ),
    "another truth": (
        lambda n, line: line if n != 9 else queries()[3] | {"ground_truth": "7"},
        "contradictory-ground-truth",
        "warning",
        10,
        "another ground truth",
    ),
    "another category": (
        lambda n, line: line if n != 9 else queries()[3] | {"category": "math"},
        "contradictory-category",
        "warning",
        10,
        "another category",
    ),
    "few": (lambda n, line: line if n < 12 else None, "few-queries", "note", None, "only 12 unique queries"),
}


def test_healthy_queries_have_nothing(tmp_path: Path) -> None:
    assert found_in(queries(), tmp_path) == {}


@pytest.mark.parametrize("what", list(SPOILT))
def test_what_is_spoilt_is_found(what: str, tmp_path: Path) -> None:
    change, check, level, line, said = SPOILT[what]
    finding = found_in(changed(queries(), change), tmp_path)[check]
    assert (finding.level, finding.line) == (level, line)
    assert said in str(finding)


HARMLESS: dict[str, Callable[[int, Line], Line]] = {
    "other fields beside ours": lambda n, line: line | {"answer": "no", "question": "?", "source": "x", "id": n},
    "other names of a metric": lambda _n, line: line | {"metric": "  Exact-Match"},
    "other spellings of a category": lambda n, line: line | {"category": "Computer Science" if n % 2 else "medicine"},
    "options in the query": lambda n, _line: lettered(f"Which is {n}?\nA) x\nB) y", options=["x", "y"]),
    "options as choices": lambda n, _line: lettered(f"Which is {n}?", choices=["x", "y"]),
    "a letter as a word": lambda n, _line: {"query": f"First letter of B{n}?", "category": "law", "ground_truth": "B"},
    "worked examples": lambda _n, line: line | {"query": f"1 and 1? Answer: {line['ground_truth']}\n{line['query']}"},
}


@pytest.mark.parametrize("what", list(HARMLESS))
def test_what_is_harmless_is_not_found(what: str, tmp_path: Path) -> None:
    assert found_in(changed(queries(), HARMLESS[what]), tmp_path) == {}


def test_of_many_bad_lines_the_first_five_are_shown(tmp_path: Path) -> None:
    lines = changed(queries(), lambda n, line: line if n >= 8 else {"question": "?"})
    findings = check_queries(read_queries(write(tmp_path / "q.jsonl", lines), skip_bad_lines=True))
    bad = [finding for finding in findings if finding.check == "bad-line"]
    assert [finding.line for finding in bad] == [1, 2, 3, 4, 5, None]
    assert "did you mean it by `question`?" in bad[0].what
    assert bad[-1].what == "3 more lines cannot be used"
