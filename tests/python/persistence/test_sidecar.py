"""Big arrays beside the JSON: the same scores to the last bit, mapped, and refused where they are not the ones."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pools import DIM, planted_pool
from vsr import _core, selector_from_dict, selector_to_dict
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES
from vsr.errors import ArtefactError, OutputError
from vsr.persistence import load_artefact, read_manifest, save_selector, save_selectors, write_manifest
from vsr.persistence import writing as writing_module
from vsr.persistence.mapping import verify_sidecar
from vsr.persistence.sidecar import MOST_JSON_ROWS
from vsr.persistence.trainings import run_ids, sidecar_of
from vsr.persistence.verification import differences
from vsr.persistence.versions import list_versions, new_training, use_version
from vsr.routing.reloading import ReloadingRouter
from vsr.selectors.base import TrainedSelector
from vsr.selectors.knn import KnnPredictor
from vsr.training.trainer import Trainer

WIDTH = DIM + len(CATEGORIES)


def trained(n_queries: int = 90, seed: int = 0, **parameters: Any) -> dict[str, TrainedSelector]:
    pool = planted_pool(n_queries)
    quality = pool.outcomes.quality.copy()
    quality[3, 1] = np.nan
    table = Trainer.prepare(pool.features, pool.with_quality(quality).outcomes, seed=seed)
    knn = table.train("knn", **{"k": 3, **parameters})
    svm = table.train("svm", c=1.0)
    return {"knn": knn, "svm": svm, "stacking": table.train("stacking", [knn, svm])}


@pytest.fixture(scope="module")
def selectors() -> dict[str, TrainedSelector]:
    return trained()


def queries(n_queries: int = 40) -> Any:
    return planted_pool(n_queries, seed=7).features


def sidecars(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".json")


# Both forms hold the same


@pytest.mark.parametrize("name", ["knn", "svm", "stacking"])
def test_scores_are_the_same_bits(name: str, selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    scores = {}
    for form in ("json", "binary"):
        folder = tmp_path / form
        path = save_selector(selectors[name], folder, artefact_format=form)
        artefact = load_artefact(path)
        assert (artefact.sidecar is not None) == (form == "binary")
        scores[form] = artefact.selector.scores(queries())
    assert scores["json"].tobytes() == scores["binary"].tobytes() == selectors[name].scores(queries()).tobytes()


def test_what_is_loaded_is_written_again_to_the_byte(selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    plain = save_selector(selectors["knn"], tmp_path / "plain", artefact_format="json").read_text()
    mapped = load_artefact(save_selector(selectors["knn"], tmp_path / "a", artefact_format="binary")).selector
    again = save_selector(mapped, tmp_path / "b", artefact_format="binary")
    assert sidecars(tmp_path / "a") == sidecars(tmp_path / "b")
    text = save_selector(mapped, tmp_path / "c", artefact_format="json").read_text()
    without_time = [[line for line in each.splitlines() if "created_at" not in line] for each in (text, plain)]
    assert without_time[0] == without_time[1]
    assert selector_to_dict(load_artefact(again).selector)["training_records"] == json.loads(plain)["training_records"]
    assert (
        selector_from_dict(selector_to_dict(mapped)).scores(queries()).tobytes() == mapped.scores(queries()).tobytes()
    )


def test_texts_and_measurements_are_explained(selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    mapped = load_artefact(save_selector(selectors["knn"], tmp_path, artefact_format="binary")).selector
    columns = {name: column for column, name in enumerate(mapped.models)}
    assert mapped.predictor.explain(queries(1), columns) == selectors["knn"].predictor.explain(queries(1), columns)


def test_a_tree_is_built_again(tmp_path: Path) -> None:
    selector = trained(index="ball-tree")["knn"]
    mapped = load_artefact(save_selector(selector, tmp_path, artefact_format="binary")).selector
    assert mapped.predictor.index.engine == "ball-tree"  # type: ignore[attr-defined]
    assert mapped.scores(queries()).tobytes() == selector.scores(queries()).tobytes()


def test_it_is_a_safetensors_file(selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    path = save_selector(selectors["knn"], tmp_path, artefact_format="binary")
    content = (tmp_path / load_artefact(path).sidecar.file).read_bytes()  # type: ignore[union-attr]
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    del header["__metadata__"]
    start, end = header["vsr.predictor.rows"]["data_offsets"]
    rows = np.frombuffer(content[8 + length :][start:end], dtype="<f4").reshape(90, -1)
    assert rows[:, :WIDTH].tobytes() == selectors["knn"].predictor.features.tobytes()  # type: ignore[attr-defined]
    assert max(each["data_offsets"][1] for each in header.values()) == len(content) - 8 - length
    document = json.loads(path.read_text())
    assert "training_records" not in document
    assert (document["algorithm"], document["k"], document["vsr"]["format_version"]) == ("knn", 3, 3)


@pytest.mark.parametrize("form", ["json", "auto"])
def test_small_ones_stay_json(form: Any, selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    path = save_selector(selectors["knn"], tmp_path, artefact_format=form)
    assert json.loads(path.read_text())["vsr"]["format_version"] == 2
    assert sidecars(tmp_path) == []


def test_an_unknown_form_is_refused(selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="'xml'; expected one of auto, json, binary"):
        save_selector(selectors["knn"], tmp_path, artefact_format="xml")  # type: ignore[arg-type]


# Old and new


def test_a_new_pair_takes_the_place_of_the_old_one(selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    save_selector(selectors["knn"], tmp_path, artefact_format="binary")
    (old,) = sidecars(tmp_path)
    held = load_artefact(tmp_path / "knn_model.json").selector
    save_selector(trained(80)["knn"], tmp_path, artefact_format="binary")
    (new,) = sidecars(tmp_path)
    assert old != new
    assert held.scores(queries()).tobytes() == selectors["knn"].scores(queries()).tobytes()  # its map lives on
    save_selector(selectors["knn"], tmp_path, artefact_format="json")
    assert sidecars(tmp_path) == []


def test_of_a_save_that_fails_nothing_is_left(
    selectors: dict[str, TrainedSelector], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_selector(selectors["knn"], tmp_path, artefact_format="binary")
    before = set(tmp_path.iterdir())

    def full(_: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(writing_module, "write_documents", full)
    for selector in (trained(80)["knn"], selectors["knn"]):
        with pytest.raises(OutputError):
            save_selector(selector, tmp_path, artefact_format="binary")
        assert set(tmp_path.iterdir()) == before


_SAVING = """
import os, sys
from test_sidecar import trained
from vsr.persistence import save_selectors
held = [list(trained(n).values()) for n in (90, 80)]
for _ in sys.stdin:  # a process for every line, which writes until it is killed
    child = os.fork()
    while not child:
        for each in held:
            save_selectors(each, sys.argv[1], artefact_format="binary")
    print(child, flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


def test_kill_nine_leaves_the_old_pair_or_the_new(tmp_path: Path) -> None:
    known = {
        number: {name: each.scores(queries()).tobytes() for name, each in trained(number).items()}
        for number in (90, 80)
    }
    folder = tmp_path / "models"
    save_selectors(list(trained(90).values()), folder, artefact_format="binary")
    generator = np.random.default_rng(0)
    found = set()
    with subprocess.Popen(
        [sys.executable, "-c", _SAVING, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(20):
            process.stdin.write("\n")
            process.stdin.flush()
            child = int(process.stdout.readline())
            time.sleep(float(generator.uniform(0.0, 0.05)))
            os.kill(child, signal.SIGKILL)
            assert process.stdout.readline() == "dead\n"
            for name in known[90]:
                artefact = load_artefact(folder / f"{name}_model.json")
                assert artefact.sidecar is not None
                verify_sidecar(artefact.path, artefact.sidecar)
                scores = artefact.selector.scores(queries()).tobytes()
                found |= {number for number, each in known.items() if each[name] == scores} or {0}
    assert found <= {90, 80}  # never 0: of neither; how often of which one is up to the machine
    save_selectors(list(trained(90).values()), folder, artefact_format="binary")
    assert len([name for name in sidecars(folder) if not name.endswith(".tmp")]) == 3


# What is not the right one


@pytest.fixture
def pair(selectors: dict[str, TrainedSelector], tmp_path: Path) -> tuple[Path, Path]:
    path = save_selector(selectors["knn"], tmp_path, artefact_format="binary")
    return path, tmp_path / sidecars(tmp_path)[0]


def cut(sidecar: Path) -> None:
    with sidecar.open("rb+") as file:
        file.truncate(sidecar.stat().st_size - 1)


def swapped(sidecar: Path) -> None:
    """Another one of the same size under the same name."""
    other = sidecar.parent / "other"
    pool = planted_pool(90, seed=5)
    table = Trainer.prepare(pool.features, pool.outcomes)
    save_selector(table.train("knn", k=3), other, artefact_format="binary")
    content = (other / sidecars(other)[0]).read_bytes()
    shutil.rmtree(other)
    sidecar.write_bytes(content[: sidecar.stat().st_size].ljust(sidecar.stat().st_size, b"\0"))


def linked(sidecar: Path) -> None:
    moved = sidecar.rename(sidecar.with_name("moved"))
    sidecar.symlink_to(moved)


def as_folder(sidecar: Path) -> None:
    sidecar.unlink()
    sidecar.mkdir()


def as_pipe(sidecar: Path) -> None:
    sidecar.unlink()
    os.mkfifo(sidecar)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut, "bytes, but knn_model.json names one of"),
        (swapped, "is not the file that knn_model.json names"),
        (linked, "is a link; expected the file itself"),
        (as_folder, "is no regular file; expected the file itself"),
        (as_pipe, "is no regular file; expected the file itself"),
        (Path.unlink, r"cannot be read \(No such file or directory\)"),
    ],
)
def test_another_file_is_refused(damage: Callable[[Path], None], message: str, pair: tuple[Path, Path]) -> None:
    path, sidecar = pair
    damage(sidecar)
    with pytest.raises(ArtefactError, match=message) as caught:
        load_artefact(path)
    assert str(sidecar) in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_that_of_another_user_is_refused(pair: tuple[Path, Path]) -> None:
    os.chown(pair[1], 12345, -1)
    with pytest.raises(ArtefactError, match=r"belongs to user 12345, but knn_model\.json to user 0"):
        load_artefact(pair[0])


