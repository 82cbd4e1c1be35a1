import errno
import gzip
import os
import stat
from pathlib import Path

import pytest

from vsr._files import atomic_writer
from vsr.errors import OutputError


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_content_arrives_whole_and_nothing_else_stays(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with atomic_writer(path) as out:
        out.write(b"new ")
        out.write(b"content")
        assert not path.exists()
    read = gzip.decompress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes()
    assert read == b"new content"
    assert only_file(tmp_path) == path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt()])
def test_after_an_exception_the_old_file_is_untouched(name: str, failure: BaseException, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(type(failure)), atomic_writer(path) as out:
        out.write(b"half")
        raise failure
    assert path.read_bytes() == b"old"
    assert only_file(tmp_path) == path


def test_a_full_disk_is_an_output_error_and_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OutputError, match="cannot be written \\(No space left on device\\); an older file"),
        atomic_writer(path) as out,
    ):
        out.write(b"new")
    assert path.read_bytes() == b"old"
    assert only_file(tmp_path) == path


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_write_that_the_disk_refuses_is_translated(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="No space left"),
        atomic_writer(tmp_path / "a.json"),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")


def test_errors_of_other_files_inside_the_block_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_writer(tmp_path / "a.json"):
        (tmp_path / "missing").read_bytes()


def test_a_folder_in_the_way_or_a_file_as_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"), atomic_writer(tmp_path):
        pass
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"), atomic_writer(tmp_path / "file" / "a.json"):
        pass


def test_missing_folders_are_made_and_links_followed(tmp_path: Path) -> None:
    with atomic_writer(tmp_path / "new" / "deeper" / "a.json") as out:
        out.write(b"1")
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with atomic_writer(link) as out:
        out.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_permissions_are_those_of_the_old_file_or_of_the_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"")
    old.chmod(0o640)
    umask = os.umask(0o022)
    try:
        for path in (old, new):
            with atomic_writer(path) as out:
                out.write(b"x")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o644


def test_the_same_content_gives_the_same_packed_bytes(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        with atomic_writer(tmp_path / name) as out:
            out.write(b"content" * 100)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
