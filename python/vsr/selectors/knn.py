"""KNN: the similarity-weighted, shrunk mean of what the nearest training queries say of every model."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from vsr._core import KnnIndex, weighted_sums
from vsr._mapped import MOST_ROWS_IN_MEMORY, forgotten_meanwhile
from vsr.data.categories import CATEGORIES, category_names
from vsr.features import split_features
from vsr.prior.category_means import FloatArray, IntArray, centred_rows
from vsr.selectors.artefact_fields import Fields
from vsr.selectors.base import Algorithm, FileContext, FileFields, Predictor, Row, SweepResult
from vsr.selectors.parameters import Auto, Described, Parameters, PositiveInt
from vsr.selectors.stored_texts import StoredTexts
from vsr.selectors.training_data import Features, TrainingData

_K = (400, 200, 100, 50, 25)
_SHRINKAGE = (80.0, 20.0, 5.0, 1.0)
_SHARPNESS = (1.0, 4.0, 8.0)
# What a file beside the artefact holds. The last seven are the index: its rows, padded, and their bytes for the scan.
_STORED = {
    "features": "float32",
    "quality": "float64",
    "residual": "float64",
    "weights": "float64",
    "best": "int64",
    "query_bytes": "uint8",
    "query_ends": "int64",
    "rows": "float32",
    "origin": "float32",
    "units": "float32",
    "group_sizes": "uint32",
    "order": "uint32",
    "codes": "int8",
    "scalings": "float32",
}
_N_EXPLAINED = 5
_SHOWN_CHARACTERS = 60


class KnnParameters(Parameters):
    """Parameters of KNN, as they are given."""

    k: Annotated[PositiveInt | Auto, Described("a whole number of 1 or more, or 'auto'", "N", label="k")] = Field(
        "auto", description="Neighbours; the documented system has 5."
    )
    index: Literal["auto", "ball-tree", "flat"] = Field("auto", description="How neighbours are found.")


@dataclass(frozen=True)
class KnnSetting:
    """Parameters of KNN.

    Attributes:
        k: neighbours that are asked.
        shrinkage: weight L of the prior against the sum of the neighbours' weights.
        sharpness: exponent of the cosine similarity in a neighbour's weight.
    """

    k: int
    shrinkage: float
    sharpness: float


@dataclass(frozen=True, eq=False)
class KnnPredictor(Predictor):
    """Training queries with their outcomes, and an index over them.

    Attributes:
        setting: k, shrinkage and sharpness.
        measured: (n, n_models) float64 quality, NaN = not measured.
        residual: (n, n_models) float64, quality less prior less the query's own difficulty; filled where not measured.
        best: (n,) int64 column of the best model of each training query.
        queries: the beginning of each training query's text; empty where it is not known.
        index: holds the features of the training queries and finds the nearest of them.
        weights: (n,) float64 above 0, up to 1: what each training query counts; None where all count alike.
    """

    setting: KnnSetting
    measured: FloatArray
    residual: FloatArray
    best: IntArray
    queries: Sequence[str]
    index: KnnIndex
    weights: FloatArray | None = None

    @property
    def features(self) -> Features:
        """(n, n_features) float32 of the training queries, read-only."""
        return self.index.features

    @property
    def n_features(self) -> int:
        """Width of a feature row."""
        return int(self.features.shape[1])

    def __post_init__(self) -> None:
        """Let nobody write to what the core reads where it lies."""
        for name in ("measured", "residual"):
            object.__setattr__(self, name, _read_only(getattr(self, name)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process, the index as what it is made of: it lies in the core."""
        engine = self.index.engine
        made_of = {"features": self.features, "engine": engine} if engine != "flat" else self.index.parts()
        others = (self.setting, self.measured, self.residual, self.best, self.queries, self.weights)
        return _received, (made_of, self.n_features, *others)

    def predicted_residuals(self, features: Features, prior: FloatArray) -> FloatArray:  # noqa: ARG002 -- residuals say it all
        """Predict residuals: (n, n_features) float32 -> (n, n_models) float64."""
        return _shrunk(*weighted_sums(*self.neighbours(features), self.residual), self.setting.shrinkage)

    def quality(self, features: Features) -> FloatArray:
        """Weighted mean quality of the neighbours, 0 where none was measured: (n, n_features) -> (n, n_models)."""
        sums, masses = weighted_sums(*self.neighbours(features), self.measured)
        return np.asarray(sums / np.maximum(masses, 1e-12))

    def neighbours(self, features: Features) -> tuple[npt.NDArray[np.uint32], FloatArray]:
        """Nearest training rows, nearest first, and their weights: both (n, k)."""
        rows, weights = self.index.neighbours(features, self.setting.k, self.setting.sharpness)
        return rows, weights if self.weights is None else weights * self.weights[rows]

    def explain(self, features: Features, models: Mapping[str, int]) -> dict[str, list[Row]]:
        """Show the nearest training queries and what was measured there."""
        rows, weights = self.neighbours(features)
        shown: list[Row] = []
        for row, weight in zip(rows[0, :_N_EXPLAINED].tolist(), weights[0].tolist(), strict=False):
            line: Row = {"query": self._shown_query(row), "weight": weight}
            for name, column in models.items():
                quality = self.measured[row, column]
                line[name] = float(quality) if np.isfinite(quality) else "not measured"
            shown.append(line)
        return {"Nearest training queries and their measured quality": shown}

    def _shown_query(self, row: int) -> str:
        text = " ".join(self.queries[row].split()) if self.queries else f"training query {row}"
        return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."