def test_one_changed_byte_is_found_by_verifying(pair: tuple[Path, Path]) -> None:
    path, sidecar = pair
    with sidecar.open("rb+") as file:
        file.seek(-5, os.SEEK_END)
        byte = file.read(1)
        file.seek(-5, os.SEEK_END)
        file.write(bytes([byte[0] ^ 1]))
    artefact = load_artefact(path)  # which reads none of the numbers
    assert artefact.sidecar is not None
    with pytest.raises(ArtefactError, match="is damaged: its SHA-256 is"):
        verify_sidecar(path, artefact.sidecar)


def changed_header(pair: tuple[Path, Path], change: Callable[[dict[str, Any]], object]) -> Path:
    """Somebody rewrites both files, so that the digests fit, with another description."""
    path, sidecar = pair
    content = sidecar.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    first = len(text).to_bytes(8, "little") + text
    digest = hashlib.sha256(first + content[8 + length :]).hexdigest()
    (path.parent / f"knn_model.{digest[:16]}.safetensors").write_bytes(first + content[8 + length :])
    document = json.loads(path.read_text())
    document["vsr"]["sidecar"] = {
        "file": f"knn_model.{digest[:16]}.safetensors",
        "size_bytes": len(first) + len(content) - 8 - length,
        "sha256": digest,
        "header_sha256": hashlib.sha256(first).hexdigest(),
    }
    path.write_text(json.dumps(document))
    return path


