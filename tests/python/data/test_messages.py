"""Conversations: which text of them counts, and what else is in them."""

import pytest

from vsr.data.messages import has_images, identity, n_characters, n_characters_before, text_of, with_text
from vsr.errors import RecordError

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is a cell?"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
    {"role": "tool", "content": "a room"},
    {"role": "user", "content": [{"type": "text", "text": "And"}, PICTURE, {"type": "text", "text": "this?"}]},
    {"role": "user", "content": [PICTURE]},
]


def test_the_text_is_the_last_one_of_a_user_or_all_of_theirs_or_everything():
    assert text_of(TALK) == "And\nthis?"
    assert text_of(TALK, "users") == "What is a cell?\n\nAnd\nthis?"
    assert text_of(TALK, "all") == "Be brief.\n\nWhat is a cell?\n\na room\n\nAnd\nthis?"


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        (None, "messages are missing"),
        ([], "an empty list"),
        ("hello", "of kind str"),
        ({"role": "user"}, "of kind dict"),
        ([{"content": "hello"}], "message 0 has no role"),
        ([{"role": "user", "content": 5}], "the content of message 0 is of kind int"),
        ([{"role": "user", "content": [5]}], "the content of message 0"),
        ([{"role": "system", "content": "hello"}], "hold no text of a user"),
        ([{"role": "user", "content": [PICTURE]}], "hold no text of a user"),
    ],
)
def test_what_is_no_conversation_is_said(messages, said):
    with pytest.raises(RecordError, match=said):
        text_of(messages)


def test_another_text_than_the_three_is_an_error():
    with pytest.raises(RecordError, match="text is 'first'; expected one of last, users, all"):
        text_of(TALK, "first")  # type: ignore[arg-type]


def test_images_and_lengths():
    assert has_images(TALK)
    assert not has_images(TALK[:4])
    assert n_characters(TALK) == len("Be brief.What is a cell?a roomAnd\nthis?")
    assert n_characters_before(TALK[:5]) == len("Be brief.What is a cell?a room")
    assert n_characters_before(TALK[:1]) == 0


def test_text_is_added_to_the_last_message_of_a_user_that_has_some():
    assert with_text(TALK, "") == tuple(TALK)
    longer = with_text(TALK, "\nA) yes")
    assert text_of(longer) == "And\nthis?\n\nA) yes"
    assert (longer[:4], longer[5]) == (tuple(TALK[:4]), TALK[5])
    assert with_text(TALK[:2], "!")[1] == {"role": "user", "content": "What is a cell?!"}
    assert TALK[1]["content"] == "What is a cell?"


def test_one_question_alone_is_its_text_and_every_other_conversation_is_itself():
    assert identity([{"role": "user", "content": "Why?"}]) == "Why?"
    assert identity(TALK) == identity([dict(reversed(list(message.items()))) for message in TALK])
    assert len({identity(TALK), identity(TALK[1:]), identity(TALK[:2])}) == 3
