"""The checks of records find the same where a table takes the lines that say nothing new."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diagnosis.files import records, write
from record_lines import lines
from vsr.data import records as reading
from vsr.data.outcomes import Outcomes
from vsr.data.records import Records
from vsr.diagnosis.record_watch import RecordWatch
from vsr.diagnosis.records import check_records


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.lists(lines(), min_size=1, max_size=12), times=st.integers(1, 12))
def test_findings_are_those_of_every_line(tmp_path: Path, file: list[bytes], times: int) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"\n".join(file * times))
    found = check_records(str(path))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("vsr.diagnosis.records.read_records", read_every_line)
        assert found == check_records(str(path))


def test_most_lines_are_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", records())
    watch = RecordWatch()
    shown: list[int] = []

    def see(line: bytes, record: reading.Record) -> None:
        shown.append(opened.line)
        watch.see(line, record, opened.line)

    opened = reading.read_records(path, watch=see, follow=watch.follow)
    reading_all = list(reading.read_records(path))
    outcomes = Outcomes.from_records(opened)
    watch.finish()
    assert sum(each.n_records for each in watch.models.values()) == len(reading_all)
    assert len(shown) <= outcomes.n_queries + 2 * outcomes.n_models


def read_every_line(path: str, *, follow: object, **options: object) -> Records:
    assert follow is not None
    return reading.read_records(path, **options)  # type: ignore[arg-type]
