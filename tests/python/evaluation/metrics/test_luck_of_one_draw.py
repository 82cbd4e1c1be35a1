"""The noise ceiling: coins have nothing but luck, what repeats itself has none."""

import numpy as np
import pytest

from vsr.evaluation.metrics.luck_of_one_draw import luck_of_one_draw


def test_by_hand():
    first = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    others = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    # The oracle gets 3, the first model 1: ahead by 2. What it picks is worth 2.5 in other draws: 0.5 of that was luck.
    found = luck_of_one_draw(first, others, 0)
    assert found is not None
    assert found == pytest.approx((0.25, 3))


def test_coins_are_all_luck_and_fixed_answers_none():
    generator = np.random.default_rng(0)
    coins = (generator.random((2, 4000, 4)) < 0.5).astype(float)
    share, n_queries = luck_of_one_draw(coins[0], coins[1], 0) or (0.0, 0)
    assert n_queries == 4000
    assert share == pytest.approx(1.0, abs=0.05)
    assert luck_of_one_draw(coins[0], coins[0], 0) == (0.0, 4000)


def test_queries_count_that_were_asked_again_of_every_model_that_answered():
    first = np.array([[0.0, 1.0], [0.0, np.nan], [0.0, 1.0], [np.nan, 1.0]])
    others = np.array([[0.0, 0.0], [1.0, np.nan], [0.0, np.nan], [np.nan, 1.0]])
    assert luck_of_one_draw(first, others, 0) == (0.0, 2)
    assert luck_of_one_draw(first, np.full((4, 2), np.nan), 0) is None
    assert luck_of_one_draw(np.ones((3, 2)), np.ones((3, 2)), 0) is None
