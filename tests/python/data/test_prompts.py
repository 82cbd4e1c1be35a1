import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.data.prompts import Choices, ChoicesObject, option_label, parse_choices, render_prompt, unique_key
from vsr.errors import RecordError

PANDAS = "{'text': array(['a, b', \"it's\"], dtype=object), 'label': array(['1', '2'], dtype=object)}"


@pytest.mark.parametrize("value", [None, "", "  ", [], (), "[]", "null", "None", {"text": [], "labels": []}])
def test_no_choices(value: object) -> None:
    assert parse_choices(value) is None
    assert render_prompt("What?", value) == "What?"


@pytest.mark.parametrize(
    "value",
    [
        ["yes", "no"],
        ("yes", "no"),
        '["yes", "no"]',
        "['yes', 'no']",
        "array(['yes', 'no'], dtype=object)",
        {"text": ["yes", "no"]},
        {"text": ["yes", "no"], "labels": ["A", "B"]},
        {"text": ["yes", "no"], "label": ["A", "B "]},
        '{"text": ["yes", "no"], "labels": ["A", "B"]}',
        "{'text': ['yes', 'no'], 'labels': ['A', 'B']}",
        ChoicesObject(["yes", "no"], ["A", "B"]),
        ChoicesObject(["yes", "no"], label=["A", "B"]),
        Choices(("yes", "no"), ("A", "B")),
    ],
)
def test_every_form_of_choices(value: object) -> None:
    assert parse_choices(value) == Choices(("yes", "no"), ("A", "B"))
    assert render_prompt("Is it?", value) == "Is it?\nA) yes\nB) no"


def test_labels_and_numbers_of_the_file_are_kept() -> None:
    assert parse_choices(PANDAS) == Choices(("a, b", "it's"), ("1", "2"))
    assert parse_choices([1, 2.5]) == Choices(("1", "2.5"), ("A", "B"))


@pytest.mark.parametrize(
    "value",
    [
        "A) yes B) no",
        "{'text': open('x')}",
        "__import__('os')",
        5,
        [None],
        [["a"]],
        {"labels": ["A"]},
        {"text": "yes"},
        {"text": ["yes"], "labels": ["A", "B"]},
        '{"text": ["yes"], "labels": []}',
        "(" * 10_000,
    ],
)
def test_anything_else_is_an_error(value: object) -> None:
    with pytest.raises(RecordError, match=r"choices .* expected a list of texts"):
        parse_choices(value)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=30))
def test_string_forms_say_the_same_as_the_list(texts: list[str]) -> None:
    assert parse_choices(json.dumps(texts)) == parse_choices(repr(texts)) == parse_choices(texts)


def test_letters_go_on_after_z() -> None:
    assert [option_label(index) for index in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_spellings_of_one_query_have_one_key() -> None:
    assert unique_key("  What\tIS\n\na Café ") == unique_key("what is a " + unicodedata.normalize("NFD", "café"))
    assert unique_key("what is x?") != unique_key("what is x")


@given(st.text())
def test_a_key_is_its_own_key(text: str) -> None:
    assert unique_key(unique_key(text)) == unique_key(text)
