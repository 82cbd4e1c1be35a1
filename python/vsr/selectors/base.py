"""What all algorithms have in common: what they learn, what they give, and how the two make a score.

    score = prior + slope * predicted residual

The *prior* is the table of shrunk means in the query's category (`vsr.prior.category_means`). The *predicted residual*
is what an algorithm has learnt beyond it, centred over the models, because what all models share on a query does not
touch the choice. The *calibration slope* is fitted out of fold (`vsr.training.calibration`): 0 where there is nothing
to learn, at most 1 unless an algorithm predicts on a scale of its own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from vsr.errors import SelectionError
from vsr.features import as_features, categories_of
from vsr.features.classifier import CategoryClassifier
from vsr.prior.category_means import FloatArray, IntArray, MeanTable, centred_rows
from vsr.prior.statistics import Statistics
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.parameters import Parameters
from vsr.selectors.training_data import Features, TrainingData

SettingT = TypeVar("SettingT")
ParametersT = TypeVar("ParametersT", bound=Parameters)

Row = dict[str, str | float | int]


class Predictor(ABC):
    """What an algorithm has learnt; never changes.

    Attributes:
        setting: a frozen dataclass of the algorithm: what it was fitted with.
    """

    setting: Any

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Width of a feature row."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of the fit, one sentence each."""
        return ()

    @abstractmethod
    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:
        """Predict how far every model is off its prior.

        Args:
            features: (n, n_features) float32, checked.
            prior: (n, n_models) float64, the prior's value for each query.

        Returns:
            (n, n_models) float64, centred over the models.
        """

    @abstractmethod
    def quality(self, features: Features) -> FloatArray:
        """Predict quality without a prior, as a file of the documented fields alone allows.

        Args:
            features: (n, n_features) float32, checked.

        Returns:
            (n, n_models) float64 in [0, 1].
        """

    def explain(self, features: Features, models: Mapping[str, int]) -> dict[str, list[Row]]:  # noqa: ARG002
        """Say what the prediction for one query rests on.

        Args:
            features: (1, n_features) float32.
            models: name -> column of the models to explain, most interesting first.

        Returns:
            Title of a table -> its rows, each a value by column name.
        """
        return {}


