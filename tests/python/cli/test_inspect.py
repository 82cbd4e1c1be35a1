"""`vsr-train inspect`: what an artefact is."""

import json
import re
import shutil
from pathlib import Path

import pytest

from cli.conftest import Command, write_records
from documented import FILE_NAMES, document


def facts(block: str) -> dict[str, str]:
    return dict(re.split("  +", line, maxsplit=1) for line in block.splitlines())


def test_a_folder_shows_every_artefact(trained: Path, vsr_train: Command) -> None:
    result = vsr_train("inspect", trained)
    assert (result.code, result.err) == (0, "")
    recommended, *blocks = [facts(block) for block in result.out.split("\n\n")]
    assert recommended["recommended"].split()[0] in ("stacking", "table")
    assert recommended["because"].endswith(".")
    assert [block["algorithm"].split()[0] for block in blocks] == list(FILE_NAMES)
    for block, names in zip(blocks, FILE_NAMES.values(), strict=True):
        assert block["file"].startswith(f"{trained / names[0]} (")
        assert block["models"] == "3: newton, cicero, darwin"
        assert block["trained"].split()[2:4] == ["vsr-train", "0.1.0,"]
        assert block["data"] == "270 measured cells, 3 categories"
        assert block["embedder"] == "hash, 32 wide, digest hash-1"
        assert block["features"] == "46 wide, category weight 1"
        assert block["classifier"].endswith("% of 90 labelled queries right")
        assert block["objective"] == "quality weight 0.9"
        # The table has no line of its own in the comparison: it is the baseline there. The verdict is said once.
        assert ("points over newton" if names[0] != "table_model.json" else "no gain of its own") in block["held out"]
        assert "always using" not in block["held out"]
    alone = vsr_train("inspect", trained / "knn_model.json")
    assert "always using newton" in facts(alone.out)["held out"]


def test_json(trained: Path, vsr_train: Command) -> None:
    result = vsr_train("inspect", "--json", trained / "mlp_model.json", trained / "svm_model.json")
    assert (result.code, result.err) == (0, "")
    assert len(result.out.splitlines()) == 1
    document = result.json
    assert document["n_trainings"] == 1
    mlp, svm = document["artefacts"]
    assert (mlp["algorithm"], svm["algorithm"]) == ("mlp", "svm")
    assert mlp["parameters"] == {"hidden_layers": [8], "members": 1}
    assert mlp["path"] == str(trained / "mlp_model.json")
    assert mlp["size_bytes"] == (trained / "mlp_model.json").stat().st_size
    assert mlp["models"] == ["newton", "cicero", "darwin"]
    assert mlp["n_measured"] == [90, 90, 90]
    assert mlp["embedder"]["name"] == "hash"
    assert mlp["held_out"]["verdict"]["kind"] in ("route", "category_table")
    assert mlp["run_id"] == svm["run_id"]


def test_a_folder_that_mixes_two_trainings_says_so(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    assert vsr_train("inspect", tmp_path).err == ""
    records = write_records(tmp_path / "other.jsonl", 30)
    flags = ("--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--holdout", "0.3")
    assert vsr_train("train", "--data-file", records, *flags, "--output-dir", tmp_path).code == 0
    result = vsr_train("inspect", tmp_path)
    assert (result.code, result.err) == (0, "Warning: these artefacts come from 2 different trainings\n")
    assert vsr_train("inspect", tmp_path, "--json").json["n_trainings"] == 2
    chosen = vsr_train("select", "Which court?", "--models-dir", tmp_path, "--algorithm", "svm")
    assert chosen.code == 0
    assert chosen.err == (
        f"Warning: {tmp_path}: its artefacts come from 2 different trainings; "
        f"`vsr-train inspect {tmp_path}` shows which\n"
    )


@pytest.mark.parametrize("name", ["knn", "kmeans", "matrix_factorization"])
def test_a_file_of_the_documented_fields_alone(name: str, tmp_path: Path, vsr_train: Command) -> None:
    path = tmp_path / FILE_NAMES[name][0]
    path.write_text(json.dumps(document(name)))
    result = vsr_train("inspect", path)
    assert (result.code, result.err) == (0, "")
    assert facts(result.out)["features"] == "17 wide"
    assert result.out.count("\nlacks") == 4
    held = vsr_train("inspect", path, "--json").json["artefacts"][0]
    assert len(held["lacking"]) == 4
    assert "embedder" not in held


@pytest.mark.parametrize("name", ["svm", "mlp"])
def test_a_file_without_names_says_that_it_lacks_them(name: str, tmp_path: Path, vsr_train: Command) -> None:
    path = tmp_path / FILE_NAMES[name][0]
    path.write_text(json.dumps(document(name)))
    result = vsr_train("inspect", path)
    assert result.code == 1
    assert f"{path}: names no models" in result.err


def test_verifying_reads_sidecars_too(records: Path, tmp_path: Path, vsr_train: Command) -> None:
    folder = tmp_path / "models"
    flags = ("--use-fallback", "--embedding-dim", "16", "--algorithm", "knn", "--knn-k", "5", "--holdout", "0.3")
    trained = vsr_train("train", "--data-file", records, *flags, "--artefact-format", "binary", "--output-dir", folder)
    assert trained.code == 0
    (sidecar,) = folder.glob("*.safetensors")
    shown = vsr_train("inspect", "--verify", folder)
    assert (shown.code, shown.err) == (0, "")
    assert f"arrays      {sidecar.name} (" in shown.out
    files = ["knn_model.json", sidecar.name, "table_model.json", "recommended.json"]
    assert shown.out.splitlines()[-1].startswith(f"verified     {', '.join(files)} (")
    document = vsr_train("inspect", "--verify", "--json", folder).json
    assert [Path(path).name for path in document["verified"]] == files
    assert document["artefacts"][0]["sidecar"]["file"] == sidecar.name
    content = sidecar.read_bytes()
    sidecar.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert vsr_train("inspect", folder).code == 0
    damaged = vsr_train("inspect", "--verify", folder)
    assert damaged.code == 1
    assert damaged.err.startswith(f"Error: {sidecar}: is damaged")
    with (folder / "table_model.json").open("a") as file:
        file.write("\n")
    assert (
        "table_model.json: is not the file that recommended.json lists" in vsr_train("inspect", "--verify", folder).err
    )


def test_what_cannot_be_read_is_named(trained: Path, tmp_path: Path, vsr_train: Command) -> None:
    damaged = tmp_path / "knn_model.json"
    damaged.write_text((trained / "knn_model.json").read_text()[:500])
    for path, message in (
        (damaged, "damaged"),
        (tmp_path / "no.json", "no such file or folder; expected an artefact or a folder of them, as `vsr-train train"),
        (trained.parent, f"holds no artefact; `vsr-train train --output-dir {trained.parent}` makes them"),
    ):
        result = vsr_train("inspect", path)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"Error: {path}: ")
        assert message in result.err
        assert len(result.err.splitlines()) == 1


def test_nothing_to_inspect_is_wrong_usage(vsr_train: Command) -> None:
    result = vsr_train("inspect")
    assert (result.code, result.out) == (2, "")
    assert "Missing argument 'PATHS...'" in result.err
