"""The extractor against the one that MMLU-Pro publishes, on 4,336 real responses of 29 LLMs."""

import gzip
import json
import re
import time
from collections import Counter

import pytest

from vsr.scoring import Options, extract_option, read_options, score_response


@pytest.fixture(scope="module")
def responses(shared):
    queries = {}
    with gzip.open(shared / "data" / "mmlu_pro_outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        for line in lines:
            row = json.loads(line)
            queries[row["question_id"]] = row["query"]
    with gzip.open(shared / "data" / "mmlu_pro_responses.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    for row in rows:
        row["query"] = queries[row["question_id"]]
    return rows


def test_agrees_with_the_published_extractor(responses):
    found = [row for row in responses if row["extracted"] is not None]
    assert len(found) == 3971
    for with_texts in (True, False):
        agreed = sum(
            extract_option(
                row["response"],
                read_options(row["query"], None) if with_texts else Options(tuple("ABCDEFGHIJ"[: row["n_options"]])),
            )
            == row["extracted"]
            for row in found
        )
        assert agreed / len(found) > 0.98


def test_every_clear_statement_is_found(responses):
    """Where "answer is (X)" stands once and names one option, there is nothing to disagree about."""
    clear = [
        row
        for row in responses
        if len(re.findall(r"answer is|[Aa]nswer:", row["response"])) == 1
        and re.search(r"answer is \(([A-J])\)\.?\s*\Z", row["response"])
    ]
    assert len(clear) > 2500
    missed = [
        row["response"]
        for row in clear
        if extract_option(row["response"], read_options(row["query"], None)) != row["extracted"]
    ]
    assert missed == []


def test_confusion_where_the_published_extractor_found_nothing(responses):
    """Most of these responses were cut off; what we find in the others was read one by one."""
    table: Counter[str] = Counter()
    for row in responses:
        if row["extracted"] is None:
            score = score_response(row["response"], row["ground_truth"], query=row["query"])
            table["no option" if score.unparsed else "the right one" if score.value else "a wrong one"] += 1
    assert table.total() == 365
    assert 0.8 < table["no option"] / 365 < 0.95
    assert table["the right one"] > 8


def test_ten_thousand_responses_take_seconds(responses):
    started = time.process_time()
    for row in responses:
        score_response(row["response"], row["ground_truth"], query=row["query"])
    assert (time.process_time() - started) * 10_000 / len(responses) < 20  # 2 where nothing else runs
