"""Artefacts as plain objects."""

import json

import numpy as np
import pytest

import vsr
from documented import MODELS, document


@pytest.mark.parametrize("algorithm", ["knn", "kmeans", "svm", "mlp", "matrix_factorization", "table"])
def test_scores_are_the_same_to_the_last_bit(algorithm: str) -> None:
    generator = np.random.default_rng(0)
    names = [("math", "law")[number % 2] for number in range(60)]
    features = vsr.build_features(generator.standard_normal((60, 8)), names)
    outcomes = vsr.Outcomes([f"q{n}" for n in range(60)], names, ["a", "b"], generator.random((60, 2)))
    selector = vsr.train_selector(algorithm, features, outcomes)
    plain = vsr.selector_to_dict(selector, objective=vsr.Objective(0.7))
    assert plain["vsr"]["objective"]["quality_weight"] == 0.7
    again = vsr.selector_from_dict(json.loads(json.dumps(plain)))
    assert again.scores(features).tobytes() == selector.scores(features).tobytes()
    assert again.models == selector.models


def test_documented_fields_and_names() -> None:
    assert vsr.selector_from_dict(document("mlp"), MODELS).models == MODELS
    assert vsr.selector_from_dict(document("mlp") | {"model_names": ["x", "y"]}).models == ("x", "y")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"algorithm": "forest"}, r"^the object: field 'algorithm' is 'forest'"),
        ({"algorithm": object()}, "the object is no artefact"),
        ([1], "document is"),
    ],
)
def test_what_is_no_artefact_is_refused(given: object, message: str) -> None:
    with pytest.raises(vsr.ArtefactError, match=message):
        vsr.selector_from_dict(given)  # type: ignore[arg-type]