class Knn(Algorithm[KnnParameters, KnnSetting]):
    """K nearest neighbours."""

    name = "knn"
    file_names = ("knn_model.json",)
    arrays: ClassVar = {
        "training_records[].embedding": "float32",
        "vsr.predictor.quality": "float64",
        "vsr.predictor.residual": "float64",
        "vsr.predictor.weights": "float64",
    }
    stored: ClassVar = {f"vsr.predictor.{name}": kind for name, kind in _STORED.items()}
    parameters_model = KnnParameters
    keeps_features = True

    def settings(self, n_rows: int) -> Sequence[KnnSetting]:
        """Settings to choose from, simplest (largest k, largest shrinkage) first."""
        ks = [k for k in _K if 4 * k <= n_rows] or [max(1, n_rows // 4)]
        if self.parameters.k != "auto":
            ks = [self.parameters.k]
        return [KnnSetting(k, shrinkage, sharpness) for k in ks for shrinkage in _SHRINKAGE for sharpness in _SHARPNESS]

    def sweep(
        self,
        data: TrainingData,
        features: Features,
        prior: FloatArray,  # noqa: ARG002 -- residuals say it all
        settings: Sequence[KnnSetting],
        seed: int,  # noqa: ARG002 -- nothing here is random
    ) -> Iterator[SweepResult[KnnSetting]]:
        """Search once for the largest k, then take prefixes of the neighbours."""
        index = KnnIndex(data.features, len(CATEGORIES), "flat")
        ks = sorted({setting.k for setting in settings})
        rows, similarity = index.neighbours(features, min(ks[-1], data.n_queries), 1.0)
        residual = _read_only(data.completed_residual)
        for sharpness in sorted({setting.sharpness for setting in settings}):
            weights = similarity**sharpness
            if data.weights is not None:
                weights *= data.weights[rows]
            sums = np.zeros((len(features), data.n_models))
            masses = np.zeros_like(sums)
            start = 0
            for k in ks:
                more_sums, more_masses = weighted_sums(rows[:, start:k], weights[:, start:k], residual)
                sums = sums + more_sums
                masses = masses + more_masses
                start = k
                for setting in settings:
                    if setting.k == k and setting.sharpness == sharpness:
                        yield SweepResult(setting, _shrunk(sums, masses, setting.shrinkage))

    def fit(self, data: TrainingData, setting: KnnSetting, seed: int) -> KnnPredictor:  # noqa: ARG002
        """Keep the training queries and index them."""
        many = data.n_queries > MOST_ROWS_IN_MEMORY
        with forgotten_meanwhile(data.features) if many else contextlib.nullcontext():
            index = KnnIndex(data.features, len(CATEGORIES), self.parameters.index)
        return KnnPredictor(
            setting=replace(setting, k=min(setting.k, data.n_queries)),
            measured=data.quality,
            residual=data.completed_residual,
            weights=data.weights,
            best=data.best,
            queries=data.queries,
            index=index,
        )

    @classmethod
    def to_fields(cls, predictor: KnnPredictor, models: Sequence[str]) -> FileFields:
        """Write the training queries with their best models, and beside them every measured quality."""
        categories = category_names(split_features(predictor.features).codes)
        missing = ~np.isfinite(predictor.measured)
        documented = {
            "k": predictor.setting.k,
            "training_records": [
                {"embedding": row, "best_model": models[best], "category": category or "other", "query": query}
                for row, best, category, query in zip(
                    predictor.features,
                    predictor.best.tolist(),
                    categories,
                    predictor.queries or [""] * len(predictor.best),
                    strict=True,
                )
            ],
        }
        own = {
            "shrinkage": predictor.setting.shrinkage,
            "sharpness": predictor.setting.sharpness,
            "index": predictor.index.engine,
            "quality": np.where(missing, 0.0, predictor.measured),
            "missing_cells": np.flatnonzero(missing).tolist(),
            # What follows from the others at once is not written.
            **({"residual": predictor.residual} if missing.any() else {}),
            **({} if predictor.weights is None else {"weights": predictor.weights[:, None]}),
        }
        return FileFields(documented, own)

    @classmethod
    def n_stored_rows(cls, predictor: KnnPredictor) -> int:
        """How many training queries there are."""
        return predictor.index.n_rows

    @classmethod
    def to_stored_fields(cls, predictor: KnnPredictor, models: Sequence[str]) -> FileFields:  # noqa: ARG003 -- as columns
        """Write all that there is of every training query apart, and the index over them."""
        engine = predictor.index.engine
        parts = predictor.index.parts() if engine == "flat" else None
        stored: dict[str, npt.NDArray[Any]] = {
            "quality": predictor.measured,
            "residual": predictor.residual,
            "best": predictor.best,
            # A tree is built again; it was never the faster one.
            **({"features": predictor.features} if parts is None else parts),
            **({} if predictor.weights is None else {"weights": predictor.weights}),
        }
        if parts is not None:
            n_rows = predictor.index.n_rows
            stored |= {"codes": parts["codes"].reshape(n_rows, -1), "scalings": parts["scalings"].reshape(3, n_rows)}
        if any(predictor.queries):
            texts = StoredTexts.of(predictor.queries)
            stored |= {"query_bytes": texts.content, "query_ends": texts.ends}
        own = {
            "shrinkage": predictor.setting.shrinkage,
            "sharpness": predictor.setting.sharpness,
            "index": engine,
        }
        arrays = {f"vsr.predictor.{name}": array for name, array in stored.items()}
        return FileFields({"k": predictor.setting.k}, own, arrays)

    @classmethod
    def models_in(cls, fields: Fields) -> tuple[str, ...] | None:
        """Names of the models that are best somewhere."""
        return tuple(sorted(set(_best_models(fields))))

    @classmethod
    def from_fields(cls, fields: Fields, context: FileContext) -> KnnPredictor:
        """Read the training queries.

        Without measured qualities the best model of each counts what its field `quality` says, else 1, the others 0.
        """
        if context.own is not None and context.own.path("best") in fields.arrays:
            return _mapped(fields, context.own, context)
        features = fields.matrix("training_records[].embedding", context.n_features)
        k = fields.get("k", int)
        if k < 1:
            raise fields.error("k", f"is {k}; expected 1 or more")
        best = fields.columns("training_records", _best_models(fields), context.models)
        weights: FloatArray | None = None
        if context.own is None or context.prior is None:
            votes = np.array([_vote(record) for record in fields.get("training_records", list)])
            quality = np.where(best[:, None] == np.arange(len(context.models)), votes[:, None], 0.0)
            setting, engine, residual = KnnSetting(k, 0.0, 1.0), "auto", np.zeros_like(quality)
        else:
            own = context.own
            quality = own.array("quality", (len(features), len(context.models))).copy()
            quality.ravel()[own.integers("missing_cells", quality.size)] = np.nan
            setting = KnnSetting(k, own.get("shrinkage", float), own.get("sharpness", float))
            engine = own.get("index", str)
            if own.has("residual") or not np.isfinite(quality).all():
                residual = own.array("residual", quality.shape)
            else:
                residual = context.prior.residuals(quality, split_features(features).codes)
            if own.has("weights"):
                weights = own.array("weights", (len(features), 1))[:, 0]
        queries = tuple(str(record.get("query", "")) for record in fields.get("training_records", list))
        index = KnnIndex(features, len(CATEGORIES), engine)
        shown = queries if any(queries) else ()
        return KnnPredictor(setting, quality, residual, best, shown, index, weights)


def _mapped(fields: Fields, own: Fields, context: FileContext) -> KnnPredictor:
    """Take the arrays of a file beside the artefact as they lie there: next to none of their numbers is read."""
    k, engine = fields.get("k", int), own.get("index", str)
    if k < 1:
        raise fields.error("k", f"is {k}; expected 1 or more")
    n_models = len(context.models)
    best = own.array("best", (None,))
    n_rows = len(best)
    if best.min() < 0 or best.max() >= n_models:
        raise own.error("best", "names a column that no model has")
    if own.has("rows"):
        if not own.has("units"):
            raise own.error("units", "is missing: the file is of an older version; train again")
        index = KnnIndex.of_parts(
            rows=own.array("rows", (n_rows, None)),
            n_features=context.n_features or 0,
            origin=own.array("origin", (None,)),
            units=own.array("units", (None,)),
            group_sizes=own.array("group_sizes", (None,)),
            order=own.array("order", (n_rows,)),
            codes=own.array("codes", (n_rows, None)),
            scalings=own.array("scalings", (3, n_rows)),
        )
    else:
        index = KnnIndex(own.array("features", (n_rows, context.n_features)), len(CATEGORIES), engine)
    queries: Sequence[str] = ()
    if own.has("query_ends"):
        queries = StoredTexts(own.array("query_bytes", (None,)), own.array("query_ends", (n_rows,)))
    return KnnPredictor(
        setting=KnnSetting(k, own.get("shrinkage", float), own.get("sharpness", float)),
        measured=own.array("quality", (n_rows, n_models)),
        residual=own.array("residual", (n_rows, n_models)),
        weights=own.array("weights", (n_rows,)) if own.has("weights") else None,
        best=best,
        queries=queries,
        index=index,
    )


def _received(
    made_of: dict[str, Any],
    n_features: int,
    setting: KnnSetting,
    measured: FloatArray,
    residual: FloatArray,
    best: IntArray,
    queries: Sequence[str],
    weights: FloatArray | None,
) -> KnnPredictor:
    """Put together what came from another process, its arrays where they lie."""
    if "engine" in made_of:
        index = KnnIndex(made_of["features"], len(CATEGORIES), made_of["engine"])
    else:
        index = KnnIndex.of_parts(n_features=n_features, **{name: _read_only(made_of[name]) for name in made_of})
    return KnnPredictor(setting, measured, residual, best, queries, index, weights)


def _vote(record: dict[str, Any]) -> float:
    """What a row's vote for its best model counts, in a file of the documented fields: its `quality`, else 1."""
    quality = record.get("quality")
    if not isinstance(quality, int | float) or isinstance(quality, bool):
        return 1.0
    return float(quality) if 0.0 <= quality <= 1.0 else 1.0


def _best_models(fields: Fields) -> list[str]:
    """Read the best model of every training record."""
    records: list[Any] = fields.get("training_records", list)
    names = [record.get("best_model") if isinstance(record, dict) else None for record in records]
    for number, name in enumerate(names):
        if not isinstance(name, str):
            raise fields.error(f"training_records[{number}].best_model", "is missing or no text")
    return [str(name) for name in names]


def _read_only(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    view = np.ascontiguousarray(values).view()
    view.flags.writeable = False
    return view


def _shrunk(sums: FloatArray, masses: FloatArray, shrinkage: float) -> FloatArray:
    return centred_rows(sums / np.maximum(masses + shrinkage, 1e-12))
