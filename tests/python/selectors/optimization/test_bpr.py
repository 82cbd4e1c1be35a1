"""Learning from pairs: the gradient of BPR against finite differences, and what pairs can and cannot say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gradients import StoppedDescent, finite_differences
from pools import NAMES, Pool, planted_pool
from vsr.errors import TrainingError
from vsr.features import split_features
from vsr.persistence import load_selector, save_selector
from vsr.selectors.optimization import bpr as preferences_module
from vsr.selectors.optimization.bpr import fit_pairs
from vsr.selectors.training_data import Preferences
from vsr.training.pairs import train_with_preferences
from vsr.training.trainer import train_selector

FloatArray = NDArray[np.float64]


def pairs_of(pool: Pool, n_pairs: int, seed: int = 0) -> Preferences:
    """Pairs of which the model that is better on the query was preferred."""
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, pool.n_queries, n_pairs)
    models = np.array([generator.permutation(3)[:2] for _ in range(n_pairs)])
    expected = pool.expected[rows[:, None], models]
    order = np.argsort(-expected, axis=1, kind="stable")
    better, worse = np.take_along_axis(models, order, axis=1).T
    return Preferences(pool.features[rows], better, worse, generator.uniform(0.5, 2.0, n_pairs))


def names(columns: NDArray[np.int64]) -> list[str]:
    return [NAMES[column] for column in columns]


def test_gradients_are_those_of_finite_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = pairs_of(planted_pool(60), 80)
    descent = StoppedDescent()
    monkeypatch.setattr(preferences_module, "descend", descent)
    fit_pairs(pairs, 3, 2, seed=5)
    order = np.random.default_rng(5).permutation(80)
    train = order[24:]
    assert descent.n_rows == len(train)
    batch = np.array([1, 8, 30])
    rows = train[batch]
    weights = pairs.confidence / pairs.confidence.mean()

    def loss(parameters: list[FloatArray]) -> float:
        """Mean of `-weight * log sigmoid(preferred - other)`, equation 5 of Rendle et al. without the penalty."""
        projection, factors, biases = parameters
        total = 0.0
        for row in rows:
            projected = pairs.features[row].astype(np.float64) @ projection
            better, worse = (
                float(projected @ factors[j] + biases[j]) for j in (pairs.preferred[row], pairs.other[row])
            )
            total += weights[row] * -np.log(1.0 / (1.0 + np.exp(worse - better)))
        return float(total / len(rows))

    parameters, gradients = descent.gradients_of(batch)
    for got, expected in zip(gradients, finite_differences(loss, parameters), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5)
    assert max(np.abs(gradient).max() for gradient in gradients) > 1e-2


def test_pairs_alone_order_the_models() -> None:
    pool, unseen = planted_pool(), planted_pool(200, seed=1)
    pairs = pairs_of(pool, 1500)
    selector = train_with_preferences(pairs.features, names(pairs.preferred), names(pairs.other), NAMES[:3])
    scores = selector.scores(unseen.features)
    assert selector.name == "matrix_factorization"
    assert scores.shape == (200, 3)
    assert abs(scores.mean() - 0.5) < 0.05  # pairs say nothing of the level
    chosen = unseen.expected[np.arange(200), scores.argmax(axis=1)].mean()
    assert chosen > unseen.expected.mean(axis=0).max() + 0.2


def test_a_selector_of_pairs_can_be_saved(tmp_path: Path) -> None:
    pool = planted_pool(60)
    pairs = pairs_of(pool, 100)
    selector = train_with_preferences(
        pairs.features, names(pairs.preferred), names(pairs.other), NAMES[:3], pairs.confidence, num_factors=2
    )
    save_selector(selector, tmp_path)
    loaded = load_selector(tmp_path, "matrix_factorization")
    np.testing.assert_array_equal(loaded.scores(pool.features), selector.scores(pool.features))


def test_confidence_weighs() -> None:
    # Every pair occurs both ways; one way is meant more seriously.
    features = np.tile(planted_pool(60).features, (2, 1))
    preferred = ["large"] * 60 + ["small"] * 60
    other = ["small"] * 60 + ["large"] * 60
    confidence = np.repeat([3.0, 1.0], 60)
    selector = train_with_preferences(features, preferred, other, ["small", "large"], confidence)
    scores = selector.scores(features[:60])
    assert (scores[:, 1] > scores[:, 0]).all()
    turned = train_with_preferences(features, preferred, other, ["small", "large"], confidence[::-1])
    assert (turned.scores(features[:60])[:, 0] > turned.scores(features[:60])[:, 1]).all()


def test_random_preferences_are_not_believed() -> None:
    pool, unseen = planted_pool(), planted_pool(200, seed=1)
    generator = np.random.default_rng(3)
    preferred = generator.integers(0, 3, 600)
    other = (preferred + generator.integers(1, 3, 600)) % 3
    features = pool.features[generator.integers(0, pool.n_queries, 600)]
    selector = train_with_preferences(features, names(preferred), names(other), NAMES[:3])
    assert np.abs(selector.scores(unseen.features) - 0.5).max() < 0.1


def test_the_level_comes_from_the_records() -> None:
    pool = planted_pool()
    selector = train_selector(
        "matrix_factorization", pool.features, pool.outcomes, num_factors=4, preferences=pairs_of(pool, 1500)
    )
    unseen = planted_pool(200, seed=1)
    scores = selector.scores(unseen.features)
    assert abs(scores.mean() - pool.outcomes.quality.mean()) < 0.05
    chosen = unseen.expected[np.arange(200), scores.argmax(axis=1)].mean()
    assert chosen > unseen.expected.mean(axis=0).max() + 0.2


@pytest.mark.parametrize("n_pairs", [1, 2, 5])
def test_a_few_pairs_will_do(n_pairs: int) -> None:
    pairs = pairs_of(planted_pool(60), n_pairs)
    selector = train_with_preferences(pairs.features, names(pairs.preferred), names(pairs.other), NAMES[:3])
    assert np.isfinite(selector.scores(pairs.features)).all()


def test_wrong_pairs_are_refused() -> None:
    pool = planted_pool(20)
    pairs = pairs_of(pool, 4)
    preferred, other = names(pairs.preferred), names(pairs.other)
    with pytest.raises(TrainingError, match="preferences name gpt; expected names among large, medium, small"):
        train_with_preferences(pairs.features, ["gpt", *preferred[1:]], other, NAMES[:3])
    with pytest.raises(TrainingError, match="4 feature rows, 3 preferred models, 4 other models and 4 confidences"):
        train_with_preferences(pairs.features, preferred[1:], other, NAMES[:3])
    with pytest.raises(TrainingError, match="pair 0 has the same model twice"):
        train_with_preferences(pairs.features, preferred, preferred, NAMES[:3])
    for confidence in ([1, 1, 0, 1], [1, 1, np.nan, 1], [[1.0]] * 4, ["high"] * 4):
        with pytest.raises(TrainingError, match="confidence"):
            train_with_preferences(pairs.features, preferred, other, NAMES[:3], confidence)
    with pytest.raises(TrainingError, match="num_factors is 0"):
        train_with_preferences(pairs.features, preferred, other, NAMES[:3], num_factors=0)
    with pytest.raises(TrainingError, match="large more than once"):
        train_with_preferences(pairs.features, preferred, other, ["large", "large", "medium", "small"])
    with pytest.raises(TrainingError, match="0 feature rows"):
        replace(pairs, features=pairs.features[:0])


def test_pairs_that_do_not_fit_the_records_are_refused() -> None:
    pool = planted_pool(20)
    pairs = pairs_of(pool, 4)
    for wrong, message in (
        (
            replace(pairs, features=pairs.features[:, 1:]),
            "features of the preferences are 29 wide, those of the records 30",
        ),
        (replace(pairs, preferred=pairs.preferred + 3), "preferences name model number 5 of 3"),
    ):
        with pytest.raises(TrainingError, match=message):
            train_selector("matrix_factorization", pool.features, pool.outcomes, preferences=wrong)


def test_without_a_pair_left_nothing_is_learnt_of_any_difference() -> None:
    # Not even from the measured quality: that would be another algorithm than the one that was asked for.
    pool = planted_pool(200)
    pairs = pairs_of(pool, 100)
    none_left = pairs.among(np.array([1]))
    assert none_left.n_pairs == 0
    selector = train_selector("matrix_factorization", pool.features, pool.outcomes, preferences=none_left)
    assert selector.prior is not None
    codes = split_features(pool.features).codes
    np.testing.assert_array_equal(selector.scores(pool.features), selector.prior.rows(codes))


def test_pairs_among_some_of_the_models() -> None:
    pairs = pairs_of(planted_pool(20), 30)
    columns = np.array([2, 0])
    left = pairs.among(columns)
    assert left is not None
    kept = [i for i in range(30) if {pairs.preferred[i], pairs.other[i]} == {0, 2}]
    assert columns[left.preferred].tolist() == pairs.preferred[kept].tolist()
    assert columns[left.other].tolist() == pairs.other[kept].tolist()
    np.testing.assert_array_equal(left.features, pairs.features[kept])
    np.testing.assert_array_equal(left.confidence, pairs.confidence[kept])
    assert pairs.among(np.array([1])).n_pairs == 0
    same = pairs.among(np.arange(3))
    assert same is not None
    np.testing.assert_array_equal(same.preferred, pairs.preferred)
