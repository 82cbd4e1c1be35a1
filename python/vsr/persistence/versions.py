"""Trainings side by side: a folder for each, and a link `current` to the one in use, so that going back is one step."""

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vsr._checks import require_path
from vsr._files import sync_folder, umask
from vsr.errors import ArtefactError, OutputError
from vsr.persistence.current import CURRENT_NAME, keeps_versions, training_folder
from vsr.persistence.finding import open_artefact
from vsr.persistence.manifest import MANIFEST_NAME, Manifest, read_manifest, sha256_of

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+(-\d+)?")
_BEING_WRITTEN = ".training-"
_ABANDONED_S = 86_400.0


@dataclass(frozen=True)
class Version:
    """A training in a folder of its own.

    Attributes:
        name: of the folder: when it was trained, and its run id.
        path: the folder.
        manifest: what it recommends; None where that cannot be read.
        is_current: whether the link leads here.
    """

    name: str
    path: Path
    manifest: Manifest | None
    is_current: bool


@dataclass
class NewTraining:
    """Where a training writes, and where it lies afterwards.

    Attributes:
        folder: to write to.
        path: where everything lies once all is written.
    """

    folder: Path
    path: Path


@contextlib.contextmanager
def new_training(directory: str | os.PathLike[str], keep: int | None = None) -> Iterator[NewTraining]:
    """Make room for a training, and put it in use at the end of the block, whole or not at all.

    Args:
        directory: the folder of the artefacts; where it keeps versions the training becomes one.
        keep: begin to keep versions, and drop all but the newest of this number; without it none is dropped.

    Raises:
        OutputError: The folder cannot be written.
        ArtefactError: The block has written no manifest.
    """
    folder = Path(directory)
    if keep is None and not keeps_versions(folder):
        yield NewTraining(folder, folder)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        written = Path(tempfile.mkdtemp(prefix=_BEING_WRITTEN, dir=folder))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written to ({error.strerror}); name another folder") from error
    training = NewTraining(written, written)
    try:
        yield training
        training.path = _named(folder, written)
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        raise
    _switch(folder, training.path.name)
    if keep is not None:
        _drop_old(folder, keep)


def list_versions(directory: str | os.PathLike[str]) -> list[Version]:
    """List the versions of a folder, the newest first.

    Raises:
        ArtefactError: No such folder, or it keeps no versions.
    """
    require_path(directory, "directory", ArtefactError)
    folder = Path(directory)
    if not folder.is_dir():
        raise ArtefactError(
            f"{folder}: no such folder; `vsr-train train --output-dir {folder} --keep-versions 5` makes it"
        )
    names = _names(folder)
    if not names and not keeps_versions(folder):
        raise ArtefactError(f"{folder}: keeps no versions; `vsr-train train --keep-versions 5` begins with that")
    try:
        current = training_folder(folder).name
    except ArtefactError:
        current = ""
    return [_version(folder / name, name == current) for name in names]


def use_version(directory: str | os.PathLike[str], wanted: str) -> Version:
    """Let the link lead to a version; whoever follows it sees the old one or the new one, never none.

    Args:
        directory: the folder of the versions.
        wanted: name of one, the beginning of its name, or of its run id.

    Raises:
        ArtefactError: There is no such version, several begin so, or it is damaged.
        OutputError: The link cannot be written.
    """
    versions = list_versions(directory)
    found = [each for each in versions if each.name == wanted] or [
        each for each in versions if wanted and any(part.startswith(wanted) for part in (each.name, _run_id(each)))
    ]
    if len(found) != 1:
        what = f"{len(found)} versions begin with {wanted}" if found else f"has no version {wanted}"
        there = ", ".join(each.name for each in found or versions) or "none"
        raise ArtefactError(f"{directory}: {what}; expected one of {there}")
    require_sound(found[0].path)
    _switch(Path(directory), found[0].name)
    return Version(found[0].name, found[0].path, found[0].manifest, is_current=True)


def require_sound(path: Path) -> None:
    """Check that a training is whole: every file as its manifest says, and what it recommends can be loaded.

    Raises:
        ArtefactError: It is not.
    """
    manifest = read_manifest(path)
    if manifest is None:
        raise ArtefactError(f"{path}: has no {MANIFEST_NAME}; it is no whole training")
    sidecars = [file.sidecar for file in manifest.files.values() if file.sidecar is not None]
    for file in [*manifest.files.values(), *sidecars]:
        if sha256_of(path / file.name) != file.sha256:
            raise ArtefactError(
                f"{path / file.name}: is not the file that training {manifest.run_id} wrote; the version is damaged"
            )
    open_artefact(path)


def _names(folder: Path) -> list[str]:
    """Name the versions of a folder, the newest first; of one second, the one that was written later."""
    found = [each.name for each in folder.iterdir() if _NAME.fullmatch(each.name) and not each.is_symlink()]
    return sorted(found, key=_age, reverse=True)


def _age(name: str) -> tuple[str, int, str]:
    moment, _, rest = name.partition("-")
    run_id, _, number = rest.partition("-")
    return moment, int(number or 1), run_id


def _run_id(version: Version) -> str:
    return version.name.split("-")[1]


def _version(path: Path, is_current: bool) -> Version:
    try:
        manifest = read_manifest(path)
    except ArtefactError:
        manifest = None
    return Version(path.name, path, manifest, is_current)


def _named(folder: Path, written: Path) -> Path:
    """Give a training that is written its name."""
    manifest = read_manifest(written)
    if manifest is None:
        raise ArtefactError(f"{written}: holds no {MANIFEST_NAME}; expected a whole training")
    name = f"{re.sub('[-:]', '', manifest.created_at)}-{manifest.run_id}"
    written.chmod(0o777 & ~umask())  # what mkdtemp makes is for one user alone
    for number in range(1, 10_000):
        path = folder / (name if number == 1 else f"{name}-{number}")
        if not path.exists():
            try:
                written.rename(path)
            except OSError as error:
                raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
            sync_folder(folder)
            return path
    raise OutputError(f"{folder / name}: there are too many versions of this second")


def _switch(folder: Path, name: str) -> None:
    """Let the link lead to a version, in one step."""
    link = folder / CURRENT_NAME
    if os.path.lexists(link) and not link.is_symlink():
        raise OutputError(f"{link}: is no link, so it cannot be switched; remove it, then `vsr-train use` makes it")
    fresh = folder / f".{CURRENT_NAME}-{os.getpid()}"
    try:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(name)
        fresh.replace(link)
        sync_folder(folder)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise OutputError(f"{link}: cannot be written ({error.strerror}); it leads where it led before") from error


def _drop_old(folder: Path, keep: int) -> None:
    """Remove all but the newest versions, and never the current one."""
    current = training_folder(folder).name
    for name in _names(folder)[keep:]:
        if name != current:
            shutil.rmtree(folder / name, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what a killed training left behind."""
    for left in folder.glob(f"{_BEING_WRITTEN}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)
