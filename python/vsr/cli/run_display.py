"""What the screen says while LLMs are asked: a moving table on a terminal, plain lines elsewhere, nothing with -q."""

import math
import os
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vsr.benchmark.display import Display, NoDisplay, Snapshot
from vsr.benchmark.estimate import Estimate
from vsr.benchmark.summary import BenchmarkSummary, ModelSummary
from vsr.cli import terminal

_LINE_EVERY_S = 10.0
_LONGEST_REASON = 60


def dollars(usd: float) -> str:
    """Write a sum with four decimals, a small one with as many as show two of its digits."""
    digits = 4 if usd <= 0.0 else min(max(4, 1 - math.floor(math.log10(usd))), 12)
    return f"${usd:.{digits}f}"


def run_display() -> Display:
    """Return the display that suits standard error and the verbosity."""
    if terminal.verbosity() == terminal.Verbosity.QUIET:
        return NoDisplay()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return _LiveTable()
    return _PlainLines()


class _LiveTable:
    """A table that is drawn anew in place, one row a model; gone at the end, when the summary says the same."""

    # Drawing takes some milliseconds in the thread that also times the calls: twice a second is enough for eyes.
    interval_s = 0.5

    def __init__(self) -> None:
        self._live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show(self, now: Snapshot) -> None:
        table = Table(box=None, pad_edge=False)
        table.add_column("model")
        for title in ("calls", "failed", "latency", "cost"):
            table.add_column(title, justify="right")
        table.add_column("")
        for model in now.models:
            table.add_row(
                Text(model.name),
                f"{model.n_done:,}/{model.n_calls:,}",
                Text(f"{model.n_failed:,}" if model.n_failed else "-", style="red" if model.n_failed else ""),
                "-" if model.latency_s is None else f"{model.latency_s:.2f} s",
                dollars(model.cost_usd) if model.cost_usd else "-",
                Text(f"stopped: {_shortened(model.stopped)}", style="red") if model.stopped else "",
            )
        # A bar ends without a line break: in a row of a grid it has one. Bar and status stand on top: of more models
        # than the terminal has lines, the last ones are left out.
        head = Table.grid()
        head.add_row(ProgressBar(total=max(now.n_calls, 1), completed=now.n_done, width=40))
        head.add_row(Text(status_line(now)))
        is_verbose = terminal.verbosity() == terminal.Verbosity.VERBOSE
        waits = [Text(text) for text in now.waits] if is_verbose else []
        self._live.update(Group(head, *waits, Text(""), table), refresh=True)


class _PlainLines:
    """A line every ten seconds, readable in a log."""

    interval_s = 1.0

    def __init__(self) -> None:
        self._last = 0.0
        self._stopped: set[str] = set()
        self._waits: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._last = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def say(self, text: str) -> None:
        terminal.say(text)

    def show(self, now: Snapshot) -> None:
        for model in now.models:
            if model.stopped and model.name not in self._stopped:
                self._stopped.add(model.name)
                self.say(f"{model.name} stopped: {model.stopped}")
        names = tuple(text.partition(" waits ")[0] for text in now.waits)
        if names != self._waits:
            self._waits = names
            for text in now.waits:
                terminal.detail(text)
        if time.monotonic() - self._last >= _LINE_EVERY_S:
            self._last = time.monotonic()
            self.say(status_line(now))
            for text in now.waits:
                terminal.detail(text)


def status_line(now: Snapshot) -> str:
    """Say in one line how far a run is."""
    parts = [f"{now.n_done:,} of {now.n_calls:,} calls", f"{now.calls_per_s:.1f} a second"]
    if now.n_left and now.left_s is not None:
        parts.append(f"about {terminal.duration(now.left_s)} left")
    parts.append(f"{now.n_failed:,} failed")
    if now.cost_usd:
        parts.append(dollars(now.cost_usd))
    return ", ".join(parts)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"


