"""Parquet in and out: the same objects as JSON Lines, and errors that say what to do."""

import builtins
import datetime as dt
import json
import math
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vsr.data.json_lines import write_rows
from vsr.data.parquet import parquet_lines
from vsr.data.records import read_objects, read_queries, read_records
from vsr.errors import OutputError, RecordError

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DEEP = st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), DEEP, min_size=1), min_size=1, max_size=6)


def filled(row):
    return {name: value for name, value in row.items() if value is not None}


@given(ROWS)
@example([{"a": 2**60}, {"a": 0.5}])
@example([{"a": 2**60 + 1}, {"a": 1}])
def test_what_is_written_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(path, rows)
    assert [json.loads(line) for line in parquet_lines(str(path))] == [filled(row) for row in rows]


def test_records_with_choices_and_messages_come_through(tmp_path):
    rows: list[dict[str, object]] = [
        {"query": "Which?", "choices": ["x", "y"], "model_name": "m", "performance": 1, "response_time": 0.5},
        {"messages": [{"role": "user", "content": "Hi"}], "model_name": "m", "performance": 0.5, "embedding_id": 3},
        {"query": "Who?", "choices": {"text": ["x"], "labels": ["1"]}, "model_name": "m", "error": "time-out"},
    ]
    write_rows(tmp_path / "r.parquet", rows)
    write_rows(tmp_path / "r.jsonl", rows)
    assert list(read_records(tmp_path / "r.parquet")) == list(read_records(tmp_path / "r.jsonl"))


def test_the_types_of_other_writers_are_read(tmp_path):
    table = pa.table(
        {
            "query": ["one", "two"],
            "model_name": pa.array(["m", "m"]).dictionary_encode(),
            "performance": [1.0, None],
            "error": [None, "broken"],
            "cost": pa.array([Decimal("0.25"), None], type=pa.decimal128(5, 2)),
            "timestamp": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None],
        }
    )
    pq.write_table(table, tmp_path / "r.parquet")
    first, second = read_records(tmp_path / "r.parquet")
    assert (first.performance, first.cost, second.performance, second.error) == (1.0, 0.25, None, "broken")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["performance", "elsewhere"])
def test_what_is_no_number_is_refused_as_in_json(name, value, tmp_path):
    good = {"query": "one", "model_name": "m", "performance": 0.5, "elsewhere": 0.5}
    rows = [good, {**good, name: value}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "r.parquet")
    (tmp_path / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    messages = []
    for file in ("r.parquet", "r.jsonl"):
        with pytest.raises(RecordError) as error:
            list(read_records(tmp_path / file))
        messages.append(str(error.value).partition(file)[2])
    assert messages[0] == messages[1]
    assert messages[0].startswith(":2: ")


def test_a_bad_row_is_named_by_its_number(tmp_path):
    write_rows(tmp_path / "q.parquet", [{"query": "one"}, {"query": " "}])
    with pytest.raises(RecordError, match=r"q.parquet:2: `query` is"):
        read_queries(tmp_path / "q.parquet")
    assert read_queries(tmp_path / "q.parquet", skip_bad_lines=True).n_bad_lines == 1


@pytest.mark.parametrize("content", [b"", b"PAR1", b"{}\n", b"PAR1" + b"\x00" * 100 + b"PAR1"])
def test_a_broken_file_is_an_error(content, tmp_path):
    (tmp_path / "r.parquet").write_bytes(content)
    with pytest.raises(RecordError, match=r"r.parquet: cannot be read as parquet"):
        list(read_objects(tmp_path / "r.parquet", noun="records"))


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    write_rows(tmp_path / "r.parquet", [{"query": "one"}])
    real = builtins.__import__

    def without(name, *arguments, **more):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RecordError, match=r"needs the extra `parquet`: `pip install '.\[parquet\]'`"):
        read_queries(tmp_path / "r.parquet")
    with pytest.raises(OutputError, match="needs the extra `parquet`"):
        write_rows(tmp_path / "new.parquet", [{"a": 1}])
