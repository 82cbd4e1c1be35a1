import gzip
import json
import math
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.data import records
from vsr.data.prompts import Choices
from vsr.data.records import Query, Record, UnratedRecord, read_prompts, read_queries, read_records
from vsr.errors import RecordError

GOOD: dict[str, object] = {"query": "What is 2 + 2?", "model_name": "small", "performance": 1}


def write(tmp_path: Path, *rows: dict[str, object]) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_documented_record(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {
            "task_name": "mmlu",
            "query": "What is 2 + 2?",
            "category": "math",
            "model_name": "llama-3.2-1b",
            "response": "The answer is B.",
            "ground_truth": "B",
            "response_time": 0.5,
            "performance": 1.0,
            "embedding_id": 7,
            "cost": 0.001,
            "choices": ["3", "4"],
            "endpoint": "local",
        },
    )
    read = read_records(path)
    expected = Record(
        query="What is 2 + 2?",
        model_name="llama-3.2-1b",
        performance=1.0,
        response_time=0.5,
        category="math",
        cost=0.001,
        choices=["3", "4"],
        embedding_id=7,
    )
    assert list(read) == [expected]
    assert list(read) == [expected]  # it can be read again
    assert (read.path, read.line) == (str(path), 1)


def test_the_response_is_kept_only_where_it_must_be_scored(tmp_path: Path) -> None:
    answer = {"query": "q", "model_name": "m", "response": "B", "ground_truth": 2, "metric": "em_mc", "task_name": "t"}
    unrated, rated, failed = read_records(
        write(tmp_path, answer, answer | {"performance": 0.5}, answer | {"error": "timeout: 60 s"})
    )
    assert unrated == UnratedRecord("q", "m", response="B", ground_truth=2, metric="em_mc", task_name="t")
    assert type(rated) is type(failed) is Record


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"query": None}, "`query` is null; expected the text of the query, not blank"),
        ({"query": " \n"}, '`query` is " \\n"; expected the text of the query, not blank'),
        ({"query": ""}, '`query` is ""; expected the text of the query, not blank'),
        ({"query": 5}, "`query` is 5; expected the text of the query, not blank"),
        ({"model_name": ""}, '`model_name` is ""; expected the name of the LLM, not blank'),
        ({"model_name": "\t"}, '`model_name` is "\\t"; expected the name of the LLM, not blank'),
        ({"model_name": ["a"]}, "`model_name` is an array; expected the name of the LLM, not blank"),
        ({"performance": 1.7}, "`performance` is 1.7; expected a number from 0 to 1 (divide per cents by 100)"),
        ({"performance": -0.1}, "`performance` is -0.1; expected a number from 0 to 1 (divide per cents by 100)"),
        ({"performance": "high"}, '`performance` is "high"; expected a number from 0 to 1 (divide per cents by 100)'),
        ({"performance": True}, "`performance` is true; expected a number from 0 to 1 (divide per cents by 100)"),
        ({"performance": math.nan}, "`performance` is NaN; expected a number from 0 to 1 (divide per cents by 100)"),
        (
            {"performance": math.inf},
            "`performance` is Infinity; expected a number from 0 to 1 (divide per cents by 100)",
        ),
        ({"response_time": -1}, "`response_time` is -1; expected seconds, 0 to 1e9"),
        ({"response_time": -math.inf}, "`response_time` is -Infinity; expected seconds, 0 to 1e9"),
        ({"response_time": "1 s"}, '`response_time` is "1 s"; expected seconds, 0 to 1e9'),
        ({"cost": -0.5}, "`cost` is -0.5; expected US dollars, 0 to 1,000,000"),
        ({"category": 3}, "`category` is 3; expected text"),
        ({"error": {"code": 1}}, "`error` is an object; expected text that says why the call failed, or null"),
        ({"embedding_id": True}, "`embedding_id` is true; expected a number or text"),
        ({"unscored": "yes"}, '`unscored` is "yes"; expected true or false'),
        ({"choices": {"text": ["a"], "labels": []}}, "`choices` is an object; expected a list of texts, an object"),
        ({"choices": "a or b"}, '`choices` is "a or b"; expected a list of texts, an object'),
        ({"performance": None}, "has no `performance` and nothing to score; expected a `performance` from 0 to 1"),
        ({"performance": None, "error": ""}, "has no `performance` and nothing to score; expected a `performance`"),
        ({"performance": None, "response": 5}, "`response` is 5; expected text"),
        ({"performance": None, "response": "B", "ground_truth": ["B"]}, "`ground_truth` is an array; expected text or"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_field(change: dict[str, object], expected: str, tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, GOOD | change)
    with pytest.raises(RecordError) as caught:
        list(read_records(path))
    assert str(caught.value).startswith(f"{path}:2: {expected}")
    read = read_records(path, skip_bad_lines=True)
    assert len(list(read)) == 1
    assert [bad.line for bad in read.bad_lines] == [2]


@pytest.mark.parametrize("field", ["query", "model_name"])
def test_a_missing_field(field: str, tmp_path: Path) -> None:
    path = write(tmp_path, {name: value for name, value in GOOD.items() if name != field})
    with pytest.raises(RecordError, match=f":1: `{field}` is missing; expected "):
        list(read_records(path))


some_values = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2)
    | st.floats(-0.5, 1.5)
    | st.sampled_from(
        ["", " ", "text", "['a', 'b']", [], ["a", 1], [None], {"text": ["a"]}, {"text": 1}, {"label": []}]
    )
)
field_names = st.sampled_from(sorted(name for struct in (Record, UnratedRecord) for name in struct.__struct_fields__))


