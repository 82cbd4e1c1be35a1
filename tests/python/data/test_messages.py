"""Conversations in OpenAI's form: what is embedded of them, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsr.data.messages import Conversation, ConversationPrompt, embedded_text
from vsr.data.outcomes import Outcomes
from vsr.data.prompts import unique_prompts
from vsr.data.records import read_prompts, read_queries, read_records
from vsr.errors import RecordError

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
LONG: list[dict[str, Any]] = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
    {"role": "tool", "content": "a cat", "tool_call_id": "1"},
    {"role": "user", "content": "And its colour?"},
]


def test_what_is_embedded() -> None:
    conversation = Conversation.parse(LONG)
    assert conversation.text("last") == "And its colour?"
    assert conversation.text("users") == "What is this?\n\nAnd its colour?"
    assert conversation.text("all") == "Be short.\n\nWhat is this?\n\na cat\n\nAnd its colour?"
    assert len(conversation.images) == 1
    assert conversation.n_characters == sum(map(len, ("Be short.", "What is this?", "a cat", "And its colour?")))
    assert conversation.n_earlier_characters == conversation.n_characters - len("And its colour?")


def test_an_image_alone_is_no_question() -> None:
    conversation = Conversation.parse([LONG[1], {"role": "user", "content": [IMAGE]}])
    assert conversation.text("last") == "What is this?"
    assert not Conversation.parse([{"role": "user", "content": [IMAGE]}]).text("last")


def test_one_message_of_the_user_is_its_text() -> None:
    for content in ("Hello", [{"type": "text", "text": "Hello"}], [{"type": "input_text", "text": "Hello"}]):
        assert Conversation.parse([{"role": "user", "content": content}]).prompt == "Hello"


def test_conversations_are_told_apart_by_all_that_is_in_them() -> None:
    other = {"type": "image_url", "image_url": {"url": "data:image/png;base64,BBBB"}}
    variants: list[list[dict[str, Any]]] = [
        LONG,
        LONG[1:],
        [{"role": "user", "content": "And its colour?"}],
        [LONG[0] | {"role": "user"}, *LONG[1:]],
        [LONG[0], {"role": "user", "content": [{"type": "text", "text": "What is this?"}, other]}, *LONG[2:]],
    ]
    assert len({Conversation.parse(messages).prompt for messages in variants}) == len(variants)
    assert Conversation.parse(list(LONG)).prompt == Conversation.parse(tuple(LONG)).prompt


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"messages are \[\]; expected a list of messages"),
        ("hello", "messages are 'hello'"),
        (5, "messages are 5"),
        ([5], "message 0 is 5"),
        ([{"content": "a"}], "message 0 is"),
        ([{"role": "user", "content": 5}], "message 0 has the content 5; expected text or a list of parts"),
        ([{"role": "user", "content": ["a"]}], "message 0 has the content"),
        ([{"role": "system", "content": "a"}], "none of the user"),
    ],
)
def test_what_is_no_conversation_is_refused(value: Any, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        Conversation.parse(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "user", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_anything_is_read_or_refused(value: Any) -> None:
    try:
        conversation = Conversation.parse(value)
    except RecordError:
        return
    assert isinstance(conversation.text("all") + conversation.prompt, str)


# Files

SHORT = [{"role": "user", "content": "And its colour?"}]


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_queries_may_be_messages(tmp_path: Path) -> None:
    path = written(
        tmp_path / "q.jsonl",
        [{"messages": LONG, "category": "law", "note": 1}, {"messages": SHORT}, {"query": "and its  COLOUR?"}],
    )
    long, short, plain = read_queries(path)
    assert long.messages is not None
    assert list(long.messages.messages) == LONG
    assert (long.query, long.category, dict(long.extra)) == ("And its colour?", "law", {"note": 1})
    assert isinstance(long.prompt, ConversationPrompt)
    assert (short.prompt, plain.messages) == ("And its colour?", None)
    prompts = unique_prompts(read_prompts(path))
    assert len(prompts) == 2  # one message of the user is the query of the same text
    assert [embedded_text(prompt, "users") for prompt in prompts] == [
        "What is this?\n\nAnd its colour?",
        "And its colour?",
    ]


def test_records_may_hold_messages(tmp_path: Path) -> None:
    other = [*LONG[:-1], {"role": "user", "content": "Its name?"}]
    lines = [
        {"messages": messages, "model_name": model, "performance": quality}
        for messages, qualities in ((LONG, (1, 0)), (other, (0, 1)), (SHORT, (1, 1)))
        for model, quality in zip(("a", "b"), qualities, strict=True)
    ]
    lines.append({"query": "And its colour?", "model_name": "a", "performance": 0})
    held = Outcomes.from_records(read_records(written(tmp_path / "r.jsonl", lines)))
    assert held.quality.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.5, 1.0]]
    assert held.texts() == ["And its colour?", "Its name?", "And its colour?"]
    assert held.take([1, 2]).texts("users") == ["What is this?\n\nIts name?", "And its colour?"]
    assert len(unique_prompts(read_prompts(tmp_path / "r.jsonl"))) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({}, "`query` is missing"),
        ({"messages": []}, "`messages` is"),
        ({"messages": "hello"}, "`messages` is"),
        ({"messages": [{"role": "user", "content": "  "}]}, "the user saying something"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "the user saying something"),
        ({"messages": [{"role": "system", "content": "a"}], "query": "a"}, "`messages` is"),
        ({"messages": SHORT, "query": 5}, "`query` is 5"),
    ],
)
def test_bad_lines_say_so(line: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=rf"q\.jsonl:1: .*{message}"):
        read_queries(written(tmp_path / "q.jsonl", [line]))
    record = {"model_name": "m", "performance": 1} | line
    with pytest.raises(RecordError, match=rf"r\.jsonl:1: .*{message[:13]}"):
        list(read_records(written(tmp_path / "r.jsonl", [record])))


def test_a_record_without_a_model_is_bad_still(tmp_path: Path) -> None:
    for line in ({"query": "a", "performance": 1}, {"messages": SHORT, "performance": 1, "model_name": ""}):
        with pytest.raises(RecordError, match="`model_name` is"):
            list(read_records(written(tmp_path / "r.jsonl", [line])))
