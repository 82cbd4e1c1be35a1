"""MLP: ReLU layers and one sigmoid per model, in NumPy, trained by cross-entropy on quality at usual difficulty."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vsr.choice.category_means import FloatArray
from vsr.errors import TrainingError
from vsr.selectors.base import Features, SweepResult, TrainingData, centred_residuals, require_positive
from vsr.selectors.optimization.adam import Adam, Parameters, Schedule, descend, logit, sigmoid
from vsr.selectors.optimization.early_stopping import StoppingSplit

Matrix = npt.NDArray[np.float32]

_DEFAULT_LAYERS = (256, 128)
_AUTO_LAYERS: tuple[tuple[int, ...], ...] = ((32,), (64,), (256, 128))
_SCHEDULE = Schedule(learning_rate=1e-3, weight_decay=0.1, batch_size=128, max_epochs=60, patience=4)


@dataclass(frozen=True)
class MlpSetting:
    """Parameters of the MLP.

    Attributes:
        hidden_layers: width of every hidden layer.
    """

    hidden_layers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class MlpPredictor:
    """A trained network.

    Attributes:
        setting: the hidden layers.
        weights: per layer (n_in, n_out) float32.
        biases: per layer (n_out,) float32.
    """

    setting: MlpSetting
    weights: list[Matrix]
    biases: list[Matrix]

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:
        """Predict residuals: (n, n_features) float32 -> (n, n_models) float64."""
        return centred_residuals(self.quality(features), prior)

    def quality(self, features: Features) -> FloatArray:
        """What the network itself answers: (n, n_features) float32 -> (n, n_models) float64 in (0, 1)."""
        return sigmoid(_forward(features, self.weights, self.biases)[-1].astype(np.float64))


class Mlp:
    """A multilayer perceptron."""

    name: ClassVar[str] = "mlp"
    max_tuning_rows: ClassVar[int] = 3_000
    largest_slope: ClassVar[float] = 1.0
    file_name: ClassVar[str] = "mlp_model.json"

    def __init__(self, hidden_layers: Sequence[int] | str = _DEFAULT_LAYERS) -> None:
        """Take the parameter of the command line: widths, or `auto` to choose among a few."""
        self.layers = (
            _AUTO_LAYERS
            if isinstance(hidden_layers, str) and hidden_layers == "auto"
            else (_checked_layers(hidden_layers),)
        )

    def settings(self, n_rows: int) -> Sequence[MlpSetting]:  # noqa: ARG002 -- weight decay and early stop adapt
        """Settings to choose from, smallest network first."""
        return [MlpSetting(layers) for layers in self.layers]

    def sweep(
        self, data: TrainingData, features: Features, prior: FloatArray, settings: Sequence[MlpSetting], seed: int
    ) -> Iterator[SweepResult[MlpSetting]]:
        """Train one network for every setting."""
        for setting in settings:
            yield SweepResult(setting, self.fit(data, setting, seed).predicted_residuals(features, prior))

    def fit(self, data: TrainingData, setting: MlpSetting, seed: int) -> MlpPredictor:
        """Train on most rows and stop early on the rest; the best weights are kept."""
        generator = np.random.default_rng(seed)
        split = StoppingSplit.draw(data, generator)
        initial = _initial_parameters(data, setting.hidden_layers, generator)
        n_layers = len(initial) // 2
        adam = Adam(initial, [True] * n_layers + [False] * n_layers, _SCHEDULE)
        weights, biases = adam.parameters[:n_layers], adam.parameters[n_layers:]

        def fill_gradients(batch: npt.NDArray[np.int64]) -> None:
            _fill_gradients(split.features[batch], split.target[batch], split.mask(batch), weights, biases, adam)

        best = descend(
            adam,
            len(split.features),
            fill_gradients,
            lambda: split.error(sigmoid(_forward(split.held_out_features, weights, biases)[-1].astype(np.float64))),
            _SCHEDULE,
            generator,
        )
        return MlpPredictor(setting, best[:n_layers], best[n_layers:])


def _checked_layers(hidden_layers: object) -> tuple[int, ...]:
    is_text = isinstance(hidden_layers, str)
    widths = tuple(hidden_layers) if isinstance(hidden_layers, Iterable) and not is_text else ()
    if not widths:
        raise TrainingError(f"hidden_layers is {hidden_layers!r}; expected widths such as (256, 128), or 'auto'")
    for width in widths:
        require_positive("a width of hidden_layers", width, int, or_auto=False)
    return tuple(map(int, widths))


def _initial_parameters(data: TrainingData, hidden: Sequence[int], generator: np.random.Generator) -> Parameters:
    """He's normal weights (He et al. 2015, eq. 10); the last layer small, its biases at the models' mean quality."""
    widths = [data.features.shape[1], *hidden, data.n_models]
    weights = []
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(widths)):
        # Unit rows have entries of size 1 / sqrt(width), so the first layer's weights need no division by it.
        scale = np.sqrt(2.0) if layer == 0 else np.sqrt(2.0 / n_in)
        if layer == len(widths) - 2:
            scale *= 0.1
        weights.append((generator.standard_normal((n_in, n_out)) * scale).astype(np.float32))
    biases = [np.zeros(n_out, dtype=np.float32) for n_out in widths[1:]]
    biases[-1] = logit(data.prior.overall).astype(np.float32)
    return weights + biases


def _forward(features: Features, weights: list[Matrix], biases: list[Matrix]) -> list[Matrix]:
    """Outputs of every layer, the last one without its sigmoid."""
    outputs = []
    values = features
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        values = values @ weight
        values += bias
        if layer < len(weights) - 1:
            np.maximum(values, 0.0, out=values)
        outputs.append(values)
    return outputs


def _fill_gradients(
    features: Features,
    target: Matrix,
    mask: Matrix | None,
    weights: list[Matrix],
    biases: list[Matrix],
    adam: Adam,
) -> None:
    """Gradient of the mean cross-entropy over the batch by back-propagation, written into `adam.gradients`."""
    n_layers = len(weights)
    outputs = _forward(features, weights, biases)
    delta = sigmoid(outputs[-1]).astype(np.float32, copy=False)
    delta -= target
    if mask is not None:
        delta *= mask
    delta /= np.float32(len(features))
    for layer in range(n_layers - 1, -1, -1):
        inputs = features if layer == 0 else outputs[layer - 1]
        np.matmul(inputs.T, delta, out=adam.gradients[layer])
        np.sum(delta, axis=0, out=adam.gradients[n_layers + layer])
        if layer:
            delta = delta @ weights[layer].T
            delta *= inputs > 0
