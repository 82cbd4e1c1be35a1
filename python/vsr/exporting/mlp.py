"""MLP: our network, followed by a layer that works out our utilities from its logits.

We compare `prior + slope * sigmoid(logit)` and what latency and cost add; a reader compares outputs. The sigmoid
becomes a sum of hinges (it is interpolated between knots, to within 0.001), priors and efficiency a linear function of
the category columns, which pass through the hidden layers as they are: they are never negative.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES
from vsr.errors import ArtefactError
from vsr.exporting.files import Assignment, FileContent
from vsr.exporting.teacher import UtilityTerms
from vsr.prior.category_means import FloatArray
from vsr.selectors.mlp import MlpPredictor
from vsr.selectors.optimization.adam import sigmoid

_KNOTS: FloatArray = np.linspace(-6.0, 6.0, 49)


@dataclass(frozen=True, eq=False)
class _Layer:
    """(n_in, n_out) weights and (n_out,) biases."""

    weights: FloatArray
    biases: FloatArray


def write_mlp(assignment: Assignment) -> FileContent:
    """Write the network in one or both of the forms that readers know."""
    predictor, form = assignment.teacher.selector.predictor, assignment.form
    if not isinstance(predictor, MlpPredictor):
        raise ArtefactError("this is no selector of mlp")
    layers = _layers(assignment, predictor)
    hidden = [len(layer.biases) for layer in layers[:-1]]
    document: dict[str, object] = {"algorithm": "mlp", "trained": True, "model_names": list(assignment.names)}
    if form.has_documented_network:
        document |= {
            "input_dim": len(layers[0].weights),
            "hidden_layers": hidden,
            "weights": [layer.weights for layer in layers],
            "biases": [layer.biases for layer in layers],
        }
    if form.has_layers:
        steps: list[dict[str, object]] = []
        for number, layer in enumerate(layers):
            n_in, n_out = layer.weights.shape
            steps.append(
                {
                    "type": "linear",
                    "in_features": n_in,
                    "out_features": n_out,
                    "weight": np.ascontiguousarray(layer.weights.T),
                    "bias": layer.biases,
                }
            )
            if number < len(layers) - 1:
                steps.append({"type": "relu"})
        document |= {
            "feature_dim": len(layers[0].weights),
            "n_classes": len(assignment.names),
            "hidden_sizes": hidden,
            "dropout": 0.0,
            "layers": steps,
        }
    return FileContent(document, sum(hidden))


def _layers(assignment: Assignment, predictor: MlpPredictor) -> list[_Layer]:
    form = assignment.form
    n_categories, n_models = form.n_categories, len(assignment.names)
    layers = []
    for number, (own_weights, own_biases) in enumerate(zip(predictor.weights, predictor.biases, strict=True)):
        weights, biases = own_weights.astype(np.float64), own_biases.astype(np.float64)
        if number == 0:
            weights = np.vstack([weights[: -len(CATEGORIES)], assignment.table(weights[-len(CATEGORIES) :])])
        if number == len(predictor.weights) - 1:
            layers.append(_hinges(weights, biases, n_categories, is_first=number == 0))
        else:
            layers.append(_with_categories(weights, biases, n_categories, is_first=number == 0))
    terms = UtilityTerms.of(assignment.teacher, raw_prior_share=1.0)
    by_category = assignment.table(terms.by_category)
    by_category = by_category - by_category.mean(axis=1, keepdims=True)
    layers.append(_Layer(np.vstack([_sigmoid_of_hinges(n_models) * terms.scale, by_category]), np.zeros(n_models)))
    return layers


def _with_categories(weights: FloatArray, biases: FloatArray, n_categories: int, *, is_first: bool) -> _Layer:
    """Let the category columns pass beside a layer; from the first layer on they are its last inputs."""
    n_in, n_out = weights.shape
    n_rows = n_in if is_first else n_in + n_categories
    joined = np.zeros((n_rows, n_out + n_categories))
    joined[:n_in, :n_out] = weights
    joined[-n_categories:, n_out:] = np.eye(n_categories)
    return _Layer(joined, np.concatenate([biases, np.zeros(n_categories)]))


def _hinges(weights: FloatArray, biases: FloatArray, n_categories: int, *, is_first: bool) -> _Layer:
    """Units `max(0, logit - knot)` for every model and knot."""
    spread = np.repeat(weights, len(_KNOTS), axis=1)
    offsets = np.repeat(biases, len(_KNOTS)) - np.tile(_KNOTS, len(biases))
    return _with_categories(spread, offsets, n_categories, is_first=is_first)


def _sigmoid_of_hinges(n_models: int) -> npt.NDArray[np.float64]:
    """Weights that make the sigmoid of hinges, but for its value at the first knot: (models x knots, models)."""
    steepness = np.diff(sigmoid(_KNOTS)) / np.diff(_KNOTS)
    bends = np.concatenate([[steepness[0]], np.diff(steepness), [-steepness[-1]]])
    return np.kron(np.eye(n_models), bends[:, None])