@dataclass(frozen=True, eq=False)
class SweepResult(Generic[SettingT]):
    """Predictions of one setting on held-out queries.

    Attributes:
        setting: the setting, a frozen dataclass of the algorithm.
        predicted_residuals: (n_held_out, n_models) float64, centred over the models.
    """

    setting: SettingT
    predicted_residuals: FloatArray


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What an algorithm predicts of training queries that its fit has not seen.

    Attributes:
        rows: (n,) int64 row numbers of the queries.
        prior: (n, n_models) float64 of the table that was fitted without them.
        residual: (n, n_models) float64, NaN = not measured.
        predicted_residuals: (n, n_models) float32, not yet multiplied by a slope.
    """

    rows: IntArray
    prior: FloatArray
    residual: FloatArray
    predicted_residuals: npt.NDArray[np.float32]

    def among(self, rows: IntArray) -> "HeldOut":
        """Give these rows, all of which are there, in their order."""
        order = np.argsort(self.rows)
        places = order[np.searchsorted(self.rows, rows, sorter=order)]
        return HeldOut(rows, self.prior[places], self.residual[places], self.predicted_residuals[places])


@dataclass(frozen=True, eq=False)
class FileContext:
    """What the rest of an artefact says, as far as its predictor needs it.

    Attributes:
        models: names in the order of the columns.
        n_features: width of a feature row; None where the file does not say.
        prior: the table of shrunk means; None for a file of the documented fields alone.
        own: the block of fields that go beyond the documented ones; None likewise.
    """

    models: tuple[str, ...]
    n_features: int | None
    prior: MeanTable | None
    own: Fields | None


@dataclass(frozen=True, eq=False)
class FileFields:
    """A predictor as it stands in its file.

    Attributes:
        documented: the algorithm's documented fields.
        own: what goes beyond them, in the block `vsr.predictor`.
        stored: arrays that a file beside it holds instead, by their path in the document.
    """

    documented: dict[str, Any]
    own: dict[str, Any] = field(default_factory=dict)
    stored: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


class Algorithm(ABC, Generic[ParametersT, SettingT]):
    """One algorithm: its parameters, how it is fitted, and how what it has learnt stands in a file.

    Attributes:
        name: registry name, module name and value in files.
        file_names: names that its artefact may have; the first one is written.
        arrays: path of an array in its artefact -> `float32` or `float64`; `*` is any key, `[]` every item of a list.
        stored: of the arrays that a file beside its artefact can hold, path -> NumPy's name of their type.
        parameters_model: its parameters.
        max_tuning_rows: training rows on which settings are compared; more are sampled.
        largest_slope: largest calibration slope: 1, or infinity where predictions are not in units of quality.
        learns_from_preferences: whether it uses `TrainingData.preferences`.
        learns: whether it predicts anything beyond the prior, so that there is something to compare.
        parameters_in_folds: what stands for parameters that nobody gave where a fit only chooses for held-out queries
            and is thrown away: the same decisions in less time.
        keeps_features: whether what it learns holds all features: where these are many, it is fitted behind the others.
        combines: whether it is made of other selectors of the training, `TrainingData.parts`, instead of being fitted
            in folds: it then says itself what it predicts out of fold (`held_out`), without a slope.
    """

    name: ClassVar[str]
    file_names: ClassVar[tuple[str, ...]]
    arrays: ClassVar[Mapping[str, str]]
    stored: ClassVar[Mapping[str, str]] = {}
    parameters_model: ClassVar[type[Parameters]]
    max_tuning_rows: ClassVar[int] = 20_000
    largest_slope: ClassVar[float] = 1.0
    learns_from_preferences: ClassVar[bool] = False
    learns: ClassVar[bool] = True
    keeps_features: ClassVar[bool] = False
    combines: ClassVar[bool] = False
    parameters_in_folds: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, parameters: ParametersT) -> None:
        """Take the parameters, checked."""
        self.parameters = parameters

    @classmethod
    def of(cls, **parameters: Any) -> Self:
        """Make it from parameters as callers give them.

        Raises:
            TrainingError: There is no such parameter, or a value that it cannot have.
        """
        return cls(cast("ParametersT", cls.parameters_model.of(cls.name, parameters)))

    @abstractmethod
    def settings(self, n_rows: int) -> Sequence[SettingT]:
        """Settings to choose from for so many training rows, simplest first."""

    def sweep(
        self, data: TrainingData, features: Features, prior: FloatArray, settings: Sequence[SettingT], seed: int
    ) -> Iterator[SweepResult[SettingT]]:
        """Fit on `data` and predict for `features` with every setting; algorithms that can, share work between them."""
        for setting in settings:
            yield SweepResult(setting, self.fit(data, setting, seed).predicted_residuals(features, prior))

    @abstractmethod
    def fit(self, data: TrainingData, setting: SettingT, seed: int) -> Predictor:
        """Fit one setting."""

    @classmethod
    def held_out(cls, data: TrainingData, predictor: Any) -> HeldOut:  # noqa: ANN401 -- its own predictor
        """Give what a combination of `data.parts` predicts out of fold; only algorithms that combine have it."""
        raise NotImplementedError

    @classmethod
    def array_patterns(cls) -> Mapping[str, str]:
        """Path of an array in its artefact -> kind: `arrays`, unless it holds the fields of other algorithms too."""
        return cls.arrays

    @classmethod
    @abstractmethod
    def to_fields(cls, predictor: Any, models: Sequence[str]) -> FileFields:  # noqa: ANN401 -- its own predictor
        """Write a predictor, whose columns have these names, into the fields of a file."""

    @classmethod
    def stored_patterns(cls) -> Mapping[str, str]:
        """`stored`, unless its artefact holds the fields of other algorithms too."""
        return cls.stored

    @classmethod
    def n_stored_rows(cls, predictor: Any) -> int:  # noqa: ANN401, ARG003 -- its own predictor; most have no big arrays
        """How many rows the arrays would have that a file beside its artefact can hold; 0 without any."""
        return 0

    @classmethod
    def to_stored_fields(cls, predictor: Any, models: Sequence[str]) -> FileFields:  # noqa: ANN401 -- likewise
        """Write a predictor as `to_fields` does, its big arrays aside; `from_fields` reads both."""
        return cls.to_fields(predictor, models)

    @classmethod
    def models_in(cls, fields: Fields) -> tuple[str, ...] | None:  # noqa: ARG003 -- most have such a field
        """Names of the models as the documented fields give them, None where they give none."""
        return None

    @classmethod
    @abstractmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> Predictor:
        """Read a predictor.

        Raises:
            ArtefactError: A field is missing or wrong.
        """


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
        requested: by algorithm, the parameters that were asked for in the training that it comes from: they tell one
            training from another, as seed and data do.
        seed: the seed of the training.
        explained: share of the prior's centred error that the prediction takes away out of fold; 0 where unknown.
        gain: utility of its choices less that of the prior's, out of fold, by which selectors are compared; 0 where
            unknown.
        training_digest: SHA-256 of the outcomes that it was trained on, empty where unknown.
        held_out: what it predicts out of fold, for algorithms that combine others; None of a loaded selector.
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
    requested: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    held_out: HeldOut | None = None

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
        scores = prior = self.prior.rows(categories_of(rows))
        if self.slope != 0.0:
            scores = prior + self.slope * self.predictor.predicted_residuals(rows, prior)
        # np.clip of a few numbers takes twice as long.
        return np.asarray(np.minimum(np.maximum(scores, 0.0), 1.0))


def centred_residuals(raw: FloatArray, prior: FloatArray) -> FloatArray:
    """Turn predicted qualities into predicted residuals, of mean zero over the models.

    Args:
        raw: (n, n_models) float64 predicted qualities.
        prior: (n, n_models) float64.
    """
    return centred_rows(raw - prior)
