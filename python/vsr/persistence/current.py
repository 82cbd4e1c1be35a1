"""The training of a folder that is in use: the folder itself, or the version that its link `current` names."""

import os
from pathlib import Path

from vsr.errors import ArtefactError

CURRENT_NAME = "current"


def keeps_versions(directory: str | os.PathLike[str]) -> bool:
    """Say whether a folder keeps every training in a folder of its own."""
    return os.path.lexists(Path(directory) / CURRENT_NAME)


def training_folder(directory: str | os.PathLike[str]) -> Path:
    """Give the folder that the artefacts in use lie in.

    Args:
        directory: a folder of artefacts, or of versions of them.

    Raises:
        ArtefactError: The link leads to no folder beside it.
    """
    link = Path(directory) / CURRENT_NAME
    try:
        name = str(link.readlink())
    except FileNotFoundError:
        return Path(directory)
    except OSError:  # no link: somebody copied the folder with all that its links lead to
        return link if link.is_dir() else Path(directory)
    if name == ".." or Path(name).name != name or not (link.parent / name).is_dir():
        raise ArtefactError(
            f"{link}: leads to {name}, which is no version in this folder; `vsr-train use {link.parent} VERSION` puts "
            "one in use"
        )
    return link.parent / name