@given(st.dictionaries(field_names, some_values, max_size=5), st.booleans())
def test_the_quick_reader_and_the_explanations_agree(fields: dict[str, object], is_complete: bool) -> None:
    value = (GOOD if is_complete else {}) | fields
    try:
        records._read_record(msgspec.json.encode(value))
    except ValueError:
        assert records.explain_record(value) is not None
    else:
        # What a rated record does not need is not looked at.
        problem = records.explain_record(value) or ""
        assert not any(f"`{name}`" in problem for name in Record.__struct_fields__)


def test_queries_in_every_form(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl.gz"
    first = {"query": "Which?", "choices": {"text": ["a", "b"], "labels": ["1", "2"]}, "ground_truth": 2, "source": "x"}
    second = {
        "query": "Who?",
        "category": " ",
        "task_name": "t",
        "metric": "em",
        "ground_truth": "me",
        "category_id": None,
    }
    path.write_bytes(
        gzip.compress(b"\xef\xbb\xbf" + json.dumps(first, indent=1).encode() + b"\n\n" + json.dumps(second).encode())
    )
    queries = read_queries(path)
    assert list(queries) == [
        Query("Which?", ground_truth="2", choices=Choices(("a", "b"), ("1", "2")), extra={"source": "x"}),
        Query("Who?", ground_truth="me", task_name="t", metric="em", extra={"category_id": None}),
    ]
    assert [query.prompt for query in queries] == ["Which?\n1) a\n2) b", "Who?"]
    assert queries[0:1] == (queries[0],)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{}", "`query` is missing; expected text that is not blank"),
        ('{"query": "  "}', '`query` is "  "; expected text that is not blank'),
        ('{"query": "q", "choices": [[]]}', "`choices` is an array; expected a list of texts"),
        ('{"query": "q", "ground_truth": {}}', "`ground_truth` is an object; expected text or a number"),
        ('{"query": "q", "metric": 1}', "`metric` is 1; expected text"),
    ],
)
def test_bad_queries(line: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text(f'{{"query": "good"}}\n{line}\n')
    with pytest.raises(RecordError) as caught:
        read_queries(path)
    assert str(caught.value).startswith(f"{path}:2: {expected}")
    queries = read_queries(path, skip_bad_lines=True)
    assert (len(queries), queries.n_bad_lines, f"{queries.bad_lines[0]}. Mend") == (
        1,
        1,
        str(caught.value).partition(" the line")[0],
    )


def test_prompts_of_queries_and_of_records(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        {"query": "Which?", "choices": ["red", "blue"], "category": "physics"},
        GOOD,
        {"query": "What failed?", "model_name": "small", "error": "timeout"},
        {"query": "Whose?", "model_name": None},
    )
    assert list(read_prompts(path)) == ["Which?\nA) red\nB) blue", "What is 2 + 2?", "What failed?", "Whose?"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"query": " "}, '`query` is " "; expected text that is not blank'),
        ({"query": "a", "choices": 7}, "`choices` is 7; expected "),
        ({"query": "a", "model_name": "small"}, "has no `performance` and nothing to score"),
        ({"query": "a", "model_name": 7, "performance": 1}, "`model_name` is 7; expected the name of the LLM"),
        ({"query": "a", "model_name": "small", "performance": 2}, "`performance` is 2; expected a number from 0 to 1"),
    ],
)
def test_a_line_that_is_neither_is_bad(row: dict[str, object], problem: str, tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, row)
    with pytest.raises(RecordError, match=f"{re.escape(f'{path}:2: {problem}')}.*--skip-bad-lines"):
        list(read_prompts(path))
    lines = read_prompts(path, skip_bad_lines=True)
    assert (list(lines), lines.n_bad_lines) == (["What is 2 + 2?"], 1)


def test_no_prompts_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="holds no queries or records"):
        list(read_prompts(write(tmp_path)))


@pytest.mark.parametrize(
    ("read", "line", "said"),
    [
        (read_queries, {"question": "q?"}, "`query` is missing (did you mean it by `question`?); expected text"),
        (read_queries, {"qury": "q?"}, "(did you mean it by `qury`?)"),
        (
            read_records,
            {"query": "q", "llm": "m", "performance": 1},
            "`model_name` is missing (did you mean it by `llm`?)",
        ),
        (read_records, {"query": "q", "model_name": "m", "score": 1}, "no `performance` (did you mean it by `score`?)"),
        (read_records, {"query": "q", "model_name": "m", "output": ""}, "to score (did you mean it by `output`?)"),
    ],
)
def test_a_field_under_another_name_is_offered(tmp_path, read, line, said):
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(line))
    with pytest.raises(RecordError) as caught:
        list(read(path))
    assert said in str(caught.value)


def test_a_watch_sees_every_record_that_is_read_and_its_line(tmp_path):
    path = tmp_path / "records.jsonl"
    good = '{"query": "q", "model_name": "m", "performance": 1, "extra": 3}'
    path.write_text(f"{good}\nbad\n{good}\n")
    seen = []
    records = read_records(path, skip_bad_lines=True, watch=lambda line, record: seen.append((line.strip(), record)))
    assert [record for _, record in seen] == []
    read = list(records)
    assert seen == [(good.encode(), record) for record in read]
    assert len(read) == 2


def test_queries_know_their_lines(tmp_path):
    path = tmp_path / "queries.jsonl"
    path.write_text('\n{"query": "a"}\nbad\n{"query":\n "b"}\n')
    assert read_queries(path, skip_bad_lines=True).lines == (2, 4)
