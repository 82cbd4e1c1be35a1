"""Colours and type of the report: one accent, greys, and their counterparts in the dark.

Every colour of `LIGHT` occurs once: drawings are made with these and the page replaces them by name.
"""

from typing import Any

import altair as alt

from vsr.report.sections import Chart

LIGHT = {
    "paper": "#fffffe",
    "ink": "#1b2126",
    "muted": "#59636d",
    "mark": "#87919b",
    "line": "#d3d9de",
    "grid": "#e9ecef",
    "accent": "#0b6a62",
    "soft": "#b9dcd8",
}
DARK = {
    "paper": "#14181b",
    "ink": "#e6e9ec",
    "muted": "#a2acb5",
    "mark": "#7c868f",
    "line": "#3b434a",
    "grid": "#262c31",
    "accent": "#57cdbf",
    "soft": "#1f4f4a",
}
PAPER, INK, MUTED, MARK = LIGHT["paper"], LIGHT["ink"], LIGHT["muted"], LIGHT["mark"]
LINE, GRID, ACCENT, SOFT = LIGHT["line"], LIGHT["grid"], LIGHT["accent"], LIGHT["soft"]

# Text is measured in this font, which vl-convert brings along; the page shows it in the reader's own.
MEASURED_FONT = "Liberation Sans"
SIZE = 12


def styled(chart: Chart, width: int, height: int) -> Chart:
    """Give a chart its size and the type of the report.

    Args:
        chart: marks and scales.
        width: of the whole drawing with its axes, in pixels.
        height: of the area between the axes.
    """
    axis: dict[str, Any] = {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "gridColor": GRID,
        "domainColor": LINE,
        "tickColor": LINE,
        "labelFontSize": SIZE,
        "titleFontSize": SIZE,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "labelPadding": 5,
        "tickSize": 4,
    }
    styled_chart = chart.properties(
        width=width, height=height, background=PAPER, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    ).configure(font=MEASURED_FONT, padding={"left": 2, "right": 6, "top": 24, "bottom": 4})
    result: Chart = (
        styled_chart.configure_axis(**axis)
        .configure_view(stroke=None)
        .configure_text(fontSize=SIZE, color=INK)
        .configure_legend(labelColor=MUTED, titleColor=MUTED, labelFontSize=SIZE, titleFontSize=SIZE)
    )
    return result


def rows_of(values: list[dict[str, Any]]) -> alt.InlineData:
    """Hold data for a chart."""
    return alt.InlineData(values=values)
