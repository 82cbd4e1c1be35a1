"""Trainings side by side, and the link to the one in use."""

import os
import threading
import time
from pathlib import Path

import pytest

from routing.trainings import write_training
from vsr.errors import ArtefactError, OutputError
from vsr.persistence import find_artefact, find_artefacts, load_selector, read_manifest, save_selector
from vsr.persistence.current import training_folder
from vsr.persistence.versions import list_versions, new_training, use_version
from vsr.routing import Router

MONDAY, TUESDAY, WEDNESDAY = "1800000000", "1800086400", "1800172800"


def write_version(folder: Path, epoch: str, monkeypatch, *, n_queries: int = 120, keep: int | None = 5) -> str:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    with new_training(folder, keep) as training:
        write_training(training.folder, n_queries=n_queries)
    return training.path.name


@pytest.fixture
def folder(tmp_path, monkeypatch):
    write_version(tmp_path / "models", MONDAY, monkeypatch)
    write_version(tmp_path / "models", TUESDAY, monkeypatch, n_queries=150)
    return tmp_path / "models"


def names(folder):
    return [each.name for each in list_versions(folder)]


def current(folder):
    return [each.name for each in list_versions(folder) if each.is_current]


def test_every_training_is_a_folder_and_the_newest_is_in_use(folder):
    tuesday, monday = names(folder)
    assert monday.startswith("20270115T080000Z-")
    assert tuesday.startswith("20270116T080000Z-")
    assert current(folder) == [tuesday]
    assert (folder / "current").readlink() == Path(tuesday)
    assert {each.name for each in folder.iterdir()} == {monday, tuesday, "current"}
    manifest = read_manifest(folder)
    assert manifest is not None
    assert tuesday == f"20270116T080000Z-{manifest.run_id}"


def test_whoever_takes_a_folder_of_artefacts_takes_the_current_one(folder):
    tuesday, monday = names(folder)
    assert find_artefact(folder).parent == folder / tuesday
    assert find_artefacts(folder)["kmeans"].parent == folder / tuesday
    assert Router.load(folder).artefact.path.parent == folder / tuesday
    use_version(folder, monday)
    assert Router.load(folder).artefact.path.parent == folder / monday
    assert load_selector(folder).training_digest == load_selector(folder / monday).training_digest
    assert Router.load(folder / "current").artefact.header == Router.load(folder / monday).artefact.header


def test_a_version_is_named_by_the_beginning_of_its_name_or_run_id(folder):
    tuesday, monday = names(folder)
    assert use_version(folder, monday).is_current
    assert current(folder) == [monday]
    assert use_version(folder, tuesday.partition("-")[2][:6]).name == tuesday
    assert use_version(folder, "20270115").name == monday
    with pytest.raises(ArtefactError, match=r"2 versions begin with 2027; expected one of 20270116T.*, 20270115T"):
        use_version(folder, "2027")
    with pytest.raises(ArtefactError, match="has no version nothing"):
        use_version(folder, "nothing")
    with pytest.raises(ArtefactError, match="has no version"):
        use_version(folder, "")
    assert current(folder) == [monday]


@pytest.mark.parametrize("damage", ["changed", "missing", "no manifest", "manifest"])
def test_a_damaged_version_is_not_put_in_use(folder, damage):
    tuesday, monday = names(folder)
    if damage == "no manifest":
        (folder / monday / "recommended.json").unlink()
    elif damage == "manifest":
        (folder / monday / "recommended.json").write_text("{")
    elif damage == "missing":
        (folder / monday / "kmeans_model.json").unlink()
    else:
        with (folder / monday / "kmeans_model.json").open("a") as file:
            file.write(" ")
    with pytest.raises(ArtefactError):
        use_version(folder, monday)
    assert current(folder) == [tuesday]
    assert names(folder) == [tuesday, monday]


