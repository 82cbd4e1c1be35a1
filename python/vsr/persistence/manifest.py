"""The manifest of a training, `recommended.json`: which of its artefacts to deploy, and which files belong to it.

It is written last, so a folder with a manifest holds a whole training, and a file that it does not name as it is now is
noticed.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsr.choice.objective import Objective
from vsr.errors import ArtefactError
from vsr.persistence.current import training_folder
from vsr.persistence.document import read_fields, write_documents
from vsr.persistence.objective import read_objective
from vsr.persistence.trainings import run_ids, sidecar_of
from vsr.persistence.writing import now, version
from vsr.selectors import registry
from vsr.selectors.artefact_fields import Fields

MANIFEST_NAME = "recommended.json"
_FORMAT_VERSION = 1
_SHA256_DIGITS = 64


@dataclass(frozen=True)
class ManifestFile:
    """One artefact of the training.

    Attributes:
        name: its file name in the folder of the manifest.
        sha256: hexadecimal digest of its content.
        sidecar: the file with its big arrays; None where it holds them itself.
    """

    name: str
    sha256: str
    sidecar: "ManifestFile | None" = None

    def document(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        document: dict[str, Any] = {"name": self.name, "sha256": self.sha256}
        return document if self.sidecar is None else document | {"sidecar": self.sidecar.document()}


@dataclass(frozen=True)
class Manifest:
    """What a training wrote, and what it recommends.

    Attributes:
        path: the manifest itself.
        run_id: the same as in the artefacts.
        created_at: ISO 8601, UTC.
        vsr_version: version of the package that wrote it.
        recommended: the algorithm to deploy, one of `files`.
        files: by algorithm, its artefact.
        objective: the default objective of the training.
        verdict: what the held-out comparison says, as plain JSON values; None where nothing could be compared.
        held_out: the whole held-out result, likewise.
    """

    path: Path
    run_id: str
    created_at: str
    vsr_version: str
    recommended: str
    files: Mapping[str, ManifestFile]
    objective: Objective
    verdict: dict[str, Any] | None
    held_out: dict[str, Any] | None


def write_manifest(
    directory: str | os.PathLike[str],
    paths: Mapping[str, Path],
    recommended: str,
    objective: Objective,
    held_out: Mapping[str, Any] | None = None,
) -> Path:
    """Write the manifest of artefacts that have just been written.

    Args:
        directory: their folder.
        paths: by algorithm, its artefact.
        recommended: the algorithm to deploy.
        objective: the default objective of the training.
        held_out: held-out result as plain JSON values.

    Returns:
        Path of the manifest.

    Raises:
        ArtefactError: The artefacts come from different trainings, or the recommended one is not among them.
        OutputError: The manifest cannot be written.
    """
    path = Path(directory) / MANIFEST_NAME
    runs = run_ids(paths.values())
    if len(runs) != 1:
        raise ArtefactError(f"{path}: the artefacts come from {len(runs)} trainings; expected one")
    if recommended not in paths:
        raise ArtefactError(f"{path}: {recommended} is recommended, but there is no artefact of it")
    document = {
        "format_version": _FORMAT_VERSION,
        "vsr_version": version(),
        "created_at": now(),
        "run_id": runs.pop(),
        "recommended": recommended,
        "verdict": None if held_out is None else held_out.get("verdict"),
        "files": {name: _file(each).document() for name, each in paths.items()},
        "objective": objective.document(),
        "held_out": None if held_out is None else dict(held_out),
    }
    write_documents({path: document})
    return path


def read_manifest(directory: str | os.PathLike[str]) -> Manifest | None:
    """Read the manifest of a folder, or of its current version; None where it has none.

    Raises:
        ArtefactError: It is damaged, newer than this version, or recommends what it does not list.
    """
    path = training_folder(directory) / MANIFEST_NAME
    if not path.exists():
        return None
    fields = read_fields(path, {})
    format_version = fields.get("format_version", int)
    if format_version > _FORMAT_VERSION:
        raise fields.error(
            "format_version", f"is {format_version}; this version reads up to {_FORMAT_VERSION}. Upgrade vsr-train"
        )
    listed = fields.object("files")
    files = {name: _read_file(listed.object(name)) for name in listed.content}
    recommended = fields.get("recommended", str)
    if recommended not in files:
        raise fields.error(
            "recommended", f"is {recommended!r}; expected one of its files: {', '.join(files) or 'none'}"
        )
    if recommended not in registry.names():
        raise fields.error("recommended", f"is {recommended!r}; this version knows {', '.join(registry.names())}")
    objective = read_objective(fields)
    return Manifest(
        path=path,
        run_id=fields.get("run_id", str),
        created_at=fields.get("created_at", str),
        vsr_version=fields.get("vsr_version", str),
        recommended=recommended,
        files=files,
        objective=objective,
        verdict=fields.nullable("verdict", dict),
        held_out=fields.nullable("held_out", dict),
    )


def _file(path: Path) -> ManifestFile:
    """An artefact as it lies there; the digest of its sidecar was taken when that was written."""
    sidecar = sidecar_of(path)
    return ManifestFile(path.name, sha256_of(path), None if sidecar is None else ManifestFile(*sidecar))


def _read_file(fields: Fields) -> ManifestFile:
    name, digest = fields.get("name", str), fields.get("sha256", str)
    if not name or Path(name).name != name:
        raise fields.error("name", f"is {name!r}; expected the name of a file in the same folder")
    if len(digest) != _SHA256_DIGITS or not set(digest) <= set("0123456789abcdef"):
        raise fields.error("sha256", f"is {digest!r}; expected {_SHA256_DIGITS} hexadecimal digits")
    return ManifestFile(name, digest, _read_file(fields.object("sidecar")) if fields.has("sidecar") else None)


def sha256_of(path: Path) -> str:
    """Digest of a file's content.

    Raises:
        ArtefactError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ArtefactError(f"{path}: cannot be read ({error.strerror}); expected an artefact of a training") from error
