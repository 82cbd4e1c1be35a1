"""`vsr-train use`: which training of a folder is in use."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsr.cli import terminal
from vsr.cli.options import json_option
from vsr.cli.sections import command
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.persistence.versions import Version


@command("use")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("wanted", metavar="[VERSION]", required=False)
@json_option
def use(folder: Path, wanted: str | None, as_json: bool) -> None:
    """List the trainings that a folder keeps, or put another one in use.

    DIR is a folder in which `vsr-train train --keep-versions N` wrote. VERSION is the name of one, or the beginning of
    its name or run id. It is checked first, and the link DIR/current switched in one step; a running `vsr-train
    serve` follows within two seconds.
    """
    from vsr.persistence.versions import list_versions, use_version

    before = next((each.name for each in list_versions(folder) if each.is_current), None)
    if wanted is not None:
        chosen = use_version(folder, wanted)
        if not as_json:
            is_same = chosen.name == before
            terminal.write(f"{chosen.name} is {'already' if is_same else 'now'} the current version of {folder}.")
            if before is not None and not is_same:
                terminal.say(f"Back again: vsr-train use {folder} {before}")
            return
    versions = list_versions(folder)
    if as_json:
        current = next((each.name for each in versions if each.is_current), None)
        document: dict[str, Any] = {"current": current, "versions": [_document(each) for each in versions]}
        terminal.write_json(document)
        return
    columns = (Column("version"), Column("current"), Column("recommended"), Column("verdict"))
    terminal.write_table(Table(columns, tuple(_row(each) for each in versions)))
    if before is None:
        terminal.warn(f"{folder}: no version is current; `vsr-train use {folder} VERSION` sets one")


def _row(version: "Version") -> tuple[str, ...]:
    mark = "yes" if version.is_current else ""
    manifest = version.manifest
    if manifest is None:
        return version.name, mark, "-", "cannot be read"
    # The beginning of the verdict's sentence: "Routing pays", "Do not route yet", ...
    verdict = "-" if manifest.verdict is None else str(manifest.verdict.get("sentence", "-")).partition(":")[0]
    return version.name, mark, manifest.recommended, verdict


def _document(version: "Version") -> dict[str, Any]:
    manifest = version.manifest
    return {
        "version": version.name,
        "path": str(version.path),
        "is_current": version.is_current,
        "is_readable": manifest is not None,
        "run_id": None if manifest is None else manifest.run_id,
        "created_at": None if manifest is None else manifest.created_at,
        "recommended": None if manifest is None else manifest.recommended,
        "verdict": None if manifest is None else manifest.verdict,
    }
