"""Artefacts of a folder found by the name of their algorithm, or by what the folder recommends."""

import os
from collections.abc import Sequence
from pathlib import Path

from vsr._checks import require_path
from vsr.errors import ArtefactError, TrainingError
from vsr.persistence.artefact import Artefact
from vsr.persistence.current import training_folder
from vsr.persistence.manifest import MANIFEST_NAME, read_manifest, sha256_of
from vsr.persistence.reading import load_artefact
from vsr.selectors import registry
from vsr.selectors.base import TrainedSelector

#: Stands for the algorithm that a folder recommends.
RECOMMENDED = "recommended"


def load_selector(
    directory: str | os.PathLike[str], algorithm: str = RECOMMENDED, models: Sequence[str] | None = None
) -> TrainedSelector:
    """Load a selector from a folder.

    Args:
        directory: the folder that `save_selector` or a training wrote to.
        algorithm: registry name, or `recommended`, as in `find_artefact`.
        models: names of the models in order, for files that lack them.

    Raises:
        ArtefactError: No such file, or it is damaged, untrained, foreign or newer than this version, or it names other
            models than `models`.
    """
    return open_artefact(directory, algorithm, models).selector


def open_artefact(
    directory: str | os.PathLike[str], algorithm: str = RECOMMENDED, models: Sequence[str] | None = None
) -> Artefact:
    """Load an artefact from a folder; arguments and errors as in `load_selector`."""
    name, path = _find(directory, algorithm)
    return load_artefact(path, models=models, algorithm=name)


def find_artefact(directory: str | os.PathLike[str], algorithm: str = RECOMMENDED) -> Path:
    """Find the file of an algorithm in a folder.

    `recommended` is what the folder's manifest says. Without a manifest (a folder of an older version, or put together
    by hand) it is the only artefact there is; where there are several, the caller has to say which.

    Raises:
        ArtefactError: No such folder, algorithm or file; for `recommended` also: the manifest is damaged, its file is
            missing or another one than the training wrote, or there is no manifest and not one artefact.
    """
    return _find(directory, algorithm)[1]


def said_without_manifest(directory: str | os.PathLike[str], algorithm: str, found: str) -> str | None:
    """Say that the only artefact of a folder was taken in want of a manifest; None where that was not so.

    Args:
        directory: the folder.
        algorithm: what was asked for.
        found: what was found.
    """
    if algorithm != RECOMMENDED or (training_folder(directory) / MANIFEST_NAME).exists():
        return None
    return f"{os.fspath(directory)}: has no {MANIFEST_NAME}; its only artefact, of {found}, is used"


def find_artefacts(directory: str | os.PathLike[str]) -> dict[str, Path]:
    """Find the files of all algorithms in a folder: registry name -> path.

    Raises:
        ArtefactError: The folder keeps versions, and the link to the current one leads nowhere.
    """
    folder = training_folder(directory)
    found = {}
    for algorithm in registry.names():
        for name in registry.algorithm(algorithm).file_names:
            if (folder / name).is_file():
                found[algorithm] = folder / name
                break
    return found


def _find(directory: str | os.PathLike[str], algorithm: str) -> tuple[str, Path]:
    """Registry name and file."""
    require_path(directory, "directory", ArtefactError)
    folder = training_folder(directory)
    if algorithm == RECOMMENDED:
        return _recommended(folder)
    name = registry.full_name(algorithm)
    try:
        file_names = registry.algorithm(name).file_names
    except TrainingError as error:
        raise ArtefactError(str(error)) from None
    for file_name in file_names:
        if (folder / file_name).is_file():
            return name, folder / file_name
    _require_folder(folder)
    there = find_artefacts(folder)
    raise ArtefactError(
        f"{folder}: has no artefact of {name} ({file_names[0]}); "
        + (f"it has {', '.join(there)}" if there else "it has none of any algorithm")
    )


def _recommended(folder: Path) -> tuple[str, Path]:
    manifest = read_manifest(folder)
    if manifest is not None:
        file = manifest.files[manifest.recommended]
        path = folder / file.name
        if not path.is_file():
            raise ArtefactError(
                f"{manifest.path}: recommends {manifest.recommended}, but {file.name} is missing; copy all files of a "
                "training together, or train again"
            )
        if sha256_of(path) != file.sha256:
            raise ArtefactError(
                f"{path}: is not the file that training {manifest.run_id} recommends ({MANIFEST_NAME}): it was "
                f"changed, or comes from another training. Train again, or name the algorithm: {manifest.recommended}"
            )
        return manifest.recommended, path
    _require_folder(folder)
    there = find_artefacts(folder)
    if len(there) == 1:
        return next(iter(there.items()))
    if not there:
        raise ArtefactError(
            f"{folder}: has no artefact of any algorithm; train selectors with `vsr-train train --output-dir {folder}`"
        )
    raise ArtefactError(
        f"{folder}: has no {MANIFEST_NAME}, so it recommends none of its artefacts ({', '.join(there)}); name one of "
        "these algorithms, or train again"
    )


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ArtefactError(f"{folder}: no such folder; train selectors with `vsr-train train --output-dir {folder}`")
