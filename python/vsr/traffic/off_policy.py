"""What another policy would have brought, from decisions of one that explores: estimators, and how sure they are.

A policy here takes one model for a query. It is judged on decisions whose propensity is known, and for which the
logging policy could have taken the same model: elsewhere there is nothing to learn from.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_HALF_WIDTH = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, eq=False)
class Estimate:
    """A mean reward, with what every decision adds to its error.

    Attributes:
        value: the estimate.
        influence: (n,) by how much each decision moves it, times n; of mean 0.
    """

    value: float
    influence: FloatArray

    @property
    def standard_error(self) -> float:
        """Of the value: that of the mean influence, of decisions that do not depend on one another."""
        return float(np.sqrt(np.square(self.influence).sum()) / len(self.influence))

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of 95 %."""
        half = _HALF_WIDTH * self.standard_error
        return self.value - half, self.value + half

    def less(self, other: "Estimate") -> "Estimate":
        """Give the difference to another one on the same decisions, whose errors cancel where they agree."""
        return Estimate(self.value - other.value, self.influence - other.influence)


def importance_weights(takes_same: BoolArray, propensity: FloatArray) -> FloatArray:
    """Weigh decisions so that they stand for another policy: 1 / propensity where it takes the same model, else 0.

    Args:
        takes_same: (n,) whether the judged policy would have taken the model that was taken.
        propensity: (n,) probability with which that was taken, above 0.
    """
    return np.where(takes_same, 1.0 / propensity, 0.0)


def effective_sample_size(weights: FloatArray) -> float:
    """Count the decisions of equal weight that tell as much: (sum w)^2 / sum w^2 (Kong 1992); 0 without weights."""
    total = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / total if total > 0.0 else 0.0


def self_normalised(rewards: FloatArray, weights: FloatArray) -> Estimate:
    """Estimate by self-normalised inverse propensity: sum w r / sum w.

    Swaminathan and Joachims, "The Self-Normalized Estimator for Counterfactual Learning", NIPS 2015, equation 5. The
    error is that of a ratio, linearised (the delta method): sum w^2 (r - V)^2 / (sum w)^2.

    Args:
        rewards: (n,) of the models that were taken.
        weights: (n,) of the decisions, not all 0.
    """
    total = weights.sum()
    value = float((weights * rewards).sum() / total)
    return Estimate(value, len(weights) / total * weights * (rewards - value))


def doubly_robust(
    rewards: FloatArray, weights: FloatArray, predicted_taken: FloatArray, predicted: FloatArray
) -> Estimate:
    """Estimate by a reward model, mended by the inverse propensity of its error: mean of m(pi) + w (r - m(taken)).

    Dudik, Langford and Li, "Doubly Robust Policy Evaluation and Learning", ICML 2011, equation 2. Right on average
    where the propensities are, whatever the reward model says; the better that is, the smaller the error.

    Args:
        rewards: (n,) of the models that were taken.
        weights: (n,) of the decisions.
        predicted_taken: (n,) reward that the model predicts for what was taken.
        predicted: (n,) the same for what the judged policy takes.
    """
    terms = predicted + weights * (rewards - predicted_taken)
    value = float(terms.mean())
    return Estimate(value, terms - value)
