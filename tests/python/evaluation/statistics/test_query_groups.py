"""What belongs together: near-duplicates and what the records name, dealt whole to folds."""

import json
from pathlib import Path

import numpy as np
import pytest

from pools import planted_pool
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_records
from vsr.errors import RecordError, TrainingError
from vsr.evaluation import cross_validate
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.statistics.query_groups import grouped_folds, query_groups


def scattered(n_queries: int, seed: int = 0) -> np.ndarray:
    """Vectors in so many dimensions that none is near another."""
    return np.random.default_rng(seed).standard_normal((n_queries, 64)).astype(np.float32)


def test_queries_apart_are_groups_of_their_own() -> None:
    assert query_groups(scattered(40), None).tolist() == list(range(40))


def test_near_duplicates_and_their_near_duplicates_belong_together() -> None:
    vectors = scattered(30)
    turn = np.deg2rad(15.0)  # cosine .966; twice that .866
    away = vectors[1] - vectors[1] @ vectors[0] / (vectors[0] @ vectors[0]) * vectors[0]
    away *= np.linalg.norm(vectors[0]) / np.linalg.norm(away)
    vectors[7] = 3.0 * (np.cos(turn) * vectors[0] + np.sin(turn) * away)  # length does not count
    vectors[20] = np.cos(2 * turn) * vectors[0] + np.sin(2 * turn) * away
    groups = query_groups(vectors, None)
    assert groups[0] == groups[7] == groups[20]
    assert len(np.unique(groups)) == 28


def test_near_duplicates_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = scattered(50)
    vectors[49] = vectors[3]
    vectors[31] = vectors[30]
    whole = query_groups(vectors, None)
    monkeypatch.setattr("vsr.evaluation.statistics.query_groups._BLOCK", 8)
    monkeypatch.setattr("vsr.evaluation.statistics.query_groups._BLOCK_COLUMNS", 16)
    np.testing.assert_array_equal(query_groups(vectors, None), whole)
    assert (whole[49], whole[31]) == (whole[3], whole[30])


def test_what_has_one_name_belongs_together() -> None:
    named: list[str | None] = [None] * 20
    named[2] = named[9] = named[13] = "conversation 1"
    groups = query_groups(scattered(20), named)
    assert groups[2] == groups[9] == groups[13]
    assert len(np.unique(groups)) == 18


def test_where_all_are_near_being_near_says_nothing() -> None:
    vectors = np.ones((20, 4), dtype=np.float32)
    assert len(np.unique(query_groups(vectors, None))) == 20
    named = ["one" if row < 3 else None for row in range(20)]
    assert len(np.unique(query_groups(vectors, named))) == 18


def test_groups_are_dealt_whole_and_evenly() -> None:
    groups = np.repeat(np.arange(50), 4)
    codes = np.repeat(np.arange(5), 40)
    folds = grouped_folds(codes, groups, 5, np.random.default_rng(0))
    assert all(len(np.unique(folds[groups == group])) == 1 for group in range(50))
    for code in range(5):
        assert np.bincount(folds[codes == code], minlength=5).tolist() == [8] * 5


def test_a_comparison_holds_groups_out_together_and_is_less_sure() -> None:
    pool = planted_pool(120)
    outcomes = pool.outcomes
    named = [f"template {row // 4}" for row in range(120)]
    grouped = Outcomes(outcomes.queries, outcomes.categories, outcomes.models, outcomes.quality, groups=named)
    held, _ = hold_out(pool.features, grouped, ComparisonSettings(("knn",), splits=2))
    for folds in held.folds:
        assert all(len(np.unique(folds[4 * group : 4 * group + 4])) == 1 for group in range(30))
    assert (held.groups.reshape(30, 4) == held.groups[::4, None]).all()
    with pytest.raises(TrainingError, match=r"2 folds of 120 queries .* in one group that belongs together"):
        one = Outcomes(outcomes.queries, outcomes.categories, outcomes.models, outcomes.quality, groups=["one"] * 120)
        cross_validate(pool.features, one, ("knn",), folds=2)


def test_there_are_at_most_as_many_folds_as_groups() -> None:
    pool = planted_pool(90)
    outcomes = pool.outcomes
    named = [f"user {row % 3}" for row in range(90)]
    grouped = Outcomes(outcomes.queries, outcomes.categories, outcomes.models, outcomes.quality, groups=named)
    evaluation = cross_validate(pool.features, grouped, ("knn",), splits=1)
    assert (evaluation.n_folds, evaluation.n_held_out) == (3, 90)


def test_groups_come_from_records_and_stay_with_their_queries(tmp_path: Path) -> None:
    lines = [
        {"query": f"query {row}", "model_name": model, "performance": 1.0, "group": row // 2 if row < 4 else None}
        for row in range(6)
        for model in ("a", "b")
    ]
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    outcomes = Outcomes.from_records(read_records(path))
    assert outcomes.groups == ("0", "0", "1", "1", None, None)
    assert outcomes.take([1, 2, 5]).groups == ("0", "1", None)
    assert outcomes.take([4, 5]).groups is None
    assert outcomes.with_models(["b"]).groups == outcomes.groups
    assert outcomes.with_categories([None] * 6).groups == outcomes.groups


def test_groups_must_be_one_a_query() -> None:
    with pytest.raises(RecordError, match="2 queries and 1 groups"):
        Outcomes(["a", "b"], [None, None], ["m"], [[1.0], [0.0]], groups=["x"])
