"""What stands in an artefact, what is refused, and what becomes of older files."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from documented import FILE_NAMES
from pools import DIM, planted_pool
from vsr import _core
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES
from vsr.embedding import Fingerprint
from vsr.errors import ArtefactError, OutputError
from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
from vsr.persistence import document, find_artefacts, load_artefact, load_selector, save_selector, save_selectors
from vsr.persistence.artefact import FORMAT_VERSION, JSON_FORMAT_VERSION
from vsr.selectors import registry
from vsr.selectors.base import TrainedSelector
from vsr.training.trainer import Trainer

WIDTH = DIM + len(CATEGORIES)
PARAMETERS: dict[str, dict[str, Any]] = {
    "knn": {"k": 3},
    "kmeans": {"num_clusters": 4},
    "svm": {"c": 1.0},
    "mlp": {"hidden_layers": (5, 4)},
    "matrix_factorization": {"num_factors": 2},
    "table": {},
    "stacking": {},
}
DOCUMENTED = {
    "knn": ["k", "training_records"],
    "kmeans": ["num_clusters", "centroids", "cluster_models"],
    "svm": ["kernel", "support_vectors", "support_index", "alphas", "biases"],
    "mlp": ["input_dim", "hidden_layers", "weights", "biases"],
    "matrix_factorization": [
        "num_factors",
        "input_dim",
        "model_factors",
        "projection",
        "model_biases",
        "global_bias",
    ],
    "table": ["models", "input_dim", "categories", "means"],
    "stacking": ["models", "input_dim", "parts"],
}
every_algorithm = pytest.mark.parametrize("name", registry.names())


@pytest.fixture(scope="module")
def selectors() -> dict[str, TrainedSelector]:
    pool = planted_pool(90)  # of which two categories have twenty queries
    table = Trainer.prepare(pool.features, pool.outcomes)
    made: dict[str, TrainedSelector] = {}
    for name in registry.names():
        made[name] = table.train(name, list(made.values()), **PARAMETERS[name])
    return made


@pytest.fixture(scope="module")
def trained_folder(selectors: dict[str, TrainedSelector], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    save_selectors(list(selectors.values()), folder, objective=Objective(0.7, 0.2), held_out={"verdict": "static"})
    return folder


@pytest.fixture
def edited(trained_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write an artefact with something changed in it, and give its path."""

    def edit(name: str, change: Callable[[dict[str, Any]], object]) -> Path:
        content = json.loads((trained_folder / FILE_NAMES[name][0]).read_text())
        change(content)
        path = tmp_path / FILE_NAMES[name][0]
        path.write_text(json.dumps(content))
        return path

    return edit


def read(path: Path) -> Any:
    return json.loads(path.read_text())


# What stands in it


@every_algorithm
def test_the_documented_fields_come_first(name: str, trained_folder: Path) -> None:
    content = read(trained_folder / FILE_NAMES[name][0])
    assert list(content) == ["algorithm", "trained", *DOCUMENTED[name], "vsr"]
    assert content["algorithm"] == name
    assert content["trained"] is True


def test_documented_shapes(trained_folder: Path, selectors: dict[str, TrainedSelector]) -> None:
    held = {name: read(trained_folder / FILE_NAMES[name][0]) for name in registry.names()}
    models = set(selectors["knn"].models)
    records = held["knn"]["training_records"]
    assert held["knn"]["k"] == 3
    assert len(records) == 90
    assert {len(record["embedding"]) for record in records} == {WIDTH}
    assert {record["best_model"] for record in records} <= models
    assert {record["category"] for record in records} <= set(CATEGORIES)
    assert held["kmeans"]["num_clusters"] == 4
    assert np.array(held["kmeans"]["centroids"]).shape == (4, WIDTH)
    assert len(held["kmeans"]["cluster_models"]) == 4
    svm = held["svm"]
    vectors = np.array(svm["support_vectors"])
    assert vectors.shape[1] == WIDTH
    assert list(svm["support_index"]) == list(svm["alphas"]) == ["0", "1", "2"]
    assert len(svm["biases"]) == 3
    for model in ("0", "1", "2"):
        assert len(svm["support_index"][model]) == len(svm["alphas"][model])
        assert max(svm["support_index"][model]) < len(vectors)
    mlp = held["mlp"]
    assert (mlp["input_dim"], mlp["hidden_layers"]) == (WIDTH, [5, 4])
    assert [np.array(layer).shape for layer in mlp["weights"]] == [(WIDTH, 5), (5, 4), (4, 3)]
    assert [np.array(layer).shape for layer in mlp["biases"]] == [(5,), (4,), (3,)]
    mf = held["matrix_factorization"]
    assert (mf["num_factors"], mf["input_dim"]) == (2, WIDTH)
    assert np.array(mf["projection"]).shape == (WIDTH, 2)
    assert set(mf["model_factors"]) == set(mf["model_biases"]) == models
    assert isinstance(mf["global_bias"], float)


