"""Artefacts read whole and compared with every digest that was taken of them."""

from pathlib import Path

from vsr.errors import ArtefactError
from vsr.persistence.artefact import Artefact
from vsr.persistence.manifest import Manifest, sha256_of
from vsr.persistence.mapping import verify_sidecar


def verify_artefact(artefact: Artefact) -> list[Path]:
    """Read all files of an artefact that was loaded.

    Its JSON was read whole when it was loaded; only a manifest has a digest of that.

    Returns:
        The files.

    Raises:
        ArtefactError: A sidecar cannot be read, or is damaged.
    """
    if artefact.sidecar is None:
        return [artefact.path]
    return [artefact.path, verify_sidecar(artefact.path, artefact.sidecar)]


def differences(manifest: Manifest) -> list[str]:
    """Say which files of a training are not as its manifest lists them; their sidecars by the digests that they name.

    Args:
        manifest: that of a folder.
    """
    found = []
    for file in manifest.files.values():
        path = manifest.path.parent / file.name
        try:
            if sha256_of(path) != file.sha256:
                found.append(f"{path}: is not the file that {manifest.path.name} lists: its SHA-256 is another one")
        except ArtefactError as error:
            found.append(str(error))
    return found
