"""The one place that prints: data goes to stdout, everything else to stderr.

Colour and moving bars appear on a terminal alone; what is piped is plain aligned text. `-q` leaves only data, warnings
and errors, `-v` adds details.
"""

import io
import json
import os
import re
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

import click

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_USUAL_WIDTH = 80  # of a terminal that does not say
_LONGEST_WORD = 24  # columns: a table breaks longer words where it is too wide
_LINE_EVERY_S = 10.0  # how often progress prints a line where nothing can move


class Verbosity(IntEnum):
    """How much is said besides the data."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_verbosity = Verbosity.NORMAL


def set_verbosity(verbosity: Verbosity) -> None:
    """Decide how much is said from now on."""
    global _verbosity  # noqa: PLW0603 (one process has one pair of output streams)
    _verbosity = verbosity


def verbosity() -> Verbosity:
    """How much is said at the moment."""
    return _verbosity


def prepare_streams() -> None:
    """Let both streams take any text: what an encoding lacks is escaped instead of raising in the middle of a line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write(text: str) -> None:
    """Print a line of data to stdout; on a terminal it wraps between words."""
    click.echo(_wrapped(text, sys.stdout), color=_is_coloured(sys.stdout))


def write_json(value: Mapping[str, object]) -> None:
    """Print one JSON object to stdout, indented for the eyes on a terminal and on one line for a pipe."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2 if sys.stdout.isatty() else None))


def write_json_line(value: Mapping[str, object]) -> None:
    """Print one JSON object to stdout on one line, for files of many."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False))


def say(text: str = "") -> None:
    """Print a line of information to stderr, unless `-q` was given."""
    if _verbosity > Verbosity.QUIET:
        click.echo(_wrapped(text, sys.stderr), err=True)


def detail(text: str) -> None:
    """Print a line to stderr where `-v` was given."""
    if _verbosity == Verbosity.VERBOSE:
        click.echo(_wrapped(text, sys.stderr), err=True)


def warn(text: str) -> None:
    """Print a warning to stderr."""
    _mark("Warning: ", "yellow", text)


def fail(text: str) -> None:
    """Print what went wrong to stderr."""
    _mark("Error: ", "red", text)


def _mark(mark: str, colour: str, text: str) -> None:
    """Print a text to stderr behind a coloured word."""
    rest = _wrapped(mark + text, sys.stderr).removeprefix(mark)
    click.echo(click.style(mark, fg=colour, bold=True) + rest, err=True, color=_is_coloured(sys.stderr))


