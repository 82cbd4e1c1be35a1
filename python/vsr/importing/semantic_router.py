"""Selectors of vLLM Semantic Router, in all forms that its versions have written, as files of the documented fields.

| algorithm | forms |
|---|---|
| knn | `embeddings` and `labels`; `samples` of its first trainer; `training` and `training_records` of its gateway |
| kmeans | `centroids` and `cluster_models`, a list or an object by number |
| svm | `rbf_classifiers` or `linear_classifiers`; `support_vectors` and `alphas` by number with `idx_to_model` |
| mlp | `layers` (linear, relu, batch_norm, dropout); `weights` as (out, in) with `idx_to_model` |
| matrix_factorization | `projection` as (factors, in) and lists with `idx_to_model` |

Its category columns are put in our order; forms with `idx_to_model` have the alphabetical order of its first version.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES, FIRST_SEMANTIC_ROUTER_CATEGORIES, SEMANTIC_ROUTER_CATEGORIES
from vsr.errors import ArtefactError
from vsr.persistence.document import write_documents
from vsr.persistence.reading import load_artefact
from vsr.selectors import registry

_SQUARED_LENGTH = 2.0  # of a row there: unit embedding, and 1 in a category's column
_QUALITY_WEIGHT = 0.9  # of a KNN row's vote; the rest is speed
_LEAST_QUALITY = 0.01
_MIDDLE_QUALITY = 0.5

_Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ImportedFile:
    """One file that was read and written again.

    Attributes:
        source: the file that was read.
        path: the file that was written.
        algorithm: registry name.
        models: names of the models.
        lost: what the documented fields cannot say of it, one line each.
    """

    source: Path
    path: Path
    algorithm: str
    models: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Content:
    models: list[str]
    fields: dict[str, Any]
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Columns:
    """Category columns of a file, and how they become ours.

    Attributes:
        categories: the file's, in order.
    """

    categories: tuple[str, ...]

    def reordered(self, rows: _Array, *, are_weights: bool = False) -> _Array:
        """Put the category columns in our order.

        Args:
            rows: (n, dim + 14).
            are_weights: whether a category that the file lacks weighs what `other` weighs. Else its column holds what
                stands in the column of the category that we lack: so distances to all other queries stay as they are.
        """
        n_theirs = len(self.categories)
        if rows.ndim != 2 or rows.shape[1] <= n_theirs:
            raise ValueError(f"rows of {rows.shape[-1]} numbers; expected an embedding and {n_theirs} category columns")
        ours = np.zeros((len(rows), rows.shape[1] - n_theirs + len(CATEGORIES)))
        ours[:, : -len(CATEGORIES)] = rows[:, :-n_theirs]
        known = {name.replace(" ", "_"): column for column, name in enumerate(self.categories)}
        for code, name in enumerate(CATEGORIES):
            column = known.get(name, known["other"] if are_weights else known.get("unknown"))
            if column is not None:
                ours[:, code - len(CATEGORIES)] = rows[:, column - n_theirs]
        return ours

    @property
    def lost(self) -> tuple[str, ...]:
        """What distances cannot say of categories that the file lacks."""
        known = {name.replace(" ", "_") for name in self.categories}
        missing = [name for name in CATEGORIES if name not in known]
        if not missing:
            return ()
        return (f"queries of {', '.join(missing)} are other there; here they are near to nothing",)


def import_selectors(paths: Sequence[str | os.PathLike[str]], directory: str | os.PathLike[str]) -> list[ImportedFile]:
    """Read files of vLLM Semantic Router, and write them with the documented fields.

    Args:
        paths: its files, or folders of them.
        directory: where to; made if it is missing.

    Raises:
        ArtefactError: A file cannot be read, is untrained or of a form that is not known, or two are of one algorithm.
        OutputError: A file cannot be written.
    """
    sources = [source for path in paths for source in _files(Path(path))]
    contents: dict[str, tuple[Path, _Content]] = {}
    for source in sources:
        algorithm, content = _read(source)
        if algorithm in contents:
            raise ArtefactError(f"{source}: is a second file of {algorithm}, beside {contents[algorithm][0]}; give one")
        contents[algorithm] = source, content
    folder = Path(directory)
    written = {name: folder / registry.algorithm(name).file_names[0] for name in contents}
    write_documents(
        {
            written[name]: {"algorithm": name, "trained": True, "model_names": content.models, **content.fields}
            for name, (_, content) in contents.items()
        }
    )
    return [
        ImportedFile(source, written[name], name, load_artefact(written[name]).selector.models, content.lost)
        for name, (source, content) in contents.items()
    ]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*_model.json"))
    if not found:
        raise ArtefactError(
            f"{path}: holds no file NAME_model.json; expected a folder of vLLM Semantic Router's models"
        )
    return found


def _read(path: Path) -> tuple[str, _Content]:
    try:
        document = json.loads(path.read_bytes())
        if not isinstance(document, dict):
            raise ArtefactError(f"{path}: expected a JSON object, found {type(document).__name__}")
        algorithm = document.get("algorithm")
        read = _READERS.get(algorithm) if isinstance(algorithm, str) else None
        if read is None:
            raise ArtefactError(f"{path}: algorithm is {algorithm!r:.60}; expected one of {', '.join(_READERS)}")
        if document.get("trained") is False:
            raise ArtefactError(f"{path}: trained is false: the file holds nothing learnt; train it first")
        content = read(document)
    except OSError as error:
        raise ArtefactError(
            f"{path}: cannot be read ({error.strerror}); expected a file of vLLM Semantic Router"
        ) from error
    except RecursionError as error:
        raise ArtefactError(f"{path}: is nested too deeply; expected a file of vLLM Semantic Router") from error
    except KeyError as error:
        raise ArtefactError(
            f"{path}: field {error} is missing; expected a form of {algorithm} that vLLM Semantic Router writes"
        ) from error
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ArtefactError(f"{path}: is no file of vLLM Semantic Router ({error!s:.200})") from error
    return str(algorithm), content


def _columns(document: Mapping[str, Any]) -> _Columns:
    return _Columns(FIRST_SEMANTIC_ROUTER_CATEGORIES if "idx_to_model" in document else SEMANTIC_ROUTER_CATEGORIES)


def _knn(document: Mapping[str, Any]) -> _Content:
    if "embeddings" in document:
        points, labels = document["embeddings"], document["labels"]
        qualities, latencies = document.get("qualities", []), document.get("latencies", [])
    else:
        key = next((key for key in ("samples", "training", "training_records") if key in document), "embeddings")
        point, label, quality, latency = _ROW_FIELDS.get(key, ("", "", "", ""))
        records = document[key]
        points, labels = [each[point] for each in records], [each[label] for each in records]
        qualities = [each.get(quality, _MIDDLE_QUALITY) for each in records]
        latencies = [each.get(latency, 0.0) for each in records]
    rows = _columns(document).reordered(_matrix(points))
    votes = _votes(len(labels), qualities, latencies)
    names = sorted(set(labels))
    records = [
        {"embedding": row, "best_model": label, "category": CATEGORIES[code], "quality": vote}
        for row, label, code, vote in zip(
            rows, labels, rows[:, -len(CATEGORIES) :].argmax(axis=1).tolist(), votes.tolist(), strict=True
        )
    ]
    lost = ("votes also count the similarity of a row here", *_columns(document).lost)
    return _Content(names, {"k": int(document["k"]), "training_records": records}, lost)


_ROW_FIELDS = {
    "samples": ("feature_vector", "model_name", "quality", "latency_ms"),
    "training": ("query_embedding", "selected_model", "response_quality", "response_latency_ns"),
    "training_records": ("embedding", "best_model", "quality", "latency_ns"),
}


def _votes(n_rows: int, qualities: Sequence[float], latencies: Sequence[float]) -> _Array:
    """Weight of every row's vote as its reader works it out: (n_rows,) in [0, 1]."""
    quality = np.full(n_rows, _MIDDLE_QUALITY)
    quality[: len(qualities)] = np.maximum(np.array(qualities, dtype=np.float64), _LEAST_QUALITY)[:n_rows]
    speed = np.full(n_rows, 0.5)
    if len(latencies):
        latency = np.array(latencies, dtype=np.float64)
        span = max(float(latency.max() - latency.min()), 1.0)
        speed[: len(latency)] = (1.0 - (latency - latency.min()) / span)[:n_rows]
    return np.clip(_QUALITY_WEIGHT * quality + (1.0 - _QUALITY_WEIGHT) * speed, 0.0, 1.0)


