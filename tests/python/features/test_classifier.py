"""The classifier from embedding to category: ridge regression, its accuracy, and what it refuses."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vsr.data.categories import (
    MISSING,
    category_codes,
)
from vsr.errors import RecordError
from vsr.features import classifier
from vsr.features.classifier import CategoryClassifier, labelled_enough


def clusters(
    n: int, dim: int, n_categories: int, noise: float, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    codes = random.integers(0, n_categories, n)
    centres = random.standard_normal((n_categories, dim))
    return (centres[codes] + noise * random.standard_normal((n, dim))).astype(np.float32), codes


@pytest.mark.parametrize(
    ("counts", "enough"), [((20, 20), True), ((1, 39), True), ((19, 20), False), ((500,), False), ((), False)]
)
def test_what_is_labelled_enough(counts: tuple[int, ...], enough: bool) -> None:
    codes = np.repeat(np.arange(len(counts)), counts)
    assert labelled_enough(np.concatenate([codes, np.full(50, MISSING)])) is enough


def slow_ridge(
    rows: NDArray[np.float32], codes: NDArray[np.int64], penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ridge by its normal equations in float64, the mean taken off."""
    rows = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    targets = (codes[:, None] == np.unique(codes)).astype(np.float64)
    mean, centred = rows.mean(axis=0), rows - rows.mean(axis=0)
    weights = np.linalg.solve(
        centred.T @ centred + penalty * np.eye(rows.shape[1]), centred.T @ (targets - targets.mean(axis=0))
    )
    return weights, targets.mean(axis=0) - mean @ weights


@pytest.mark.parametrize(("n", "dim"), [(300, 20), (40, 60), (30, 30)])
def test_it_is_ridge_and_its_accuracy_leaves_each_row_out(n: int, dim: int) -> None:
    rows, codes = clusters(n, dim, 4, noise=3.0)
    fitted = CategoryClassifier.fit(rows, codes)
    weights, bias = slow_ridge(rows, codes, fitted.regularisation)
    np.testing.assert_allclose(fitted.weights, weights, atol=2e-4)
    np.testing.assert_allclose(fitted.bias, bias, atol=2e-4)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    right = []
    for row in range(n):
        others = np.arange(n) != row
        weights, bias = slow_ridge(rows[others], codes[others], fitted.regularisation)
        right.append((unit[row] @ weights + bias).argmax() == np.searchsorted(np.unique(codes[others]), codes[row]))
    assert fitted.accuracy == pytest.approx(np.mean(right), abs=0.02)
    assert fitted.n_labelled == n


def test_missing_labels_are_left_out_and_absent_categories_never_predicted() -> None:
    rows, codes = clusters(400, 16, 3, noise=0.1)
    names = np.array([2, 5, 13])[codes]
    partly = np.where(np.arange(400) % 4 == 0, MISSING, names)
    fitted = CategoryClassifier.fit(rows, partly)
    assert fitted.codes.tolist() == [2, 5, 13]
    assert fitted.n_labelled == 300
    assert (fitted.predict(rows) == names).all()
    assert (fitted.predict(rows * 7.0) == names).all()  # length does not matter


def test_one_category_one_query_and_constant_embeddings() -> None:
    rows, _ = clusters(10, 8, 2, noise=1.0)
    assert CategoryClassifier.fit(rows, np.full(10, 3)).predict(rows).tolist() == [3] * 10
    assert CategoryClassifier.fit(rows[:1], np.array([4])).predict(rows).tolist() == [4] * 10
    constant = np.ones((9, 8), dtype=np.float32)
    assert CategoryClassifier.fit(constant, np.array([1] * 6 + [2] * 3)).predict(constant).tolist() == [1] * 9
    zeros = np.zeros((9, 8), dtype=np.float32)
    assert CategoryClassifier.fit(zeros, np.array([1] * 6 + [2] * 3)).predict(zeros).tolist() == [1] * 9


def test_noise_asks_for_a_larger_penalty() -> None:
    quiet = CategoryClassifier.fit(*clusters(200, 50, 4, noise=0.5))
    noisy = CategoryClassifier.fit(*clusters(200, 50, 4, noise=20.0))
    assert noisy.regularisation > quiet.regularisation


def test_through_plain_arrays_it_predicts_the_same() -> None:
    rows, codes = clusters(200, 12, 5, noise=3.0)
    fitted = CategoryClassifier.fit(rows, codes)
    saved = json.dumps([fitted.weights.tolist(), fitted.bias.tolist(), fitted.codes.tolist()])
    weights, bias, present = json.loads(saved)
    again = replace(fitted, weights=np.array(weights), bias=np.array(bias), codes=np.array(present))
    assert again.weights.tobytes() == fitted.weights.tobytes()
    assert again.bias.tobytes() == fitted.bias.tobytes()
    assert (again.predict(rows) == fitted.predict(rows)).all()
    assert (np.concatenate([again.predict(rows[i : i + 1]) for i in range(200)]) == fitted.predict(rows)).all()


