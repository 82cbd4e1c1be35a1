"""Gain over the number of queries."""

import altair as alt

from vsr.evaluation.results import LearningPoint
from vsr.report.figures import interval, points
from vsr.report.ink import ACCENT, MARK, MUTED, SOFT, rows_of, styled
from vsr.report.pictures.axes import ABOVE, linear_ticks, log_ticks
from vsr.report.sections import Chart

_TITLE = "points over the best single model"
_FAR = 2.0


def learning(curve: tuple[LearningPoint, ...], queries_needed: int | None, width: int) -> Chart:
    """Draw the gain with its interval, zero, and the number of queries that would decide where it is known."""
    rows = [
        {
            "n": point.n_queries,
            "gain": 100.0 * point.gain,
            "low": 100.0 * point.low,
            "high": 100.0 * point.high,
            "said": f"{point.n_queries:,} queries: {points(point.gain)} points, 95 % {interval(point.low, point.high)}",
        }
        for point in curve
    ]
    base = alt.Chart(rows_of(rows))
    low, high = curve[0].n_queries, max(curve[-1].n_queries, queries_needed or 0)
    # What would decide is often many times what there is: measured points must not end up in one corner for it.
    is_log = high > _FAR * curve[-1].n_queries
    most = 6 if width > 500 else 4
    number = alt.X(
        "n:Q",
        title="queries",
        scale=alt.Scale(type="log" if is_log else "linear", zero=False, nice=False, padding=12),
        axis=alt.Axis(
            grid=False, format=",d", values=log_ticks(low, high, most) if is_log else linear_ticks(low, high, most)
        ),
    )
    band = base.mark_area(color=SOFT, opacity=0.6).encode(
        x=number, y=alt.Y("low:Q", title=_TITLE, axis=alt.Axis(tickCount=5, **ABOVE)), y2="high:Q"
    )
    line = base.mark_line(color=ACCENT, strokeWidth=2).encode(x=number, y=alt.Y("gain:Q", title=_TITLE))
    dots = base.mark_point(color=ACCENT, filled=True, size=60, opacity=1).encode(
        x=number, y=alt.Y("gain:Q", title=_TITLE), description="said:N"
    )
    zero = alt.Chart(rows_of([{"at": 0}])).mark_rule(color=MUTED).encode(y=alt.Y("at:Q", title=_TITLE))
    layers = [band, zero, line, dots]
    if queries_needed is not None:
        needed = alt.Chart(rows_of([{"n": queries_needed, "said": f"about {queries_needed:,} would decide"}]))
        layers.append(needed.mark_rule(color=MARK, strokeDash=[4, 4]).encode(x=number))
        layers.append(
            needed.mark_text(align="right", dx=-6, baseline="top", color=MUTED).encode(
                x=number, y=alt.value(2), text="said:N"
            )
        )
    return styled(alt.layer(*layers), width, 240)