def _kmeans(document: Mapping[str, Any]) -> _Content:
    centroids = _columns(document).reordered(_matrix(document["centroids"]))
    models = document["cluster_models"]
    if isinstance(models, Mapping):
        models = [models[str(number)] for number in range(len(centroids))]
    fields = {"num_clusters": len(centroids), "centroids": centroids, "cluster_models": list(models)}
    return _Content(sorted(set(models)), fields, _columns(document).lost)


def _svm(document: Mapping[str, Any]) -> _Content:
    columns, length = _columns(document), float(np.sqrt(_SQUARED_LENGTH))
    if "idx_to_model" in document:
        names = list(document["idx_to_model"])
        vectors = [_matrix(document["support_vectors"][str(j)]) for j in range(len(names))]
        alphas = [np.array(document["alphas"][str(j)], dtype=np.float64) for j in range(len(names))]
        biases = np.array(document["biases"], dtype=np.float64)
        kernel, gamma = document["kernel"], float(document["gamma"])
    elif document.get("linear_classifiers"):
        machines = document["linear_classifiers"]
        names = [each["model_name"] for each in machines]
        vectors = [_matrix([each["weights"]]) / length for each in machines]
        alphas = [np.ones(1) for _ in machines]
        biases, kernel, gamma = -np.array([each["rho"] for each in machines], dtype=np.float64), "linear", 1.0
    else:
        machines = document["rbf_classifiers"]
        names = [each["model_name"] for each in machines]
        gammas = {float(each["gamma"]) for each in machines}
        if len(gammas) != 1:
            raise ValueError(f"its models have {len(gammas)} values of gamma; the documented form has one")
        # Queries are brought to unit length there; here the vectors grow instead.
        vectors = [_matrix(each["support_vectors"]) * length for each in machines]
        alphas = [np.array(each["alpha"], dtype=np.float64) for each in machines]
        biases = -np.array([each["rho"] for each in machines], dtype=np.float64)
        kernel, gamma = "rbf", gammas.pop() / _SQUARED_LENGTH
    is_linear = kernel == "linear"
    fields = {
        "kernel": kernel,
        "gamma": gamma,
        "support_vectors": {str(j): columns.reordered(rows, are_weights=is_linear) for j, rows in enumerate(vectors)},
        "alphas": {str(j): alpha for j, alpha in enumerate(alphas)},
        "biases": biases,
    }
    return _Content(names, fields, () if is_linear else columns.lost)