def test_the_oldest_go_and_never_the_current_one(tmp_path, monkeypatch):
    first = write_version(tmp_path, MONDAY, monkeypatch)
    second = write_version(tmp_path, TUESDAY, monkeypatch, keep=2)
    third = write_version(tmp_path, WEDNESDAY, monkeypatch, keep=2)
    assert names(tmp_path) == [third, second]
    assert not (tmp_path / first).exists()
    fourth = write_version(tmp_path, "1700000000", monkeypatch, keep=1)  # a clock that went back
    assert names(tmp_path) == [third, fourth]
    assert current(tmp_path) == [fourth]


def test_a_folder_that_keeps_versions_goes_on_with_it_and_drops_none(folder, monkeypatch):
    same_second = write_version(folder, TUESDAY, monkeypatch, n_queries=150, keep=None)
    assert len(names(folder)) == 3
    assert names(folder)[0] == same_second == f"{names(folder)[1]}-2"
    assert current(folder) == [same_second]


def test_without_versions_a_folder_is_written_as_ever(tmp_path, monkeypatch):
    assert write_version(tmp_path, MONDAY, monkeypatch, keep=None) == tmp_path.name
    assert training_folder(tmp_path) == tmp_path
    with pytest.raises(ArtefactError, match="keeps no versions"):
        list_versions(tmp_path)


def test_versions_take_the_place_of_a_training_that_lies_there(tmp_path, monkeypatch):
    write_training(tmp_path)
    version = write_version(tmp_path, TUESDAY, monkeypatch, n_queries=150)
    assert find_artefact(tmp_path).parent.name == version


def test_a_training_that_fails_leaves_nothing_and_the_old_one_goes_on(folder):
    before = sorted(each.name for each in folder.iterdir())
    with pytest.raises(KeyboardInterrupt), new_training(folder) as training:
        write_training(training.folder)
        raise KeyboardInterrupt
    with pytest.raises(ArtefactError, match="holds no recommended"), new_training(folder):
        pass
    assert sorted(each.name for each in folder.iterdir()) == before


def test_what_a_killed_training_left_goes_after_a_day(folder, monkeypatch):
    left, running = folder / ".training-old", folder / ".training-new"
    for each in (left, running):
        each.mkdir()
    os.utime(left, (time.time() - 90_000,) * 2)
    write_version(folder, WEDNESDAY, monkeypatch)
    assert (left.exists(), running.exists()) == (False, True)


def test_saving_past_the_versions_is_refused(folder):
    with pytest.raises(ArtefactError, match="keeps versions"):
        save_selector(load_selector(folder), folder)


@pytest.mark.parametrize("target", ["../elsewhere", "/nowhere", "gone", ".."])
def test_a_link_that_leads_elsewhere_is_not_followed(folder, target):
    monday = names(folder)[1]
    (folder / "current").unlink()
    (folder / "current").symlink_to(target)
    with pytest.raises(ArtefactError, match="no version in this folder; `vsr-train use"):
        Router.load(folder)
    assert current(folder) == []
    use_version(folder, monday)
    assert current(folder) == [monday]


def test_a_copy_without_links_loads_and_cannot_be_switched(folder):
    tuesday = names(folder)[0]
    (folder / "current").unlink()
    (folder / tuesday).rename(folder / "current")
    assert Router.load(folder).artefact.path.parent == folder / "current"
    with pytest.raises(OutputError, match="is no link"):
        use_version(folder, names(folder)[0])


def test_the_link_is_there_at_every_moment(folder):
    tuesday, monday = names(folder)
    ended = threading.Event()
    seen: set[str] = set()

    def look() -> None:
        while not ended.is_set():
            seen.add((folder / "current").readlink().name)

    looking = threading.Thread(target=look)
    looking.start()
    for _ in range(20):
        use_version(folder, monday)
        use_version(folder, tuesday)
    ended.set()
    looking.join()
    assert seen == {monday, tuesday}
