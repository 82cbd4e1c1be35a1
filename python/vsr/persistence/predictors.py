"""How each algorithm stands in its file: the documented fields, and what else its exact scores need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr._core import KnnIndex
from vsr.choice.category_means import FloatArray, IntArray, MeanTable
from vsr.data.categories import CATEGORIES, category_names
from vsr.errors import ArtefactError
from vsr.features import split_features
from vsr.persistence.document import Fields
from vsr.selectors.base import Features, Predictor, TrainedSelector
from vsr.selectors.kmeans import KMeansPredictor, KMeansSetting
from vsr.selectors.knn import KnnPredictor, KnnSetting
from vsr.selectors.matrix_factorization import MatrixFactorizationPredictor, MatrixFactorizationSetting
from vsr.selectors.mlp import MlpPredictor, MlpSetting
from vsr.selectors.svm import SvmPredictor, SvmSetting


@dataclass(frozen=True, eq=False)
class Context:
    """What the rest of the file says, as far as the predictor needs it.

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
class Encoded:
    """A predictor as it is written.

    Attributes:
        documented: the algorithm's documented fields.
        own: what goes beyond them, for the block `vsr.predictor`.
    """

    documented: dict[str, Any]
    own: dict[str, Any]


@dataclass(frozen=True)
class Codec:
    """One algorithm's way into its file and back.

    Attributes:
        patterns: arrays to take out of the document, with their precision.
        encode: predictor and its selector -> fields.
        names: names of the models as the documented fields give them, None where they give none.
        decode: fields and context -> predictor.
    """

    patterns: dict[str, str]
    encode: Callable[[Any, TrainedSelector], Encoded]
    names: Callable[[Fields], tuple[str, ...] | None]
    decode: Callable[[Fields, Context], Predictor]


OWN = "vsr.predictor"


def _encode_knn(predictor: KnnPredictor, selector: TrainedSelector) -> Encoded:
    names = category_names(split_features(predictor.features).codes)
    missing = ~np.isfinite(predictor.measured)
    documented = {
        "k": predictor.setting.k,
        "training_records": [
            {"embedding": row, "best_model": model, "category": category or "other", "query": query}
            for row, model, category, query in zip(
                predictor.features, selector.training_best, names, selector.training_queries, strict=True
            )
        ],
    }
    own = {
        "shrinkage": predictor.setting.shrinkage,
        "sharpness": predictor.setting.sharpness,
        "index": predictor.index.engine,
        "quality": np.where(missing, 0.0, predictor.measured),
        "missing_cells": np.flatnonzero(missing).tolist(),
    }
    return Encoded(documented, own)


def _knn_names(fields: Fields) -> tuple[str, ...] | None:
    return tuple(sorted(set(best_models(fields))))


def best_models(fields: Fields) -> list[str]:
    """Read the best model of every training record of a KNN.

    Raises:
        ArtefactError: A record has none.
    """
    records = fields.get("training_records", list)
    names = [record.get("best_model") if isinstance(record, dict) else None for record in records]
    for number, name in enumerate(names):
        if not isinstance(name, str):
            raise fields.error(f"training_records[{number}].best_model", "is missing or no text")
    return [str(name) for name in names]


def _decode_knn(fields: Fields, context: Context) -> KnnPredictor:
    features = _matrix(fields, "training_records[].embedding", context.n_features)
    k = fields.get("k", int)
    if k < 1:
        raise fields.error("k", f"is {k}; expected 1 or more")
    best = _columns(fields, "training_records", best_models(fields), context.models)
    if context.own is None or context.prior is None:
        quality = (best[:, None] == np.arange(len(context.models))).astype(np.float64)
        setting, engine, residual = KnnSetting(k, 0.0, 1.0), "auto", np.zeros_like(quality)
    else:
        own = context.own
        quality = own.array("quality", (len(features), len(context.models))).copy()
        quality.ravel()[own.integers("missing_cells", quality.size)] = np.nan
        setting = KnnSetting(k, own.get("shrinkage", float), own.get("sharpness", float))
        engine = own.get("index", str)
        residual = context.prior.residuals(quality, split_features(features).codes)
    index = KnnIndex(features, len(CATEGORIES), engine)
    return KnnPredictor(setting, quality, residual, index)


def _encode_kmeans(predictor: KMeansPredictor, selector: TrainedSelector) -> Encoded:
    documented = {
        "num_clusters": len(predictor.centroids),
        "centroids": predictor.centroids,
        "cluster_models": [selector.models[column] for column in predictor.cluster_quality.argmax(axis=1)],
    }
    own = {
        "shrinkage": predictor.setting.shrinkage,
        "bandwidth": predictor.setting.bandwidth,
        "cluster_sizes": predictor.cluster_sizes.tolist(),
        "cluster_quality": predictor.cluster_quality,
        "cluster_residual": predictor.cluster_residual,
    }
    return Encoded(documented, own)


def _kmeans_names(fields: Fields) -> tuple[str, ...] | None:
    return tuple(sorted(set(fields.strings("cluster_models"))))


