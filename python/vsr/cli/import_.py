"""`vsr-train import`: files of other programs in our forms."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.options import json_option
from vsr.cli.sections import command, option
from vsr.importing.formats import FORMATS

if TYPE_CHECKING:
    from vsr.importing.run import ImportReport

_SELECTORS = "semantic-router"
_N_NAMED = 12  # models or tasks in a line
_FORMATS = "Formats:\n" + "".join(
    f"  {name:<20} {title}\n"
    for name, title in (
        *((each.name, each.title) for each in FORMATS.values()),
        (_SELECTORS, "vLLM Semantic Router, trained selectors"),
    )
)


@command("import", epilog=_FORMATS)
@option(
    "--from",
    "form",
    type=click.Choice((*FORMATS, _SELECTORS)),
    metavar="FORMAT",
    required=True,
    help="Whose files they are; see below.",
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The records (of routellm: the pairs), .jsonl, .jsonl.gz or .parquet.",
)
@option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help=f"Where the artefacts of {_SELECTORS} go.",
)
@option(
    "--names",
    "names_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="YAML that renames models and tasks and gives tasks a category.",
)
@option("--score", metavar="NAME", help="Which score of an answer is its quality, where there are several.")
@json_option
def import_(
    form: str,
    paths: tuple[Path, ...],
    output: Path | None,
    output_dir: Path | None,
    names_path: Path | None,
    score: str | None,
    as_json: bool,
) -> None:
    """Read what another program has measured, logged or trained, files or folders of them.

    Results and logs become records that `train` takes, battles become pairs for its --preferences, selectors of vLLM
    Semantic Router artefacts that `select` takes. What is left out is counted by its reason.
    """
    if form == _SELECTORS:
        for flag, given in (("--output", output), ("--names", names_path), ("--score", score)):
            if given is not None:
                raise click.UsageError(f"{flag} has no effect with --from {_SELECTORS}: it writes a folder.")
        if output_dir is None:
            raise click.UsageError(f"--from {_SELECTORS} needs --output-dir: where the artefacts go.")
        _import_selectors(paths, output_dir, as_json=as_json)
        return
    if output_dir is not None:
        raise click.UsageError(f"--output-dir has no effect with --from {form}: give --output FILE.")
    if output is None:
        raise click.UsageError(f"--from {form} needs --output: the file to write.")
    if score is not None and not FORMATS[form].has_scores:
        raise click.UsageError(f"--score has no effect with --from {form}: its files hold one score of an answer.")
    if any(path.exists() and output.exists() and path.samefile(output) for path in paths):
        raise click.UsageError("--output is one of the files that are read: name another one.")
    from vsr.importing.names import read_names
    from vsr.importing.run import import_rows

    names = None if names_path is None else read_names(names_path)
    report = import_rows(FORMATS[form], paths, output, names=names, score=score)
    if as_json:
        terminal.write_json(_document(report, output))
    else:
        _write(report, form, output)


def _write(report: "ImportReport", form: str, output: Path) -> None:
    what = FORMATS[form].gives
    files = terminal.counted(report.n_files, "file")
    terminal.write(
        f"{output}: {report.n_rows:,} {what} of {terminal.counted(len(report.models), 'model')} from {files}"
    )
    terminal.say(f"Models: {_listed(report.models)}.")
    if report.tasks:
        terminal.say(f"Tasks: {_listed(report.tasks)}.")
    if report.n_failed:
        terminal.say(f"{terminal.counted(report.n_failed, 'failed call')}.")
    if report.n_without_quality:
        rest = report.n_without_quality - report.n_scorable
        terminal.say(
            f"{report.n_without_quality:,} answers without a quality: {report.n_scorable:,} have a ground truth."
        )
        if rest:
            terminal.say(f"{rest:,} can be judged only by feedback or by a judge; training takes them as missing.")
    for reason, held in report.left_out.items():
        terminal.warn(f"left out {held.n_rows:,}: {reason}. The first: {held.first}")
    if what == "records":
        terminal.say(f"Next: vsr-train doctor {output}, then vsr-train train --data-file {output}")
    else:
        terminal.say(f"Next: vsr-train train --data-file RECORDS --preferences {output}")


def _listed(counts: "dict[str, int]") -> str:
    """Name the most frequent, with their numbers."""
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name} {count:,}" for name, count in ranked[:_N_NAMED])
    return shown if len(ranked) <= _N_NAMED else f"{shown} and {len(ranked) - _N_NAMED:,} more"


def _document(report: "ImportReport", output: Path) -> dict[str, object]:
    return {
        "path": str(output),
        "files": report.n_files,
        "rows": report.n_rows,
        "models": dict(report.models),
        "tasks": dict(report.tasks),
        "failed": report.n_failed,
        "without_quality": report.n_without_quality,
        "scorable": report.n_scorable,
        "left_out": {reason: {"rows": held.n_rows, "first": held.first} for reason, held in report.left_out.items()},
    }


def _import_selectors(paths: tuple[Path, ...], output_dir: Path, *, as_json: bool) -> None:
    from vsr._files import require_writable
    from vsr.importing.semantic_router import import_selectors

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