def say_estimate(estimate: Estimate) -> None:
    """Say what a run will take."""
    there = f" ({estimate.n_there:,} are there already)" if estimate.n_there else ""
    terminal.say(f"{estimate.n_calls:,} calls to make{there}.")
    if not estimate.n_calls:
        return
    if estimate.likely_s is not None:
        terminal.say(f"Time: about {terminal.duration(estimate.likely_s)}, going by the answers that are there.")
    elif estimate.shortest_s:
        terminal.say(f"Time: at least {terminal.duration(estimate.shortest_s)} for the delay between requests alone.")
    else:
        terminal.say("Time: unknown before the first answers.")
    if estimate.highest_usd is not None:
        likely = "" if estimate.likely_usd is None else f"about {dollars(estimate.likely_usd)}, "
        terminal.say(f"Cost: {likely}at most {dollars(estimate.highest_usd)} if every answer has its full length.")
        if estimate.unpriced:
            terminal.say(f"No prices for {', '.join(estimate.unpriced)}: counted as free.")


def write_summary(summary: BenchmarkSummary) -> None:
    """Print the table of a run to stdout, and say how it ended."""
    terminal.write_table(_table(summary))
    _say_end(summary)


def say_summary(summary: BenchmarkSummary, noun: str = "records") -> None:
    """Say the same on stderr, where the data on stdout are about something else.

    Args:
        summary: what the run has come to.
        noun: what its lines are.
    """
    terminal.say_table(_table(summary))
    _say_end(summary, noun)


def _table(summary: BenchmarkSummary) -> terminal.Table:
    columns = (
        terminal.Column("model"),
        *(terminal.Column(title, "right") for title in ("answers", "failed", "quality", "latency", "cost")),
        terminal.Column("failed calls by reason"),
    )
    return terminal.Table(columns, tuple(_row(model) for model in summary.models))


def _say_end(summary: BenchmarkSummary, noun: str = "records") -> None:
    for model in summary.models:
        if model.stopped is not None:
            terminal.warn(f"{model.name} was stopped, {model.n_not_asked:,} calls not asked: {model.stopped}")
        for n, counted, what in (
            (model.n_unparsed, "response", "without a committed answer, counted as 0"),
            (model.n_unscored, "answer", "without a ground truth, not scored"),
        ):
            if n:
                terminal.say(f"{model.name}: {terminal.counted(n, counted)} {what}.")
    cost = f", {dollars(summary.cost_usd)} in all" if summary.cost_usd else ""
    terminal.say(
        f"{summary.n_asked:,} calls in {terminal.duration(summary.seconds)}, {summary.n_failed:,} of "
        f"{summary.n_calls:,} failed{cost}; the {noun} are in {summary.output}."
    )
    if summary.max_cost_usd is not None:
        terminal.warn(
            f"--max-cost stopped the run, {summary.n_missing:,} calls were not asked: the next one could have cost "
            f"more than is left of ${summary.max_cost_usd:g} after {dollars(summary.cost_usd)}."
        )
        terminal.say("The same command with a higher --max-cost goes on from here.")
    elif summary.n_missing:
        is_stopped = any(model.stopped is not None for model in summary.models) and not summary.is_interrupted
        first = "mend what stopped the models, then " if is_stopped else ""
        terminal.say(f"{summary.n_missing:,} calls are missing: {first}the same command goes on from here.")
    if any(model.failures for model in summary.models):
        terminal.say("The same command with --retry-failed asks the failed calls again.")


def _row(model: ModelSummary) -> tuple[str, ...]:
    reasons = [f"{kind} {n:,}" for kind, n in model.failures.items()]
    if model.n_not_asked:
        reasons.append(f"not asked {model.n_not_asked:,}")
    return (
        model.name,
        f"{model.n_answers:,}",
        f"{model.n_failed:,}" if model.n_failed else "-",
        "-" if model.quality is None else f"{model.quality:.3f}",
        "-" if model.latency_s is None else f"{model.latency_s:.2f} s",
        dollars(model.cost_usd) if model.cost_usd else "-",
        ", ".join(reasons) or "-",
    )
