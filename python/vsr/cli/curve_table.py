"""The curve and the target as `evaluate` and `train` print them: what routing buys at which price."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.evaluation.results import Curve, CurvePoint, Evaluation

# Points of the curve that are shown; `--json` has all.
_SHOWN_POINTS = 5


def write_target(evaluation: "Evaluation") -> None:
    """Say how the target was met, where there is one."""
    if evaluation.target is None:
        return
    from vsr.evaluation.sliding.targets import sentences_of

    for sentence in sentences_of(evaluation.target):
        terminal.write(sentence)
    terminal.write("")


def write_sentences(evaluation: "Evaluation") -> None:
    """Say what the curve means."""
    if evaluation.curve is None:
        return
    terminal.write("")
    for sentence in evaluation.curve.sentences:
        terminal.write(sentence)


def write_curve(evaluation: "Evaluation") -> None:
    """Print the frontier, single models and routing, and what the curve means."""
    curve = evaluation.curve
    if curve is None:
        return
    if curve.default.cost_usd is not None or curve.default.latency_s is not None:
        terminal.write("")
        terminal.write(f"Quality against {'cost' if curve.default.cost_usd is not None else 'latency'}:")
        terminal.write("")
        _write_frontier(curve)
    write_sentences(evaluation)


def _write_frontier(curve: "Curve") -> None:
    columns = [Column("choice"), Column("quality", "right")]
    has_cost, has_latency = curve.default.cost_usd is not None, curve.default.latency_s is not None
    columns += [Column("USD per 1,000", "right")] if has_cost else []
    columns += [Column("latency", "right")] if has_latency else []
    rows = [(f"always {name}", curve.singles[name]) for name in curve.frontier]
    rows += [(f"routing, {_weights(point)}", point) for point in shown_points(curve.judged)]
    rows.sort(key=lambda row: _price(row[1]))
    terminal.write_table(
        Table(
            tuple(columns),
            tuple(
                (
                    label,
                    f"{point.quality:.3f}",
                    *((_usd(point),) if has_cost else ()),
                    *((_seconds(point),) if has_latency else ()),
                )
                for label, point in rows
            ),
        )
    )
    terminal.write("")
    terminal.write("Weights are picked by looking: what routing gives on new queries is about that.")


def shown_points(points: Sequence["CurvePoint"]) -> list["CurvePoint"]:
    """Give a few points that no other beats in quality and price, evenly from the cheapest to the best."""
    frontier: list[CurvePoint] = []
    for point in sorted(points, key=lambda each: (_price(each), -each.quality, -each.quality_weight)):
        if not frontier or point.quality > frontier[-1].quality:
            frontier.append(point)
    if len(frontier) <= _SHOWN_POINTS:
        return frontier
    step = (frontier[-1].quality - frontier[0].quality) / (_SHOWN_POINTS - 1)
    wanted = [frontier[0].quality + number * step for number in range(_SHOWN_POINTS)]
    off = [[abs(point.quality - quality) for point in frontier] for quality in wanted]
    return [frontier[number] for number in sorted({each.index(min(each)) for each in off})]


def _weights(point: "CurvePoint") -> str:
    share = "" if point.quality_weight == 1.0 else f", cost share {point.cost_share:g}"
    return f"quality weight {point.quality_weight:g}{share}"


def _price(point: "CurvePoint") -> float:
    if point.cost_usd is not None:
        return point.cost_usd
    return 0.0 if point.latency_s is None else point.latency_s


def _usd(point: "CurvePoint") -> str:
    return "-" if point.cost_usd is None else f"{1000.0 * point.cost_usd:.3g}"


def _seconds(point: "CurvePoint") -> str:
    return "-" if point.latency_s is None else f"{point.latency_s:.2f} s"
