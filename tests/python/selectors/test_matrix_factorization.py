"""The gradients of the factorization against finite differences, its scores against their formula."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gradients import StoppedDescent, cross_entropy, finite_differences
from pools import DATA_KINDS, planted_pool, training_data
from vsr.selectors import matrix_factorization
from vsr.selectors.matrix_factorization import MatrixFactorization, MatrixFactorizationSetting
from vsr.selectors.optimization.early_stopping import StoppingSplit
from vsr.selectors.training_data import TrainingData

FloatArray = NDArray[np.float64]
SETTING = MatrixFactorizationSetting(num_factors=3, weight_decay=0.3)


@pytest.fixture(params=DATA_KINDS)
def data(request: pytest.FixtureRequest) -> TrainingData:
    return training_data(request.param, 60)


def test_gradients_are_those_of_finite_differences(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    descent = StoppedDescent()
    monkeypatch.setattr(matrix_factorization, "descend", descent)
    MatrixFactorization.of().fit(data, SETTING, seed=3)
    split = StoppingSplit.draw(data, np.random.default_rng(3))
    batch = np.array([0, 7, 12, 40])
    features = split.features[batch].astype(np.float64)
    weights = np.ones((4, 3)) if split.weight is None else split.weight[batch].astype(np.float64)
    target = np.where(weights > 0.0, split.target[batch].astype(np.float64), np.nan)

    def loss(parameters: list[FloatArray]) -> float:
        projection, factors, biases = parameters
        logits = [
            [float((row @ projection) @ factor + bias) for factor, bias in zip(factors, biases, strict=True)]
            for row in features
        ]
        return cross_entropy(target, np.array(logits), weights)

    parameters, gradients = descent.gradients_of(batch)
    assert [part.shape for part in parameters] == [(data.features.shape[1], 3), (3, 3), (3,)]
    for got, expected in zip(gradients, finite_differences(loss, parameters), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5)
    assert max(np.abs(gradient).max() for gradient in gradients) > 1e-2


def test_quality_is_the_documented_formula(data: TrainingData) -> None:
    predictor = MatrixFactorization.of().fit(data, SETTING, seed=0)
    unseen = planted_pool(10, seed=1).features
    for row, qualities in zip(unseen.astype(np.float64), predictor.quality(unseen), strict=True):
        for factor, bias, quality in zip(predictor.model_factors, predictor.model_biases, qualities, strict=True):
            logit = float((row @ predictor.projection) @ factor) + float(bias) + predictor.global_bias
            assert quality == pytest.approx(1.0 / (1.0 + np.exp(-logit)), abs=1e-5)
    assert predictor.model_biases.mean() == pytest.approx(0.0, abs=1e-6)  # the global bias has what they share


def test_all_parts_are_trained(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = MatrixFactorization.of().fit(data, SETTING, seed=0)
    monkeypatch.setattr(matrix_factorization, "descend", StoppedDescent())
    start = MatrixFactorization.of().fit(data, SETTING, seed=0)
    assert np.abs(trained.projection - start.projection).max() > 1e-3
    assert np.abs(trained.model_factors - start.model_factors).max() > 1e-3
    assert np.abs(trained.model_biases - start.model_biases).max() > 1e-3
    assert trained.global_bias != start.global_bias


def test_settings_go_from_strong_decay_to_weak() -> None:
    settings = MatrixFactorization.of(num_factors=5).settings(100)
    decays = [setting.weight_decay for setting in settings]
    assert decays == sorted(decays, reverse=True)
    assert {setting.num_factors for setting in settings} == {5}