def set_in(name: str, key: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda header: header[f"vsr.predictor.{name}"].update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_in("best", "dtype", "F64"), "unknown, or not of the type"),
        (set_in("best", "dtype", "BF16"), "unknown, or not of the type"),
        (set_in("best", "shape", [91]), "does not lie where its shape says"),
        (set_in("best", "shape", [-90]), "does not lie where its shape says"),
        (set_in("best", "shape", "90"), "does not lie where its shape says"),
        (set_in("rows", "data_offsets", [0, 8]), "does not lie where its shape says"),
        (set_in("rows", "data_offsets", [0, -8]), "is no description of arrays"),
        (set_in("rows", "data_offsets", [1]), "is no description of arrays"),
        (lambda header: header.update(more={"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}), "unknown"),
        (lambda header: header.pop("vsr.predictor.order"), "does not lie where its shape says"),
        (set_in("codes", "shape", [1]), "does not lie where its shape says"),
        (lambda _: None, None),
    ],
)
def test_every_description_is_checked(
    change: Callable[[dict[str, Any]], object], message: str | None, pair: tuple[Path, Path]
) -> None:
    path = changed_header(pair, change)
    if message is None:
        load_artefact(path)
        return
    with pytest.raises(ArtefactError, match=message):
        load_artefact(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("file", "../knn_model.json", "expected a name that ends with"),
        ("file", 7, "expected a text"),
        ("sha256", "abc", "is no SHA-256 digest"),
        ("size_bytes", -1, "names one of -1"),
        ("header_sha256", "0" * 64, "is not the file that"),
    ],
)
def test_every_field_is_checked(field: str, value: object, message: str, pair: tuple[Path, Path]) -> None:
    document = json.loads(pair[0].read_text())
    document["vsr"]["sidecar"][field] = value
    pair[0].write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match=message):
        load_artefact(pair[0])


