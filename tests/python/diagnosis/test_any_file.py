"""Whatever stands in a file, the doctor says something about it and raises nothing."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diagnosis.files import records
from vsr.data.records import QUERY_FIELDS, RECORD_FIELDS
from vsr.diagnosis import doctor

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["A", "4", "m"])
)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=4), scalars, max_size=3)
names = st.sampled_from([*QUERY_FIELDS, *RECORD_FIELDS, "answer", "options", "latency", "score"]) | st.text(max_size=6)
objects = st.dictionaries(names, values, max_size=8)
spoilt = st.builds(lambda line, change: line | change, st.sampled_from(records(20)), objects)


def diagnosed(data: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.jsonl"
        path.write_bytes(data)
        diagnosis = doctor([path], environment={})
        json.dumps([str(finding) for finding in diagnosis.findings])
        return [finding.level for finding in diagnosis.findings]


@given(st.lists(spoilt | objects, max_size=30))
def test_any_objects(lines: list[dict[str, object]]) -> None:
    diagnosed("".join(f"{json.dumps(line)}\n" for line in lines).encode())


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: ("vllm_endpoints:" + text).encode()))
def test_any_bytes(data: bytes) -> None:
    diagnosed(data)


@pytest.mark.parametrize("field", ["metric", "ground_truth", "response", "answer"])
@pytest.mark.parametrize("value", ['"\\ud800"', '{"a": [1]}', "1e999", "[" * 60 + "]" * 60, '""', "false"])
def test_what_a_record_leaves_unread(field: str, value: str) -> None:
    line = f'{{"query": "q%d", "model_name": "m", "performance": 1, "{field}": {value}}}\n'
    diagnosed("".join(line % number for number in range(30)).encode())
