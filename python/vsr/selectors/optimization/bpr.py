"""Learning a factorization from preference pairs by Bayesian personalised ranking."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.selectors.optimization.adam import Adam, Arrays, Schedule, descend, sigmoid
from vsr.selectors.training_data import Preferences

_HELD_OUT_SHARE = 0.15
_SCALES = np.linspace(0.0, 1.0, 21)
_SCHEDULE = Schedule(learning_rate=3e-3, weight_decay=1.0, batch_size=128, max_epochs=60, patience=4)


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
        preferences: the pairs; without any, all factors and biases are 0.
        n_models: number of models.
        n_factors: length of a factor vector.
        seed: seed of the split and the start.
    """
    n_features = preferences.features.shape[1]
    if preferences.n_pairs == 0:  # nothing is known of any difference
        return PairwiseFactors(
            projection=np.zeros((n_features, n_factors), dtype=np.float32),
            model_factors=np.zeros((n_models, n_factors), dtype=np.float32),
            model_biases=np.zeros(n_models, dtype=np.float32),
        )
    generator = np.random.default_rng(seed)
    order = generator.permutation(preferences.n_pairs)
    n_held_out = max(1, round(_HELD_OUT_SHARE * len(order)))
    stopping, judging, train = order[:n_held_out], order[n_held_out : 2 * n_held_out], order[2 * n_held_out :]
    if not len(train):
        stopping = judging = train = order
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
    preferences: Preferences, rows: npt.NDArray[np.int64], parameters: Arrays, scale: float
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
    parameters: Arrays,
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
