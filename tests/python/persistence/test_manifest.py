"""What a folder recommends: the manifest, damaged ones, folders that mix trainings, folders without one."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pools import DIM, make_pool, planted_pool, signalless_pool
from vsr.choice.objective import Objective
from vsr.embedding import Fingerprint
from vsr.errors import ArtefactError
from vsr.evaluation.compare_and_train import TrainingResult, TrainingSettings, compare_and_train
from vsr.persistence import find_artefact, load_selector, read_manifest, save_selector, write_manifest
from vsr.routing import Router
from vsr.training.trainer import train_selector

SETTINGS = TrainingSettings(algorithms=("knn", "kmeans", "stacking"), objective=Objective(1.0))


def trained(folder: Path, pool: Any, settings: TrainingSettings = SETTINGS) -> TrainingResult:
    return compare_and_train(pool.outcomes, pool.features[:, :DIM], Fingerprint.external(DIM), folder, settings)


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training whose verdict is to route."""
    folder = tmp_path_factory.mktemp("routed")
    assert trained(folder, planted_pool(240)).recommended == "stacking"
    return folder


@pytest.fixture
def folder(routed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(routed, tmp_path / "models")


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "recommended.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_it_says_what_was_written_and_why(routed: Path) -> None:
    manifest = read_manifest(routed)
    assert manifest is not None
    assert manifest.recommended == "stacking"
    assert {name: file.name for name, file in manifest.files.items()} == {
        "knn": "knn_model.json",
        "kmeans": "kmeans_model.json",
        "table": "table_model.json",
        "stacking": "stacking_model.json",
    }
    for file in manifest.files.values():
        assert file.sha256 == hashlib.sha256((routed / file.name).read_bytes()).hexdigest()
    header = Router.load(routed, "knn").artefact.header
    assert header is not None
    assert (manifest.run_id, manifest.objective) == (header.run_id, Objective(1.0))
    assert manifest.held_out == header.held_out
    assert manifest.verdict == header.held_out["verdict"] if header.held_out else False
    assert manifest.verdict is not None
    assert manifest.verdict["kind"] == "route"


def test_what_is_recommended_is_the_default(routed: Path) -> None:
    assert find_artefact(routed) == routed / "stacking_model.json"
    assert load_selector(routed).name == "stacking"
    router = Router.load(routed)
    assert router.artefact.selector.name == "stacking"
    config = routed.parent / "config.yaml"
    config.write_text(json.dumps({"model_selection": {"models_path": str(routed)}}))
    configured = Router.from_config(config)
    assert isinstance(configured, Router)
    assert configured.artefact.selector.name == "stacking"
    assert Router.load(routed, "table").artefact.selector.name == "table"


def test_where_nothing_beats_one_model_the_table_is_that_model(tmp_path: Path) -> None:
    result = trained(tmp_path, signalless_pool(200))
    assert result.evaluation is not None
    assert result.evaluation.verdict.kind in ("static", "identical")
    assert result.recommended == "table"
    router = Router.load(tmp_path)
    assert router.artefact.selector.parameters == {"categories": False}
    choices = router.select_many(embeddings=np.eye(8, DIM), categories=["math", "law"] * 4)
    assert {choice.model for choice in choices} == {result.evaluation.best_single}


def test_where_categories_decide_the_table_is_enough(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    categories = ("math", "law", "biology") * 60
    expected = np.tile(np.eye(3) * 0.6 + 0.3, (60, 1))
    quality = (generator.random((180, 3)) < expected).astype(float)
    given = replace(SETTINGS, categories="given")
    result = trained(tmp_path, make_pool(generator.standard_normal((180, DIM)), categories, quality), given)
    assert result.evaluation is not None
    assert result.evaluation.verdict.kind == "category_table"
    router = Router.load(tmp_path)
    assert router.artefact.selector.name == "table"
    chosen = router.select_many(embeddings=np.eye(3, DIM), categories=["math", "law", "biology"])
    assert [choice.model for choice in chosen] == ["large", "medium", "small"]


DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "nothing recommended": (lambda content: content.pop("recommended"), "'recommended' is missing"),
    "not listed": (
        lambda content: content["files"].pop("stacking"),
        "'recommended' is 'stacking'; expected one of its",
    ),
    "unknown": (
        lambda content: content.update(recommended="forest", files={"forest": content["files"]["knn"]}),
        "'recommended' is 'forest'; this version knows knn",
    ),
    "no files": (lambda content: content.update(files=[]), r"'files' is \[\]; expected an object"),
    "another folder": (
        lambda content: content["files"]["knn"].update(name="../knn_model.json"),
        "'files.knn.name' is '../knn_model.json'; expected the name of a file in the same folder",
    ),
    "no digest": (
        lambda content: content["files"]["knn"].update(sha256="abc"),
        "'files.knn.sha256' is 'abc'; expected",
    ),
    "newer": (lambda content: content.update(format_version=2), "'format_version' is 2; this version reads up to 1"),
    "weight": (lambda content: content["objective"].update(quality_weight=7), "'objective' cannot be: quality_weight"),
    "verdict": (lambda content: content.update(verdict="route"), "'verdict' is 'route'; expected an object"),
}


@pytest.mark.parametrize("what", list(DAMAGE))
def test_a_damaged_manifest_is_named(what: str, folder: Path) -> None:
    edit, message = DAMAGE[what]
    change(folder, edit)
    with pytest.raises(ArtefactError, match=message) as caught:
        Router.load(folder)
    assert str(caught.value).startswith(f"{folder / 'recommended.json'}: ")
    assert load_selector(folder, "knn").name == "knn"  # who names an algorithm does not need it


def test_a_manifest_that_is_cut_off_is_named(folder: Path) -> None:
    path = folder / "recommended.json"
    path.write_text(path.read_text()[:200])
    with pytest.raises(ArtefactError, match=r"recommended.json: .*cut off"):
        Router.load(folder)


def test_a_missing_part_is_named(folder: Path) -> None:
    (folder / "stacking_model.json").unlink()
    with pytest.raises(ArtefactError, match=r"recommends stacking, but stacking_model.json is missing; copy all files"):
        Router.load(folder)


def test_an_artefact_of_another_training_is_not_what_is_recommended(folder: Path) -> None:
    pool = planted_pool(60, seed=5)
    save_selector(train_selector("stacking", pool.features, pool.outcomes), folder)
    with pytest.raises(ArtefactError, match=r"stacking_model.json: is not the file that training \w+ recommends"):
        Router.load(folder)
    assert Router.load(folder, "stacking").artefact.selector.name == "stacking"
    assert Router.load(folder, "knn").artefact.selector.name == "knn"


def test_the_next_training_has_a_manifest_of_its_own(folder: Path) -> None:
    assert trained(folder, signalless_pool(120)).recommended == "table"
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.recommended == "table"
    assert Router.load(folder).artefact.selector.name == "table"


def test_without_a_manifest_one_artefact_speaks_for_itself(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(folder / "knn_model.json", tmp_path)
    assert Router.load(tmp_path).artefact.selector.name == "knn"
    assert caplog.messages == [f"{tmp_path}: has no recommended.json; its only artefact, of knn, is used"]
    caplog.clear()
    Router.load(tmp_path, "knn")
    Router.load(folder)
    assert caplog.messages == []


def test_without_a_manifest_several_artefacts_do_not(folder: Path, tmp_path: Path) -> None:
    (folder / "recommended.json").unlink()
    with pytest.raises(
        ArtefactError,
        match=r"has no recommended.json, so it recommends none of its artefacts \(knn, kmeans, table, stacking\); name",
    ):
        Router.load(folder)
    with pytest.raises(ArtefactError, match="has no artefact of any algorithm; train selectors with"):
        Router.load(tmp_path / "models" / "..")
    with pytest.raises(ArtefactError, match="no such folder"):
        Router.load(tmp_path / "nowhere")


def test_what_cannot_be_recommended_is_not_written(folder: Path) -> None:
    paths = {name: find_artefact(folder, name) for name in ("knn", "kmeans")}
    with pytest.raises(ArtefactError, match="table is recommended, but there is no artefact of it"):
        write_manifest(folder, paths, "table", Objective())
    pool = planted_pool(60, seed=5)
    save_selector(train_selector("knn", pool.features, pool.outcomes), folder)
    with pytest.raises(ArtefactError, match="come from 2 trainings; expected one"):
        write_manifest(folder, paths, "knn", Objective())


def test_the_short_name_of_the_factorization_is_known(tmp_path: Path) -> None:
    pool = planted_pool(60)
    save_selector(train_selector("matrix_factorization", pool.features, pool.outcomes, num_factors=2), tmp_path)
    assert load_selector(tmp_path, "mf").name == "matrix_factorization"
