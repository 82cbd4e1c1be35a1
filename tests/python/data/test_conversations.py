"""Files of conversations: `messages` in the place of `query`."""

import json

import pytest

from vsr.data.outcomes import Outcomes
from vsr.data.records import read_prompts, read_queries, read_records
from vsr.errors import RecordError

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is a cell?"},
    {"role": "assistant", "content": "A room."},
    {"role": "user", "content": "And in biology?"},
]
USERS = "What is a cell?\n\nAnd in biology?"
ALL = "Be brief.\n\nWhat is a cell?\n\nA room.\n\nAnd in biology?"
TEXTS = [("last", "And in biology?"), ("users", USERS), ("all", ALL)]
RECORDS = [
    {"messages": TALK, "model_name": "a", "performance": 1.0},
    {"messages": TALK, "query": "written by the benchmark", "model_name": "b", "performance": 0.0},
    {"query": "What is 1 + 1?", "model_name": "a", "performance": 0.0},
    {"query": "What is 1 + 1?", "model_name": "b", "response": "2", "ground_truth": "2"},
]


def written(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(("which", "text"), TEXTS)
def test_records_of_conversations_are_those_of_their_text(tmp_path, which, text):
    path = written(tmp_path / "r.jsonl", RECORDS)
    records = list(read_records(path, text=which))
    assert [record.query for record in records] == [text, text, "What is 1 + 1?", "What is 1 + 1?"]
    assert records[3].response == "2"
    outcomes = Outcomes.from_records(read_records(path, text=which), scorer=lambda _record: 1.0)
    assert outcomes.queries == (text, "What is 1 + 1?")
    assert list(read_prompts(path, text=which)) == [record.query for record in records]


@pytest.mark.parametrize(("which", "text"), TEXTS)
def test_queries_may_be_conversations(tmp_path, which, text):
    lines = [{"messages": TALK, "category": "biology", "choices": ["x", "y"], "id": 7}, {"query": "Why?"}]
    first, second = read_queries(written(tmp_path / "q.jsonl", lines), text=which)
    assert (first.query, first.category, first.extra) == (text, "biology", {"id": 7})
    assert first.prompt == f"{text}\nA) x\nB) y"
    assert first.with_text("users").query == USERS
    assert second.with_text("users") is second
    assert second.sent(" Now.") == "Why? Now."
    sent = first.sent(" Now.")
    assert (sent[:3], sent[3]["content"]) == (tuple(TALK[:3]), "And in biology?\nA) x\nB) y Now.")


def test_conversations_are_the_same_in_all_of_their_messages(tmp_path):
    other = [{"role": "system", "content": "Be long."}, *TALK[1:]]
    lines = [{"messages": TALK}, {"messages": other}, {"query": "And in biology?"}, {"messages": TALK[3:]}]
    keys = [query.key for query in read_queries(written(tmp_path / "q.jsonl", lines))]
    assert len(set(keys)) == 3
    assert keys[2] == keys[3]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ("hello", '`messages` is "hello"; expected a list of messages'),
        ([], "`messages` is an array; expected a list of messages"),
        ([{"role": "system", "content": "Be brief."}], "`messages` is an array; expected .*text of a user"),
    ],
)
def test_what_is_no_conversation_is_a_bad_line(tmp_path, messages, said):
    queries = written(tmp_path / "q.jsonl", [{"query": "Why?"}, {"messages": messages, "query": "Why not?"}])
    with pytest.raises(RecordError, match=f"q.jsonl:2: {said}"):
        read_queries(queries)
    records = written(tmp_path / "r.jsonl", [{"messages": messages, "model_name": "a", "performance": 1.0}])
    with pytest.raises(RecordError, match=f"r.jsonl:1: {said}"):
        list(read_records(records))


def test_a_line_with_neither_is_still_one_without_a_query(tmp_path):
    path = written(tmp_path / "q.jsonl", [{"messages": None, "category": "law"}])
    with pytest.raises(RecordError, match="`query` is missing"):
        read_queries(path)


def test_another_text_is_refused(tmp_path):
    path = written(tmp_path / "r.jsonl", RECORDS)
    for read in (read_records, read_queries, read_prompts):
        with pytest.raises(RecordError, match="text is 'first'; expected one of last, users, all"):
            read(path, text="first")