def _decode_kmeans(fields: Fields, context: Context) -> KMeansPredictor:
    centroids = _matrix(fields, "centroids", context.n_features)
    n_clusters = fields.get("num_clusters", int)
    if n_clusters != len(centroids):
        raise fields.error("num_clusters", f"is {n_clusters} but there are {len(centroids)} centroids")
    shape = (n_clusters, len(context.models))
    names = fields.strings("cluster_models")
    if len(names) != n_clusters:
        raise fields.error("cluster_models", f"has {len(names)} names for {n_clusters} clusters")
    best = _columns(fields, "cluster_models", names, context.models)
    if context.own is None:
        quality = (best[:, None] == np.arange(len(context.models))).astype(np.float64)
        # So narrow that only the nearest cluster counts, as documented.
        setting = KMeansSetting(n_clusters, 0.0, 1e-9)
        return KMeansPredictor(setting, centroids, np.zeros(shape), quality, np.zeros(n_clusters, dtype=np.int64))
    own = context.own
    bandwidth = own.get("bandwidth", float)
    if bandwidth <= 0.0:
        raise own.error("bandwidth", f"is {bandwidth}; expected a number above 0")
    sizes = own.integers("cluster_sizes", n_numbers=n_clusters)
    return KMeansPredictor(
        setting=KMeansSetting(n_clusters, own.get("shrinkage", float), bandwidth),
        centroids=centroids,
        cluster_residual=own.array("cluster_residual", shape),
        cluster_quality=own.array("cluster_quality", shape),
        cluster_sizes=np.array(sizes, dtype=np.int64),
    )


def _encode_svm(predictor: SvmPredictor, selector: TrainedSelector) -> Encoded:  # noqa: ARG001 -- as all codecs
    used = [np.flatnonzero(column) for column in predictor.coefficients.T]
    documented = {
        "kernel": predictor.setting.kernel,
        "support_vectors": predictor.vectors,
        "support_index": {str(j): rows.tolist() for j, rows in enumerate(used)},
        "alphas": {str(j): predictor.coefficients[rows, j] for j, rows in enumerate(used)},
        "biases": predictor.biases,
    }
    own: dict[str, Any] = {"gamma": predictor.setting.gamma, "c": predictor.setting.c}
    if predictor.usual_decision is not None:
        own |= {
            "usual_decision": predictor.usual_decision.by_category,
            "usual_decision_overall": predictor.usual_decision.overall,
        }
    return Encoded(documented, own)


def _no_names(fields: Fields) -> tuple[str, ...] | None:  # noqa: ARG001 -- this file's documented fields have none
    return None


def _decode_svm(fields: Fields, context: Context) -> SvmPredictor:
    n_models = len(context.models)
    kernel = fields.get("kernel", str)
    if kernel not in ("rbf", "linear"):
        raise fields.error("kernel", f"is {kernel!r}; expected 'rbf' or 'linear'")
    biases = fields.array("biases", (n_models,))
    vectors, coefficients = _support(fields, n_models, context.n_features)
    if context.own is None or context.prior is None:
        gamma = fields.maybe("gamma", float)
        variance = float(vectors.var(dtype=np.float64)) or 1.0
        gamma = 1.0 / (vectors.shape[1] * variance) if gamma is None else gamma
        c, usual = 1.0, None
    else:
        own = context.own
        gamma, c = own.get("gamma", float), own.get("c", float)
        usual = MeanTable(
            overall=own.array("usual_decision_overall", (n_models,)),
            by_category=own.array("usual_decision", (len(CATEGORIES), n_models)),
            counts=context.prior.counts,
            shrinkage=context.prior.shrinkage,
        )
    return SvmPredictor.assemble(
        SvmSetting(c, gamma, "rbf" if kernel == "rbf" else "linear"), vectors, coefficients, biases, usual
    )


def _support(fields: Fields, n_models: int, n_features: int | None) -> tuple[Features, FloatArray]:
    """Union of the support vectors (n, n_features) and coefficients (n, n_models), from either form of the file."""
    columns = [fields.array(f"alphas.{j}", (None,)) for j in range(n_models)]
    if fields.has("support_index") or "support_vectors[]" in fields.arrays:
        vectors = _matrix(fields, "support_vectors[]", n_features)
        index = fields.object("support_index")
        rows = [index.integers(str(j), len(vectors)) for j in range(n_models)]
    else:
        each = [
            _matrix(fields, f"support_vectors.{j}", n_features) if len(columns[j]) else None for j in range(n_models)
        ]
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
    for j, (own, column) in enumerate(zip(rows, columns, strict=True)):
        if len(own) != len(column):
            raise fields.error(f"alphas.{j}", f"has {len(column)} numbers for {len(own)} support vectors")
        coefficients[own, j] = column
    return vectors, coefficients


def _encode_mlp(predictor: MlpPredictor, selector: TrainedSelector) -> Encoded:  # noqa: ARG001 -- as all codecs
    documented = {
        "input_dim": len(predictor.weights[0]),
        "hidden_layers": list(predictor.setting.hidden_layers),
        "weights": list(predictor.weights),
        "biases": list(predictor.biases),
    }
    return Encoded(documented, {})


