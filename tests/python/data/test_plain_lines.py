"""Lines that the core takes in by itself count as the same lines read one by one, whatever stands between them."""

import gzip
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from record_lines import BROKEN, lines
from vsr._core import RecordTable
from vsr.data.outcomes import Outcomes
from vsr.data.records import Record, UnratedRecord, read_records
from vsr.errors import RecordError


def read(path: Path, *, one_by_one: bool, skip_bad_lines: bool, models: list[str] | None = None) -> object:
    """Everything that becomes of a file: the outcomes and what is said of it, or the error."""
    watch = (lambda _line, _record: None) if one_by_one else None
    records = read_records(path, skip_bad_lines=skip_bad_lines, watch=watch)

    def score(record: UnratedRecord) -> float | None:
        return 0.5 if record.response else None

    try:
        outcomes = Outcomes.from_records(records, models, scorer=score)
    except RecordError as error:
        return str(error), records.bad_lines, records.n_bad_lines
    held: dict[str, object] = {}
    for each in fields(outcomes):
        value = getattr(outcomes, each.name)
        if each.name in ("repeats", "tokens", "judgements") and value is not None:
            value = {part.name: getattr(value, part.name) for part in fields(value)}
        held[each.name] = value
    return held, records.bad_lines, records.n_bad_lines


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.lists(lines(), min_size=1, max_size=12),
    times=st.integers(1, 3),
    skip_bad_lines=st.booleans(),
    models=st.sampled_from([None, None, ["b", "a"], ["none"]]),
    ends=st.booleans(),
)
def test_a_file_reads_the_same_line_by_line(
    tmp_path: Path, file: list[bytes], times: int, skip_bad_lines: bool, models: list[str] | None, ends: bool
) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\n".join(file * times) + (b"\n" if ends else b""))
    taken, one_by_one = (
        read(path, one_by_one=way, skip_bad_lines=skip_bad_lines, models=models) for way in (False, True)
    )
    np.testing.assert_equal(taken, one_by_one)


@pytest.mark.parametrize("line", BROKEN)
def test_a_line_that_is_not_plain_is_left_to_others(line: bytes) -> None:
    table = RecordTable()
    table.open(stream_of([plain(), line]))
    assert next(table) == plain() + b"\n"
    assert table.learn(0, 0)
    assert b"".join(iter(table.read_line, b"")) == line
    table.open(stream_of([plain("Why?"), *line.split(b"\n")]))
    assert next(table) == plain("Why?") + b"\n"
    assert table.learn(1, 0)
    assert b"".join(table) == line
    assert table.n_taken == 0


def test_what_repeats_is_taken_and_what_is_new_is_left(tmp_path: Path) -> None:
    file = [plain(query, model, number / 8) for number in range(8) for query in "pq" for model in "ab"]
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(file)))
    records = read_records(path)
    outcomes = Outcomes.from_records(records)
    assert outcomes.quality.tolist() == [[7 / 16, 7 / 16]] * 2
    table = RecordTable()
    new = []
    for record in records.news(table):
        new.append((record.query, record.model_name, records.line))
        assert table.learn("pq".index(record.query), "ab".index(record.model_name))
    # The line of a query is learnt as a whole; its second model is new once.
    assert new == [("p", "a", 1), ("p", "b", 2), ("q", "a", 3)]
    assert (len(table), table.n_taken, table.n_left_out) == (29, 29, 0)
    cells, measured = table.finish(2)
    assert cells.tolist()[:5] == [3, 0, 1, 2, 3]
    assert [values.size for values in measured] == [29, 0, 0, 0, 0, 0]


def test_an_error_names_its_line_behind_lines_that_were_taken(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\n".join([plain()] * 100_000 + [b"nothing"]))
    with pytest.raises(RecordError, match=r"r\.jsonl:100001: is not valid JSON"):
        Outcomes.from_records(read_records(path))
    path.write_bytes(b"\n".join([plain()] * 5 + [plain(embedding_id=1), b"", plain("other", embedding_id=1)]))
    with pytest.raises(RecordError, match=r"r\.jsonl:8: `embedding_id` 1 stands for two texts"):
        Outcomes.from_records(read_records(path))


def test_a_line_of_any_length_arrives_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    long = plain(response="x" * (3 << 20))
    path.write_bytes(b"\n".join([plain(), long, long, b'{"too long": "' + b"y" * (17 << 20) + b'"}', plain()]))
    records = read_records(path, skip_bad_lines=True)
    report = Outcomes.from_records(records).report
    assert report is not None
    assert (report.n_records, report.n_bad_lines) == (4, 1)
    assert [each.line for each in records.bad_lines] == [4]


def test_records_that_are_no_file_need_no_lines() -> None:
    outcomes = Outcomes.from_records([Record("q", "m", 1.0), Record("q", "m", 0.0)])
    assert outcomes.quality.tolist() == [[0.5]]


def plain(query: str = "q", model: str = "m", performance: float = 1.0, **more: object) -> bytes:
    return json.dumps({"query": query, "model_name": model, "performance": performance} | more).encode()


def stream_of(file: list[bytes]) -> Any:
    blocks = iter([b"\n".join(file)])
    return lambda _size: next(blocks, b"")