def test_an_index_of_parts_that_do_not_fit() -> None:
    parts = _core.KnnIndex(planted_pool(90).features, len(CATEGORIES), "flat").parts()
    assert parts is not None
    for array in parts.values():
        array.flags.writeable = False
    assert _core.KnnIndex.of_parts(n_features=WIDTH, **parts).n_rows == 90
    order = parts["order"].copy()
    order[0] = order[1]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"order": order}, "occurs twice"),
        ({"order": order + np.uint32(90)}, "occurs twice in the order, or there is none"),
        ({"codes": parts["codes"][:-1]}, "numbers in the codes"),
        ({"rows": parts["rows"][1:]}, "numbers in the rows"),
        ({"scalings": parts["scalings"][1:]}, "numbers in the scalings"),
        ({"group_sizes": parts["group_sizes"][1:]}, "numbers in the groups"),
        ({"origin": np.zeros(WIDTH + 1, np.float32)}, "the origin has"),
    ]
    for changed, message in cases:
        for array in changed.values():
            array.flags.writeable = False
        with pytest.raises(ValueError, match=message):
            _core.KnnIndex.of_parts(n_features=WIDTH, **{**parts, **changed})
    with pytest.raises(ValueError, match="may be written to"):
        _core.KnnIndex.of_parts(n_features=WIDTH, **{**parts, "order": order.copy()})


# Trainings


