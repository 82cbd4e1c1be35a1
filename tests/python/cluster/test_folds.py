"""The folds of a comparison on a real cluster: the local result bit by bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.conftest import Command, records, vsr_train  # noqa: F401 (fixtures)
from pools import planted_pool
from vsr.cluster.folds import on_the_cluster
from vsr.cluster.session import connected
from vsr.errors import TrainingError
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.settings import ComparisonSettings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::ResourceWarning")


def test_what_cannot_be_trained_is_said_in_the_words_of_one_process(two_nodes: Any) -> None:
    pool = planted_pool(60)
    # What combines the one that fails has its error, too.
    settings = ComparisonSettings(("kmeans", "knn", "stacking"), splits=1, parameters={"knn": {"k": 0}})
    with pytest.raises(TrainingError) as local:
        hold_out(pool.features, pool.outcomes, settings)
    with connected(two_nodes.address), pytest.raises(TrainingError) as there:
        hold_out(pool.features, pool.outcomes, settings, engine=on_the_cluster)
    assert str(there.value) == str(local.value)
    assert type(there.value) is type(local.value)


def test_the_command_says_and_writes_the_same(
    two_nodes: Any,
    records: Path,  # noqa: F811
    tmp_path: Path,
    vsr_train: Command,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    flags = (
        "--data-file",
        records,
        "--splits",
        "2",
        "--algorithm",
        "knn",
        "--algorithm",
        "mlp",
        "--algorithm",
        "stacking",
        "--json",
        "-q",
    )
    small = ("--use-fallback", "--embedding-dim", "32", "--mlp-hidden-layers", "8")
    local = vsr_train("train", *flags, *small, "--output-dir", tmp_path / "local")
    ray = ("--engine", "ray", "--ray-address", two_nodes.address)
    there = vsr_train("train", *flags, *small, "--output-dir", tmp_path / "ray", *ray)
    assert (local.code, there.code, there.err) == (0, 0, local.err)
    assert without_times(there.json, "ray") == without_times(local.json, "local")
    for name in ("knn_model.json", "mlp_model.json", "stacking_model.json"):
        ours, theirs = (json.loads((tmp_path / folder / name).read_text()) for folder in ("local", "ray"))
        assert without_times(theirs, "ray") == without_times(ours, "local")


def without_times(document: Any, folder: str) -> Any:
    """Leave out what is another number in every run."""
    if isinstance(document, dict):
        return {
            key: without_times(value, folder)
            for key, value in document.items()
            if key not in ("duration_s", "seconds_per_query")
        }
    if isinstance(document, list):
        return [without_times(value, folder) for value in document]
    return document.replace(f"/{folder}/", "/") if isinstance(document, str) else document


# Last: a connection that is made while the dead node still counts as alive may be made to that one, since both have the
# address of this machine, and end the process.
def test_a_node_that_dies_costs_nothing(two_nodes: Any) -> None:
    pool = planted_pool(150)
    settings = ComparisonSettings(
        ("knn", "kmeans", "svm", "mlp", "stacking"), splits=2, folds=4, parameters={"mlp": {"hidden_layers": [4]}}
    )
    local, trained = hold_out(pool.features, pool.outcomes, settings)
    said: list[tuple[str, int, int]] = []

    def kill_half_way(what: str, n_done: int, n_steps: int) -> None:
        if n_done == 22:
            two_nodes.remove_node(next(iter(two_nodes.worker_nodes)), allow_graceful=False)
        said.append((what, n_done, n_steps))

    with connected(two_nodes.address):
        held, there = hold_out(pool.features, pool.outcomes, settings, kill_half_way, on_the_cluster)
    fits = [(f"{45 - n_done} fits on the cluster", n_done, 45) for n_done in range(45)]
    assert said == [*fits, ("held-out table", 45, 45)]
    for name in local.choices:
        for ours, theirs in (
            (local.choices[name], held.choices[name]),
            (local.deployed[name], held.deployed[name]),
        ):
            for field in ("given", "predicted", "given_scores", "predicted_scores"):
                np.testing.assert_array_equal(getattr(theirs, field), getattr(ours, field))
    np.testing.assert_array_equal(held.predicted_categories, local.predicted_categories)
    assert held.recommended == local.recommended
    # Read when the cluster is gone: what lay in its store must still be there.
    for own, received in zip(trained, there, strict=True):
        assert received.name == own.name
        np.testing.assert_array_equal(received.scores(pool.features), own.scores(pool.features))
