"""SVM: one against all, "does this LLM succeed on the query", with decisions calibrated to quality out of fold."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from vsr._core import KernelMatrix, SupportVectors, svm_fit_linfa
from vsr.data.categories import CATEGORIES
from vsr.errors import TrainingError
from vsr.features import categories_of
from vsr.prior.category_means import FloatArray, MeanTable, centred_rows
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, Predictor, Row, SweepResult
from vsr.selectors.coverage import covering_rows
from vsr.selectors.parameters import Auto, Described, Parameters, PositiveNumber
from vsr.selectors.training_data import Features, TrainingData

_C = (0.1, 0.3, 1.0, 3.0)
# linfa-svm computes the kernel matrix again for every model; up to here that is not felt.
_LINFA_MAX_ROWS = 500
#: More queries than these are not fitted: their kernel matrix is 1.6 GB, and that of twice as many four times that.
MOST_FITTED = 20_000
_FINAL_TOLERANCE = 1e-3
_SWEEP_TOLERANCE = 1e-2

Kernel = Literal["rbf", "linear"]


class SvmParameters(Parameters):
    """Parameters of the SVM, as they are given."""

    needs: ClassVar = {"gamma": ("kernel", "rbf")}

    kernel: Kernel = Field("rbf", description="Kernel of the SVM.")
    gamma: Annotated[
        PositiveNumber | Auto, Described("a number above 0, or 'auto'", "X", default="1 / (width * variance)")
    ] = Field("auto", description="Width of the RBF kernel.")
    c: Annotated[PositiveNumber | Auto, Described("a number above 0, or 'auto'", "X", label="C")] = Field(
        "auto", description="Weight of an error."
    )
    solver: Literal["auto", "linfa", "shared-gram"] = Field("auto", description="What fits the SVM.")


@dataclass(frozen=True)
class SvmSetting:
    """Parameters of the SVM.

    Attributes:
        c: weight of a misjudged query.
        gamma: width of the RBF kernel exp(-gamma |x - y|^2), no meaning for the linear one; None for the default on the
            rows that are fitted, which a predictor's setting holds as a number.
        kernel: `rbf` or `linear`.
    """

    c: float
    gamma: float | None
    kernel: Kernel


@dataclass(frozen=True)
class Fitted:
    """How many of the training queries a fit was on.

    Attributes:
        n_rows: those that were drawn.
        n_queries: all that there were.
    """

    n_rows: int
    n_queries: int


@dataclass(frozen=True, eq=False)
class SvmPredictor(Predictor):
    """Support vectors of all models, and where a decision stands in its category.

    Attributes:
        setting: C, gamma and kernel.
        vectors: (n_vectors, n_features) float32, the union over the models.
        coefficients: (n_vectors, n_models) float64, signed alpha.
        biases: (n_models,) float64.
        usual_decision: decisions to expect in each category, leave-one-out on the training queries; None where only
            the documented fields are known.
        machine: evaluates the decisions.
        fitted: the training queries that it was fitted on, and how many there were; None where it was on all.
    """

    setting: SvmSetting
    vectors: Features
    coefficients: FloatArray
    biases: FloatArray
    usual_decision: MeanTable | None
    machine: SupportVectors
    fitted: Fitted | None = None

    @property
    def n_features(self) -> int:
        """Width of a feature row."""
        return int(self.vectors.shape[1])

    @classmethod
    def assemble(
        cls,
        setting: SvmSetting,
        vectors: Features,
        coefficients: FloatArray,
        biases: FloatArray,
        usual_decision: MeanTable | None,
        fitted: Fitted | None = None,
    ) -> "SvmPredictor":
        """Put the parts together, as they come from a fit or from an artefact."""
        machine = SupportVectors(vectors, coefficients, biases, setting.kernel, setting.gamma or 1.0)
        return cls(setting, vectors, coefficients, biases, usual_decision, machine, fitted)

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process without the machine, which lies in the core and is made again there."""
        made_of = (self.setting, self.vectors, self.coefficients, self.biases, self.usual_decision, self.fitted)
        return SvmPredictor.assemble, made_of

    @property
    def notes(self) -> tuple[str, ...]:
        """Say where not all queries were fitted."""
        if self.fitted is None:
            return ()
        drawn = f"{self.fitted.n_rows:,} of {self.fitted.n_queries:,} queries"
        return (f"svm was fitted on {drawn}, drawn to cover all categories and clusters",)

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:  # noqa: ARG002
        """Decisions less the usual ones, centred; the calibration slope turns them into quality."""
        return decision_residuals(self.machine.decisions(features), self.usual_decision, features)

    def quality(self, features: Features) -> FloatArray:
        """Squash decisions to (0, 1), uncalibrated: (n, n_features) float32 -> (n, n_models) float64."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * self.machine.decisions(features))))

    def explain(self, features: Features, models: Mapping[str, int]) -> dict[str, list[Row]]:
        """Show on which side of each model's margin the query lies."""
        decisions = self.machine.decisions(features)[0]
        rows: list[Row] = [{"model": name, "decision": float(decisions[column])} for name, column in models.items()]
        return {"Distance from the margin": rows}


