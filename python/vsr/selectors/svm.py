"""SVM: one against all, "does this LLM succeed on the query", with decisions calibrated to quality out of fold."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from vsr._core import KernelMatrix, SupportVectors, svm_fit_linfa
from vsr.choice.category_means import FloatArray, IntArray, MeanTable, centred_rows
from vsr.data.categories import CATEGORIES
from vsr.errors import TrainingError
from vsr.features import split_features
from vsr.selectors.base import Features, SweepResult, TrainingData, require_one_of, require_positive

_C = (0.1, 0.3, 1.0, 3.0)
# linfa-svm computes the kernel matrix again for every model; up to here that is not felt.
_LINFA_MAX_ROWS = 500
_FINAL_TOLERANCE = 1e-3
_SWEEP_TOLERANCE = 1e-2

Kernel = Literal["rbf", "linear"]


@dataclass(frozen=True)
class SvmSetting:
    """Parameters of the SVM.

    Attributes:
        c: weight of a misjudged query.
        gamma: width of the RBF kernel exp(-gamma |x - y|^2); no meaning for the linear one.
        kernel: `rbf` or `linear`.
    """

    c: float
    gamma: float
    kernel: Kernel


@dataclass(frozen=True, eq=False)
class SvmPredictor:
    """Support vectors of all models, and where a decision stands in its category.

    Attributes:
        setting: C, gamma and kernel.
        vectors: (n_vectors, n_features) float32, the union over the models.
        coefficients: (n_vectors, n_models) float64, signed alpha.
        biases: (n_models,) float64.
        usual_decision: decisions to expect in each category, leave-one-out on the training queries; None where only
            the documented fields are known.
        machine: evaluates the decisions.
    """

    setting: SvmSetting
    vectors: Features
    coefficients: FloatArray
    biases: FloatArray
    usual_decision: MeanTable | None
    machine: SupportVectors

    @classmethod
    def assemble(
        cls,
        setting: SvmSetting,
        vectors: Features,
        coefficients: FloatArray,
        biases: FloatArray,
        usual_decision: MeanTable | None,
    ) -> "SvmPredictor":
        """Put the parts together, as they come from a fit or from an artefact."""
        machine = SupportVectors(vectors, coefficients, biases, setting.kernel, setting.gamma)
        return cls(setting, vectors, coefficients, biases, usual_decision, machine)

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:  # noqa: ARG002 -- on its own scale
        """Decisions less the usual ones, centred; the calibration slope turns them into quality."""
        return decision_residuals(self.machine.decisions(features), self.usual_decision, features)

    def quality(self, features: Features) -> FloatArray:
        """Squash decisions to (0, 1), uncalibrated: (n, n_features) float32 -> (n, n_models) float64."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * self.machine.decisions(features))))


