import gzip
import json

import pytest

from vsr.data.answers import read_answers
from vsr.data.prompts import render_prompt
from vsr.errors import RecordError


def line(query, model, response, **more):
    return {"query": query, "model_name": model, "performance": 1.0, "response": response, **more}


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "records.jsonl.gz"
    lines = [
        line("What is 1 + 1?", "small", ""),
        line("What is 1 + 1?", "small", "2"),
        line("What is 1 + 1?", "small", "two"),
        line("what  is 1 + 1?", "large", "It is 2."),
        line("Pick one", "small", "B", choices=["yes", "no"]),
        line("Pick one", "large", "A", choices=7),
        line("Pick one", "other", "C"),
    ]
    with gzip.open(path, "wt") as file:
        file.write("this is no record\n")
        file.writelines(json.dumps(each) + "\n" for each in lines)
    return path


def test_the_first_response_of_each_pair_is_found(records):
    choice = render_prompt("Pick one", ["yes", "no"])
    wanted = [("What is 1 + 1?", "small"), ("What is 1 + 1?", "large"), (choice, "small"), (choice, "large")]
    assert read_answers(records, wanted) == {
        ("What is 1 + 1?", "small"): "2",
        ("What is 1 + 1?", "large"): "It is 2.",
        (choice, "small"): "B",
    }


def test_nothing_is_read_where_nothing_is_wanted_or_can_be_read_twice(tmp_path):
    assert read_answers(tmp_path / "missing.jsonl", []) == {}
    assert read_answers("-", [("query", "model")]) == {}


def test_a_file_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(RecordError, match=r"missing\.jsonl"):
        read_answers(tmp_path / "missing.jsonl", [("query", "model")])
