"""Judged qualities on the way from records to outcomes."""

import json
from pathlib import Path

import numpy as np

import vsr


def outcomes_of(path: Path, *lines: dict[str, object]) -> vsr.Outcomes:
    path.write_text("".join(json.dumps({"query": "q", "model_name": "m"} | line) + "\n" for line in lines))
    return vsr.Outcomes.from_records(vsr.read_records(path))


def test_judged_and_true_are_told_apart(tmp_path: Path) -> None:
    outcomes = outcomes_of(
        tmp_path / "records.jsonl",
        {"performance": 1.0, "judged": 0.25},
        {"performance": 0.5, "judged": 0.5, "is_judged": True, "model_name": "n"},
        {"performance": 0.0, "query": "r"},
    )
    assert outcomes.judgements is not None
    np.testing.assert_array_equal(outcomes.quality, [[1.0, 0.5], [0.0, np.nan]])
    np.testing.assert_array_equal(outcomes.judgements.quality, [[0.25, 0.5], [np.nan, np.nan]])
    np.testing.assert_array_equal(outcomes.judgements.stand_in, [[False, True], [False, False]])
    np.testing.assert_array_equal(outcomes.judgements.true(outcomes.quality), [[1.0, np.nan], [0.0, np.nan]])


def test_where_the_truth_is_known_a_judgement_does_not_count(tmp_path: Path) -> None:
    outcomes = outcomes_of(
        tmp_path / "records.jsonl",
        {"performance": 0.0, "judged": 0.0, "is_judged": True},
        {"performance": 1.0},
        {"performance": 0.2, "judged": 0.2, "is_judged": True, "model_name": "n"},
        {"performance": 0.4, "judged": 0.4, "is_judged": True, "model_name": "n"},
    )
    assert outcomes.judgements is not None
    np.testing.assert_allclose(outcomes.quality, [[1.0, 0.3]])
    np.testing.assert_array_equal(outcomes.judgements.stand_in, [[False, True]])


def test_parts_keep_their_judgements(tmp_path: Path) -> None:
    outcomes = outcomes_of(
        tmp_path / "records.jsonl",
        {"performance": 0.5, "judged": 0.5, "is_judged": True},
        {"performance": 1.0, "judged": 0.75, "query": "r", "model_name": "n"},
    )
    part = outcomes.take([1]).with_models(["n"])
    assert part.judgements is not None
    assert (part.judgements.quality.tolist(), part.judgements.stand_in.tolist()) == ([[0.75]], [[False]])
    assert vsr.Outcomes(["q"], [None], ["m"], [[1.0]]).judgements is None