def _wrapped(text: str, stream: TextIO) -> str:
    """Break lines between words at a terminal's width; what is piped stays as it is."""
    if not stream.isatty():
        return text
    width = _width(stream)
    lines = []
    for line in text.split("\n"):
        # What goes on stands under its beginning: behind a label and its gap, or as far in as the line itself.
        label = re.match(r"\S+(?: \S+)?  +| *", line)
        indent = " " * (label.end() if label is not None and label.end() < width // 2 else 0)
        folded = textwrap.wrap(
            line,
            width,
            subsequent_indent=indent,
            replace_whitespace=False,
            break_long_words=False,
            break_on_hyphens=False,
        )
        lines += folded or [line]
    return "\n".join(lines)


def _width(stream: TextIO) -> int:
    """Columns of the terminal behind a stream; COLUMNS overrides it."""
    given = os.environ.get("COLUMNS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH


def _is_coloured(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: what its cells are.
        align: where they stand.
        is_spare: whether it is left out where a terminal is too narrow for all.
        importance: of spare columns the least important goes first, the last of several alike.
    """

    title: str
    align: Literal["left", "right"] = "left"
    is_spare: bool = False
    importance: int = 0


@dataclass(frozen=True)
class Table:
    """A table of ready-made cells; each row has one cell per column."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def write_table(table: Table) -> None:
    """Print a table to stdout: fitted to a terminal's width; into a pipe every row stays one line."""
    click.echo(render_table(table, sys.stdout), nl=False, color=_is_coloured(sys.stdout))


def say_table(table: Table) -> None:
    """Print a table to stderr, unless `-q` was given."""
    if _verbosity > Verbosity.QUIET:
        click.echo(render_table(table, sys.stderr), nl=False, err=True, color=_is_coloured(sys.stderr))


def render_table(table: Table, stream: TextIO) -> str:
    """Lay a table out as it suits a stream; the text ends with a newline."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table as RichTable
    from rich.text import Text

    def least_width(number: int, longest: int) -> int:
        column = table.columns[number]
        cells = [column.title, *(row[number] for row in table.rows)]
        # Figures stay whole, texts break between words; only words beyond all measure are broken.
        parts = cells if column.align == "right" else [word for cell in cells for word in cell.split()]
        return min(max(map(cell_len, parts), default=1), longest)

    def grid_of(numbers: Sequence[int], longest: int = _LONGEST_WORD) -> RichTable:
        grid = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for number in numbers:
            column = table.columns[number]
            least = least_width(number, longest)
            grid.add_column(Text(column.title), justify=column.align, overflow="fold", min_width=least)
        for row in table.rows:
            grid.add_row(*(Text(row[number]) for number in numbers))
        return grid

    def needed(numbers: Sequence[int]) -> int:
        """Columns of a terminal that this needs, with two between columns."""
        return sum(least_width(number, _LONGEST_WORD) + 2 for number in numbers) - 2

    laid_out = io.StringIO()
    console = Console(file=laid_out, force_terminal=_is_coloured(stream), highlight=False, legacy_windows=False)
    # Without a width of its own, a pipe gets as many columns as the widest row needs.
    unlimited = console.options.update(max_width=1_000_000)
    numbers = list(range(len(table.columns)))
    dropped: set[int] = set()
    if not stream.isatty():
        console.width = Measurement.get(console, unlimited, grid_of(numbers)).maximum
        grid = grid_of(numbers)
    else:
        console.width = width = _width(stream)
        spare = [number for number in numbers if table.columns[number].is_spare]
        for number in sorted(spare, key=lambda number: (table.columns[number].importance, -number)):
            if needed(numbers) <= width:
                break
            numbers.remove(number)
            dropped.add(number)
        grid = grid_of(numbers, _LONGEST_WORD if needed(numbers) <= width else 1)
    console.print(grid)
    if dropped:
        # A column that is missing without a word looks like one that there is nothing to say in.
        titles = ", ".join(table.columns[number].title for number in sorted(dropped))
        laid_out.write(_wrapped(f"No room for: {titles}.", stream))
    return "".join(f"{line.rstrip()}\n" for line in laid_out.getvalue().splitlines())


class Progress(Protocol):
    """What a long job calls to say how far it is."""

    def __call__(self, done: int, total: int, *, left_s: float | None = None, note: str = "") -> None:
        """Say that `done` of `total` pieces of work are finished.

        Args:
            done: finished pieces.
            total: all pieces.
            left_s: estimate of the seconds to the end; None takes the same speed for the rest.
            note: what else is worth knowing, as in "1,200 tokens/s".
        """


@contextmanager
def progress(label: str, unit: str) -> Iterator[Progress]:
    """Show how far a job is: a bar on a terminal, a line every ten seconds elsewhere, nothing with `-q`.

    Args:
        label: What is done, as in "Embedding".
        unit: What is counted, as in "queries".
    """
    if _verbosity == Verbosity.QUIET:
        yield _silent
    elif bars_may_move():
        with _bars() as bars:
            yield _Bar(bars, bars.add_task(label, total=None, rest=""), unit)
    else:
        yield _Lines(label, unit)


def bars_may_move() -> bool:
    """Whether somebody looks at stderr as it grows: a terminal, and no `-q`."""
    return _verbosity > Verbosity.QUIET and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _silent(done: int, total: int, *, left_s: float | None = None, note: str = "") -> None:
    pass


def _bars() -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[rest]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )


class _Clock:
    """Estimates the time left by the speed so far."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()

    def left_s(self, done: int, total: int) -> float:
        return (time.monotonic() - self._started_s) * (total - done) / done


class _Bar:
    """A bar that moves on a terminal and is gone when the job is done."""

    def __init__(self, bars: "RichProgress", task: "TaskID", unit: str) -> None:
        self._bars = bars
        self._task = task
        self._unit = unit
        self._clock = _Clock()

    def __call__(self, done: int, total: int, *, left_s: float | None = None, note: str = "") -> None:
        parts = [f"{done:,} of {total:,} {self._unit}"]
        if done:
            parts.append(f"{duration(self._clock.left_s(done, total) if left_s is None else left_s)} left")
        self._bars.update(self._task, completed=done, total=total, rest=", ".join((*parts, note) if note else parts))


class _Lines:
    """Lines at a distance of some seconds; short jobs print none."""

    def __init__(self, label: str, unit: str) -> None:
        self._label = label
        self._unit = unit
        self._clock = _Clock()
        self._printed_s = time.monotonic()

    def __call__(self, done: int, total: int, *, left_s: float | None = None, note: str = "") -> None:
        now_s = time.monotonic()
        if now_s - self._printed_s < _LINE_EVERY_S or not 0 < done < total:
            return
        self._printed_s = now_s
        left = duration(self._clock.left_s(done, total) if left_s is None else left_s)
        rest = f", {note}" if note else ""
        say(f"{self._label}: {done:,} of {total:,} {self._unit} ({done / total:.0%}), about {left} left{rest}")


def duration(seconds: float) -> str:
    """Write a length of time as a person would: "0.4 s", "12 s", "3 min 20 s", "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun: "1 model", "2,000 queries"; `plural` where it is not the noun and an s."""
    return f"1 {noun}" if count == 1 else f"{count:,} {plural or f'{noun}s'}"