class Svm(Algorithm[SvmParameters, SvmSetting]):
    """One support vector machine per model on one shared kernel matrix."""

    name = "svm"
    file_names = ("svm_model.json",)
    arrays: ClassVar = {
        "support_vectors[]": "float32",  # our form, one list, stacked
        "support_vectors.*": "float32",  # the documented form, one list per model
        "alphas.*": "float64",
        "biases": "float64",
        "vsr.predictor.usual_decision": "float64",
        "vsr.predictor.usual_decision_overall": "float64",
    }
    stored: ClassVar = {"support_vectors[]": "float32"}
    parameters_model = SvmParameters
    max_tuning_rows = 3_000
    largest_slope = math.inf
    # linfa-svm gives the same decisions to within 1e-3, for a third of the time of a comparison of few queries.
    parameters_in_folds: ClassVar = {"solver": "shared-gram"}

    def settings(self, n_rows: int) -> Sequence[SvmSetting]:  # noqa: ARG002 -- the same at every size
        """Settings to choose from, simplest (smallest C) first."""
        c, gamma = self.parameters.c, self.parameters.gamma
        return [
            SvmSetting(each, None if gamma == "auto" else gamma, self.parameters.kernel)
            for each in (_C if c == "auto" else (c,))
        ]

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
        gamma = settings[0].gamma or default_gamma(data.features)  # the same in all settings
        matrix = KernelMatrix(stacked, settings[0].kernel, gamma)
        for setting in settings:
            coefficients, biases = matrix.fit(train, data.quality, setting.c, _SWEEP_TOLERANCE, weights=data.weights)
            usual = _usual_decision(
                data, matrix.decisions(train, train, coefficients, biases), coefficients, setting.kernel
            )
            decisions = matrix.decisions(held_out, train, coefficients, biases)
            yield SweepResult(setting, decision_residuals(decisions, usual, features))

    def fit(self, data: TrainingData, setting: SvmSetting, seed: int) -> SvmPredictor:
        """Fit every model's machine and keep the union of their support vectors; on 20,000 queries at most."""
        fitted = None
        if data.n_queries > MOST_FITTED:
            drawn = covering_rows(data, MOST_FITTED, seed)
            fitted = Fitted(len(drawn), data.n_queries)
            weights = None if data.weights is None else data.weights[drawn]
            data = TrainingData(
                data.features[drawn], data.codes[drawn], data.quality[drawn], data.prior, weights=weights
            )
        gamma = setting.gamma or default_gamma(data.features)
        rows = np.arange(data.n_queries, dtype=np.uint32)
        matrix = KernelMatrix(data.features, setting.kernel, gamma)
        solver = self.parameters.solver
        if solver == "linfa" or (solver == "auto" and _suits_linfa(data)):
            if data.weights is not None:
                raise TrainingError(
                    "solver is 'linfa': linfa-svm has no weights of rows; use the solver shared-gram, or a feedback "
                    "weight of 1"
                )
            try:
                coefficients, biases = svm_fit_linfa(data.features, data.quality, setting.kernel, gamma, setting.c)
            except ValueError as error:
                raise TrainingError(f"solver is 'linfa': {error}") from error
        else:
            coefficients, biases = matrix.fit(rows, data.quality, setting.c, _FINAL_TOLERANCE, weights=data.weights)
        usual = _usual_decision(data, matrix.decisions(rows, rows, coefficients, biases), coefficients, setting.kernel)
        kept = np.any(coefficients != 0.0, axis=1)
        if not kept.any():
            kept[0] = True  # every model always or never succeeds: a file of the documented form has a vector
        return SvmPredictor.assemble(
            replace(setting, gamma=gamma),
            np.ascontiguousarray(data.features[kept]),
            np.ascontiguousarray(coefficients[kept]),
            biases,
            usual,
            fitted,
        )

    @classmethod
    def to_fields(cls, predictor: SvmPredictor, models: Sequence[str]) -> FileFields:  # noqa: ARG003 -- numbers name them
        """Write the union of the support vectors once, with the rows and alphas of every model."""
        used = [np.flatnonzero(column) for column in predictor.coefficients.T]
        documented = {
            "kernel": predictor.setting.kernel,
            "support_vectors": predictor.vectors,
            "support_index": {str(j): rows.tolist() for j, rows in enumerate(used)},
            "alphas": {str(j): predictor.coefficients[rows, j] for j, rows in enumerate(used)},
            "biases": predictor.biases,
        }
        own: dict[str, object] = {"gamma": predictor.setting.gamma, "c": predictor.setting.c}
        if predictor.usual_decision is not None:
            own |= {
                "usual_decision": predictor.usual_decision.by_category,
                "usual_decision_overall": predictor.usual_decision.overall,
            }
        if predictor.fitted is not None:
            own["fitted"] = asdict(predictor.fitted)
        return FileFields(documented, own)

    @classmethod
    def n_stored_rows(cls, predictor: SvmPredictor) -> int:
        """How many support vectors there are."""
        return len(predictor.vectors)

    @classmethod
    def to_stored_fields(cls, predictor: SvmPredictor, models: Sequence[str]) -> FileFields:
        """Write the support vectors apart."""
        written = cls.to_fields(predictor, models)
        del written.documented["support_vectors"]
        return FileFields(written.documented, written.own, {"support_vectors[]": predictor.vectors})

    @classmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> SvmPredictor:
        """Read the support vectors, in our form or the documented one."""
        n_models = len(context.models)
        kernel = fields.get("kernel", str)
        if kernel not in ("rbf", "linear"):
            raise fields.error("kernel", f"is {kernel!r}; expected 'rbf' or 'linear'")
        biases = fields.array("biases", (n_models,))
        vectors, coefficients = _support_vectors(fields, n_models, context.n_features)
        if context.own is None or context.prior is None:
            gamma = fields.maybe("gamma", float)
            gamma = default_gamma(vectors) if gamma is None else gamma
            c, usual, fitted = 1.0, None, None
        else:
            own = context.own
            gamma, c = own.get("gamma", float), own.get("c", float)
            usual = MeanTable(
                overall=own.array("usual_decision_overall", (n_models,)),
                by_category=own.array("usual_decision", (len(CATEGORIES), n_models)),
                counts=context.prior.counts,
                shrinkage=context.prior.shrinkage,
            )
            fitted = None
            if own.has("fitted"):
                held = own.object("fitted")
                fitted = Fitted(held.get("n_rows", int), held.get("n_queries", int))
        setting = SvmSetting(c, gamma, "rbf" if kernel == "rbf" else "linear")
        return SvmPredictor.assemble(setting, vectors, coefficients, biases, usual, fitted)