@every_algorithm
def test_what_the_block_says(name: str, trained_folder: Path, selectors: dict[str, TrainedSelector]) -> None:
    block = read(trained_folder / FILE_NAMES[name][0])["vsr"]
    selector = selectors[name]
    assert block["format_version"] == JSON_FORMAT_VERSION
    assert block["models"] == list(selector.models)
    assert block["categories"] == list(CATEGORIES)
    assert block["embedder"]["name"] == "external"
    assert block["embedder"]["width"] == DIM
    assert block["objective"] == {"quality_weight": 0.7, "cost_share": 0.2}
    assert block["training_digest"] == selector.training_digest != ""
    assert block["held_out"] == {"verdict": "static"}
    assert block["classifier"] is not None
    assert np.array(block["statistics"]["counts"]).sum() == 270
    artefact = load_artefact(trained_folder / FILE_NAMES[name][0])
    assert artefact.header is not None
    assert artefact.header.objective == Objective(0.7, 0.2)
    assert artefact.header.held_out == {"verdict": "static"}
    assert artefact.header.embedder == Fingerprint.external(DIM)
    assert artefact.lacking == ()


def test_artefacts_of_one_training_share_a_run_id(trained_folder: Path, tmp_path: Path) -> None:
    def run_id(path: Path) -> str:
        header = load_artefact(path).header
        assert header is not None
        return header.run_id

    assert len({run_id(path) for path in find_artefacts(trained_folder).values()}) == 1
    other = planted_pool(50, seed=1)
    selector = Trainer.prepare(other.features, other.outcomes).train("knn", k=3)
    assert run_id(save_selector(selector, tmp_path)) != run_id(trained_folder / "knn_model.json")


@every_algorithm
def test_a_file_of_format_1_scores_the_same(
    name: str, selectors: dict[str, TrainedSelector], edited: Callable[..., Path]
) -> None:
    def as_before(content: dict[str, Any]) -> None:
        block = content["vsr"]
        block["format_version"] = 1
        block["parent"], block["belief"] = block.pop("prior"), block.pop("calibration_slope")
        del block["requested"]
        if name == "kmeans":
            block["predictor"]["cluster_deviation"] = block["predictor"].pop("cluster_residual")

    rows = planted_pool(40, seed=9).features
    loaded = load_artefact(edited(name, as_before)).selector
    np.testing.assert_array_equal(loaded.scores(rows), selectors[name].scores(rows))


def test_a_training_with_other_parameters_has_another_run_id(tmp_path: Path) -> None:
    pool = planted_pool(60)

    def run_ids(folder: str, **parameters: dict[str, Any]) -> set[str]:
        settings = TrainingSettings(("knn", "kmeans"), parameters)
        embeddings, embedder = pool.features[:, :DIM], Fingerprint.external(DIM)
        result = compare_and_train(pool.outcomes, embeddings, embedder, tmp_path / folder, settings)
        headers = [load_artefact(path).header for path in result.paths]
        return {header.run_id for header in headers if header is not None}

    usual, others = run_ids("auto"), run_ids("seven", knn={"k": 7})
    assert len(usual) == len(others) == 1
    assert usual != others
    assert run_ids("again", knn={"k": 7}) == others


def test_numbers_are_the_shortest_that_read_back(tmp_path: Path) -> None:
    values = np.array([0.1, 1 / 3, 1e-7, 16777216.0, 0.0], dtype=np.float32)
    document.write_documents({tmp_path / "a.json": {"single": values, "double": values.astype(np.float64) + 0.2}})
    content = read(tmp_path / "a.json")
    assert content["single"] == [0.1, 0.33333334, 1e-7, 16777216.0, 0.0]
    np.testing.assert_array_equal(np.array(content["single"], dtype=np.float32), values)
    assert content["double"] == (values.astype(np.float64) + 0.2).tolist()