def _mlp(document: Mapping[str, Any]) -> _Content:
    columns = _columns(document)
    if "layers" in document:
        names, layers = list(document["model_names"]), _plain_layers(document["layers"])
    else:
        names = list(document.get("idx_to_model") or document["model_names"])
        layers = [
            (_matrix(weights).T if "idx_to_model" in document else _matrix(weights), np.array(bias, dtype=np.float64))
            for weights, bias in zip(document["weights"], document["biases"], strict=True)
        ]
    first = columns.reordered(layers[0][0].T, are_weights=True).T
    layers[0] = (first, layers[0][1])
    fields = {
        "input_dim": len(first),
        "hidden_layers": [len(bias) for _, bias in layers[:-1]],
        "weights": [np.ascontiguousarray(weights) for weights, _ in layers],
        "biases": [bias for _, bias in layers],
    }
    return _Content(names, fields)


def _plain_layers(layers: Sequence[Mapping[str, Any]]) -> list[tuple[_Array, _Array]]:
    """Fold normalisation into the linear layers: weights (in, out) and biases, with a ReLU between any two."""
    plain: list[tuple[_Array, _Array]] = []
    is_active = True  # whether a ReLU stands behind the last linear layer, or there is none yet
    pending: tuple[_Array, _Array] | None = None  # scale and shift behind the last ReLU
    for layer in layers:
        kind = layer["type"]
        if kind == "linear":
            weights = _matrix(layer["weight"]).T
            bias = (
                np.zeros(weights.shape[1]) if layer.get("bias") is None else np.array(layer["bias"], dtype=np.float64)
            )
            if pending is not None:
                scale, shift = pending
                weights, bias, pending = scale[:, None] * weights, bias + shift @ weights, None
            if not is_active:
                before, bias_before = plain.pop()
                weights, bias = before @ weights, bias_before @ weights + bias
            plain.append((weights, bias))
            is_active = False
        elif kind == "relu":
            if pending is not None or not plain:
                raise ValueError("a ReLU behind no linear layer cannot be said in the documented form")
            is_active = True
        elif kind == "batch_norm":
            scale, shift = _normalisation(layer)
            if not is_active:
                weights, bias = plain.pop()
                plain.append((weights * scale, bias * scale + shift))
            elif plain:
                earlier = (np.ones_like(scale), np.zeros_like(scale)) if pending is None else pending
                pending = earlier[0] * scale, earlier[1] * scale + shift
            else:
                raise ValueError("a normalisation of the features cannot be said in the documented form")
        elif kind != "dropout":
            raise ValueError(f"a layer of type {kind!r:.40} is not known")
    if is_active or not plain:
        raise ValueError("the last layer is not linear")
    return plain