class Svm:
    """One support vector machine per model on one shared kernel matrix."""

    name: ClassVar[str] = "svm"
    max_tuning_rows: ClassVar[int] = 3_000
    largest_slope: ClassVar[float] = math.inf
    file_name: ClassVar[str] = "svm_model.json"

    def __init__(
        self,
        kernel: Kernel = "rbf",
        gamma: float | str = "auto",
        c: float | str = "auto",
        solver: Literal["auto", "linfa", "shared-gram"] = "auto",
    ) -> None:
        """Take the parameters of the command line; `auto` is the default of gamma, and chooses C out of fold."""
        require_one_of("kernel", kernel, ("rbf", "linear"))
        require_positive("gamma", gamma, float)
        require_positive("c", c, float)
        require_one_of("solver", solver, ("auto", "linfa", "shared-gram"))
        self.kernel: Kernel = kernel
        self.gamma = gamma
        self.c = c
        self.solver = solver

    def settings(self, n_rows: int) -> Sequence[SvmSetting]:  # noqa: ARG002 -- the same at every size
        """Settings to choose from, simplest (smallest C) first.

        A gamma here is a multiple of the default 1 / (n_features * variance) where none was given.
        """
        cs = _C if isinstance(self.c, str) else (float(self.c),)
        gamma = 1.0 if isinstance(self.gamma, str) or self.kernel == "linear" else float(self.gamma)
        return [SvmSetting(c, gamma, self.kernel) for c in cs]

    def sweep(
        self,
        data: TrainingData,
        features: Features,
        prior: FloatArray,  # noqa: ARG002 -- decisions are on a scale of their own
        settings: Sequence[SvmSetting],
        seed: int,  # noqa: ARG002 -- nothing here is random
    ) -> Iterator[SweepResult[SvmSetting]]:
        """Share one kernel matrix, over both parts, between all models and all C."""
        n_train = data.n_queries
        train = np.arange(n_train, dtype=np.uint32)
        held_out = np.arange(n_train, n_train + len(features), dtype=np.uint32)
        stacked = np.vstack([data.features, features])
        gamma = self._absolute_gamma(settings[0].gamma, data.features)  # the same in all settings
        matrix = KernelMatrix(stacked, self.kernel, gamma)
        for setting in settings:
            coefficients, biases = matrix.fit(train, data.quality, setting.c, _SWEEP_TOLERANCE)
            usual = _usual_decision(
                data, matrix.decisions(train, train, coefficients, biases), coefficients, self.kernel
            )
            decisions = matrix.decisions(held_out, train, coefficients, biases)
            yield SweepResult(setting, decision_residuals(decisions, usual, features))

    def fit(self, data: TrainingData, setting: SvmSetting, seed: int) -> SvmPredictor:  # noqa: ARG002
        """Fit every model's machine and keep the union of their support vectors."""
        gamma = self._absolute_gamma(setting.gamma, data.features)
        rows = np.arange(data.n_queries, dtype=np.uint32)
        matrix = KernelMatrix(data.features, setting.kernel, gamma)
        if self.solver == "linfa" or (self.solver == "auto" and _suits_linfa(data)):
            try:
                coefficients, biases = svm_fit_linfa(data.features, data.quality, setting.kernel, gamma, setting.c)
            except ValueError as error:
                raise TrainingError(f"solver is 'linfa': {error}") from error
        else:
            coefficients, biases = matrix.fit(rows, data.quality, setting.c, _FINAL_TOLERANCE)
        usual = _usual_decision(data, matrix.decisions(rows, rows, coefficients, biases), coefficients, setting.kernel)
        kept = np.any(coefficients != 0.0, axis=1)
        if not kept.any():
            kept[0] = True  # every model always or never succeeds: a file of the documented form has a vector
        return SvmPredictor.assemble(
            SvmSetting(setting.c, gamma, setting.kernel),
            np.ascontiguousarray(data.features[kept]),
            np.ascontiguousarray(coefficients[kept]),
            biases,
            usual,
        )

    def _absolute_gamma(self, gamma: float, features: Features) -> float:
        """Gamma itself: as given, or that multiple of the default."""
        if not isinstance(self.gamma, str):
            return gamma
        return gamma * default_gamma(features)


def _suits_linfa(data: TrainingData) -> bool:
    """Whether there are few rows and no grades, which linfa-svm takes as up to ten copies of a row or not at all."""
    return data.n_queries <= _LINFA_MAX_ROWS and not np.any((data.quality > 0.0) & (data.quality < 1.0))


def default_gamma(features: Features) -> float:
    """1 / (n_features * variance), as documented; 1 where all features are the same."""
    variance = float(features.var(dtype=np.float64))
    return 1.0 / (features.shape[1] * variance) if variance > 0.0 else 1.0


def decision_residuals(decisions: FloatArray, usual: MeanTable | None, features: Features) -> FloatArray:
    """Decisions less the usual ones of the category, centred over the models: (n, n_models)."""
    if usual is None:
        return centred_rows(decisions)
    codes: IntArray = split_features(features).codes
    return centred_rows(decisions - usual.rows(codes))


def _usual_decision(data: TrainingData, decisions: FloatArray, coefficients: FloatArray, kernel: Kernel) -> MeanTable:
    """Table of decisions on the training queries without each query's own part in them.

    A training query's own alpha pulls its decision towards its label; taking `alpha K(x, x)` away is, for the small C
    that noisy labels need, the leave-one-out decision.
    """
    norms = np.einsum("ij,ij->i", data.features, data.features, dtype=np.float64)
    own = coefficients * (norms[:, None] if kernel == "linear" else 1.0)
    return MeanTable.fit(decisions - own, data.codes, len(CATEGORIES), data.prior.shrinkage)
