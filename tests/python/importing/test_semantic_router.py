"""Files as versions of vLLM Semantic Router write them, read by their own rules beside ours."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vsr.data.categories import FIRST_SEMANTIC_ROUTER_CATEGORIES, SEMANTIC_ROUTER_CATEGORIES
from vsr.errors import ArtefactError
from vsr.features import build_features
from vsr.importing.semantic_router import import_selectors
from vsr.persistence import load_artefact

WIDTH = 6
MODELS = ("llama", "mistral", "qwen")


@pytest.fixture
def queries() -> tuple[np.ndarray, list[str]]:
    generator = np.random.default_rng(5)
    vectors = generator.standard_normal((60, WIDTH))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [name for name in SEMANTIC_ROUTER_CATEGORIES if name != "unknown"]
    return vectors, [names[number % len(names)] for number in range(60)]


def theirs(vectors: np.ndarray, categories: list[str], order: tuple[str, ...]) -> np.ndarray:
    one_hot = np.eye(len(order))[[order.index(name) for name in categories]]
    return np.hstack([vectors, one_hot])


def chosen(path: Path, queries: tuple[np.ndarray, list[str]]) -> list[str]:
    selector = load_artefact(path).selector
    scores = selector.scores(build_features(queries[0], queries[1]))
    return [selector.models[column] for column in scores.argmax(axis=1)]


def imported(tmp_path: Path, document: dict[str, Any]) -> Path:
    source = tmp_path / "theirs.json"
    source.write_text(json.dumps(document))
    return import_selectors([source], tmp_path / "ours")[0].path


def network(generator: np.random.Generator, *widths: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per layer (out, in) weights and biases."""
    pairs = itertools.pairwise(widths)
    return [(generator.standard_normal((n_out, n_in)), generator.standard_normal(n_out)) for n_in, n_out in pairs]


def test_an_mlp_with_normalisation(tmp_path: Path, queries: tuple[np.ndarray, list[str]]) -> None:
    """As its trainer writes it: linear, ReLU, batch normalisation, dropout, linear."""
    generator = np.random.default_rng(1)
    (first, bias), (last, last_bias) = network(generator, WIDTH + 14, 8, 3)
    mean, variance = generator.standard_normal(8), generator.uniform(0.5, 2.0, 8)
    scale, shift = generator.standard_normal(8), generator.standard_normal(8)
    document = {
        "algorithm": "mlp",
        "trained": True,
        "model_names": MODELS,
        "feature_dim": WIDTH + 14,
        "layers": [
            {
                "type": "linear",
                "in_features": WIDTH + 14,
                "out_features": 8,
                "weight": first.tolist(),
                "bias": bias.tolist(),
            },
            {"type": "relu"},
            {
                "type": "batch_norm",
                "num_features": 8,
                "weight": scale.tolist(),
                "bias": shift.tolist(),
                "running_mean": mean.tolist(),
                "running_var": variance.tolist(),
                "eps": 1e-5,
            },
            {"type": "dropout", "p": 0.1},
            {
                "type": "linear",
                "in_features": 8,
                "out_features": 3,
                "weight": last.tolist(),
                "bias": last_bias.tolist(),
            },
        ],
    }
    hidden = np.maximum(theirs(*queries, SEMANTIC_ROUTER_CATEGORIES) @ first.T + bias, 0.0)
    outputs = ((hidden - mean) / np.sqrt(variance + 1e-5) * scale + shift) @ last.T + last_bias
    expected = [MODELS[column] for column in outputs.argmax(axis=1)]
    assert chosen(imported(tmp_path, document), queries) == expected
    assert len(set(expected)) > 1


def test_the_first_versions_mlp_and_categories(tmp_path: Path, queries: tuple[np.ndarray, list[str]]) -> None:
    layers = network(np.random.default_rng(2), WIDTH + 14, 8, 3)
    document = {
        "version": "1.0",
        "algorithm": "mlp",
        "input_dim": WIDTH + 14,
        "hidden_layers": [8],
        "weights": [weights.tolist() for weights, _ in layers],
        "biases": [bias.tolist() for _, bias in layers],
        "idx_to_model": MODELS,
        "trained": True,
    }
    rows = theirs(*queries, FIRST_SEMANTIC_ROUTER_CATEGORIES)
    outputs = np.maximum(rows @ layers[0][0].T + layers[0][1], 0.0) @ layers[1][0].T + layers[1][1]
    assert chosen(imported(tmp_path, document), queries) == [MODELS[column] for column in outputs.argmax(axis=1)]


@pytest.mark.parametrize("kernel", ["Rbf", "Linear"])
def test_an_svm(kernel: str, tmp_path: Path, queries: tuple[np.ndarray, list[str]]) -> None:
    generator = np.random.default_rng(3)
    rows = theirs(*queries, SEMANTIC_ROUTER_CATEGORIES)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    vectors, alphas = generator.standard_normal((3, 4, WIDTH + 14)) * 0.3, generator.standard_normal((3, 4))
    rho = generator.standard_normal(3) * 0.1
    document: dict[str, Any] = {
        "algorithm": "svm",
        "trained": True,
        "model_names": MODELS,
        "kernel_type": kernel,
        "gamma": 0.7,
    }
    if kernel == "Linear":
        document["linear_classifiers"] = [
            {"model_name": name, "weights": vectors[j, 0].tolist(), "rho": rho[j]} for j, name in enumerate(MODELS)
        ]
        decisions = unit @ vectors[:, 0].T - rho
    else:
        document["rbf_classifiers"] = [
            {
                "model_name": name,
                "alpha": alphas[j].tolist(),
                "support_vectors": vectors[j].tolist(),
                "rho": rho[j],
                "gamma": 0.7,
            }
            for j, name in enumerate(MODELS)
        ]
        squared = np.square(unit[:, None, None, :] - vectors[None]).sum(axis=3)
        decisions = (np.exp(-0.7 * squared) * alphas).sum(axis=2) - rho
    expected = [MODELS[column] for column in decisions.argmax(axis=1)]
    assert chosen(imported(tmp_path, document), queries) == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("form", ["list", "object"])