def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    for wrong in (float("nan"), np.array([1.0, np.inf])):
        with pytest.raises(ArtefactError, match=r"cannot"):
            document.write_documents({tmp_path / "a.json": {"value": wrong}})
    assert list(tmp_path.iterdir()) == []


# Finding


def test_both_names_of_the_factorization_are_found(trained_folder: Path, tmp_path: Path) -> None:
    assert load_selector(trained_folder, "matrix_factorization").name == "matrix_factorization"
    shutil.copy(trained_folder / "mf_model.json", tmp_path / "matrix_factorization_model.json")
    assert load_selector(tmp_path, "matrix_factorization").name == "matrix_factorization"
    assert find_artefacts(tmp_path) == {"matrix_factorization": tmp_path / "matrix_factorization_model.json"}


def test_a_missing_artefact_is_named(trained_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="no such folder; train selectors with"):
        load_selector(tmp_path / "nowhere", "knn")
    with pytest.raises(ArtefactError, match=r"has no artefact of knn \(knn_model.json\); it has none of any algorithm"):
        load_selector(tmp_path, "knn")
    shutil.copy(trained_folder / "mf_model.json", tmp_path)
    with pytest.raises(ArtefactError, match=r"it has matrix_factorization"):
        load_selector(tmp_path, "knn")
    with pytest.raises(ArtefactError, match=r"x.json: cannot be read \(No such file"):
        load_artefact(tmp_path / "x.json")
    with pytest.raises(ArtefactError, match=r"cannot be read \(Is a directory"):
        load_artefact(tmp_path)


def test_any_file_name_will_do(trained_folder: Path, tmp_path: Path) -> None:
    shutil.copy(trained_folder / "svm_model.json", tmp_path / "mine.json")
    assert load_artefact(tmp_path / "mine.json").selector.name == "svm"
    shutil.copy(trained_folder / "svm_model.json", tmp_path / "knn_model.json")
    assert load_artefact(tmp_path / "knn_model.json").selector.name == "svm"
    with pytest.raises(ArtefactError, match="'algorithm' is 'svm'; expected 'knn'"):
        load_selector(tmp_path, "knn")


# What is refused


@every_algorithm
def test_every_field_of_the_algorithm_is_needed(name: str, edited: Callable[..., Path]) -> None:
    for field in ["algorithm", "trained", *DOCUMENTED[name]]:
        path = edited(name, lambda content, field=field: content.pop(field))
        with pytest.raises(ArtefactError, match=rf"{path}: field '{field}") as caught:
            load_artefact(path)
        assert "missing" in str(caught.value) or "no vector" in str(caught.value) or "no array" in str(caught.value)


@every_algorithm
def test_every_field_of_the_block_is_needed(name: str, trained_folder: Path, edited: Callable[..., Path]) -> None:
    block = read(trained_folder / FILE_NAMES[name][0])["vsr"]
    for field in block:
        path = edited(name, lambda content, field=field: content["vsr"].pop(field))
        if field == "predictor" and not block[field]:
            continue
        with pytest.raises(ArtefactError, match=field):
            load_artefact(path)
    for inner in ("statistics", "prior", "predictor", "objective", "classifier"):
        for field in block[inner].keys() - {"temperature"}:  # which older files do not have
            path = edited(name, lambda content, inner=inner, field=field: content["vsr"][inner].pop(field))
            with pytest.raises(ArtefactError, match=field):
                load_artefact(path)


def test_the_classifier_of_an_older_file_names_one_category(edited: Callable[..., Path]) -> None:
    classifier = load_artefact(edited("knn", lambda content: content["vsr"]["classifier"].pop("temperature"))).selector
    assert classifier.classifier is not None
    assert classifier.classifier.temperature == 0.0
    shares = classifier.classifier.shares(np.eye(4, classifier.classifier.dim, dtype=np.float32))
    assert sorted(np.unique(shares)) == [0.0, 1.0]
    softer = load_artefact(edited("knn", lambda content: content["vsr"]["classifier"].update(temperature=0.5))).selector
    assert softer.classifier is not None
    assert softer.classifier.temperature == 0.5
    with pytest.raises(ArtefactError, match=r"'vsr.classifier.temperature' is -1.0; expected a number of 0 or more"):
        load_artefact(edited("knn", lambda content: content["vsr"]["classifier"].update(temperature=-1.0)))


