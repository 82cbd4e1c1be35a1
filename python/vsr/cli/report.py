"""`--report` of `train` and `evaluate`: the flags, what they need, and the report itself."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.options import collected
from vsr.cli.sections import option
from vsr.errors import OutputError, install

if TYPE_CHECKING:
    from vsr.evaluation.held import Held
    from vsr.evaluation.results import CategorySource, Evaluation

_SECTION = "Report"
_NEEDED = ("altair", "vl_convert", "jinja2")


@dataclass(frozen=True)
class ReportOptions:
    """Where the report goes and what stands in it, as the flags say."""

    directory: Path | None = None
    no_queries: bool = False

    def __post_init__(self) -> None:
        """Refuse combinations in which a flag would do nothing.

        Raises:
            click.UsageError: `no_queries` without a report.
        """
        if self.no_queries and self.directory is None:
            raise click.UsageError("--no-queries has no effect without --report.")

    def require(self) -> None:
        """Make sure that a report can be written, before the work that it is about.

        Raises:
            OutputError: A library is not installed, or the folder cannot be written to.
        """
        if self.directory is None:
            return
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if missing:
            raise OutputError(f"--report needs {' and '.join(missing)}, which are not installed: {install('report')}")
        from vsr._files import require_writable

        require_writable(self.directory)

    def write(
        self,
        evaluation: "Evaluation | None",
        held: "Held | None",
        categories: "CategorySource",
        records: Path,
        remarks: tuple[str, ...] = (),
    ) -> None:
        """Write the report, where one is asked for, and say where it is."""
        if self.directory is None:
            return
        if evaluation is None or held is None:
            terminal.warn("no report: nothing was compared")
            return
        from vsr.report import gather, write_report

        contents = gather(held, evaluation, categories, records, remarks=remarks, with_queries=not self.no_queries)
        files = write_report(self.directory, contents, with_queries=not self.no_queries)
        terminal.say(f"Report: {files[0]}")


def report_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add `--report` and `--no-queries`; the command gets them as `report: ReportOptions`."""
    declarations = (
        option(
            "--report",
            "report_directory",
            section=_SECTION,
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Write report.html, report.md with its pictures, and report.json here.",
        ),
        option(
            "--no-queries",
            "report_no_queries",
            section=_SECTION,
            is_flag=True,
            help="Leave texts of queries and answers out of the report.",
        ),
    )
    return collected(command, "report", "report_", ReportOptions, declarations)