def _normalisation(layer: Mapping[str, Any]) -> tuple[_Array, _Array]:
    """Scale and shift that batch normalisation amounts to once it is trained."""
    n = int(layer["num_features"])

    def values(name: str, default: float) -> _Array:
        return np.full(n, default) if layer.get(name) is None else np.array(layer[name], dtype=np.float64)

    epsilon = 1e-5 if layer.get("eps") is None else float(layer["eps"])
    scale = values("weight", 1.0) / np.sqrt(values("running_var", 1.0) + epsilon)
    return scale, values("bias", 0.0) - values("running_mean", 0.0) * scale


def _matrix_factorization(document: Mapping[str, Any]) -> _Content:
    columns = _columns(document)
    if "idx_to_model" in document:
        names = list(document["idx_to_model"])
        factors, biases = _matrix(document["model_factors"]), document["model_biases"]
        projection = _matrix(document["projection"]).T
        lost: tuple[str, ...] = ("a tanh of the factors, and votes of similar queries",)
    else:
        names = list(document["model_factors"])
        factors = _matrix([document["model_factors"][name] for name in names])
        biases = [document["model_biases"][name] for name in names]
        projection, lost = _matrix(document["projection"]), ()
    projection = np.ascontiguousarray(columns.reordered(projection.T, are_weights=True).T)
    fields = {
        "num_factors": factors.shape[1],
        "input_dim": len(projection),
        "model_factors": dict(zip(names, factors, strict=True)),
        "projection": projection,
        "model_biases": dict(zip(names, map(float, biases), strict=True)),
        "global_bias": float(document.get("global_bias", 0.0)),
    }
    return _Content(names, fields, lost)


def _matrix(values: Sequence[Sequence[float]]) -> _Array:
    matrix = np.array(values, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(f"has numbers of shape {matrix.shape}; expected a matrix")
    return matrix


_READERS: Mapping[str, Callable[[Mapping[str, Any]], _Content]] = {
    "knn": _knn,
    "kmeans": _kmeans,
    "svm": _svm,
    "mlp": _mlp,
    "matrix_factorization": _matrix_factorization,
}
