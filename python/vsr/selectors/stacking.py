"""Stacking: the weighted sum of what the other algorithms of a training predict.

Stacked generalization (Wolpert 1992, Neural Networks 5:241) with the constraints of Breiman (1996, Machine Learning
24:49) and the super learner (van der Laan et al. 2007): weights of 0 or more, of sum 1 at most, by least squares on
residuals that were predicted out of fold. One fit, so there is no calibration slope beside it.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from vsr.errors import TrainingError
from vsr.prior.category_means import FloatArray, centred_rows
from vsr.selectors import registry
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, HeldOut, Predictor, Row
from vsr.selectors.parameters import Parameters
from vsr.selectors.training_data import Features, TrainingData

if TYPE_CHECKING:
    from vsr.selectors.base import TrainedSelector

_MAX_ROUNDS = 20_000
_SETTLED = 1e-10
# A part that counts less is not worth its time at every choice.
_LEAST_WEIGHT = 0.01


@dataclass(frozen=True)
class StackingSetting:
    """What was fitted.

    Attributes:
        weights: by algorithm, the weight of its predicted residuals; parts of weight 0 are left out.
    """

    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StackingPredictor(Predictor):
    """Predictors of other algorithms and their weights.

    Attributes:
        setting: the weights.
        parts: by algorithm, in the order of the weights.
        scales: by algorithm, what turns its predicted residuals into units of quality: its calibration slope where it
            predicts on a scale of its own, else 1.
        n_models: number of models.
        input_dim: width of a feature row.
    """

    setting: StackingSetting
    parts: Mapping[str, Predictor]
    scales: Mapping[str, float]
    n_models: int
    input_dim: int

    @property
    def n_features(self) -> int:
        """Width of a feature row."""
        return self.input_dim

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:
        """Predict residuals: (n, n_features) float32 -> (n, n_models) float64."""
        predicted = np.zeros(prior.shape)
        for name, part in self.parts.items():
            predicted += self.setting.weights[name] * self.scales[name] * part.predicted_residuals(features, prior)
        return predicted

    def quality(self, features: Features) -> FloatArray:
        """Plain mean of what the parts answer: (n, n_features) float32 -> (n, n_models) float64; 0.5 without any."""
        if not self.parts:
            return np.full((len(features), self.n_models), 0.5)
        answers = [part.quality(features) for part in self.parts.values()]
        return np.asarray(np.mean(answers, axis=0))

    def explain(self, features: Features, models: Mapping[str, int]) -> dict[str, list[Row]]:
        """Show the weights, then what every part rests on itself."""
        weights: list[Row] = [{"part": name, "weight": weight} for name, weight in self.setting.weights.items()]
        shown = {"Parts and their weights": weights}
        for name, part in self.parts.items():
            shown |= {f"{name}: {title}": rows for title, rows in part.explain(features, models).items()}
        return shown


class Stacking(Algorithm[Parameters, StackingSetting]):
    """All other algorithms of a training, weighted."""

    name = "stacking"
    file_names = ("stacking_model.json",)
    arrays: ClassVar = {}
    parameters_model = Parameters
    combines = True

    def settings(self, n_rows: int) -> Sequence[StackingSetting]:  # noqa: ARG002 -- weights are fitted, not chosen
        """There is nothing to choose."""
        return [StackingSetting()]

    def fit(self, data: TrainingData, setting: StackingSetting, seed: int) -> StackingPredictor:  # noqa: ARG002
        """Weigh the parts by what they predict out of fold."""
        held_out = _shared_rows(data.parts)
        residual = held_out[0].residual
        observed = np.isfinite(residual)
        target = np.where(observed, residual, 0.0).ravel()
        predicted = np.stack(
            [np.nan_to_num(centred_rows(each.predicted_residuals.astype(np.float64), observed)) for each in held_out]
        ).reshape(len(held_out), -1)
        scales = [_scale(part) for part in data.parts]
        predicted *= np.array(scales)[:, None]
        weights = bounded_least_squares(predicted @ predicted.T, predicted @ target)
        weight_of = {
            part.name: weight for part, weight in zip(data.parts, weights.tolist(), strict=True) if weight > 0.0
        }
        kept = [part for part in data.parts if part.name in weight_of]
        return StackingPredictor(
            setting=StackingSetting(weight_of),
            parts={part.name: part.predictor for part in kept},
            scales={part.name: _scale(part) for part in kept},
            n_models=data.n_models,
            input_dim=data.features.shape[1],
        )

    @classmethod
    def held_out(cls, data: TrainingData, predictor: StackingPredictor) -> HeldOut:
        """What the parts predict out of fold, weighted."""
        shared = _shared_rows(data.parts)
        predicted = np.zeros(shared[0].prior.shape, dtype=np.float32)
        for part, each in zip(data.parts, shared, strict=True):
            weight = predictor.setting.weights.get(part.name, 0.0) * _scale(part)
            predicted += np.float32(weight) * each.predicted_residuals
        return HeldOut(shared[0].rows, shared[0].prior, shared[0].residual, predicted)

    @classmethod
    def array_patterns(cls) -> Mapping[str, str]:
        """Those of every algorithm, inside its part."""
        return {
            f"parts.{name}.{pattern}": kind
            for name in _able()
            for pattern, kind in registry.algorithm(name).array_patterns().items()
        }

    @classmethod
    def stored_patterns(cls) -> Mapping[str, str]:
        """Those of every algorithm, inside its part."""
        return {
            f"parts.{name}.{path}": kind
            for name in _able()
            for path, kind in registry.algorithm(name).stored_patterns().items()
        }

    @classmethod
    def n_stored_rows(cls, predictor: StackingPredictor) -> int:
        """The most that any part has."""
        return max((registry.algorithm(name).n_stored_rows(part) for name, part in predictor.parts.items()), default=0)

    @classmethod
    def to_fields(cls, predictor: StackingPredictor, models: Sequence[str]) -> FileFields:
        """Write every part as its own file would have it, without what all parts share."""
        return _with_parts(
            predictor,
            models,
            {name: registry.algorithm(name).to_fields(part, models) for name, part in predictor.parts.items()},
        )

    @classmethod
    def to_stored_fields(cls, predictor: StackingPredictor, models: Sequence[str]) -> FileFields:
        """Write the big arrays of every part apart."""
        return _with_parts(
            predictor,
            models,
            {name: registry.algorithm(name).to_stored_fields(part, models) for name, part in predictor.parts.items()},
        )

    @classmethod
    def models_in(cls, fields: Fields) -> tuple[str, ...] | None:
        """Names of the models."""
        return fields.strings("models")

    @classmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> StackingPredictor:
        """Read the parts."""
        input_dim = fields.get("input_dim", int)
        if context.n_features is not None and input_dim != context.n_features:
            raise fields.error("input_dim", f"is {input_dim} but the features are {context.n_features} wide")
        if fields.strings("models") != context.models:
            raise fields.error("models", f"are not those of the rest of the file: {', '.join(context.models)}")
        holder = fields.object("parts")
        weights: dict[str, float] = {}
        scales: dict[str, float] = {}
        parts: dict[str, Predictor] = {}
        for name in holder.content:
            if name not in _able():
                raise holder.error(name, "is no algorithm that can be a part; there are " + ", ".join(_able()))
            own = holder.object(name)
            weights[name], scales[name] = own.get("weight", float), own.get("scale", float)
            for field_name, value in (("weight", weights[name]), ("scale", scales[name])):
                if value <= 0.0:
                    raise own.error(field_name, f"is {value}; expected a number above 0")
            block = None if context.own is None else own.object("vsr").object("predictor")
            in_part = FileContext(context.models, context.n_features, context.prior, block)
            parts[name] = registry.algorithm(name).from_fields(own, in_part)
            if parts[name].n_features != input_dim:
                raise holder.error(name, f"is {parts[name].n_features} features wide; expected {input_dim}")
        return StackingPredictor(StackingSetting(weights), parts, scales, len(context.models), input_dim)


def _with_parts(predictor: StackingPredictor, models: Sequence[str], written: Mapping[str, FileFields]) -> FileFields:
    """Put the fields of all parts together."""
    parts: dict[str, Any] = {}
    stored: dict[str, npt.NDArray[Any]] = {}
    for name, fields in written.items():
        parts[name] = {
            "weight": predictor.setting.weights[name],
            "scale": predictor.scales[name],
            **fields.documented,
            "vsr": {"predictor": fields.own},
        }
        stored |= {f"parts.{name}.{path}": array for path, array in fields.stored.items()}
    return FileFields({"models": list(models), "input_dim": predictor.n_features, "parts": parts}, stored=stored)


def _able() -> list[str]:
    return [name for name in registry.learning() if not registry.algorithm(name).combines]


def _scale(part: "TrainedSelector") -> float:
    """Of an SVM's margins, 0.05 is a typical slope: unscaled they would hardly count in the sum of the weights."""
    return part.slope if registry.algorithm(part.name).largest_slope > 1.0 else 1.0


