"""The parts of a document, however it is cut into pieces, beside what a whole parser finds."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.errors import RecordError
from vsr.importing import json_parts as module
from vsr.importing.json_parts import json_parts

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


class Trickle(io.BytesIO):
    """Gives a few bytes at a time, whatever was asked for."""

    def __init__(self, data: bytes, n_bytes: int) -> None:
        super().__init__(data)
        self.n_bytes = n_bytes

    def read(self, _size: int | None = -1) -> bytes:
        return super().read(self.n_bytes)


def parts(data: bytes, *wanted: tuple[str, ...], n_bytes: int = 1 << 20) -> list[Any]:
    return [part.decode() for part in json_parts(Trickle(data, n_bytes), "log.json", wanted)]


@given(st.lists(st.dictionaries(st.text(), ANY_JSON, max_size=3)), ANY_JSON, st.integers(1, 40), st.booleans())
def test_parts_are_those_of_a_whole_parser(samples, head, n_bytes, is_indented):
    data = json.dumps(
        {"head": {"x": head}, "samples": samples, "other": {"samples": [{"no": 1}]}}, indent=2 if is_indented else None
    ).encode()
    assert parts(data, ("head",), ("samples", "*"), n_bytes=n_bytes) == [{"x": head}, *samples]


def test_texts_and_elements_of_a_bare_array():
    assert parts(b'["a", {"b": 1}, ["c"]]', ("*",)) == ["a", {"b": 1}, ["c"]]
    assert parts(b'{"model_name": "x \\" y", "records": []}', ("model_name",), n_bytes=3) == ['x " y']


def test_not_a_number_is_read():
    assert str(parts(b'{"samples": [{"value": NaN}]}', ("samples", "*"))[0]["value"]) == "nan"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "log.json: is empty"),
        (b'"text"', "is no JSON object or array"),
        (b'{"samples": [{"a": 1}, {"b"', "ends inside a value; is it whole?"),
    ],
)
def test_what_is_no_whole_document_is_an_error(data, message):
    with pytest.raises(RecordError, match=message):
        parts(data, ("samples", "*"))


def test_a_part_beyond_the_limit_ends_in_an_error_and_not_in_memory(monkeypatch):
    monkeypatch.setattr(module, "_LONGEST", 1000)
    data = b'{"samples": [{"a": "' + b"x" * 5000 + b'"}]}'
    with pytest.raises(RecordError, match="a part of it is longer than"):
        parts(data, ("samples", "*"), n_bytes=100)


def test_deep_nesting_between_the_parts_is_passed_over():
    deep = b"[" * 100_000 + b"]" * 100_000
    assert parts(b'{"x": ' + deep + b', "samples": [{"a": 1}]}', ("samples", "*")) == [{"a": 1}]
    with pytest.raises(ValueError, match="nested too deep"):
        parts(b'{"samples": [' + deep + b"]}", ("samples", "*"))
