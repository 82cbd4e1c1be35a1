import gzip
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.data.fields import Field, is_number, problem_with, shown
from vsr.data.json_lines import write_json_lines
from vsr.data.records import read_objects
from vsr.errors import RecordError

JsonObject = dict[str, object]
Written = tuple[JsonObject, int | str | None, str, bool, bool]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
json_objects = st.dictionaries(st.text(max_size=8), json_values, max_size=4)
# Lines that no following line can complete.
torn_lines = st.sampled_from(
    [
        "nonsense",
        '{"query": "cut her',
        '{"query": }',
        "{]",
        "[1, 2",
        "null",
        '"text"',
        "12",
        '{"query": "a",',
        "{",
        '{"a": [1,',
    ]
)


def objects_in(content: bytes, tmp_path: Path, *, skip_bad_lines: bool = False) -> list[dict[str, object]]:
    path = tmp_path / "objects.jsonl"
    path.write_bytes(content)
    return list(read_objects(path, noun="objects", skip_bad_lines=skip_bad_lines))


def problem_of(content: bytes, tmp_path: Path, name: str = "objects.jsonl") -> str:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordError) as caught:
        list(read_objects(path, noun="objects"))
    message = str(caught.value).replace(str(path), "FILE")
    return message.removesuffix(". Mend the line, or leave bad lines out with --skip-bad-lines")


@given(
    st.lists(
        st.tuples(
            json_objects,
            st.sampled_from([None, 0, 2, "\t"]),
            st.sampled_from(["\n", "\r\n", "\n\n", "\n \n\n"]),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
)
def test_every_way_to_write_objects_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    written: list[Written],
    packed: bool,
) -> None:
    content = b""
    for value, indent, end, has_mark, is_ascii in written:
        content += b"\xef\xbb\xbf" if has_mark else b""
        content += json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode() + end.encode()
    path = tmp_path_factory.mktemp("lines") / ("objects.jsonl.gz" if packed else "objects.jsonl")
    path.write_bytes(gzip.compress(content) if packed else content)
    lines = read_objects(path, noun="objects")
    assert list(lines) == [value for value, *_ in written]
    assert list(lines) == list(lines)
    assert lines.n_bad_lines == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_objects_or_an_error_with_a_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("lines") / "objects.jsonl"
    path.write_bytes(content)
    try:
        values = list(read_objects(path, noun="objects"))
    except RecordError as error:
        assert str(error).startswith(str(path) + ":")
    else:
        assert all(isinstance(value, dict) for value in values)


@given(st.lists(st.tuples(json_objects, st.lists(torn_lines, max_size=3)), min_size=1, max_size=6))
def test_bad_lines_never_take_good_ones_with_them(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[JsonObject, list[str]]]
) -> None:
    content = "".join("\n".join([*torn, json.dumps(value)]) + "\n" for value, torn in written)
    path = tmp_path_factory.mktemp("lines") / "objects.jsonl"
    path.write_text(content, encoding="utf-8")
    lines = read_objects(path, noun="objects", skip_bad_lines=True)
    assert list(lines) == [value for value, _ in written]
    wrong = [number for number, line in enumerate(content.splitlines(), 1) if line in _torn_of(written)]
    assert [bad.line for bad in lines.bad_lines] == wrong
    assert lines.n_bad_lines == len(wrong)


def _torn_of(written: list[tuple[dict[str, object], list[str]]]) -> set[str]:
    return {line for _, torn in written for line in torn}


def test_a_torn_line_before_many_good_ones_costs_only_itself(tmp_path: Path) -> None:
    content = b'{"query": "a",\n' + b'{"query": "b"}\n' * 3000
    assert len(objects_in(content, tmp_path, skip_bad_lines=True)) == 3000


def test_numbers_of_lines_stay_right_after_an_object_over_several_lines(tmp_path: Path) -> None:
    content = b'{\n "a": 1,\n "b": {"c":\n 2}\n}\n\n{"d": 3}\nwrong\n'
    path = tmp_path / "objects.jsonl"
    path.write_bytes(content)
    with pytest.raises(
        RecordError, match=r":8: is not .* Mend the line, or leave bad lines out with --skip-bad-lines$"
    ):
        list(read_objects(path, noun="objects"))
    lines = read_objects(path, noun="objects", skip_bad_lines=True)
    assert [lines.line for _ in lines] == [1, 7]


