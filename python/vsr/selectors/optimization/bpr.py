"""Learning a factorization from preference pairs by Bayesian personalised ranking."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.choice.category_means import FloatArray, IntArray
from vsr.errors import TrainingError
from vsr.selectors.base import Features
from vsr.selectors.optimization.adam import Adam, Parameters, Schedule, descend, sigmoid

_HELD_OUT_SHARE = 0.15
_SCALES = np.linspace(0.0, 1.0, 21)
_SCHEDULE = Schedule(learning_rate=3e-3, weight_decay=1.0, batch_size=128, max_epochs=60, patience=4)


@dataclass(frozen=True, eq=False)
class Preferences:
    """Pairs of models of which one was preferred on a query.

    Attributes:
        features: (n_pairs, n_features) float32.
        preferred: (n_pairs,) int64 column of the model that was preferred.
        other: (n_pairs,) int64 column of the other one.
        confidence: (n_pairs,) float64 above 0, the weight of each pair.
    """

    features: Features
    preferred: IntArray
    other: IntArray
    confidence: FloatArray

    def __post_init__(self) -> None:
        """Check that the parts fit.

        Raises:
            TrainingError: They differ in length, there are none, a model is paired with itself, or a weight is not
                above 0.
        """
        n_pairs = len(self.features)
        if n_pairs == 0 or any(len(part) != n_pairs for part in (self.preferred, self.other, self.confidence)):
            raise TrainingError(
                f"{n_pairs} feature rows, {len(self.preferred)} preferred models, {len(self.other)} other models and "
                f"{len(self.confidence)} confidences; expected the same number of each, at least 1"
            )
        same = np.flatnonzero(self.preferred == self.other)
        if same.size:
            raise TrainingError(f"pair {same[0]} has the same model twice; expected two different ones")
        confidence = self.confidence
        if confidence.ndim != 1 or not (np.isfinite(confidence).all() and (confidence > 0).all()):
            raise TrainingError("a confidence is not a number above 0; expected one for every pair")

    def among(self, columns: IntArray) -> "Preferences | None":
        """Give the pairs between some of the models, numbered by their place in `columns`; None where there is none."""
        kept = np.isin(self.preferred, columns) & np.isin(self.other, columns)
        if not kept.any():
            return None
        order = np.argsort(columns)
        return Preferences(
            features=self.features[kept],
            preferred=order[np.searchsorted(columns, self.preferred[kept], sorter=order)],
            other=order[np.searchsorted(columns, self.other[kept], sorter=order)],
            confidence=self.confidence[kept],
        )


@dataclass(frozen=True, eq=False)
class PairwiseFactors:
    """Factors of which only differences between models mean anything.

    Attributes:
        projection: (n_features, n_factors) float32.
        model_factors: (n_models, n_factors) float32, scaled by what held-out pairs let one believe.
        model_biases: (n_models,) float32, of mean zero.
    """

    projection: npt.NDArray[np.float32]
    model_factors: npt.NDArray[np.float32]
    model_biases: npt.NDArray[np.float32]


def fit_pairs(preferences: Preferences, n_models: int, n_factors: int, seed: int) -> PairwiseFactors:
    """Maximise `sum of confidence * ln sigmoid(z_preferred - z_other)` with weight decay.

    Rendle et al. 2009 (BPR-OPT, section 4.1), with `z_j = projection(x) . model_factors[j] + model_biases[j]` as in
    the matrix factorization of RouteLLM (Ong et al. 2024, section 4.2). Some pairs say when to stop, others how far
    the factors are to be believed beside the biases.

    Args:
        preferences: the pairs.
        n_models: number of models.
        n_factors: length of a factor vector.
        seed: seed of the split and the start.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(preferences.features))
    n_held_out = max(1, round(_HELD_OUT_SHARE * len(order)))
    stopping, judging, train = order[:n_held_out], order[n_held_out : 2 * n_held_out], order[2 * n_held_out :]
    if not len(train):
        stopping = judging = train = order
    n_features = preferences.features.shape[1]
    projection = generator.standard_normal((n_features, n_factors)) / np.sqrt(n_factors)
    factors = 0.1 * generator.standard_normal((n_models, n_factors))
    adam = Adam(
        [projection.astype(np.float32), factors.astype(np.float32), np.zeros(n_models, dtype=np.float32)],
        [True, True, False],
        _SCHEDULE,
    )
    weights = (preferences.confidence / preferences.confidence.mean()).astype(np.float32)

    def fill_gradients(batch: npt.NDArray[np.int64]) -> None:
        rows = train[batch]
        _fill_gradients(preferences, rows, weights[rows], adam)

    best = descend(
        adam,
        len(train),
        fill_gradients,
        lambda: _loss(preferences, stopping, weights, adam.parameters, 1.0),
        _SCHEDULE,
        generator,
    )
    losses = [_loss(preferences, judging, weights, best, scale) for scale in _SCALES]
    scale = float(_SCALES[int(np.argmin(losses))])
    return PairwiseFactors(best[0], best[1] * np.float32(scale), best[2] - best[2].mean())


def _margins(
    preferences: Preferences, rows: npt.NDArray[np.int64], parameters: Parameters, scale: float
) -> npt.NDArray[np.float32]:
    projection, factors, biases = parameters
    better, worse = preferences.preferred[rows], preferences.other[rows]
    projected = preferences.features[rows] @ projection
    interaction = np.einsum("pf,pf->p", projected, factors[better] - factors[worse])
    return np.asarray(np.float32(scale) * interaction + (biases[better] - biases[worse]))


def _loss(
    preferences: Preferences,
    rows: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    parameters: Parameters,
    scale: float,
) -> float:
    margins = _margins(preferences, rows, parameters, scale).astype(np.float64)
    return float(np.mean(weights[rows] * np.logaddexp(0.0, -margins)))


def _fill_gradients(
    preferences: Preferences, rows: npt.NDArray[np.int64], weights: npt.NDArray[np.float32], adam: Adam
) -> None:
    """Gradient of the mean weighted loss over the batch, written into `adam.gradients`."""
    projection, factors, _ = adam.parameters
    features = preferences.features[rows]
    better, worse = preferences.preferred[rows], preferences.other[rows]
    projected = features @ projection
    slope = -weights * sigmoid(-_margins(preferences, rows, adam.parameters, 1.0)) / np.float32(len(rows))
    np.matmul(features.T, slope[:, None] * (factors[better] - factors[worse]), out=adam.gradients[0])
    for gradient in adam.gradients[1:]:
        gradient[:] = 0.0
    np.add.at(adam.gradients[1], better, slope[:, None] * projected)
    np.add.at(adam.gradients[1], worse, -slope[:, None] * projected)
    np.add.at(adam.gradients[2], better, slope)
    np.add.at(adam.gradients[2], worse, -slope)
