"""What an exported file is to choose like: a selector under one objective."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES
from vsr.features import split_features
from vsr.prior.category_means import FloatArray, IntArray
from vsr.selectors.base import TrainedSelector

Features = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Teacher:
    """A selector and the chooser of its objective.

    Attributes:
        selector: what predicts.
        chooser: what turns predictions into a choice.
    """

    selector: TrainedSelector
    chooser: Chooser

    @classmethod
    def of(cls, selector: TrainedSelector, objective: Objective) -> "Teacher":
        """Put a selector under an objective."""
        return cls(selector, Chooser.prepare(selector.statistics, objective))

    @property
    def counts(self) -> IntArray:
        """Training queries of each category: (14,)."""
        return np.asarray(self.selector.statistics.counts.max(axis=1))

    def utilities(self, features: Features) -> FloatArray:
        """Utility of every model as a choice compares them: (n, n_features) -> (n, n_models)."""
        return self.chooser.utilities(self.selector.scores(features), split_features(features).codes)

    def choices(self, features: Features) -> IntArray:
        """Column of the model that is chosen when all are on offer: (n,)."""
        return self.chooser.best(self.selector.scores(features), split_features(features).codes)


@dataclass(frozen=True, eq=False)
class UtilityTerms:
    """A utility taken apart, up to what all models share: `by_category[code] + scale * raw`.

    `raw` is what the algorithm itself says of a model, before prior and calibration. Scores are cut to [0, 1] besides;
    that hardly ever decides a choice.

    Attributes:
        by_category: (14, n_models).
        scale: of the raw values.
    """

    by_category: FloatArray
    scale: float

    @classmethod
    def of(cls, teacher: Teacher, raw_prior_share: float, usual: FloatArray | None = None) -> "UtilityTerms":
        """Take the utilities of a selector apart.

        Args:
            teacher: the selector under its objective.
            raw_prior_share: how much of the prior the predicted residual takes away: 1 where it is a quality less the
                prior, 0 where it is on a scale of its own.
            usual: (14, n_models) what the residual takes away besides, on the scale of `raw`.
        """
        selector, chooser = teacher.selector, teacher.chooser
        if selector.prior is None:
            return cls(np.zeros((len(CATEGORIES), selector.n_models)), 1.0)
        weight = chooser.objective.quality_weight
        prior = selector.prior.rows(np.arange(len(CATEGORIES)))
        quality = (1.0 - selector.slope * raw_prior_share) * prior
        if usual is not None:
            quality = quality - selector.slope * usual
        return cls(weight * quality + chooser.weighted_efficiency[:-1], weight * selector.slope)