@pytest.mark.parametrize("first", ["", "{}\n"])
@pytest.mark.parametrize("cut", ['{"a": 1', '{"a": 1,\n', '{"a": [1,\n2', '{\n"a":\n"b",\n"c": {\n', '{"a": "b'])
def test_a_file_that_ends_inside_an_object_says_so(cut: str, first: str, tmp_path: Path) -> None:
    path = tmp_path / "objects.jsonl"
    path.write_text(first + cut)
    number = 2 if first else 1
    with pytest.raises(RecordError) as caught:
        list(read_objects(path, noun="objects"))
    assert str(caught.value).startswith(
        f"{path}:{number}: is not valid JSON (the file ends inside the object that begins here); "
        "expected one JSON object a line. Mend the line, or "
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "FILE: holds no objects; expected one JSON object a line"),
        (b"\n \n\n", "FILE: holds no objects; expected one JSON object a line"),
        (b"\xef\xbb\xbf", "FILE: holds no objects; expected one JSON object a line"),
        (
            b'{"a": 1}\nhello\n',
            "FILE:2: is not valid JSON (expecting value at column 1); expected one JSON object a line",
        ),
        (
            b'{"a": 1} {"b": 2}\n',
            "FILE:1: is not valid JSON (extra data at column 10); expected one JSON object a line",
        ),
        (b"12\n", "FILE:1: is 12; expected one JSON object a line"),
        (b"null\n", "FILE:1: is null; expected one JSON object a line"),
        (b"[{}]\n", "FILE:1: is a JSON array; expected one object a line. `jq -c '.[]' FILE` writes it in that form"),
        (
            b"[\n{}\n]\n",
            "FILE:1: is a JSON array; expected one object a line. `jq -c '.[]' FILE` writes it in that form",
        ),
        (b'{"a": NaN}\n', "FILE:1: holds NaN or Infinity; expected a number or null"),
        (b'{"a": "\xe9"}\n', "FILE:1: is not UTF-8 (byte 0xe9 at column 8); expected UTF-8 text"),
        ('{"a": 1}'.encode("utf-16"), "FILE:1: is UTF-16; expected UTF-8. `iconv -f UTF-16 -t UTF-8 FILE` converts it"),
        (
            gzip.compress(b"{}"),
            "FILE:1: is packed by gzip; expected text. Give the file a name that ends in .gz",
        ),
        (
            b'{"a": "torn\n{"b": 2}\n',
            "FILE:1: is not valid JSON (invalid control character at column 12); expected one JSON object a line",
        ),
        (
            b'{\n"a": 1\n}}\n',
            "FILE:1: is not valid JSON (extra data at column 2 of its line 3); expected one JSON object a line",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(content: bytes, expected: str, tmp_path: Path) -> None:
    assert problem_of(content, tmp_path) == expected


def test_deep_nesting_is_a_bad_line(tmp_path: Path) -> None:
    assert "is nested more than 64 deep" in problem_of(b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", tmp_path)


def test_half_a_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    # What Python's json writes for an answer that was cut inside an emoji.
    assert objects_in(b'{"a": "cut \\ud83d"}\n', tmp_path) == [{"a": "cut \ufffd"}]


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"missing\.jsonl: no such file; expected a JSON Lines file of records"):
        read_objects(tmp_path / "missing.jsonl", noun="records")
    with pytest.raises(RecordError, match="is a folder; expected a JSON Lines file of records"):
        read_objects(tmp_path, noun="records")


def test_a_damaged_gzip_file(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"a": 1}\n' * 10_000)
    assert problem_of(packed[:-20], tmp_path, "cut.jsonl.gz").startswith("FILE: cannot be read beyond line ")
    assert problem_of(b'{"a": 1}\n', tmp_path, "plain.jsonl.gz").startswith("FILE: cannot be read beyond line 0 ")


def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    with path.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert list(read_objects("-", noun="objects")) == [{"a": 1}, {"a": 2}]


def test_bad_lines_beyond_a_thousand_are_counted_only(tmp_path: Path) -> None:
    path = tmp_path / "objects.jsonl"
    path.write_text("{}\n" + "wrong\n" * 1500)
    lines = read_objects(path, noun="objects", skip_bad_lines=True)
    assert list(lines) == [{}]
    assert (lines.n_bad_lines, len(lines.bad_lines)) == (1500, 1000)
    assert str(lines.bad_lines[0]).startswith(f"{path}:2: is not valid JSON")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_what_is_written_reads_back(name: str, tmp_path: Path) -> None:
    rows = [{"text": "ä\n\u2028", "number": 0.1, "nested": {"list": [1, None]}}, {}]
    write_json_lines(tmp_path / name, rows)
    assert list(read_objects(tmp_path / name, noun="rows")) == rows
    assert (tmp_path / name).read_bytes()[:2] == (b"\x1f\x8b" if name.endswith(".gz") else b'{"')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (1.7, "1.7"),
        ("high", '"high"'),
        (True, "true"),
        ([1], "an array"),
        ({}, "an object"),
        ("x" * 100, '"' + "x" * 56 + "..."),
    ],
)
def test_values_are_shown_as_the_file_has_them(value: object, text: str) -> None:
    assert shown(value) == text


def test_whole_numbers_beyond_floats_are_no_numbers() -> None:
    assert not is_number(10**400)
    assert not is_number(True)
    assert is_number(0.5, low=0, high=1)
    assert problem_with([Field("a", "x", is_number, required=True)], {"a": None}) == "`a` is null; expected x"
    assert problem_with([Field("a", "x", is_number, required=True)], {}) == "`a` is missing; expected x"
    assert problem_with([Field("a", "x", is_number)], {"a": None}) is None
