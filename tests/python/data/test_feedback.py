"""Feedback lines: what they may say, and what is wrong with those that cannot be used."""

import gzip
import json
from datetime import UTC, datetime

import pytest

from vsr.data.feedback import Feedback, read_feedback
from vsr.errors import RecordError


def written(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_qualities_and_preferences_by_decision_or_by_query(tmp_path):
    path = written(
        tmp_path / "feedback.jsonl",
        {"id": "a", "quality": 1, "source": "thumbs", "time": "2026-01-31T12:00:00+01:00", "comment": "passed over"},
        {"query": "Why?", "model": "newton", "quality": 0.25},
        {"id": "b", "preferred": "newton", "other": "cicero", "time": None},
    )
    assert list(read_feedback(path)) == [
        Feedback(id="a", quality=1.0, source="thumbs", time=datetime(2026, 1, 31, 11, tzinfo=UTC)),
        Feedback(query="Why?", model="newton", quality=0.25),
        Feedback(id="b", preferred="newton", other="cicero"),
    ]
    packed = tmp_path / "feedback.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_feedback(packed)) == list(read_feedback(path))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"quality": 1}, "has neither `id` nor `query`"),
        ({"id": " ", "quality": 1}, '`id` is " "'),
        ({"id": "a"}, "has no `quality`"),
        ({"id": "a", "preferred": "newton"}, "has no `quality`"),
        ({"id": "a", "quality": 1.5}, "`quality` is 1.5; expected a number from 0 to 1"),
        ({"id": "a", "quality": True}, "`quality` is true"),
        ({"id": "a", "quality": 1, "preferred": "x", "other": "y"}, "a `quality` and a preference"),
        ({"id": "a", "preferred": "x", "other": "x"}, "are both x"),
        ({"query": "Why?", "quality": 1}, "`model` is missing"),
        ({"id": "a", "quality": 1, "time": "yesterday"}, '`time` is "yesterday"; expected a time with its zone'),
        ({"id": "a", "quality": 1, "time": "2026-01-31T12:00:00"}, "expected a time with its zone"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_line(tmp_path, line, said):
    path = written(tmp_path / "feedback.jsonl", {"id": "fine", "quality": 0}, line)
    with pytest.raises(RecordError) as caught:
        list(read_feedback(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert said in str(caught.value)
    lines = read_feedback(path, skip_bad_lines=True)
    assert [each.id for each in lines] == ["fine"]
    assert lines.n_bad_lines == 1