def _shared_rows(parts: "Sequence[TrainedSelector]") -> list[HeldOut]:
    """What every part predicts of the queries that all of them held out; settings are compared on different numbers."""
    held_out = [part.held_out for part in parts]
    known = [each for each in held_out if each is not None]
    if not known or len(known) < len(held_out):
        raise TrainingError(
            "stacking combines selectors that were trained on the same table; expected one at least, and none that was "
            "loaded from a file"
        )
    rows = functools.reduce(np.intersect1d, [each.rows for each in known])
    return [each.among(rows) for each in known]


def bounded_least_squares(products: FloatArray, target: FloatArray) -> FloatArray:
    """Minimise `w' products w - 2 w' target` over weights of 0 or more and of sum 1 at most.

    Accelerated projected gradient (Beck and Teboulle 2009, SIAM J. Imaging Sciences 2:183): deterministic, and weights
    that are 0 are so exactly.

    Args:
        products: (n, n) float64, inner products of the predictions.
        target: (n,) float64, their inner products with what is to be predicted.

    Returns:
        (n,) float64; those below a hundredth of their sum are 0.
    """
    size = np.sqrt(np.maximum(np.diagonal(products), 0.0))
    largest = float(np.linalg.eigvalsh(products)[-1]) if size.any() else 0.0
    weights = np.zeros(len(target))
    if largest <= 0.0:
        return weights
    ahead, momentum = weights, 1.0
    for _ in range(_MAX_ROUNDS):
        moved = _onto_simplex(ahead - (products @ ahead - target) / largest)
        faster = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        ahead = moved + (momentum - 1.0) / faster * (moved - weights)
        settled = np.abs(moved - weights).max() < _SETTLED
        weights, momentum = moved, faster
        if settled:
            break
    return np.where(weights < _LEAST_WEIGHT * weights.sum(), 0.0, weights)


def _onto_simplex(weights: FloatArray) -> FloatArray:
    """The nearest weights of 0 or more and of sum 1 at most (Duchi et al. 2008, ICML)."""
    positive = np.maximum(weights, 0.0)
    if positive.sum() <= 1.0:
        return positive
    ordered = np.sort(weights)[::-1]
    excess = np.cumsum(ordered) - 1.0
    last = np.flatnonzero(ordered * np.arange(1, len(ordered) + 1) > excess)[-1]
    return np.asarray(np.maximum(weights - excess[last] / (last + 1), 0.0))
