"""Preference pairs from a file."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pools import DIM, NAMES, planted_pool
from vsr.data.categories import CATEGORIES
from vsr.data.preferences import read_preferences
from vsr.errors import RecordError
from vsr.features.classifier import CategoryClassifier
from vsr.training.pairs import preference_features

MODELS = NAMES[:3]


def pair(**fields: Any) -> dict[str, Any]:
    return {"query": "What is it?", "preferred": "large", "other": "small"} | fields


def write(path: Path, *pairs: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in pairs))
    return path


def test_pairs_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.jsonl",
        pair(category="Computer Science", confidence=2),
        pair(query="And that?", preferred="small", other="medium", confidence=None, source="a vote"),
    )
    pairs = read_preferences(path, MODELS)
    assert pairs.queries == ("What is it?", "And that?")
    assert pairs.categories == ("Computer Science", None)
    assert (pairs.preferred, pairs.other) == (("large", "small"), ("small", "medium"))
    assert pairs.confidence == (2.0, 1.0)
    assert (pairs.n_measured, pairs.n_bad_lines) == (0, 0)
    packed = tmp_path / "p.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_preferences(packed, MODELS) == pairs


def test_pairs_of_measured_queries_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", pair(query="  WHAT is\nit? "), pair(query="And that?"))
    pairs = read_preferences(path, MODELS, ["What is it?", "Who?"])
    assert (pairs.queries, pairs.n_measured) == (("And that?",), 1)
    with pytest.raises(RecordError, match=f"{path}: no preference pair is left: all 2 are about measured queries"):
        read_preferences(path, MODELS, ["What is it?", "and that?"])


BAD: dict[str, dict[str, Any]] = {
    "`query` is missing; expected the text of the query, not blank": {"preferred": "large", "other": "small"},
    "`query` is ": pair(query=" "),
    "`preferred` is missing; expected one of the models of the records: large, medium, small": {
        "query": "a?",
        "other": "small",
    },
    '`other` is "gpt-9"; expected one of the models of the records': pair(other="gpt-9"),
    "`preferred` is 5; expected one of the models": pair(preferred=5),
    "`preferred` and `other` are both small; expected two models": pair(preferred="small"),
    "`category` is 5; expected text": pair(category=5),
    "`confidence` is 0; expected a number above 0": pair(confidence=0),
    "`confidence` is -1; expected a number above 0": pair(confidence=-1),
    "`confidence` is true; expected a number above 0": pair(confidence=True),
    '`confidence` is "high"; expected a number above 0': pair(confidence="high"),
}


@pytest.mark.parametrize("message", list(BAD))
def test_bad_pairs_are_named_or_left_out(message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", pair(), BAD[message], pair(query="And that?"))
    with pytest.raises(RecordError) as caught:
        read_preferences(path, MODELS)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert message in str(caught.value)
    pairs = read_preferences(path, MODELS, skip_bad_lines=True)
    assert (pairs.queries, pairs.n_bad_lines) == (("What is it?", "And that?"), 1)


def test_files_without_pairs_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(RecordError, match=f"{empty}: holds no preference pairs"):
        read_preferences(empty, MODELS)
    with pytest.raises(RecordError, match="no such file; expected a JSON Lines file of preference pairs"):
        read_preferences(tmp_path / "no.jsonl", MODELS)


def test_features_of_pairs(tmp_path: Path) -> None:
    pool = planted_pool(60)
    path = write(
        tmp_path / "p.jsonl",
        pair(category="math"),
        pair(query="And that?", preferred="small", other="medium", confidence=3),
    )
    pairs = read_preferences(path, MODELS)
    vectors = 5.0 * pool.features[:2, :DIM]
    classifier = CategoryClassifier.fit(pool.features[:, :DIM], np.full(60, CATEGORIES.index("law")))
    for known, second in ((classifier, "law"), (None, "other")):
        learnt = preference_features(pairs, vectors, MODELS, known, category_weight=0.5)
        np.testing.assert_allclose(learnt.features[:, :DIM], pool.features[:2, :DIM], atol=1e-6)
        columns = learnt.features[:, DIM:]
        assert [CATEGORIES[code] for code in columns.argmax(axis=1)] == ["math", second]
        assert columns.max() == 0.5
        assert learnt.preferred.tolist() == [0, 2]
        assert learnt.other.tolist() == [2, 1]
        assert learnt.confidence.tolist() == [1.0, 3.0]
