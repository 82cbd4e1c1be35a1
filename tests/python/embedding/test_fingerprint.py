import dataclasses
import json

import pytest

from vsr.embedding import Fingerprint
from vsr.errors import EmbeddingError

PLAIN = Fingerprint(
    name="gemma",
    width=768,
    digest="0123456789abcdef",
    pooling="mean",
    prompt="task: ",
    token_limit=2048,
    prompt_name="query",
    path="/models/gemma",
    revision="fedcba9876543210",
)
COMPARED = {
    "digest": "00ff",
    "width": 256,
    "pooling": "cls",
    "prompt": "",
    "normalisation": "none",
    "dtype": "bfloat16",
    "token_limit": None,
}
INFORMS = {"name": "other", "prompt_name": None, "path": "/elsewhere", "revision": None}


def test_each_field_is_compared_or_informs() -> None:
    assert {*COMPARED, *INFORMS, "text"} == {field.name for field in dataclasses.fields(Fingerprint)}


@pytest.mark.parametrize("field", COMPARED)
def test_what_changes_vectors_is_compared(field: str) -> None:
    other = dataclasses.replace(PLAIN, **{field: COMPARED[field]})  # type: ignore[arg-type]
    (difference,) = PLAIN.differences(other)
    assert (difference.field, difference.mine, difference.other) == (field, getattr(PLAIN, field), COMPARED[field])
    assert PLAIN.key() != other.key()


@pytest.mark.parametrize("field", INFORMS)
def test_what_only_informs_is_not(field: str) -> None:
    other = dataclasses.replace(PLAIN, **{field: INFORMS[field]})  # type: ignore[arg-type]
    assert PLAIN.differences(other) == []
    assert PLAIN.key() == other.key()


def test_the_text_is_the_callers_and_tells_trainings_apart_alone() -> None:
    other = dataclasses.replace(PLAIN, text="all")
    assert PLAIN.differences(other) == []
    assert PLAIN.key() != other.key()
    assert Fingerprint.from_json(other.to_json()).text == "all"
    assert str(other).endswith("text all, revision fedcba987654")


def test_differences_read_well() -> None:
    other = dataclasses.replace(PLAIN, digest="f" * 40, token_limit=None, prompt="")
    assert [str(difference) for difference in PLAIN.differences(other)] == [
        "digest: 0123456789ab against ffffffffffff",
        "prompt: 'task: ' against ''",
        "token_limit: 2048 against none",
    ]
    assert str(PLAIN) == "gemma, 768 wide, digest 0123456789ab, prompt 'query', revision fedcba987654"


def test_of_vectors_from_elsewhere_only_the_width_is_known() -> None:
    external = Fingerprint.external(768)
    assert external.differences(PLAIN) == PLAIN.differences(external) == []
    assert [difference.field for difference in Fingerprint.external(3).differences(PLAIN)] == ["width"]
    assert str(external) == "external, 768 wide"


def test_json_keeps_everything_and_newer_fields_are_ignored() -> None:
    document = json.loads(json.dumps(PLAIN.to_json()))
    assert Fingerprint.from_json(document | {"of_a_later_version": 1}) == PLAIN
    assert Fingerprint.from_json({"name": "hash", "width": 9, "digest": "hash-1"}) == Fingerprint("hash", 9, "hash-1")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": "768"}, "'width' must be an integer, found '768'"),
        ({"width": True}, "'width' must be an integer, found True"),
        ({"width": 0}, "'width' must be at least 1, found 0"),
        ({"digest": None}, "'digest' must be a string, found None"),
        ({"prompt": 7}, "'prompt' must be a string, found 7"),
        ({"token_limit": 1.5}, "'token_limit' must be an integer, found 1.5"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(EmbeddingError, match=message):
        Fingerprint.from_json(PLAIN.to_json() | change)


def test_what_is_no_fingerprint_is_refused() -> None:
    with pytest.raises(EmbeddingError, match="expected an object, found list"):
        Fingerprint.from_json([])
    with pytest.raises(EmbeddingError, match="the field 'digest' is missing"):
        Fingerprint.from_json({"name": "hash", "width": 3})
