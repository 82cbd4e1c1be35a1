"""The gradients of the MLP against finite differences, its layers against a loop over them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gradients import StoppedDescent, cross_entropy, finite_differences
from pools import DATA_KINDS, planted_pool, training_data
from vsr.errors import TrainingError
from vsr.selectors import mlp
from vsr.selectors.mlp import Mlp, MlpSetting
from vsr.selectors.optimization.early_stopping import StoppingSplit
from vsr.selectors.training_data import TrainingData
from vsr.training.trainer import train_selector

FloatArray = NDArray[np.float64]


@pytest.fixture(params=DATA_KINDS)
def data(request: pytest.FixtureRequest) -> TrainingData:
    return training_data(request.param, 60)


def plain_logits(features: FloatArray, weights: list[FloatArray], biases: list[FloatArray]) -> FloatArray:
    rows = []
    for row in features:
        values = row
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            values = np.array([float(values @ column) for column in weight.T]) + bias
            if layer < len(weights) - 1:
                values = np.array([max(value, 0.0) for value in values])
        rows.append(values)
    return np.array(rows)


@pytest.mark.parametrize("layers", [(5,), (6, 4)])
def test_gradients_are_those_of_finite_differences(
    layers: tuple[int, ...], data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    descent = StoppedDescent()
    monkeypatch.setattr(mlp, "descend", descent)
    Mlp.of().fit(data, MlpSetting(layers), seed=3)
    split = StoppingSplit.draw(data, np.random.default_rng(3))
    assert descent.n_rows == len(split.features) == data.n_queries - round(0.15 * data.n_queries)
    batch = np.array([0, 7, 12, 40])
    features = split.features[batch].astype(np.float64)
    weights = np.ones((4, 3)) if split.weight is None else split.weight[batch].astype(np.float64)
    target = np.where(weights > 0.0, split.target[batch].astype(np.float64), np.nan)
    n = len(layers) + 1

    def loss(parameters: list[FloatArray]) -> float:
        return cross_entropy(target, plain_logits(features, parameters[:n], parameters[n:]), weights)

    parameters, gradients = descent.gradients_of(batch)
    for got, expected in zip(gradients, finite_differences(loss, parameters), strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-5)
    assert max(np.abs(gradient).max() for gradient in gradients) > 1e-2


def test_quality_is_the_squashed_output_of_the_last_layer(data: TrainingData) -> None:
    predictor = Mlp.of().fit(data, MlpSetting((6, 4)), seed=0)
    unseen = planted_pool(10, seed=1).features
    logits = plain_logits(
        unseen.astype(np.float64),
        [weight.astype(np.float64) for weight in predictor.weights],
        [bias.astype(np.float64) for bias in predictor.biases],
    )
    expected = 1.0 / (1.0 + np.exp(-logits))
    np.testing.assert_allclose(predictor.quality(unseen), expected, atol=1e-5)
    prior = data.prior.rows(unseen[:, -14:].argmax(axis=1))
    deviations = expected - prior
    deviations -= deviations.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(predictor.predicted_residuals(unseen, prior), deviations, atol=1e-5)


def test_the_network_starts_at_the_mean_quality_of_each_model(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlp, "descend", StoppedDescent())
    predictor = Mlp.of().fit(data, MlpSetting((64,)), seed=0)
    np.testing.assert_allclose(predictor.quality(data.features).mean(axis=0), data.prior.overall, atol=0.1)


def test_early_stop_looks_at_rows_that_do_not_descend(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    descent = StoppedDescent()
    monkeypatch.setattr(mlp, "descend", descent)
    predictor = Mlp.of().fit(data, MlpSetting((5,)), seed=3)
    split = StoppingSplit.draw(data, np.random.default_rng(3))
    assert descent.validation_error is not None
    expected = split.error(predictor.quality(split.held_out_features))
    assert descent.validation_error() == pytest.approx(expected)


def test_layers_of_auto_are_chosen_on_the_data() -> None:
    pool = planted_pool(120)
    selector = train_selector("mlp", pool.features, pool.outcomes, hidden_layers="auto")
    offered = [setting.hidden_layers for setting in Mlp.of(hidden_layers="auto").settings(120)]
    assert selector.parameters["hidden_layers"] in offered
    sizes = [sum(layers) for layers in offered]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("layers", [(8,), (8, 4), (8, 4, 12)])
def test_members_are_averaged_before_the_sigmoid_in_one_network(layers: tuple[int, ...], data: TrainingData) -> None:
    together = Mlp.of().fit(data, MlpSetting(layers, members=2), seed=5)
    assert [layer.shape[1] for layer in together.weights] == [*layers, data.n_models]
    generator = np.random.default_rng(5)
    members = [mlp._train(data, [width // 2 for width in layers], generator) for _ in range(2)]
    logits = [
        plain_logits(
            data.features.astype(np.float64),
            [w.astype(np.float64) for w in weights],
            [b.astype(np.float64) for b in biases],
        )
        for weights, biases in members
    ]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3
    expected = 1.0 / (1.0 + np.exp(-np.mean(logits, axis=0)))
    np.testing.assert_allclose(together.quality(data.features), expected, atol=1e-5)


def test_wide_layers_are_divided_among_members_narrow_ones_are_not() -> None:
    members = {
        layers: Mlp.of(hidden_layers=layers).settings(100)[0].members
        for layers in ((256, 128), (256,), (64,), (32,), (16,), (8,), (256, 16), (100, 50))
    }
    assert list(members.values()) == [8, 8, 4, 2, 1, 1, 1, 2]


def test_members_that_do_not_divide_the_layers_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"members is 3; expected a number that divides .* \(256, 128\)"):
        Mlp.of(members=3)
    with pytest.raises(TrainingError, match="members is 64"):
        Mlp.of(hidden_layers="auto", members=64)
