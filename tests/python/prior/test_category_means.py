import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vsr.errors import TrainingError
from vsr.prior.category_means import MeanTable, centred_rows

N_CATEGORIES = 4
FloatArray = NDArray[np.float64]


def complete(seed: int, n_queries: int = 60, n_models: int = 3) -> tuple[FloatArray, NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    return generator.random((n_queries, n_models)), generator.integers(0, N_CATEGORIES - 1, n_queries)


@pytest.mark.parametrize("shrinkage", [0.0, 1.0, 30.0, math.inf])
def test_complete_cells_give_plain_shrunk_means(shrinkage: float) -> None:
    values, codes = complete(0)
    table = MeanTable.fit(values, codes, N_CATEGORIES, shrinkage)
    np.testing.assert_allclose(table.overall, values.mean(axis=0))
    for category in range(N_CATEGORIES):
        rows = values[codes == category]
        n = len(rows)
        mean = rows.mean(axis=0) if n else np.zeros(3)
        shrunk = (
            table.overall
            if math.isinf(shrinkage) or n == 0
            else (n * mean + shrinkage * table.overall) / (n + shrinkage)
        )
        np.testing.assert_allclose(table.by_category[category], shrunk)
        assert table.counts[category].tolist() == [n] * 3


def test_the_last_category_had_no_query() -> None:
    values, codes = complete(0)
    assert N_CATEGORIES - 1 not in codes
    table = MeanTable.fit(values, codes, N_CATEGORIES, 5.0)
    np.testing.assert_allclose(table.by_category[-1], table.overall)


def additive_fit(values: FloatArray) -> FloatArray:
    """Model effects of `value = query effect + model effect` by least squares on indicators, of mean zero."""
    n_queries, n_models = values.shape
    cells = np.argwhere(np.isfinite(values))
    design = np.zeros((len(cells), n_queries + n_models))
    design[np.arange(len(cells)), cells[:, 0]] = 1.0
    design[np.arange(len(cells)), n_queries + cells[:, 1]] = 1.0
    solution = np.linalg.lstsq(design, values[tuple(cells.T)], rcond=None)[0][n_queries:]
    return np.asarray(solution - solution.mean())


@pytest.mark.parametrize("missing", [0.0, 0.2, 0.5])
def test_model_effects_are_those_of_least_squares(missing: float) -> None:
    values, codes = complete(1, 40, 5)
    values[np.random.default_rng(2).random(values.shape) < missing] = np.nan
    table = MeanTable.fit(values, codes, N_CATEGORIES, math.inf)
    effects = table.overall - table.overall.mean()
    np.testing.assert_allclose(effects, additive_fit(values), atol=1e-6)


def test_cells_missing_by_difficulty_do_not_turn_the_order() -> None:
    # The weak model was asked easy queries alone, the strong one mostly hard ones.
    generator = np.random.default_rng(3)
    easy = np.arange(400) < 200
    skill = np.array([0.75, 0.65, 0.5])
    values = np.clip(skill + np.where(easy, 0.2, -0.3)[:, None] + 0.05 * generator.standard_normal((400, 3)), 0, 1)
    truth = values.mean(axis=0)
    values[~easy, 2] = np.nan
    values[np.flatnonzero(easy)[20:], 0] = np.nan
    plain = np.nanmean(values, axis=0)
    assert np.argsort(-plain).tolist() == [2, 1, 0]
    table = MeanTable.fit(values, np.zeros(400, dtype=np.int64), 1, math.inf)
    assert np.argsort(-table.overall).tolist() == np.argsort(-truth).tolist() == [0, 1, 2]
    np.testing.assert_allclose(table.overall, truth, atol=0.05)


def test_cells_missing_by_category_keep_its_own_order() -> None:
    # In category 1 the order of the models is the other way round; the best one there is hardly measured there.
    generator = np.random.default_rng(4)
    codes = np.repeat([0, 1], 150)
    skill = np.array([[0.8, 0.5], [0.4, 0.6]])
    values = np.clip(skill[codes] + 0.05 * generator.standard_normal((300, 2)), 0, 1)
    values[170:, 1] = np.nan
    table = MeanTable.fit(values, codes, 2, 5.0)
    assert (table.by_category[0].argmax(), table.by_category[1].argmax()) == (0, 1)
    assert table.counts.tolist() == [[150, 150], [150, 20]]


def test_queries_of_unknown_category_count_overall_alone() -> None:
    values, codes = complete(5)
    values = np.vstack([values, np.ones((20, 3))])
    codes = np.concatenate([codes, np.full(20, -1)])
    table = MeanTable.fit(values, codes, N_CATEGORIES, 10.0)
    np.testing.assert_allclose(table.overall, values.mean(axis=0))
    assert table.counts.sum() == 3 * 60
    rows = table.rows(np.array([-1, 1, -1]))
    np.testing.assert_array_equal(rows, np.stack([table.overall, table.by_category[1], table.overall]))


def test_a_model_without_a_cell_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"models number \[1\] have no measured cell"):
        MeanTable.fit(np.array([[0.5, np.nan]]), np.array([0]), 1, 1.0)


def test_models_that_share_no_query_get_an_answer() -> None:
    values = np.array([[0.9, np.nan], [0.7, np.nan], [np.nan, 0.2]])
    table = MeanTable.fit(values, np.zeros(3, dtype=np.int64), 1, 1.0)
    assert np.isfinite(table.overall).all()
    assert np.isfinite(table.by_category).all()


@given(st.integers(0, 10_000), st.floats(0.0, 0.6), st.sampled_from([0.0, 3.0, math.inf]))
def test_residuals_are_centred_over_the_measured_cells(seed: int, missing: float, shrinkage: float) -> None:
    values, codes = complete(seed, 12, 4)
    values[np.random.default_rng(seed + 1).random(values.shape) < missing] = np.nan
    values[0] = 0.5  # every model is measured once
    table = MeanTable.fit(values, codes, N_CATEGORIES, shrinkage)
    assert np.isfinite(table.overall).all()
    assert np.isfinite(table.by_category).all()
    residuals = table.residuals(values, codes)
    np.testing.assert_array_equal(np.isfinite(residuals), np.isfinite(values))
    for row, residual, code in zip(values, residuals, codes, strict=True):
        left = row - table.by_category[code]
        if np.isfinite(row).any():
            np.testing.assert_allclose(residual, left - np.nanmean(left), atol=1e-12)


def test_rows_are_centred_over_given_cells() -> None:
    values = np.array([[1.0, 2.0, 6.0], [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    observed = np.array([[True, True, True], [True, False, True], [False, False, False]])
    expected = [[-2.0, -1.0, 3.0], [-1.0, math.nan, 1.0], [math.nan] * 3]
    np.testing.assert_array_equal(centred_rows(values, observed), expected)
    np.testing.assert_array_equal(centred_rows(np.where(observed, values, np.nan)), expected)
    np.testing.assert_array_equal(centred_rows(values), values - values.mean(axis=1, keepdims=True))