def _decode_mlp(fields: Fields, context: Context) -> MlpPredictor:
    hidden = fields.get("hidden_layers", list)
    if not all(isinstance(width, int) and width > 0 for width in hidden):
        raise fields.error("hidden_layers", "is no list of positive integers")
    widths = [fields.get("input_dim", int), *hidden, len(context.models)]
    if context.n_features is not None and widths[0] != context.n_features:
        raise fields.error("input_dim", f"is {widths[0]} but the features are {context.n_features} wide")
    layers = range(len(widths) - 1)
    return MlpPredictor(
        setting=MlpSetting(tuple(hidden)),
        weights=[fields.array(f"weights.{layer}", (widths[layer], widths[layer + 1])) for layer in layers],
        biases=[fields.array(f"biases.{layer}", (widths[layer + 1],)) for layer in layers],
    )


def _encode_mf(predictor: MatrixFactorizationPredictor, selector: TrainedSelector) -> Encoded:
    documented = {
        "num_factors": predictor.model_factors.shape[1],
        "input_dim": len(predictor.projection),
        "model_factors": dict(zip(selector.models, predictor.model_factors, strict=True)),
        "projection": predictor.projection,
        "model_biases": dict(zip(selector.models, predictor.model_biases.tolist(), strict=True)),
        "global_bias": predictor.global_bias,
    }
    return Encoded(documented, {"weight_decay": predictor.setting.weight_decay})


def _mf_names(fields: Fields) -> tuple[str, ...] | None:
    return tuple(fields.get("model_factors", dict))


def _decode_mf(fields: Fields, context: Context) -> MatrixFactorizationPredictor:
    n_factors = fields.get("num_factors", int)
    n_features = fields.get("input_dim", int)
    if context.n_features is not None and n_features != context.n_features:
        raise fields.error("input_dim", f"is {n_features} but the features are {context.n_features} wide")
    # Names may hold dots, so the factors are read from the text; there are only models x factors of them.
    factors, biases = fields.object("model_factors"), fields.object("model_biases")
    missing = [name for name in context.models if name not in factors.content]
    if missing:
        raise factors.error(missing[0], "is missing: every model needs its factors")
    rows = np.stack([factors.numbers(name, n_factors) for name in context.models])
    levels = np.array([biases.get(name, float) for name in context.models])
    global_bias = fields.get("global_bias", float)
    for name, values in (("model_factors", rows), ("model_biases", levels), ("global_bias", np.array([global_bias]))):
        if np.abs(values).max(initial=0.0) > np.finfo(np.float32).max:
            raise fields.error(name, "holds a number beyond float32")
    decay = 0.0 if context.own is None else context.own.get("weight_decay", float)
    return MatrixFactorizationPredictor(
        setting=MatrixFactorizationSetting(n_factors, decay),
        projection=fields.array("projection", (n_features, n_factors)),
        model_factors=rows.astype(np.float32),
        model_biases=levels.astype(np.float32),
        global_bias=global_bias,
    )


def _columns(fields: Fields, name: str, best: Sequence[str], models: tuple[str, ...]) -> IntArray:
    """Column of the best model of each entry; every one must be among the models."""
    column_of = {model: column for column, model in enumerate(models)}
    unknown = sorted(set(best) - set(models))
    if unknown:
        raise fields.error(name, f"names {', '.join(unknown)}; expected models among {', '.join(models)}")
    return np.array([column_of[model] for model in best], dtype=np.int64)


def _matrix(fields: Fields, name: str, n_columns: int | None) -> npt.NDArray[np.float32]:
    matrix = fields.array(name, (None, n_columns))
    if not matrix.size:
        raise fields.error(name, "is empty")
    return matrix


CODECS: dict[str, Codec] = {
    "knn": Codec(
        {"training_records[].embedding": "float32", f"{OWN}.quality": "float64"}, _encode_knn, _knn_names, _decode_knn
    ),
    "kmeans": Codec(
        {"centroids": "float32", f"{OWN}.cluster_residual": "float64", f"{OWN}.cluster_quality": "float64"},
        _encode_kmeans,
        _kmeans_names,
        _decode_kmeans,
    ),
    "svm": Codec(
        {
            "support_vectors[]": "float32",  # our form, one list, stacked
            "support_vectors.*": "float32",  # the documented form, one list per model
            "alphas.*": "float64",
            "biases": "float64",
            f"{OWN}.usual_decision": "float64",
            f"{OWN}.usual_decision_overall": "float64",
        },
        _encode_svm,
        _no_names,
        _decode_svm,
    ),
    "mlp": Codec({"weights.*": "float32", "biases.*": "float32"}, _encode_mlp, _no_names, _decode_mlp),
    "matrix_factorization": Codec({"projection": "float32"}, _encode_mf, _mf_names, _decode_mf),
}
"""Registry name -> codec."""


def codec(name: str) -> Codec:
    """Give the codec of an algorithm.

    Raises:
        ArtefactError: There is none.
    """
    known = CODECS.get(name) if isinstance(name, str) else None
    if known is None:
        raise ArtefactError(f"no algorithm is called {name!r}; there are {', '.join(CODECS)}")
    return known