def _support_vectors(fields: Fields, n_models: int, n_features: int | None) -> tuple[Features, FloatArray]:
    """Union of the support vectors (n, n_features) and coefficients (n, n_models), from either form of the file."""
    columns = [fields.array(f"alphas.{j}", (None,)) for j in range(n_models)]
    if fields.has("support_index") or "support_vectors[]" in fields.arrays:
        vectors = fields.matrix("support_vectors[]", n_features)
        index = fields.object("support_index")
        rows = [index.integers(str(j), len(vectors)) for j in range(n_models)]
    else:
        each = [fields.matrix(f"support_vectors.{j}", n_features) if len(columns[j]) else None for j in range(n_models)]
        present = [matrix for matrix in each if matrix is not None]
        if not present:
            raise fields.error("support_vectors", "holds no vector")
        if len({matrix.shape[1] for matrix in present}) > 1:
            raise fields.error("support_vectors", "holds vectors of different widths")
        vectors = np.vstack(present)
        rows, start = [], 0
        for matrix in each:
            size = 0 if matrix is None else len(matrix)
            rows.append(list(range(start, start + size)))
            start += size
    coefficients = np.zeros((len(vectors), n_models))
    for j, (own_rows, column) in enumerate(zip(rows, columns, strict=True)):
        if len(own_rows) != len(column):
            raise fields.error(f"alphas.{j}", f"has {len(column)} numbers for {len(own_rows)} support vectors")
        coefficients[own_rows, j] = column
    return vectors, coefficients


def _suits_linfa(data: TrainingData) -> bool:
    """Whether there are few rows, all of one weight, and no grades, which it takes as copies of a row or not at all."""
    is_graded = np.any((data.quality > 0.0) & (data.quality < 1.0))
    return data.n_queries <= _LINFA_MAX_ROWS and data.weights is None and not is_graded


def default_gamma(features: Features) -> float:
    """1 / (n_features * variance), as documented; 1 where all features are the same."""
    variance = float(features.var(dtype=np.float64))
    return 1.0 / (features.shape[1] * variance) if variance > 0.0 else 1.0


def decision_residuals(decisions: FloatArray, usual: MeanTable | None, features: Features) -> FloatArray:
    """Decisions less the usual ones of the category, centred over the models: (n, n_models)."""
    if usual is None:
        return centred_rows(decisions)
    return centred_rows(decisions - usual.rows(categories_of(features)))


def _usual_decision(data: TrainingData, decisions: FloatArray, coefficients: FloatArray, kernel: Kernel) -> MeanTable:
    """Table of decisions on the training queries without each query's own part in them.

    A training query's own alpha pulls its decision towards its label; taking `alpha K(x, x)` away is, for the small C
    that noisy labels need, the leave-one-out decision.
    """
    norms = np.einsum("ij,ij->i", data.features, data.features, dtype=np.float64)
    own = coefficients * (norms[:, None] if kernel == "linear" else 1.0)
    return MeanTable.fit(decisions - own, data.codes, len(CATEGORIES), data.prior.shrinkage)
