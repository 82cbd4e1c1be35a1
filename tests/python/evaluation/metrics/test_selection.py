"""Shares of the choices, and when they are hardly choices."""

import numpy as np
import pytest

from vsr.evaluation.metrics.selection import entropy, selections


def test_shares_over_all_and_by_category():
    columns = np.array([[0, 0, 1, 0], [0, 0, 0, 2]])
    overall, first, second = selections(columns, np.array([5, 5, 5, -1]), ("a", "b", "c"))
    assert (overall.category, overall.n_queries) == (None, 4)
    assert overall.shares == pytest.approx({"a": 0.75, "b": 0.125, "c": 0.125})
    assert (first.category, first.n_queries) == ("history", 3)
    assert first.shares == pytest.approx({"a": 5 / 6, "b": 1 / 6})
    assert (second.category, second.shares) == ("unknown", {"a": 0.5, "c": 0.5})
    assert overall.collapsed_onto is None


def test_entropy_by_hand():
    assert entropy(np.array([0.5, 0.5, 0.0, 0.0])) == pytest.approx(0.5)
    assert entropy(np.array([0.25] * 4)) == pytest.approx(1.0)
    assert str(entropy(np.array([1.0, 0.0]))) == "0.0"
    assert entropy(np.array([1.0])) == 0.0


def test_one_model_for_everything_is_said():
    columns = np.zeros((1, 200), dtype=np.int64)
    assert selections(columns, np.zeros(200, dtype=np.int64), ("a", "b"))[0].collapsed_onto == "a"
    columns[0, :3] = 1
    assert selections(columns, np.zeros(200, dtype=np.int64), ("a", "b"))[0].collapsed_onto is None
