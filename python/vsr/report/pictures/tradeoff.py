"""Quality against cost or latency: single models by name, their frontier, and the selector over the objective."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt

from vsr.evaluation.results import Curve, CurvePoint
from vsr.report.figures import quality, seconds, usd
from vsr.report.ink import ACCENT, INK, MARK, MUTED, SIZE, rows_of, styled
from vsr.report.pictures.axes import ABOVE, decimals, linear_ticks, log_ticks
from vsr.report.pictures.labels import Spot, along, placed
from vsr.report.sections import Chart

Against = Literal["cost", "latency"]

# Beyond this range a linear axis presses the cheap models into one corner.
_MOST_LINEAR = 12.0
_HEIGHT = {True: 380, False: 320}
_AXIS_WIDTH = 50
_SELECTOR = "the selector"
_LONGEST_LABEL = {True: 34, False: 18}
# Models further below what the selector does than this part of its own range would press everything else together.
_DEEPEST = 0.5


@dataclass(frozen=True)
class _Axis:
    title: str
    value: Callable[[CurvePoint], float | None]
    said: Callable[[float | None], str]
    expression: str  # of a label, in Vega's language, with a place for the number


_AXES = {
    "cost": _Axis(
        "cost of 1,000 queries",
        lambda point: None if point.cost_usd is None else 1000.0 * point.cost_usd,
        usd,
        "datum.value == 0 ? 'free' : '$' + {value}",
    ),
    "latency": _Axis("mean latency", lambda point: point.latency_s, seconds, "{value} + ' s'"),
}


def is_known(curve: Curve, against: Against) -> bool:
    """Whether every point has a value on that axis."""
    axis = _AXES[against]
    return all(axis.value(point) is not None for point in (*curve.judged, *curve.singles.values()))


def below(curve: Curve) -> list[str]:
    """Name the single models that are so much worse than everything of interest that they are not drawn."""
    known: list[Against] = [each for each in ("cost", "latency") if is_known(curve, each)]
    on_a_frontier = {name for each in known for name in frontier(curve, each)}
    of_interest = [point.quality for point in (*curve.judged, curve.default)]
    of_interest += [curve.singles[name].quality for name in on_a_frontier]
    lowest = min(of_interest) - _DEEPEST * (max(of_interest) - min(of_interest))
    return [name for name, point in curve.singles.items() if point.quality < lowest]


def frontier(curve: Curve, against: Against) -> list[str]:
    """Give the single models that no other one beats in both, from the cheapest or fastest on."""
    value = _AXES[against].value
    left_to_right = sorted(curve.singles, key=lambda name: (value(curve.singles[name]), -curve.singles[name].quality))
    kept: list[str] = []
    for name in left_to_right:
        if not kept or curve.singles[name].quality > curve.singles[kept[-1]].quality:
            kept.append(name)
    return kept


def tradeoff(curve: Curve, against: Against, best_single: str, width: int) -> Chart:
    """Draw quality against what it costs.

    Args:
        curve: the points.
        against: what stands on the axis.
        best_single: the model that is always named.
        width: of the drawing.
    """
    axis = _AXES[against]
    is_wide = width > 500
    height = _HEIGHT[is_wide]
    on_frontier = frontier(curve, against)
    left_out = below(curve)
    singles = [_row(point, axis, name) for name, point in curve.singles.items() if name not in left_out]
    judged = [_row(point, axis, f"the selector, weight {point.quality_weight:g}") for point in curve.judged]
    table = [
        _row(point, axis, f"category table, weight {point.quality_weight:g}")
        for point in curve.table
        if point.cost_share == curve.default.cost_share and axis.value(point) is not None
    ]
    # The slider moves over all of them; lines are drawn for the share of cost that is in force.
    in_force = _share_in_force(curve)
    slid = [row for row in judged if row["share"] == in_force]
    default = _row(curve.default, axis, f"the selector, weight {curve.default.quality_weight:g}, in force")
    everything = [*singles, *judged, default]
    across = _Across.spanning([row["at"] for row in everything])
    low, high = min(row["quality"] for row in everything), max(row["quality"] for row in everything)
    margin = max(0.08 * (high - low), 0.005)
    ticks = across.ticks(7 if is_wide else 4)
    x = alt.X(
        "at:Q",
        title=f"{axis.title} (less is better)",
        scale=across.scale,
        axis=alt.Axis(labelExpr=axis.expression.format(value=across.number(ticks)), values=ticks),
    )
    ends = (low - margin, high + margin)
    y_scale = alt.Scale(domain=list(ends), nice=False, clamp=True)
    y = alt.Y("quality:Q", title="quality", scale=y_scale, axis=alt.Axis(format=".2f", tickCount=6, **ABOVE))
    inner = width - _AXIS_WIDTH

    def place(row: dict[str, Any]) -> Spot:
        up = (row["quality"] - ends[0]) / (ends[1] - ends[0])
        return Spot(row["name"], across.at(row["at"]) * inner, (1.0 - up) * height)

    layers: list[alt.Chart] = [
        _line(_named(singles, on_frontier), x, y, MARK, 1.5, [4, 4]).properties(name="frontier"),
        _line(table, x, y, MARK, 1.5, [1, 0]).properties(name="table"),
        _line(slid, x, y, ACCENT, 2.5, [1, 0]).properties(name="selector"),
        _dots(singles, x, y, MARK, 70).properties(name="singles"),
        _dots(judged, x, y, ACCENT, 22)
        .encode(opacity=alt.condition(f"datum.share == {in_force}", alt.value(1), alt.value(0)))
        .properties(name="judged"),
        _dots([default], x, y, ACCENT, 150).properties(name="default"),
    ]
    must = {best_single, *on_frontier}
    first = sorted(singles, key=lambda row: (row["name"] not in must, -row["quality"]))
    obstacles = [place(row) for row in (*slid, default)]
    for path in (slid, table, _named(singles, on_frontier)):
        obstacles += along([place(row) for row in path])
    rows = {row["name"]: row for row in (default | {"name": _SELECTOR}, *first)}
    spots = [place(row) for row in rows.values()]
    labels = placed(spots, obstacles, inner, height, SIZE, _LONGEST_LABEL[is_wide], always=best_single)
    for label in labels:
        is_selector = label.name == _SELECTOR
        layers.append(
            alt.Chart(rows_of([rows[label.name] | {"shown": label.text}]))
            .mark_text(
                align=label.align,
                dx=label.dx,
                dy=label.dy,
                baseline="middle",
                color=ACCENT if is_selector else INK if label.name in must else MUTED,
                fontWeight="bold" if is_selector else "normal",
            )
            .encode(x=x, y=y, text="shown:N")
        )
    return styled(alt.layer(*layers), width, height)


def _share_in_force(curve: Curve) -> float:
    shares = {point.cost_share for point in curve.judged}
    return min(shares, key=lambda share: abs(share - curve.default.cost_share))


def _row(point: CurvePoint, axis: _Axis, name: str) -> dict[str, Any]:
    value = axis.value(point)
    return {
        "name": name,
        "at": value,
        "quality": point.quality,
        "weight": point.quality_weight,
        "share": point.cost_share,
        "said": f"{name}: quality {quality(point.quality)}, {axis.said(value)}",
    }


def _named(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    by_name = {row["name"]: row for row in rows}
    return [by_name[name] | {"weight": order} for order, name in enumerate(names)]


def _line(rows: list[dict[str, Any]], x: alt.X, y: alt.Y, colour: str, thickness: float, dash: list[int]) -> alt.Chart:
    mark = alt.Chart(rows_of(rows)).mark_line(color=colour, strokeWidth=thickness, strokeDash=dash, clip=True)
    line: alt.Chart = mark.encode(x=x, y=y, order="weight:Q", detail="share:Q")
    return line


def _dots(rows: list[dict[str, Any]], x: alt.X, y: alt.Y, colour: str, size: int) -> alt.Chart:
    mark = alt.Chart(rows_of(rows)).mark_point(filled=True, color=colour, size=size, opacity=1, clip=True)
    dots: alt.Chart = mark.encode(x=x, y=y, description="said:N")
    return dots


@dataclass(frozen=True)
class _Across:
    """The axis of cost or latency: logarithmic where values differ much.

    Attributes:
        low: its left end.
        high: its right end.
        is_log: whether it is logarithmic.
    """

    low: float
    high: float
    is_log: bool

    @classmethod
    def spanning(cls, values: list[float]) -> "_Across":
        low, high = min(values), max(values)
        if low > 0.0 and high / low > _MOST_LINEAR:
            margin = (high / low) ** 0.05
            return cls(low / margin, high * margin, is_log=True)
        margin = max(0.06 * (high - low), 0.01 * high, 1e-9)
        return cls(0.0 if low < 0.35 * high else low - margin, high + margin, is_log=False)

    @property
    def scale(self) -> alt.Scale:
        kind: Literal["log", "linear"] = "log" if self.is_log else "linear"
        return alt.Scale(type=kind, domain=[self.low, self.high], nice=False, zero=False)

    def at(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, about: int) -> list[float]:
        return log_ticks(self.low, self.high, about) if self.is_log else linear_ticks(self.low, self.high, about)

    def number(self, ticks: list[float]) -> str:
        """How a tick's number is written, in Vega's language: all with as many decimals, but on a logarithmic axis."""
        if self.is_log:
            return "datum.value"
        return f"format(datum.value, '.{max((decimals(tick) for tick in ticks), default=0)}f')"
