"""Whatever is done to a file, it loads or says what is wrong with it."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documented import DOCUMENTED, FILE_NAMES, MODELS, document, shared_vectors
from pools import planted_pool
from vsr.errors import ArtefactError, VsrError
from vsr.persistence import load_artefact, save_selector
from vsr.selectors import registry
from vsr.training.trainer import Trainer

PARAMETERS: dict[str, dict[str, Any]] = {
    "knn": {"k": 2},
    "kmeans": {"num_clusters": 2},
    "svm": {"c": 1.0},
    "mlp": {"hidden_layers": (2,)},
    "matrix_factorization": {"num_factors": 2},
    "table": {},
    "stacking": {},
}

json_values = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2, 15, 10**20, 10**400, -(10**400)]),
    st.sampled_from([0.0, 0.5, -1.0, 1e-300, 1e39, 1e300, -1e300]),
    st.sampled_from(["", "knn", "svm", "other", "0", "linear"]),
    st.sampled_from([[], {}, [[]], [1.0], [[1.0, 2.0], [3.0]], ["a"], [None], {"0": [1.0]}, [{}], [[{}]]]),
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a document, of long lists the first and the last alone."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = [0, len(value) - 1][: len(value)]
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def mutated(original: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """Change one to three places: take out, put something else in, or double."""
    held = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(held))
        if not known:
            break
        *above, key = draw(st.sampled_from(known))
        prior = held
        for step in above:
            prior = prior[step]
        what = draw(st.sampled_from(["remove", "replace", "replace", "double"]))
        if what == "remove":
            del prior[key]
        elif what == "replace":
            prior[key] = copy.deepcopy(draw(json_values))
        elif isinstance(prior, list):
            prior.append(prior[key])
        else:
            prior[key] = [prior[key]]
    return held


def check(path: Path) -> None:
    """Load a file that may be damaged: either it says so, or it gives scores."""
    for models in (None, MODELS):
        try:
            selector = load_artefact(path, models=models).selector
        except ArtefactError as error:
            assert str(path) in str(error)
            assert len(str(error).splitlines()) == 1
            continue
        rows = np.zeros((3, selector.n_features), dtype=np.float32)
        rows[:, -14] = 1.0
        rows[1:, 0] = 1.0
        try:
            scores = selector.scores(rows)
        except VsrError:
            continue
        assert scores.shape == (3, len(selector.models))
        assert np.isfinite(scores).all()


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Of every algorithm, a whole artefact and one of the documented fields alone."""
    pool = planted_pool(50)
    folder = tmp_path_factory.mktemp("whole")
    held: dict[str, list[dict[str, Any]]] = {}
    table = Trainer.prepare(pool.features, pool.outcomes)
    parts = [table.train(name, **PARAMETERS[name]) for name in DOCUMENTED]
    for name in registry.names():
        whole = json.loads(save_selector(table.train(name, parts, **PARAMETERS[name]), folder).read_text())
        of_documented = document(name) if name in DOCUMENTED else {key: whole[key] for key in whole if key != "vsr"}
        held[name] = [whole, of_documented]
    held["svm"].append(shared_vectors())
    return held


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", registry.names())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_document(
    name: str, documents: dict[str, list[dict[str, Any]]], tmp_path: Path, data: st.DataObject
) -> None:
    changed = mutated(data.draw(st.sampled_from(documents[name]), label="original"), data.draw)
    path = tmp_path / FILE_NAMES[name][0]
    path.write_text(json.dumps(changed))
    check(path)


@pytest.mark.parametrize("name", registry.names())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.data())
def test_changed_bytes(
    name: str, documents: dict[str, list[dict[str, Any]]], tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(json.dumps(data.draw(st.sampled_from(documents[name]), label="original")).encode())
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start, min(len(content), start + 20)))
    content[start:end] = data.draw(
        st.sampled_from([b"", b"0", b"]", b"}", b'"', b"[", b"NaN", b"\xff", b"\x00", b"1e999", b"-"])
    )
    path = tmp_path / FILE_NAMES[name][0]
    path.write_bytes(content)
    check(path)


@pytest.mark.parametrize("name", registry.names())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(data=st.data())
def test_a_truncated_file(
    name: str, documents: dict[str, list[dict[str, Any]]], tmp_path: Path, data: st.DataObject
) -> None:
    content = json.dumps(data.draw(st.sampled_from(documents[name]), label="original"))
    path = tmp_path / FILE_NAMES[name][0]
    path.write_text(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ArtefactError, match=str(path)):
        load_artefact(path)
