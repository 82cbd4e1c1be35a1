"""`vsr-train monitor`: is the traffic still what was measured?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.algorithm_options import selector_option
from vsr.cli.configured import DEFAULT_OUTPUT_DIR
from vsr.cli.options import json_option
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.traffic.next_queries import NextQuery
    from vsr.traffic.told import FeedbackByDecision

ALARM = 4
_FEEDBACK_DAYS = 28


@command("monitor")
@option(
    "--log",
    "logs",
    type=click.Path(path_type=Path),
    metavar="PATH",
    multiple=True,
    required=True,
    help="A decision log: the folder that `serve --log` writes to, or a file of it. May be repeated.",
)
@option(
    "--feedback",
    "feedback_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What answers were worth, how long they took, what they cost: by the id of the decision.",
)
@option(
    "--models-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    default=Path(DEFAULT_OUTPUT_DIR),
    show_default=True,
    help="Folder of the artefacts that are served.",
)
@selector_option
@option(
    "--window",
    type=click.IntRange(1, 56),
    metavar="DAYS",
    default=1,
    show_default=True,
    help="Days up to the latest decision that are looked at.",
)
@option(
    "--feedback-window",
    type=click.IntRange(1, 56),
    metavar="DAYS",
    show_default=str(_FEEDBACK_DAYS),
    help="The same of what is fed back, which comes slowly.",
)
@option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the queries to measure next; the log has to hold texts (`serve --log-text`).",
)
@option("--skip-bad-lines", is_flag=True, help="Leave out lines that cannot be read, and count them.")
@json_option
def monitor(
    logs: tuple[Path, ...],
    feedback_file: Path | None,
    models_dir: Path,
    algorithm: str,
    window: int,
    feedback_window: int | None,
    output: Path | None,
    skip_bad_lines: bool,
    as_json: bool,
) -> int:
    """Compare the decisions of the last days with the training that made them.

    Are queries like those that were measured, do categories and models keep their shares, are answers as good, as quick
    and as cheap as predicted? All checks together alarm by chance on one quiet day in a hundred; run it once a day.
    Exit code 4 is an alarm.
    """
    if feedback_window is not None and feedback_file is None:
        raise click.UsageError("--feedback-window has no effect without --feedback.")
    from vsr.cli.monitor_table import monitor_document, write_monitor
    from vsr.traffic.counting import count_days
    from vsr.traffic.decisions import read_decisions
    from vsr.traffic.monitor import MOST_DAYS, Windows, judge
    from vsr.traffic.next_queries import next_queries
    from vsr.traffic.watched import read_watched

    windows = Windows(window, feedback_window or _FEEDBACK_DAYS)
    training = read_watched(models_dir, algorithm)
    decisions = read_decisions(logs, skip_bad_lines=skip_bad_lines)
    feedback = _feedback(feedback_file, skip_bad_lines=skip_bad_lines)
    counted = count_days(decisions, feedback, training, MOST_DAYS + window)
    if decisions.n_bad_lines:
        first = decisions.bad_lines[0]
        terminal.warn(f"{terminal.counted(decisions.n_bad_lines, 'bad line')} left out; the first: {first}")
    verdict = judge(counted.days, training.held_out, training.given, training.algorithm, windows)
    queries = next_queries(decisions, training, counted, verdict, windows) if output is not None else None
    if as_json:
        terminal.write_json(monitor_document(training, counted, verdict, windows))
    else:
        write_monitor(training, counted, verdict, windows, has_feedback=feedback_file is not None)
    if output is not None and queries is not None:
        _write_queries(output, queries)
    return ALARM if verdict.alarms else 0


def _feedback(path: Path | None, *, skip_bad_lines: bool) -> "FeedbackByDecision":
    from vsr.data.feedback import read_feedback
    from vsr.traffic.told import FeedbackByDecision

    if path is None:
        return FeedbackByDecision()
    lines = read_feedback(path, skip_bad_lines=skip_bad_lines)
    found = FeedbackByDecision(lines)
    if lines.n_bad_lines:
        terminal.warn(f"{terminal.counted(lines.n_bad_lines, 'bad line')} left out; the first: {lines.bad_lines[0]}")
    return found


def _write_queries(output: Path, queries: "list[NextQuery]") -> None:
    """Write the queries that are worth measuring, in the form that `benchmark` reads."""
    from vsr.data.json_lines import write_json_lines

    if not queries:
        terminal.say(f"No query to measure next, or no texts in the log: {output} is not written.")
        return
    rows = [
        {"query": each.text, **({} if each.category is None else {"category": each.category}), "why": each.why}
        for each in queries
    ]
    write_json_lines(output, rows)
    terminal.say(
        f"{terminal.counted(len(rows), 'query', 'queries')} to measure next in {output}: add the ground truth, then "
        "`vsr-train benchmark`."
    )
