"""Predicted against measured quality."""

import altair as alt

from vsr.evaluation.shown.reliability import Reliability
from vsr.report.figures import quality
from vsr.report.ink import ACCENT, MARK, rows_of, styled
from vsr.report.pictures.axes import ABOVE
from vsr.report.sections import Chart

_TITLE = "measured quality"


def calibration(found: Reliability, width: int) -> Chart:
    """Draw a point per group of predictions with the interval of what was measured, and the line where both agree."""
    rows = [
        {
            "predicted": group.predicted,
            "measured": group.measured,
            "low": group.low,
            "high": group.high,
            "said": f"predicted {quality(group.predicted)}, measured {quality(group.measured)} "
            f"({group.n:,} predictions)",
        }
        for group in found.bins
    ]
    ends = [value for row in found.bins for value in (row.predicted, row.low, row.high)]
    low, high = max(0.0, min(ends) - 0.03), min(1.0, max(ends) + 0.03)
    scale = alt.Scale(domain=[low, high], nice=False)
    ticks = alt.Axis(tickCount=5, format=".2f")
    upright = alt.Axis(tickCount=5, format=".2f", **ABOVE)
    across = alt.X("predicted:Q", title="predicted quality", scale=scale, axis=ticks)
    base = alt.Chart(rows_of(rows))
    diagonal = (
        alt.Chart(rows_of([{"predicted": low, "measured": low}, {"predicted": high, "measured": high}]))
        .mark_line(color=MARK, strokeDash=[4, 4], strokeWidth=1.5)
        .encode(x=across, y=alt.Y("measured:Q", title=_TITLE, scale=scale, axis=upright))
    )
    lines = base.mark_rule(color=ACCENT, strokeWidth=2).encode(
        x=across, y=alt.Y("low:Q", title=_TITLE, scale=scale), y2="high:Q", description="said:N"
    )
    dots = base.mark_point(color=ACCENT, filled=True, size=60, opacity=1).encode(
        x=across, y=alt.Y("measured:Q", title=_TITLE), description="said:N"
    )
    return styled(diagonal + lines + dots, min(width, 520), min(width - 60, 340))
