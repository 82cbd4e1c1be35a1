"""`vsr-train score`: score records again, without asking again."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.metric_option import metric_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.benchmark.rescoring import RescoringReport


@command("score")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the records there.")
@option("--in-place", is_flag=True, help="Write them over FILE, which is replaced as a whole.")
@metric_option()
def score(file: Path, output: Path | None, in_place: bool, metric: str | None) -> None:
    """Score the records of FILE again, without asking any LLM again.

    A record without a response stays as it is, and so does every field that is not about the score. Without --output
    or --in-place the records go to stdout; - reads them from stdin.
    """
    from vsr.benchmark.rescoring import Rescoring, rescore_file

    if in_place and output is not None:
        raise click.UsageError("--in-place and --output contradict each other: give one of them.")
    if in_place and str(file) == "-":
        raise click.UsageError("--in-place needs a file to replace: name it instead of -.")
    if in_place or output is not None:
        report = rescore_file(file, output, metric)
    else:
        rescoring = Rescoring(file, metric)
        for line in rescoring:
            terminal.write(line.decode())
        report = rescoring.report
    _say(report)


def _say(report: "RescoringReport") -> None:
    from vsr.scoring import meant_metric

    for metric, n_records in report.unknown_metrics.most_common():
        meant = meant_metric(metric)
        hint = "" if meant is None else f" Did you mean {meant}?"
        terminal.warn(
            f'"metric": "{metric[:60]}" names no scoring rule: {n_records:,} records are scored by the kind of their '
            f"ground truth.{hint}"
        )
    terminal.say(f"{report.n_records:,} records: {report.n_scored:,} scored, {report.n_changed:,} got another quality.")
    if report.n_without_response:
        terminal.say(f"{report.n_without_response:,} have no response and stay as they are.")
    if report.n_without_truth:
        terminal.say(f"{report.n_without_truth:,} have no ground truth to score against.")
    if report.n_unparsed:
        terminal.say(f"{report.n_unparsed:,} responses commit to no answer and count as 0.")
    if report.n_compared:
        before, after = (total / report.n_compared for total in (report.quality_before, report.quality_after))
        terminal.say(f"Mean quality of the {report.n_compared:,} that had one: {before:.3f} before, {after:.3f} now.")
    for rule, n_records in report.rules.most_common():
        terminal.detail(f"{n_records:,} by the rule {rule}.")