def test_null_stands_for_what_there_is_not(edited: Callable[..., Path]) -> None:
    absent = {"classifier": None, "held_out": None}
    artefact = load_artefact(edited("knn", lambda content: content["vsr"].update(absent)))
    assert artefact.selector.classifier is None
    assert artefact.header is not None
    assert artefact.header.held_out is None
    endless = load_artefact(edited("knn", lambda content: content["vsr"]["prior"].update(shrinkage=None)))
    assert endless.selector.prior is not None
    assert endless.selector.prior.shrinkage == float("inf")


@every_algorithm
def test_what_is_not_ours_is_refused(name: str, edited: Callable[..., Path]) -> None:
    def refuse(change: Callable[[dict[str, Any]], object], message: str) -> None:
        path = edited(name, change)
        with pytest.raises(ArtefactError, match=message) as caught:
            load_artefact(path)
        assert str(caught.value).startswith(f"{path}: ")

    refuse(lambda content: content.update(algorithm="forest"), "is 'forest'; this version knows knn, kmeans, svm, mlp")
    refuse(lambda content: content.update(algorithm=3), "field 'algorithm' is 3; expected a text")
    refuse(
        lambda content: content.update(trained=False), "field 'trained' is false: the file holds no trained selector"
    )
    refuse(lambda content: content.update(trained="yes"), "field 'trained' is 'yes'; expected true or false")
    newer = FORMAT_VERSION + 1
    refuse(
        lambda content: content["vsr"].update(format_version=newer),
        f"field 'vsr.format_version' is {newer}; this version reads up to {FORMAT_VERSION}. Upgrade vsr-train",
    )
    refuse(lambda content: content["vsr"].update(models=["large", "medium"]), "shape|models|numbers")
    refuse(lambda content: content["vsr"].update(models=["large"] * 3), "'vsr.models' is empty or names a model twice")
    refuse(lambda content: content["vsr"]["categories"].reverse(), "'vsr.categories' are not the ones of this version")
    refuse(
        lambda content: content["vsr"]["embedder"].update(width=DIM + 1), "'vsr.n_features' is 30; expected 17 of the"
    )
    refuse(lambda content: content["vsr"]["objective"].update(quality_weight=2), "quality_weight is 2")
    refuse(
        lambda content: content["vsr"]["objective"].update(model_penalty={"large": -1}), "the penalty of large is -1"
    )
    refuse(lambda content: content["vsr"]["objective"].update(model_penalty=3), "'vsr.objective.model_penalty' is 3")
    refuse(lambda content: content["vsr"]["classifier"]["codes"].append(99), "'vsr.classifier.codes' holds 99")
    refuse(
        lambda content: content["vsr"].update(calibration_slope="strong"),
        "'vsr.calibration_slope' is 'strong'; expected a number",
    )


RAGGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "knn": lambda content: content["training_records"][7]["embedding"].pop(),
    "kmeans": lambda content: content["centroids"][1].append(0.5),
    "svm": lambda content: content["support_vectors"][2].pop(),
    "mlp": lambda content: content["weights"][0][3].pop(),
    "matrix_factorization": lambda content: content["projection"][5].pop(),
    "table": lambda content: content["means"]["math"].pop(),
    "stacking": lambda content: in_part(content, RAGGED),
}
NARROW: dict[str, Callable[[dict[str, Any]], object]] = {
    "knn": lambda content: [record["embedding"].pop() for record in content["training_records"]],
    "kmeans": lambda content: [centroid.pop() for centroid in content["centroids"]],
    "svm": lambda content: [vector.pop() for vector in content["support_vectors"]],
    "mlp": lambda content: content["weights"][0].pop(),
    "matrix_factorization": lambda content: content["projection"].pop(),
    "table": lambda content: content["means"].pop("math"),
    "stacking": lambda content: in_part(content, NARROW),
}
ARRAY = {
    "knn": "training_records.*embedding",
    "kmeans": "centroids",
    "svm": "support_vectors",
    "mlp": "weights",
    "matrix_factorization": "projection",
    "table": "means.math",
    "stacking": "parts",
}


def in_part(content: dict[str, Any], changes: dict[str, Callable[[dict[str, Any]], object]]) -> object:
    """Change the first part of a stacking artefact as its own artefact would be changed."""
    name, part = next(iter(content["parts"].items()))
    return changes[name](part)


