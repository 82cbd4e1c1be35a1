import json

import pytest

from vsr.diagnosis.field_watch import FieldWatch


def meant_by(name: str) -> str | None:
    return {"answer": "truth"}.get(name)


def test_known_fields_are_given_raw_and_others_learnt() -> None:
    watch = FieldWatch(("truth", "query"), meant_by)
    fields = watch.read(b'{"query": "q", "weird `name`": {"query": 1}, "truth": [1, 2]}')
    assert (bytes(fields.f0), bytes(fields.f1)) == (b"[1, 2]", b'"q"')
    assert bytes(watch.read(b"{}").f0) == b""
    assert not watch.is_doubtful


def test_a_misnamed_field_counts_where_ours_is_not_there() -> None:
    watch = FieldWatch(("truth", "query"), meant_by)
    lines = (
        {"answer": "x"},
        {"answer": "x", "truth": "y"},
        {"answer": None},
        {"query": "q"},
        {"answer": 0, "truth": ""},
    )
    names = [watch.misnamed(watch.read(json.dumps(line).encode())) for line in lines]
    assert names == [["answer"], [], [], [], ["answer"]]


def test_hundreds_of_names_are_no_trouble() -> None:
    watch = FieldWatch(("truth",), meant_by)
    for number in range(700):
        line = {f"field {number}": number, "truth": number}
        assert bytes(watch.read(json.dumps(line).encode()).f0) == str(number).encode()


def test_what_is_no_object_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expected"):
        FieldWatch(("truth",), meant_by).read(b"[1]")


def test_a_name_that_no_field_can_have_ends_the_learning_and_nothing_else() -> None:
    watch = FieldWatch(["query"], lambda _name: "query")
    assert bytes(watch.read(b'{"\\\\": 1, "query": "q"}').f0) == b'"q"'
    assert bytes(watch.read(b'{"a\\"": 1, "prompt": 2}').f0) == b""
    assert not watch.is_doubtful
