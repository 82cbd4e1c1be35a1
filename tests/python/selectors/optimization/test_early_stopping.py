from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pools import planted_pool
from vsr.selectors.optimization.early_stopping import StoppingSplit
from vsr.selectors.training_data import TrainingData
from vsr.training.trainer import Trainer


def examples_of(n_queries: int, missing: float = 0.0) -> TrainingData:
    pool = planted_pool(n_queries)
    quality = pool.outcomes.quality.copy()
    quality[np.random.default_rng(9).random(quality.shape) < missing] = np.nan
    quality[:, 0] = pool.outcomes.quality[:, 0]
    return Trainer.prepare(pool.features, pool.with_quality(quality).outcomes).data


def row_of(data: TrainingData, features: NDArray[np.float32]) -> list[int]:
    numbers = {row.tobytes(): number for number, row in enumerate(data.features)}
    return [numbers[row.tobytes()] for row in features]


def test_every_row_either_descends_or_says_when_to_stop() -> None:
    data = examples_of(80, 0.3)
    split = StoppingSplit.draw(data, np.random.default_rng(0))
    train, held_out = row_of(data, split.features), row_of(data, split.held_out_features)
    assert len(held_out) == 12
    assert sorted(train + held_out) == list(range(80))
    np.testing.assert_array_equal(split.held_out_residual, data.residual[held_out])
    np.testing.assert_array_equal(split.held_out_prior, data.prior.rows(data.codes[held_out]))


def test_targets_are_qualities_at_usual_difficulty() -> None:
    data = examples_of(80, 0.3)
    split = StoppingSplit.draw(data, np.random.default_rng(0))
    train = row_of(data, split.features)
    quality, prior = data.quality[train], data.prior.rows(data.codes[train])
    seen = np.isfinite(quality)
    usual = prior + data.completed_residual[train]
    np.testing.assert_allclose(split.target, np.where(seen, usual, 0.0), atol=1e-6)
    # Where a row is complete its difficulty is the mean of what was measured, and that alone.
    whole = seen.all(axis=1)
    assert 0 < whole.sum() < len(train)
    difficulty = np.mean(quality[whole] - prior[whole], axis=1, keepdims=True)
    np.testing.assert_allclose(split.target[whole], quality[whole] - difficulty, atol=1e-6)
    batch = np.array([3, 1, 20])
    mask = split.cell_weights(batch)
    assert mask is not None
    np.testing.assert_array_equal(mask, seen[batch])


def test_complete_cells_need_no_mask() -> None:
    split = StoppingSplit.draw(examples_of(80), np.random.default_rng(0))
    assert split.weight is None
    assert split.cell_weights(np.array([0, 1])) is None


def test_cells_count_what_their_query_weighs() -> None:
    data = examples_of(80, 0.3)
    weights = np.random.default_rng(2).uniform(0.1, 1.0, 80)
    split = StoppingSplit.draw(replace(data, weights=weights), np.random.default_rng(0))
    train = row_of(data, split.features)
    assert split.weight is not None
    np.testing.assert_allclose(split.weight, np.isfinite(data.quality[train]) * weights[train][:, None], rtol=1e-6)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_error_is_the_centred_one(is_weighted: bool) -> None:
    data = examples_of(80, 0.3)
    weights = np.random.default_rng(2).uniform(0.1, 1.0, 80) if is_weighted else np.ones(80)
    data = replace(data, weights=weights if is_weighted else None)
    split = StoppingSplit.draw(data, np.random.default_rng(0))
    held_out = row_of(data, split.held_out_features)
    scores = np.random.default_rng(1).random((len(held_out), 3))
    expected = 0.0
    for score, quality, weight in zip(scores, data.quality[held_out], weights[held_out], strict=True):
        seen = np.isfinite(quality)
        missed = (score - score[seen].mean()) - (quality - quality[seen].mean())
        expected += weight * float((missed[seen] ** 2).sum())
    np.testing.assert_allclose(split.error(scores), expected)
    np.testing.assert_allclose(split.error(scores + 0.3), expected)  # blind to what all models share


def test_one_row_does_both() -> None:
    data = examples_of(2)
    one = TrainingData(data.features[:1], data.codes[:1], data.quality[:1], data.prior)
    split = StoppingSplit.draw(one, np.random.default_rng(0))
    assert len(split.features) == len(split.held_out_features) == 1
