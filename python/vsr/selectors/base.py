"""What all five algorithms have in common: what they learn from, what they give, and how the two make a score.

    score = prior + slope * predicted residual

The *prior* is the table of shrunk means in the query's category (`vsr.choice.category_means`). The *predicted residual*
is what an algorithm has learnt beyond it, centred over the models, because what all models share on a query does not
touch the choice. The *calibration slope* is fitted out of fold (`vsr.training.calibration`): 0 where there is nothing
to learn, at most 1 unless an algorithm predicts on a scale of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from vsr.choice.category_means import FloatArray, IntArray, MeanTable, centred_rows
from vsr.choice.statistics import Statistics
from vsr.errors import SelectionError, TrainingError
from vsr.features import as_features, split_features
from vsr.features.classifier import CategoryClassifier

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TrainingData:
    """Queries with measured quality, as every algorithm learns from them.

    Attributes:
        features: (n, n_features) float32.
        codes: (n,) int64, category of each query, -1 where its features hold none.
        quality: (n, n_models) float64 in [0, 1], NaN = not measured.
        prior: the table that residuals are measured from, fitted on the same queries.
    """

    features: Features
    codes: IntArray
    quality: FloatArray
    prior: MeanTable

    def __post_init__(self) -> None:
        """Work out the residuals once; every algorithm needs them."""
        object.__setattr__(self, "residual", self.prior.residuals(self.quality, self.codes))

    #: (n, n_models) float64: quality less prior less the query's own difficulty, NaN = not measured.
    residual: FloatArray = field(init=False, repr=False)

    @property
    def n_queries(self) -> int:
        """Number of queries."""
        return len(self.codes)

    @property
    def n_models(self) -> int:
        """Number of models."""
        return int(self.quality.shape[1])

    @property
    def adjusted_quality(self) -> FloatArray:
        """(n, n_models) quality at the usual difficulty of the query's category: prior plus residual."""
        return self.prior.rows(self.codes) + self.residual


class Predictor(Protocol):
    """What an algorithm has learnt; never changes."""

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:
        """Predict how far every model is off its prior.

        Args:
            features: (n, n_features) float32, checked.
            prior: (n, n_models) float64, the prior's value for each query.

        Returns:
            (n, n_models) float64, centred over the models.
        """

    def quality(self, features: Features) -> FloatArray:
        """Predict quality without a prior, as a file of the documented fields alone allows.

        Args:
            features: (n, n_features) float32, checked.

        Returns:
            (n, n_models) float64 in [0, 1].
        """


SettingT = TypeVar("SettingT")


@dataclass(frozen=True, eq=False)
class SweepResult(Generic[SettingT]):
    """Deviations of one setting on held-out queries.

    Attributes:
        setting: the setting, a frozen dataclass of the algorithm.
        predicted_residuals: (n_held_out, n_models) float64, centred over the models.
    """

    setting: SettingT
    predicted_residuals: FloatArray


class Algorithm(Protocol[SettingT]):
    """One of the five: which settings are worth trying, how to fit one, how to try many at once.

    Attributes:
        name: registry name, module name and value in files.
        file_name: name of the artefact.
        max_tuning_rows: training rows on which settings are compared; more are sampled.
        largest_slope: largest calibration slope: 1, or infinity where predictions are not in units of quality.
    """

    name: ClassVar[str]
    file_name: ClassVar[str]
    max_tuning_rows: ClassVar[int]
    largest_slope: ClassVar[float]

    def settings(self, n_rows: int) -> Sequence[SettingT]:
        """Settings to choose from for so many training rows, simplest first."""

    def sweep(
        self, data: TrainingData, features: Features, prior: FloatArray, settings: Sequence[SettingT], seed: int
    ) -> Iterator[SweepResult[SettingT]]:
        """Fit on `data` and predict for `features` with every setting, sharing what they share."""

    def fit(self, data: TrainingData, setting: SettingT, seed: int) -> Predictor:
        """Fit one setting."""