@every_algorithm
def test_ragged_and_narrow_matrices_are_refused(name: str, edited: Callable[..., Path]) -> None:
    for changes in (RAGGED, NARROW):
        path = edited(name, changes[name])
        with pytest.raises(ArtefactError, match=rf"{path}.*{ARRAY[name]}"):
            load_artefact(path)


@every_algorithm
def test_a_word_among_the_numbers_is_refused(name: str, edited: Callable[..., Path]) -> None:
    rows: dict[str, Callable[[dict[str, Any]], Any]] = {
        "knn": lambda content: content["training_records"][0]["embedding"],
        "kmeans": lambda content: content["centroids"][0],
        "svm": lambda content: content["support_vectors"][0],
        "mlp": lambda content: content["weights"][0][0],
        "matrix_factorization": lambda content: content["projection"][0],
        "table": lambda content: content["means"]["math"],
        "stacking": lambda content: in_part(content, rows),
    }

    def change(content: dict[str, Any]) -> None:
        rows[name](content)[-1] = "0.5"

    path = edited(name, change)
    with pytest.raises(ArtefactError, match=ARRAY[name]):
        load_artefact(path)


def test_what_is_no_artefact_at_all_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "knn_model.json"
    for content, message in (
        (b"", "found the end of the file: it was cut off"),
        (b"   ", "found the end of the file: it was cut off"),
        (b'{"algorithm": "knn"', "found the end of the file: it was cut off"),
        (b"PK\x03\x04", "expected a value, found 'P'"),
        (b"\xff\xfe{", "expected a value"),
        (b'{"algorithm": "\xff"}', "not UTF-8; expected a JSON document"),
        (b"[1, 2]", "expected a JSON object, found list"),
        (b"{}", "field 'algorithm' is missing"),
        (b"[" * 100_000, "nested deeper than 64 levels"),
        (b'{"algorithm": knn}', "no JSON|expected"),
    ):
        path.write_bytes(content)
        with pytest.raises(ArtefactError, match=rf"{path}: .*({message})"):
            load_artefact(path)


# Older files


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("n_written", range(5))
def test_a_disk_that_fills_up_leaves_all_older_files(
    n_written: int,
    selectors: dict[str, TrainedSelector],
    trained_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(trained_folder, tmp_path, dirs_exist_ok=True)
    before = contents(tmp_path)
    write = _core.write_json_parts
    written: list[str] = []

    def until_full(path: str, parts: Any) -> None:
        if len(written) == n_written:
            Path(path).write_text('{"algorithm": "kn')
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write(path, parts)

    monkeypatch.setattr(document, "write_json_parts", until_full)
    with pytest.raises(OutputError, match=r"_model.json: cannot be written \(No space left on device\); older files"):
        save_selectors(list(selectors.values()), tmp_path, objective=Objective(0.5))
    assert contents(tmp_path) == before


def test_an_interrupt_while_writing_leaves_all_older_files(
    selectors: dict[str, TrainedSelector], trained_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained_folder, tmp_path, dirs_exist_ok=True)
    before = contents(tmp_path)
    write = _core.write_json_parts

    def interrupted(path: str, parts: Any) -> None:
        write(path, parts)
        if "svm" in path:
            raise KeyboardInterrupt

    monkeypatch.setattr(document, "write_json_parts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_selectors(list(selectors.values()), tmp_path, objective=Objective(0.5))
    assert contents(tmp_path) == before


def test_a_folder_that_cannot_be_written_is_named(selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/knn_model.json: cannot be written \((Not a directory|File exists)\)"):
        save_selector(selectors["knn"], tmp_path / "file")
    (tmp_path / "knn_model.json").mkdir()
    with pytest.raises(OutputError, match=r"knn_model.json: is a folder"):
        save_selector(selectors["knn"], tmp_path)


def test_new_files_replace_old_ones(
    selectors: dict[str, TrainedSelector], trained_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained_folder, tmp_path, dirs_exist_ok=True)
    paths = save_selectors(list(selectors.values()), tmp_path, objective=Objective(0.5))
    assert [path.name for path in paths] == [names[0] for names in FILE_NAMES.values()]
    assert {read(path)["vsr"]["objective"]["quality_weight"] for path in paths} == {0.5}
    assert len(list(tmp_path.iterdir())) == len(FILE_NAMES)
