"""`vsr-train import`: files of other programs in our forms."""

from pathlib import Path

import click

from vsr.cli import terminal
from vsr.cli.options import json_option
from vsr.cli.sections import command, option


@command("import")
@option(
    "--from",
    "form",
    type=click.Choice(("semantic-router",)),
    required=True,
    help="Whose files they are: selectors of vLLM Semantic Router, of any of its versions.",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(
    "--output-dir",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the artefacts go.",
)
@json_option
def import_(form: str, paths: tuple[Path, ...], output_dir: Path, as_json: bool) -> None:  # noqa: ARG001 -- one form yet
    """Read selectors of another program, files or folders of them, and write artefacts that `select` takes.

    They hold the documented fields alone and choose by the rule that they were trained for; what our forms cannot say
    of them is said.
    """
    from vsr._files import require_writable
    from vsr.importing import import_selectors

    require_writable(output_dir)
    imported = import_selectors(paths, output_dir)
    if as_json:
        terminal.write_json(
            {
                "files": [
                    {
                        "source": str(file.source),
                        "path": str(file.path),
                        "algorithm": file.algorithm,
                        "models": list(file.models),
                        "lost": list(file.lost),
                    }
                    for file in imported
                ]
            }
        )
        return
    for file in imported:
        terminal.write(
            f"{file.path}: {file.algorithm}, {terminal.counted(len(file.models), 'model')}, from {file.source}"
        )
        for line in file.lost:
            terminal.warn(f"{file.source}: {line}")