def test_a_manifest_lists_sidecars_too(selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    path = save_selector(selectors["knn"], tmp_path, artefact_format="binary")
    write_manifest(tmp_path, {"knn": path}, "knn", Objective())
    manifest = read_manifest(tmp_path)
    assert manifest is not None
    sidecar = manifest.files["knn"].sidecar
    assert sidecar is not None
    assert (sidecar.name, sidecar.sha256) == sidecar_of(path)
    assert run_ids([path]) == {manifest.run_id}
    assert differences(manifest) == []
    path.write_text(path.read_text() + " ")
    assert "its SHA-256 is another one" in differences(manifest)[0]


def test_a_router_goes_over_to_a_new_pair(tmp_path: Path) -> None:
    def train(n_queries: int) -> None:
        path = save_selector(trained(n_queries)["knn"], tmp_path, artefact_format="binary")
        write_manifest(tmp_path, {"knn": path}, "knn", Objective())

    train(90)
    router = ReloadingRouter.load(tmp_path)
    train(80)
    assert router.reload_if_changed()
    assert router.reloads.refusal is None
    shutil.copy(tmp_path / "knn_model.json", tmp_path / "kept")
    train(90)
    (tmp_path / sidecars(tmp_path)[-1]).unlink()
    assert not router.reload_if_changed()
    assert "cannot be read" in str(router.reloads.refusal)


def test_going_back_reads_sidecars_too(tmp_path: Path) -> None:
    for n_queries in (90, 80):
        with new_training(tmp_path, keep=5) as training:
            path = save_selector(trained(n_queries)["knn"], training.folder, artefact_format="binary")
            write_manifest(training.folder, {"knn": path}, "knn", Objective())
    _, old = list_versions(tmp_path)
    assert use_version(tmp_path, old.name).is_current
    (sidecar,) = old.path.glob("*.safetensors")
    content = sidecar.read_bytes()
    sidecar.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtefactError, match=f"{sidecar.name}: is not the file that training"):
        use_version(tmp_path, old.name)


# Memory


_GROWTH = """
import sys
import numpy as np
from pathlib import Path
from vsr.persistence import load_artefact

def resident():  # what is this process's own: of the file, the kernel maps as much at once as it likes
    return 1024 * int(Path("/proc/self/status").read_text().partition("RssAnon:")[2].split()[0])

folder = Path(sys.argv[1])
load_artefact(folder / "small" / "knn_model.json")
before = resident()
selector = load_artefact(folder / "big" / "knn_model.json").selector
loaded = resident()
row = selector.predictor.features[5:6].copy()
selector.scores(row)
print(loaded - before, resident() - before)
"""


def test_loading_maps_and_auto_is_binary_when_big(selectors: dict[str, TrainedSelector], tmp_path: Path) -> None:
    n_rows, width = MOST_JSON_ROWS + 1, 256 + len(CATEGORIES)
    generator = np.random.default_rng(0)
    features = np.empty((n_rows, width), np.float32)
    features[:, :256] = generator.normal(size=(n_rows // 10 + 1, 256)).repeat(10, axis=0)[:n_rows]
    features[:, :256] += 0.01 * generator.normal(size=(n_rows, 256))
    features[:, :256] /= np.linalg.norm(features[:, :256], axis=1, keepdims=True)
    features[:, 256:] = np.eye(len(CATEGORIES), dtype=np.float32)[np.arange(n_rows) * len(CATEGORIES) // n_rows]
    small = selectors["knn"]
    held = small.predictor
    assert isinstance(held, KnnPredictor)
    tiled = np.arange(n_rows) % 90
    predictor = KnnPredictor(
        setting=held.setting,
        measured=held.measured[tiled],
        residual=held.residual[tiled],
        best=held.best[tiled],
        queries=("",) * n_rows,
        index=_core.KnnIndex(features, len(CATEGORIES), "flat"),
    )
    save_selector(small, tmp_path / "small", artefact_format="binary")
    big = replace(small, predictor=predictor, n_features=width, classifier=None)
    path = save_selector(big, tmp_path / "big")
    sidecar = load_artefact(path).sidecar
    assert sidecar is not None
    found = subprocess.run(
        [sys.executable, "-c", _GROWTH, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout.split()
    loaded, asked = int(found[0]), int(found[1])
    assert sidecar.size_bytes > 25e6
    assert max(loaded, asked) < 0.25 * sidecar.size_bytes
