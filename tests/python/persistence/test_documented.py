"""Files from elsewhere, which hold the documented fields alone."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from documented import DOCUMENTED, FILE_NAMES, MODELS, NAMELESS, WIDTH, document, row, shared_vectors
from vsr.choice.chooser import choose
from vsr.errors import ArtefactError, SelectionError
from vsr.persistence import load_artefact, load_selector, save_selector
from vsr.routing import Router
from vsr.routing.explanation import explain

every_algorithm = pytest.mark.parametrize("name", DOCUMENTED)
# Two queries near the vectors of llama, two near those of mistral.
QUERIES = np.array([row(0.9, 0.1, 0.0), row(1.0, 0.0, 0.0), row(0.1, 0.9, 0.0), row(0.0, 1.0, 0.0)], dtype=np.float32)
BEST = ["llama", "llama", "mistral", "mistral"]


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / FILE_NAMES[content["algorithm"]][0]
    path.write_text(json.dumps(content))
    return path


@every_algorithm
def test_it_loads_and_selects(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, document(name))
    models = MODELS if name in NAMELESS else None
    artefact = load_artefact(path, models=models)
    selector = load_selector(tmp_path, name, models=models)
    assert artefact.header is None
    assert selector.models == MODELS
    assert selector.n_features == WIDTH
    assert selector.is_trained
    scores = selector.scores(QUERIES)
    assert scores.shape == (4, 2)
    assert scores.min() >= 0.0
    assert scores.max() <= 1.0
    assert [choice.model for choice in choose(scores, selector.statistics)] == BEST


@every_algorithm
def test_what_it_lacks_is_said(name: str, tmp_path: Path) -> None:
    artefact = load_artefact(written(tmp_path, document(name)), models=MODELS)
    said = "; ".join(artefact.lacking)
    for missing in ("latency", "cost", "fingerprint", "classifier", "quality"):
        assert missing in said


@every_algorithm
def test_it_routes_ready_vectors(name: str, tmp_path: Path) -> None:
    written(tmp_path, document(name))
    router = Router.load(tmp_path, name, models=MODELS)
    choices = router.select_many(embeddings=QUERIES[:, :3], categories=["math"] * 4)
    assert [choice.model for choice in choices] == BEST
    without_category = router.select(embedding=[0.0, 1.0, 0.0])
    assert (without_category.category, without_category.category_source) == ("other", None)
    with pytest.raises(SelectionError, match=r"names no embedding model.* give the query's vector of 3 numbers"):
        router.select("What is two and two?")


@every_algorithm
def test_it_can_be_explained(name: str, tmp_path: Path) -> None:
    selector = load_artefact(written(tmp_path, document(name)), models=MODELS).selector
    explanation = explain(selector, QUERIES[:1], MODELS)
    assert "documented fields alone" in explanation.summary


@every_algorithm
def test_it_is_not_saved_as_a_whole_artefact(name: str, tmp_path: Path) -> None:
    selector = load_artefact(written(tmp_path, document(name)), models=MODELS).selector
    with pytest.raises(ArtefactError, match=f"this {name} selector came from a file of the documented fields alone"):
        save_selector(selector, tmp_path)


# Scores as the documented fields define them


def test_knn_lets_the_neighbours_vote(tmp_path: Path) -> None:
    held = document("knn") | {"k": 3}
    scores = load_artefact(written(tmp_path, held)).selector.scores(QUERIES[:1])
    vectors = np.array([record["embedding"] for record in held["training_records"]])
    cosines = np.maximum(1.0 - ((vectors - QUERIES[0]) ** 2).sum(axis=1) / (2.0 * (QUERIES[0] ** 2).sum()), 0.0)
    share = cosines[[0, 2]].sum() / cosines.sum()
    np.testing.assert_allclose(scores, [[share, 1.0 - share]], atol=1e-6)


def test_svm_squashes_its_decisions(tmp_path: Path) -> None:
    held = document("svm") | {"kernel": "linear"}
    scores = load_artefact(written(tmp_path, held), models=MODELS).selector.scores(QUERIES)
    vectors = {key: np.array(each) for key, each in held["support_vectors"].items()}
    decisions = np.stack(
        [QUERIES @ vectors[key].T @ held["alphas"][key] + bias for key, bias in zip("01", held["biases"], strict=True)],
        axis=1,
    )
    np.testing.assert_allclose(scores, 1.0 / (1.0 + np.exp(-decisions)), atol=1e-6)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_both_forms_of_the_svm_are_the_same(kernel: str, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    gamma = {"gamma": 0.25}
    documented = load_artefact(written(tmp_path, document("svm") | {"kernel": kernel} | gamma), models=MODELS)
    ours = load_artefact(written(tmp_path / "shared", shared_vectors() | {"kernel": kernel} | gamma), models=MODELS)
    np.testing.assert_allclose(ours.selector.scores(QUERIES), documented.selector.scores(QUERIES), atol=1e-6)


def test_a_model_without_support_vectors(tmp_path: Path) -> None:
    held = document("svm")
    held["support_vectors"]["1"], held["alphas"]["1"] = [], []
    scores = load_artefact(written(tmp_path, held), models=MODELS).selector.scores(QUERIES)
    np.testing.assert_allclose(scores[:, 1], 1.0 / (1.0 + math.exp(0.25)), atol=1e-6)


def test_mlp_and_factorization_follow_their_formulas(tmp_path: Path) -> None:
    held = document("mlp")
    hidden = np.maximum(QUERIES @ np.array(held["weights"][0]) + held["biases"][0], 0.0)
    logits = hidden @ np.array(held["weights"][1]) + held["biases"][1]
    scores = load_artefact(written(tmp_path, held), models=MODELS).selector.scores(QUERIES)
    np.testing.assert_allclose(scores, 1.0 / (1.0 + np.exp(-logits)), atol=1e-6)
    held = document("matrix_factorization")
    factors, biases = (np.array(list(held[key].values())) for key in ("model_factors", "model_biases"))
    logits = QUERIES @ np.array(held["projection"]) @ factors.T + biases + held["global_bias"]
    scores = load_artefact(written(tmp_path, held)).selector.scores(QUERIES)
    np.testing.assert_allclose(scores, 1.0 / (1.0 + np.exp(-logits)), atol=1e-6)


# Names


@pytest.mark.parametrize("name", NAMELESS)
def test_names_must_be_passed_where_the_file_has_none(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, document(name))
    with pytest.raises(
        ArtefactError, match=f"names no models, and a documented {name} file has no field for them; pass"
    ):
        load_artefact(path)
    with pytest.raises(ArtefactError, match=r"(biases|weights.1)' has shape"):
        load_artefact(path, models=["llama", "mistral", "phi"])
    with pytest.raises(ArtefactError, match="one of them occurs twice"):
        load_artefact(path, models=["llama", "llama"])
    with pytest.raises(ArtefactError, match="none"):
        load_artefact(path, models=[])


def test_names_that_are_passed_give_the_order(tmp_path: Path) -> None:
    for name in ("knn", "kmeans", "matrix_factorization"):
        path = written(tmp_path, document(name))
        usual, turned = load_artefact(path).selector, load_artefact(path, models=["mistral", "llama"]).selector
        assert turned.models == ("mistral", "llama")
        np.testing.assert_allclose(turned.scores(QUERIES), usual.scores(QUERIES)[:, ::-1])


@pytest.mark.parametrize(("name", "field"), [("knn", "training_records"), ("kmeans", "cluster_models")])
def test_names_that_the_file_has_must_be_among_those_passed(name: str, field: str, tmp_path: Path) -> None:
    path = written(tmp_path, document(name))
    with pytest.raises(ArtefactError, match=f"'{field}' names mistral; expected models among llama, phi"):
        load_artefact(path, models=["llama", "phi"])
    assert load_artefact(path, models=["phi", "mistral", "llama"]).selector.scores(QUERIES).shape == (4, 3)


def test_a_factorization_needs_the_factors_of_every_name(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"'model_factors.phi' is missing: every model needs its factors"):
        load_artefact(written(tmp_path, document("matrix_factorization")), models=["llama", "phi"])


# What is refused


def refused(tmp_path: Path, name: str, message: str, **changes: Any) -> None:
    with pytest.raises(ArtefactError, match=message):
        load_artefact(written(tmp_path, document(name) | changes), models=MODELS)


def test_wrong_values_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, "knn", "'k' is 0; expected 1 or more", k=0)
    refused(tmp_path, "knn", "'k' is 2.5; expected an integer", k=2.5)
    refused(tmp_path, "knn", "training_records", training_records=[])
    refused(tmp_path, "kmeans", "'num_clusters' is 4 but there are 3 centroids", num_clusters=4)
    refused(tmp_path, "kmeans", "'cluster_models' has 1 names for 3 clusters", cluster_models=["llama"])
    refused(tmp_path, "svm", "'kernel' is 'poly'; expected 'rbf' or 'linear'", kernel="poly")
    refused(tmp_path, "svm", "'alphas.0' has 1 numbers for 2 support vectors", alphas={"0": [1.0], "1": [1.0, -0.5]})
    refused(tmp_path, "svm", "gamma", gamma=-1.0)
    refused(tmp_path, "mlp", "'weights.0' has shape", input_dim=WIDTH + 1)
    refused(tmp_path, "mlp", "hidden_layers", hidden_layers=["2"])
    refused(tmp_path, "matrix_factorization", "'model_factors.llama' is no list of 3 numbers", num_factors=3)
    refused(tmp_path, "matrix_factorization", "beyond float32", global_bias=1e300)
    refused(tmp_path, "matrix_factorization", "'model_biases.mistral' is missing", model_biases={"llama": 0.1})


@pytest.mark.parametrize("name", ["knn", "kmeans"])
def test_rows_without_room_for_categories_are_refused(name: str, tmp_path: Path) -> None:
    held = document(name)
    for each in held.get("training_records", []):
        each["embedding"] = each["embedding"][:14]
    held["centroids"] = [centroid[:14] for centroid in held.get("centroids", [])]
    if name == "knn":
        del held["centroids"]
    with pytest.raises(ArtefactError, match=r"14|categor"):
        load_artefact(written(tmp_path, held))
