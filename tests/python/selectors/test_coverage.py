"""Rows that stand for all."""

from dataclasses import replace

import numpy as np
import pytest

from pools import planted_pool
from vsr.selectors import coverage
from vsr.selectors.coverage import covering_rows
from vsr.selectors.training_data import TrainingData
from vsr.training.trainer import Trainer


@pytest.fixture
def data() -> TrainingData:
    pool = planted_pool(600)
    return Trainer.prepare(pool.features, pool.outcomes).data


def test_rows_are_as_many_as_asked_for_each_once_and_ascending(data: TrainingData) -> None:
    for most in (1, 7, 100, 599):
        rows = covering_rows(data, most, 0)
        assert len(rows) == most
        assert (np.diff(rows) > 0).all()
        np.testing.assert_array_equal(covering_rows(data, most, 0), rows)
    np.testing.assert_array_equal(covering_rows(data, 600, 0), np.arange(600))
    assert (covering_rows(data, 100, 1) != covering_rows(data, 100, 0)).any()


def test_rare_kinds_are_there_and_others_in_proportion(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "_N_CLUSTERS", 2)
    codes = np.zeros(600, dtype=np.int64)
    codes[:3] = 5  # a category of three queries among six hundred
    codes[3:200] = 1
    drawn = codes[covering_rows(replace(data, codes=codes), 120, 0)]
    assert (drawn == 5).sum() >= 1
    assert (drawn == 1).mean() == pytest.approx(197 / 600, abs=0.04)
