"""`vsr-train use` and `train --keep-versions`: trainings side by side."""

from pathlib import Path

import pytest

from cli.conftest import Command, write_records
from vsr.persistence.versions import list_versions

TRAIN = ("train", "--use-fallback", "--embedding-dim", "32", "--algorithm", "kmeans", "--splits", "2")


@pytest.fixture
def folder(tmp_path: Path, vsr_train: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    for epoch, n_queries, keep in (("1800000000", 60, ("--keep-versions", 3)), ("1800086400", 90, ())):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        records = write_records(tmp_path / "records.jsonl", n_queries)
        result = vsr_train(*TRAIN, "--data-file", records, "--output-dir", tmp_path / "models", *keep)
        assert result.code == 0, result.err
    newest = list_versions(tmp_path / "models")[0]
    assert result.err.endswith(
        f"Version {newest.name} is current; `vsr-train use {tmp_path / 'models'}` lists all, and goes back.\n"
    )
    assert str(newest.path / "kmeans_model.json") in result.err
    return tmp_path / "models"


def test_it_lists_and_switches_and_goes_back(folder: Path, vsr_train: Command) -> None:
    new, old = (each.name for each in list_versions(folder))
    listed = vsr_train("use", folder)
    assert (listed.code, listed.err) == (0, "")
    title, *rows = (line.split() for line in listed.out.splitlines())
    assert title == ["version", "current", "recommended", "verdict"]
    assert rows[0][:2] == [new, "yes"]
    assert rows[1][:2] == [old, "table"]
    switched = vsr_train("use", folder, old[:8])
    assert (switched.code, switched.out) == (0, f"{old} is now the current version of {folder}.\n")
    assert switched.err == f"Back again: vsr-train use {folder} {new}\n"
    assert vsr_train("use", folder, old).out == f"{old} is already the current version of {folder}.\n"
    inspected = vsr_train("inspect", folder)
    assert f"({folder / old / 'recommended.json'}," in inspected.out
    chosen = vsr_train("select", "court and statute", "--models-dir", folder, "--json")
    assert chosen.json["model"] == "cicero"
    evaluated = vsr_train("evaluate", "--data-file", folder.parent / "records.jsonl", "--models-dir", folder, "--json")
    assert evaluated.code == 0, evaluated.err


def test_json(folder: Path, vsr_train: Command) -> None:
    new, old = (each.name for each in list_versions(folder))
    listed = vsr_train("use", folder, old, "--json")
    assert (listed.code, listed.err) == (0, "")
    assert listed.json["current"] == old
    assert [(each["version"], each["is_current"]) for each in listed.json["versions"]] == [(new, False), (old, True)]
    assert listed.json["versions"][0]["verdict"]["kind"] in ("route", "category_table")


def test_what_is_wrong_is_said_in_a_line(folder: Path, vsr_train: Command) -> None:
    new, old = (each.name for each in list_versions(folder))
    (folder / old / "kmeans_model.json").write_text("{}")
    damaged = vsr_train("use", folder, old)
    assert (damaged.code, damaged.out) == (1, "")
    assert damaged.err.startswith(f"Error: {folder / old / 'kmeans_model.json'}: is not the file that training ")
    unknown = vsr_train("use", folder, "yesterday")
    assert unknown.err == f"Error: {folder}: has no version yesterday; expected one of {new}, {old}\n"
    assert vsr_train("use", folder / "nowhere").err.startswith(f"Error: {folder / 'nowhere'}: no such folder;")
    assert "keeps no versions" in vsr_train("use", folder / new).err
    (folder / old / "recommended.json").unlink()
    assert vsr_train("use", folder).out.splitlines()[1:][1].split() == [old, "-", "cannot", "be", "read"]
    (folder / "current").unlink()
    assert "no version is current" in vsr_train("use", folder).err


def test_versions_are_kept_of_a_training_alone(tmp_path: Path, vsr_train: Command) -> None:
    result = vsr_train("train", "--config", tmp_path / "x.yaml", "--analyze-only", "--keep-versions", "2")
    assert result.code == 2
    assert "--keep-versions has no effect with --analyze-only" in result.err
    assert vsr_train("train", "--keep-versions", "0").code == 2