def test_probabilities_are_calibrated_and_the_temperature_is_that_of_least_error() -> None:
    rows, codes = clusters(1500, 30, 4, noise=4.0)
    fitted = CategoryClassifier.fit(rows[:500], codes[:500])
    assert fitted.temperature > 0.0
    shares = fitted.shares(rows[500:])
    assert shares.shape == (1000, 15)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    right = shares.argmax(axis=1) == codes[500:]
    assert (fitted.predict(rows[500:]) == shares.argmax(axis=1)).all()
    # Where it is surer it is right more often, and as often as it says.
    sure = shares.max(axis=1)
    for part in np.array_split(np.argsort(sure), 4):
        assert right[part].mean() == pytest.approx(sure[part].mean(), abs=0.09)
    truth = np.eye(15)[codes[500:]]
    errors = {
        temperature: np.square(replace(fitted, temperature=temperature).shares(rows[500:]) - truth).sum(axis=1).mean()
        for temperature in (0.0, fitted.temperature / 3.0, fitted.temperature, 3.0 * fitted.temperature)
    }
    assert min(errors, key=lambda temperature: errors[temperature]) == fitted.temperature


def test_clear_categories_are_one_hots() -> None:
    rows, codes = clusters(200, 16, 3, noise=0.1)
    fitted = CategoryClassifier.fit(rows, codes)
    assert (fitted.shares(rows) > 0.99).sum() == 200
    assert CategoryClassifier.fit(rows, np.full(200, 3)).temperature == 0.0


def test_where_nothing_can_be_told_it_says_the_frequencies() -> None:
    rows, _ = clusters(2000, 16, 1, noise=1.0)
    codes = np.where(np.random.default_rng(0).random(2000) < 0.2, 0, 1)
    fitted = CategoryClassifier.where_labelled_enough(rows, codes)
    assert fitted is not None
    assert np.abs(fitted.shares(rows)[:, 0] - 0.2).max() < 0.1
    assert CategoryClassifier.where_labelled_enough(rows[:39], codes[:39]) is None


def test_bad_input() -> None:
    rows, codes = clusters(10, 8, 2, noise=1.0)
    with pytest.raises(RecordError, match="no query has a category"):
        CategoryClassifier.fit(rows, np.full(10, MISSING))
    with pytest.raises(RecordError, match="10 embeddings but codes of shape"):
        CategoryClassifier.fit(rows, codes[:5])
    fitted = CategoryClassifier.fit(rows, codes)
    with pytest.raises(RecordError, match="embeddings have 5 dimensions; expected 8"):
        fitted.predict(rows[:, :5])
    with pytest.raises(RecordError, match="do not fit"):
        replace(fitted, bias=fitted.bias[:1])
    with pytest.raises(RecordError, match="NaN or infinity"):
        replace(fitted, bias=fitted.bias * np.inf)
    with pytest.raises(RecordError, match="codes \\[0, 99\\]"):
        replace(fitted, codes=np.array([0, 99]))


def test_mmlu_pro_categories_are_told_from_minilm_vectors(shared: Path) -> None:
    with gzip.open(shared / "data" / "mmlu_pro_outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        codes = category_codes([json.loads(line)["category"] for line in lines])
    vectors = np.load(shared / "data" / "mmlu_pro_minilm.npy")
    held_out = np.random.default_rng(0).random(len(codes)) < 0.3
    fitted = CategoryClassifier.fit(vectors[~held_out], codes[~held_out])
    assert (fitted.predict(vectors[held_out]) == codes[held_out]).mean() > 0.77
    assert fitted.accuracy == pytest.approx((fitted.predict(vectors[held_out]) == codes[held_out]).mean(), abs=0.02)


def test_of_many_rows_a_rare_category_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, codes = clusters(400, 6, 3, 0.1)
    codes[:] = np.where(codes == 2, 1, codes)
    codes[[5, 300]] = 2
    embeddings[[5, 300]] = 9.0
    monkeypatch.setattr(classifier, "_MOST_FITTED", 60)
    monkeypatch.setattr(classifier, "_FEWEST_OF_A_CATEGORY", 2)
    fitted = CategoryClassifier.fit(embeddings.tolist(), codes)
    assert fitted.predict(embeddings[5:6]).tolist() == [2]
