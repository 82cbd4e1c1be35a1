"""Other policies on logged decisions, as `evaluate --log` prints them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from vsr.cli import terminal
from vsr.cli.evaluation_table import points
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.traffic.joining import Joined
    from vsr.traffic.judgement import Figure, PolicyValue
    from vsr.traffic.policies import Expected


@dataclass(frozen=True)
class Judged:
    """What a policy would have brought, and what it would have cost where an artefact says so."""

    value: "PolicyValue"
    expected: "Expected | None" = None


def logged_document(joined: "Joined", judged: Sequence[Judged]) -> dict[str, Any]:
    """Turn it into an object that `json` takes."""
    return {
        "decisions": asdict(joined.report),
        "quality_as_logged": float(joined.table.quality.mean()),
        "explore_margin": float(joined.table.margin.max()),
        "policies": [
            {**asdict(each.value), "expected": None if each.expected is None else asdict(each.expected)}
            for each in judged
        ],
    }


def write_logged(joined: "Joined", judged: Sequence[Judged]) -> None:
    """Print what was read, a table of the policies, and what of it is known."""
    for line in joined.report.lines():
        terminal.say(f"{line}.")
    table = joined.table
    terminal.write(
        f"{terminal.counted(joined.report.n_decisions, 'decision')}, {len(table):,} of them judged by feedback; "
        f"quality as it was {table.quality.mean():.3f}"
    )
    terminal.write("")
    _write_table(judged)
    terminal.write("")
    terminal.write(
        "SNIPS: self-normalised inverse propensity; DR: doubly robust; vs log: points over its best model each time."
    )
    for each in judged:
        for line in _sentences(each, float(table.margin.max())):
            terminal.write("")
            terminal.write(line)


def _write_table(judged: Sequence[Judged]) -> None:
    columns = [
        Column("policy"),
        Column("estimator"),
        *(Column(title, "right") for title in ("quality", "95 %", "vs log", "95 %")),
        *(Column(title, "right", is_spare=True) for title in ("latency", "cost")),
    ]
    rows = [row for each in judged for row in _rows(each)]
    # What no artefact says is no column.
    kept = [place for place in range(len(columns)) if place < 6 or any(row[place] for row in rows)]
    terminal.write_table(
        Table(tuple(columns[place] for place in kept), tuple(tuple(row[place] for place in kept) for row in rows))
    )


def _rows(each: Judged) -> list[tuple[str, ...]]:
    value, known = each.value, each.expected
    latency = "" if known is None or known.latency_s is None else f"{known.latency_s:.2f} s"
    cost = "" if known is None or known.cost_usd is None else f"${known.cost_usd:.6f}"
    if value.self_normalised is None or value.doubly_robust is None:
        return [(value.name, "-", "-", "-", "-", "-", latency, cost)]
    return [
        (value.name, "SNIPS", *_cells(value.self_normalised, value.gain_self_normalised), latency, cost),
        ("", "DR", *_cells(value.doubly_robust, value.gain_doubly_robust), "", ""),
    ]


def _cells(quality: "Figure", gain: "Figure | None") -> tuple[str, str, str, str]:
    interval = f"{quality.low:.3f} .. {quality.high:.3f}"
    if gain is None or gain.low == gain.high == 0.0:
        return f"{quality.value:.3f}", interval, "-", "-"
    return f"{quality.value:.3f}", interval, points(gain.value), f"{points(gain.low)} .. {points(gain.high)}"


def _sentences(each: Judged, margin: float) -> list[str]:
    """Say how much of a policy is known."""
    value = each.value
    if value.refusal is not None:
        return [f"{value.name}: nothing is said, because {value.refusal}."]
    if value.gain_doubly_robust is None or (value.covered == 1.0 and not value.differing):
        same = f"{value.name}: takes what the log would in every decision"
        return [f"{same}." if value.name != "without exploration" else _of_own(value)]
    covered = f"{100 * value.covered:.1f} %"
    first = (
        f"{value.name}: {_verdict(value.gain_doubly_robust)} than what was chosen there without exploration. It takes "
        f"another model in {100 * value.differing:.1f} % of the decisions; in {value.n_tried:,} of these the log tried "
        f"that model (effective sample size {value.effective_sample_size:,.0f} of {value.n_decisions:,})."
    )
    said = [first]
    if value.covered < 1.0:
        said.append(
            f"The figures are about the {covered} of the decisions in which its model was within what was explored "
            f"(explore margin {margin:g}). Of the other {100 * (1.0 - value.covered):.1f} % nothing is known."
        )
    return said


def _of_own(value: "PolicyValue") -> str:
    return (
        f"{value.name}: the best model each time, by the objective of the log (effective sample size "
        f"{value.effective_sample_size:,.0f} of {value.n_decisions:,})."
    )


def _verdict(gain: "Figure") -> str:
    shown = f"{100 * abs(gain.value):.1f} points"
    if gain.low > 0.0:
        return f"better by {shown}"
    if gain.high < 0.0:
        return f"worse by {shown}"
    return "neither surely better nor surely worse"
