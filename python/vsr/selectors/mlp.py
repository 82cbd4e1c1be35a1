"""MLP: ReLU layers and one sigmoid per model, in NumPy, trained by cross-entropy on quality at usual difficulty."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from vsr.errors import TrainingError
from vsr.prior.category_means import FloatArray
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, Predictor, centred_residuals
from vsr.selectors.optimization.adam import Adam, Arrays, Schedule, descend, logit, sigmoid
from vsr.selectors.optimization.early_stopping import StoppingSplit
from vsr.selectors.parameters import Auto, Described, Parameters, PositiveInt
from vsr.selectors.training_data import Features, TrainingData

Matrix = npt.NDArray[np.float32]
# Per layer its weights (n_in, n_out), and its biases (n_out,).
Network = tuple[list[Matrix], list[Matrix]]

# Members are tried in this order; each keeps at least so many units in every layer.
_AUTO_MEMBERS = (8, 4, 2)
_LEAST_WIDTH = 16
_AUTO_LAYERS: tuple[tuple[int, ...], ...] = ((32,), (64,), (256, 128))
_SCHEDULE = Schedule(learning_rate=1e-3, weight_decay=0.1, batch_size=128, max_epochs=60, patience=4)


class MlpParameters(Parameters):
    """Parameters of the MLP, as they are given."""

    hidden_layers: Annotated[
        Annotated[tuple[PositiveInt, ...], Field(min_length=1)] | Auto,
        Described("widths such as 256,128, or 'auto'", "N,N", label="layers"),
    ] = Field((256, 128), description="Widths of the hidden layers over all members, or auto.")
    members: Annotated[
        PositiveInt | Auto,
        Described("a whole number that divides every width of hidden_layers, or 'auto'", "N"),
    ] = Field("auto", description="Networks of other seeds that the layers are divided among; they are averaged.")

    @model_validator(mode="after")
    def _members_divide(self) -> Self:
        """Refuse members of broken widths."""
        if self.members != "auto":
            layers = _AUTO_LAYERS if self.hidden_layers == "auto" else (self.hidden_layers,)
            if any(width % self.members for widths in layers for width in widths):
                raise TrainingError(
                    f"members is {self.members}; expected a number that divides every width of hidden_layers "
                    f"({', '.join(str(width) for widths in layers for width in widths)})"
                )
        return self


@dataclass(frozen=True)
class MlpSetting:
    """Parameters of the MLP.

    Attributes:
        hidden_layers: width of every hidden layer.
        members: networks that the layers are divided among; the documented fields hold them as one.
    """

    hidden_layers: tuple[int, ...]
    members: int = 1


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
        layers, members = self.parameters.hidden_layers, self.parameters.members
        return [
            MlpSetting(each, _auto_members(each) if members == "auto" else members)
            for each in (_AUTO_LAYERS if layers == "auto" else (layers,))
        ]

    def fit(self, data: TrainingData, setting: MlpSetting, seed: int) -> MlpPredictor:
        """Train the members one after another, each with a stop of its own, and put them side by side."""
        generator = np.random.default_rng(seed)
        hidden = [width // setting.members for width in setting.hidden_layers]
        networks = [_train(data, hidden, generator) for _ in range(setting.members)]
        return MlpPredictor(setting, *_side_by_side(networks))

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


def _auto_members(hidden: Sequence[int]) -> int:
    """As many members as the widths can be divided among and still be of use."""
    divided = (n for n in _AUTO_MEMBERS if all(width % n == 0 and width // n >= _LEAST_WIDTH for width in hidden))
    return next(divided, 1)


def _train(data: TrainingData, hidden: Sequence[int], generator: np.random.Generator) -> Network:
    """Train one network on most rows and stop early on the rest; the best weights are kept."""
    split = StoppingSplit.draw(data, generator)
    initial = _initial_parameters(data, hidden, generator)
    n_layers = len(initial) // 2
    adam = Adam(initial, [True] * n_layers + [False] * n_layers, _SCHEDULE)
    weights, biases = adam.parameters[:n_layers], adam.parameters[n_layers:]

    def fill_gradients(batch: npt.NDArray[np.int64]) -> None:
        _fill_gradients(split.batch(batch), split.target[batch], split.cell_weights(batch), weights, biases, adam)

    best = descend(
        adam,
        len(split.rows),
        fill_gradients,
        lambda: split.error(sigmoid(_forward(split.held_out_features, weights, biases)[-1].astype(np.float64))),
        _SCHEDULE,
        generator,
    )
    return best[:n_layers], best[n_layers:]


def _side_by_side(networks: Sequence[Network]) -> Network:
    """One network that answers the mean of several before the sigmoid: block-diagonal between the hidden layers."""
    if len(networks) == 1:
        return networks[0]
    share = np.float32(1.0 / len(networks))
    last = len(networks[0][0]) - 1
    weights, biases = [], []
    for layer in range(last + 1):
        blocks = [own_weights[layer] for own_weights, _ in networks]
        offsets = [own_biases[layer] for _, own_biases in networks]
        if layer == last:
            weights.append(np.concatenate(blocks) * share)
            biases.append(np.sum(offsets, axis=0) * share)
            continue
        weights.append(np.concatenate(blocks, axis=1) if layer == 0 else _block_diagonal(blocks))
        biases.append(np.concatenate(offsets))
    return weights, biases


def _block_diagonal(blocks: Sequence[Matrix]) -> Matrix:
    joined = np.zeros(np.sum([block.shape for block in blocks], axis=0), dtype=np.float32)
    row = column = 0
    for block in blocks:
        joined[row : row + len(block), column : column + block.shape[1]] = block
        row, column = row + len(block), column + block.shape[1]
    return joined


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
    cell_weights: Matrix | None,
    weights: list[Matrix],
    biases: list[Matrix],
    adam: Adam,
) -> None:
    """Gradient of the mean cross-entropy over the batch by back-propagation, written into `adam.gradients`."""
    n_layers = len(weights)
    outputs = _forward(features, weights, biases)
    delta = sigmoid(outputs[-1]).astype(np.float32, copy=False)
    delta -= target
    if cell_weights is not None:
        delta *= cell_weights
    delta /= np.float32(len(features))
    for layer in range(n_layers - 1, -1, -1):
        inputs = features if layer == 0 else outputs[layer - 1]
        np.matmul(inputs.T, delta, out=adam.gradients[layer])
        np.sum(delta, axis=0, out=adam.gradients[n_layers + layer])
        if layer:
            delta = delta @ weights[layer].T
            delta *= inputs > 0
