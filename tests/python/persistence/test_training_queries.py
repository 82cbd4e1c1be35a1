"""What a folder keeps of its training queries."""

import json
from pathlib import Path

import numpy as np
import pytest

from vsr.errors import ArtefactError
from vsr.persistence.held_out import HeldModel, HeldOut, Moments
from vsr.persistence.training_queries import (
    CategorySelection,
    TrainingQueries,
    query_hashes,
    read_training_queries,
    write_training_queries,
)

RUN_ID = "0123456789abcdef"
QUERIES = ["What is a contract?", "What is a prime?", "Was ist ein Café?"]


HELD_OUT = HeldOut(
    7, 3, {"law": 6.5, "math": 0.5}, {"knn": {"cicero": HeldModel(0.75, 0.05, Moments(5.25, -0.1, 0.5), None, None)}}
)


def written(folder: Path) -> Path:
    queries = TrainingQueries(
        run_id=RUN_ID,
        hashes=query_hashes(QUERIES, RUN_ID),
        sample=np.eye(3, 4, dtype=np.float32),
        distances=np.array([0.1, 0.5, 0.5]),
        selection={"knn": (CategorySelection("law", 7, {"cicero": 0.75, "newton": 0.25}),)},
        held_out=HELD_OUT,
    )
    return write_training_queries(folder, queries)


def test_it_reads_back(tmp_path: Path) -> None:
    written(tmp_path)
    read = read_training_queries(tmp_path)
    assert read is not None
    assert read.run_id == RUN_ID
    np.testing.assert_array_equal(read.hashes, np.sort(query_hashes(QUERIES, RUN_ID)))
    np.testing.assert_array_equal(read.sample, np.eye(3, 4))
    np.testing.assert_array_equal(read.distances, [0.1, 0.5, 0.5])
    assert read.held_out == HELD_OUT
    assert read.selection == {"knn": (CategorySelection("law", 7, {"cicero": 0.75, "newton": 0.25}),)}


def test_queries_are_known_again_whatever_their_case_and_white_space(tmp_path: Path) -> None:
    written(tmp_path)
    read = read_training_queries(tmp_path)
    assert read is not None
    asked = ["what  is\na CONTRACT?", "What is a court?", "Was ist ein Cafe\u0301?", "\ud800"]
    assert read.are_known(asked).tolist() == [True, False, True, False]


def test_no_text_is_kept_and_folders_do_not_show_which_queries_they_share(tmp_path: Path) -> None:
    text = written(tmp_path).read_text()
    assert "contract" not in text.lower()
    assert not set(query_hashes(QUERIES, RUN_ID)) & set(query_hashes(QUERIES, "fedcba9876543210"))


def test_a_folder_of_an_older_version_keeps_nothing(tmp_path: Path) -> None:
    assert read_training_queries(tmp_path) is None


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("format_version", 2, "is 2; this version reads up to 1"),
        ("hashes", "?", "is no base64"),
        ("hashes", "AAAA", "which are no 3 rows"),
        ("n_queries", 1, "expected 8"),
        ("n_queries", -3, "which are no -3 rows"),
        ("n_sample", 5, "which are no 5 rows"),
        ("n_sample", 0, "which are no 0 rows"),
        ("sample", "AHw=", "which are no 3 rows"),
        ("sample", "AHwAfAB8", "not finite"),
        ("distances", [0.5, 0.1], "no ascending numbers"),
        ("distances", [], "no"),
        ("selection", {"knn": {"law": {"n_queries": 1, "shares": {"cicero": "all"}}}}, "expected a number"),
        ("selection", [], "expected an object"),
        ("held_out", {"n_queries": "all"}, "held_out"),
        ("run_id", None, "run_id"),
    ],
)
def test_damage_is_named(tmp_path: Path, field: str, value: object, message: str) -> None:
    path = written(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(ArtefactError, match=message) as raised:
        read_training_queries(tmp_path)
    assert str(path) in str(raised.value)