@runtime_checkable
class Selector(Protocol):
    """What a router needs of a selector: features in, the predicted quality of every model out."""

    @property
    def name(self) -> str:
        """Registry name of the algorithm."""

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order of the columns."""

    def scores(self, features: npt.ArrayLike) -> FloatArray:
        """Predict the quality of every model: (n, n_features) float32 -> (n, n_models) float64 in [0, 1]."""


@dataclass(frozen=True, eq=False)
class TrainedSelector:
    """A selector that was trained here or loaded from an artefact.

    Attributes:
        name: registry name of the algorithm.
        models: names of the models, in the order of the columns.
        n_features: width of a feature row.
        category_weight: what stands in the category columns of a feature row.
        prior: the table of shrunk means; None for a file of the documented fields alone, whose predictor stands alone.
        slope: calibration slope, by which the predicted residual is multiplied.
        predictor: what the algorithm has learnt.
        statistics: quality, latency and cost by model and category, for choosing.
        classifier: predicts the category of a query that comes without one; None where none could be fitted.
        parameters: the algorithm's parameters as chosen or given, by the names that the files use.
        seed: the seed of the training.
        explained: share of the prior's centred error that the prediction takes away out of fold; 0 where unknown.
        gain: utility of its choices less that of the prior's, out of fold, by which selectors are compared; 0 where
            unknown.
        training_digest: SHA-256 of the outcomes that it was trained on, empty where unknown.
        training_best: name of the best model of each training query under the objective of the training.
        training_queries: the training queries, shortened, for explanations; empty where unknown.
    """

    name: str
    models: tuple[str, ...]
    n_features: int
    category_weight: float
    prior: MeanTable | None
    slope: float
    predictor: Predictor
    statistics: Statistics
    classifier: CategoryClassifier | None
    parameters: dict[str, Any]
    seed: int
    explained: float = 0.0
    gain: float = 0.0
    training_digest: str = ""
    training_best: tuple[str, ...] = ()
    training_queries: tuple[str, ...] = ()

    @property
    def is_trained(self) -> bool:
        """Always true: an untrained selector cannot be made."""
        return True

    @property
    def n_models(self) -> int:
        """Number of models."""
        return len(self.models)

    def scores(self, features: npt.ArrayLike) -> FloatArray:
        """Predict the quality of every model.

        Args:
            features: (n, n_features) float32, as `build_features` makes them.

        Returns:
            (n, n_models) float64 in [0, 1], columns in the order of `models`.

        Raises:
            SelectionError: The width is not the artefact's.
            RecordError: Not a matrix, NaN or infinity.
        """
        rows = as_features(features)
        if rows.shape[1] != self.n_features:
            raise SelectionError(
                f"features are {rows.shape[1]} wide but this {self.name} selector was trained on {self.n_features}; "
                "use the embedding model and width that its artefact names"
            )
        if self.prior is None:
            return np.clip(self.predictor.quality(rows), 0.0, 1.0)
        prior = self.prior.rows(split_features(rows).codes)
        if self.slope == 0.0:
            return np.clip(prior, 0.0, 1.0)
        return np.clip(prior + self.slope * self.predictor.predicted_residuals(rows, prior), 0.0, 1.0)


def centred_residuals(raw: FloatArray, prior: FloatArray) -> FloatArray:
    """Turn predicted qualities into predicted residuals, of mean zero over the models.

    Args:
        raw: (n, n_models) float64 predicted qualities.
        prior: (n, n_models) float64.
    """
    return centred_rows(raw - prior)


def require_positive(name: str, value: object, kind: type[int] | type[float], *, or_auto: bool = True) -> None:
    """Check a parameter that is a positive number or `auto`.

    Args:
        name: the parameter.
        value: what was given.
        kind: `int` for whole numbers, `float` for any.
        or_auto: whether it may be `auto`.

    Raises:
        TrainingError: It is neither.
    """
    if or_auto and isinstance(value, str) and value == "auto":
        return
    numbers = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    is_number = isinstance(value, numbers) and not isinstance(value, bool)
    if not is_number or not 0 < float(str(value)) < float("inf"):
        expected = "a whole number of 1 or more" if kind is int else "a number above 0"
        alternative = ", or 'auto'" if or_auto else ""
        raise TrainingError(f"{name} is {value!r}; expected {expected}{alternative}")


def require_one_of(name: str, value: object, allowed: Sequence[str]) -> None:
    """Check a parameter that is one of a few words.

    Raises:
        TrainingError: It is none of them.
    """
    if value not in allowed:
        raise TrainingError(f"{name} is {value!r}; expected one of {', '.join(allowed)}")
