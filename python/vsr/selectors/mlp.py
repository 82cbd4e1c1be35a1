"""MLP: ReLU layers and one sigmoid per model, in NumPy, trained by cross-entropy on quality at usual difficulty."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from vsr.prior.category_means import FloatArray
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, Predictor, centred_residuals
from vsr.selectors.optimization.adam import Adam, Arrays, Schedule, descend, logit, sigmoid
from vsr.selectors.optimization.early_stopping import StoppingSplit
from vsr.selectors.parameters import Auto, Described, Parameters, PositiveInt
from vsr.selectors.training_data import Features, TrainingData

Matrix = npt.NDArray[np.float32]

_AUTO_LAYERS: tuple[tuple[int, ...], ...] = ((32,), (64,), (256, 128))
_SCHEDULE = Schedule(learning_rate=1e-3, weight_decay=0.1, batch_size=128, max_epochs=60, patience=4)


class MlpParameters(Parameters):
    """Parameters of the MLP, as they are given."""

    hidden_layers: Annotated[
        Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | Auto,
        Described("widths such as 256,128, or 'auto'", "N,N", label="layers"),
    ] = Field((256, 128), description="Widths of the hidden layers, or auto.")


@dataclass(frozen=True)
class MlpSetting:
    """Parameters of the MLP.

    Attributes:
        hidden_layers: width of every hidden layer.
    """

    hidden_layers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class MlpPredictor(Predictor):
    """A trained network.

    Attributes:
        setting: the hidden layers.
        weights: per layer (n_in, n_out) float32.
        biases: per layer (n_out,) float32.
    """

    setting: MlpSetting
    weights: list[Matrix]
    biases: list[Matrix]

    @property
    def n_features(self) -> int:
        """Width of a feature row."""
        return len(self.weights[0])

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:
        """Predict residuals: (n, n_features) float32 -> (n, n_models) float64."""
        return centred_residuals(self.quality(features), prior)

    def quality(self, features: Features) -> FloatArray:
        """What the network itself answers: (n, n_features) float32 -> (n, n_models) float64 in (0, 1)."""
        return sigmoid(_forward(features, self.weights, self.biases)[-1].astype(np.float64))


class Mlp(Algorithm[MlpParameters, MlpSetting]):
    """A multilayer perceptron."""

    name = "mlp"
    file_names = ("mlp_model.json",)
    arrays: ClassVar = {"weights.*": "float32", "biases.*": "float32"}
    parameters_model = MlpParameters
    max_tuning_rows = 3_000

    def settings(self, n_rows: int) -> Sequence[MlpSetting]:  # noqa: ARG002 -- weight decay and early stop adapt
        """Settings to choose from, smallest network first."""
        layers = self.parameters.hidden_layers
        return [MlpSetting(each) for each in (_AUTO_LAYERS if layers == "auto" else (layers,))]

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

    @classmethod
    def to_fields(cls, predictor: MlpPredictor, models: Sequence[str]) -> FileFields:  # noqa: ARG003 -- outputs only
        """Write the layers."""
        return FileFields(
            {
                "input_dim": predictor.n_features,
                "hidden_layers": list(predictor.setting.hidden_layers),
                "weights": list(predictor.weights),
                "biases": list(predictor.biases),
            }
        )

    @classmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> MlpPredictor:
        """Read the layers, whose widths must follow one another."""
        hidden = fields.get("hidden_layers", list)
        if not all(isinstance(width, int) and width > 0 for width in hidden):
            raise fields.error("hidden_layers", "is no list of positive integers")
        widths = [fields.get("input_dim", int), *hidden, len(context.models)]
        if context.n_features is not None and widths[0] != context.n_features:
            raise fields.error("input_dim", f"is {widths[0]} but the features are {context.n_features} wide")
        layers = range(len(widths) - 1)
        return MlpPredictor(
            setting=MlpSetting(tuple(hidden)),
            weights=[fields.array(f"weights.{layer}", (widths[layer], widths[layer + 1])) for layer in layers],
            biases=[fields.array(f"biases.{layer}", (widths[layer + 1],)) for layer in layers],
        )


def _initial_parameters(data: TrainingData, hidden: Sequence[int], generator: np.random.Generator) -> Arrays:
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