def test_kmeans(form: str, tmp_path: Path, queries: tuple[np.ndarray, list[str]]) -> None:
    centroids = np.random.default_rng(4).standard_normal((5, WIDTH + 14)) * 0.4
    models = ["llama", "mistral", "qwen", "llama", "mistral"]
    document = {
        "algorithm": "kmeans",
        "trained": True,
        "num_clusters": 5,
        "centroids": centroids.tolist(),
        "cluster_models": models if form == "list" else {str(j): name for j, name in enumerate(models)},
    }
    rows = theirs(*queries, SEMANTIC_ROUTER_CATEGORIES)
    nearest = np.square(rows[:, None] - centroids[None]).sum(axis=2).argmin(axis=1)
    assert chosen(imported(tmp_path, document), queries) == [models[cluster] for cluster in nearest]


@pytest.mark.parametrize("form", ["flat", "samples", "training", "training_records"])
def test_knn(form: str, tmp_path: Path) -> None:
    """Votes are as heavy as quality and speed make them: two bad neighbours lose against a good one."""
    vectors = np.zeros((3, WIDTH))
    vectors[:, 0], vectors[:, 1] = 1.0, (0.0, 0.01, 0.02)
    rows = theirs(vectors, ["math"] * 3, SEMANTIC_ROUTER_CATEGORIES).tolist()
    labels, qualities, latencies = ["llama", "llama", "mistral"], [0.3, 0.3, 0.95], [100.0, 110.0, 100.0]
    document: dict[str, Any] = {"algorithm": "knn", "trained": True, "k": 3}
    fields = {
        "samples": ("feature_vector", "model_name", "quality", "latency_ms"),
        "training": ("query_embedding", "selected_model", "response_quality", "response_latency_ns"),
        "training_records": ("embedding", "best_model", "quality", "latency_ns"),
    }
    if form == "flat":
        document |= {"embeddings": rows, "labels": labels, "qualities": qualities, "latencies": [100, 110, 100]}
    else:
        document[form] = [
            dict(zip(fields[form], row, strict=True)) for row in zip(rows, labels, qualities, latencies, strict=True)
        ]
    path = imported(tmp_path, document)
    selector = load_artefact(path).selector
    scores = selector.scores(build_features(vectors[:1], ["math"]))[0]
    assert dict(zip(selector.models, scores, strict=True)) == pytest.approx(
        {"llama": 0.4667 / 3 + 0.055, "mistral": 0.955 / 3}, abs=0.06
    )
    assert selector.models[int(scores.argmax())] == "mistral"


def test_matrix_factorization_of_the_first_version(tmp_path: Path, queries: tuple[np.ndarray, list[str]]) -> None:
    generator = np.random.default_rng(6)
    projection, factors = generator.standard_normal((4, WIDTH + 14)), generator.standard_normal((3, 4))
    document = {
        "version": "1.0",
        "algorithm": "matrix_factorization",
        "num_factors": 4,
        "idx_to_model": MODELS,
        "model_factors": factors.tolist(),
        "projection": projection.tolist(),
        "model_biases": [0.1, 0.0, -0.1],
        "global_bias": 0.2,
        "input_dim": WIDTH + 14,
        "trained": True,
    }
    logits = theirs(*queries, FIRST_SEMANTIC_ROUTER_CATEGORIES) @ projection.T @ factors.T + [0.1, 0.0, -0.1]
    assert chosen(imported(tmp_path, document), queries) == [MODELS[column] for column in logits.argmax(axis=1)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected a JSON object, found list"),
        ("{", "is no file of vLLM Semantic Router"),
        ('{"algorithm": "forest"}', "algorithm is 'forest'; expected one of knn"),
        ('{"algorithm": "knn", "trained": false}', "trained is false"),
        ('{"algorithm": "knn", "trained": true, "k": 1}', "field 'embeddings' is missing"),
        ('{"algorithm": "kmeans", "centroids": [[1, 2], [3]], "cluster_models": ["a", "b"]}', "is no file of"),
        ('{"algorithm": "kmeans", "centroids": [[1, 2]], "cluster_models": ["a"]}', "14 category columns"),
        (
            '{"algorithm": "mlp", "model_names": ["a"], "layers": [{"type": "conv"}]}',
            "a layer of type 'conv' is not known",
        ),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_bad_files(text: str, message: str, tmp_path: Path) -> None:
    source = tmp_path / "bad.json"
    source.write_text(text)
    with pytest.raises(ArtefactError, match=message):
        import_selectors([source], tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_two_of_one_algorithm_and_an_empty_folder(tmp_path: Path) -> None:
    document = {"algorithm": "kmeans", "centroids": [[0.0] * 20], "cluster_models": ["a"]}
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match="second file of kmeans"):
        import_selectors([tmp_path / "a.json", tmp_path / "b.json"], tmp_path / "ours")
    with pytest.raises(ArtefactError, match=r"holds no file NAME_model\.json"):
        import_selectors([tmp_path], tmp_path / "ours")
