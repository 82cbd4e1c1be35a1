"""Gain of every method with its interval."""

import altair as alt

from vsr.evaluation.results import Evaluation, MethodResult
from vsr.report.figures import interval, points
from vsr.report.ink import ACCENT, MARK, MUTED, rows_of, styled
from vsr.report.pictures.axes import row_names
from vsr.report.sections import Chart

_ROW = 26
#: What single models beyond these would add is in the table.
_SHOWN_SINGLES = 4


def shown(evaluation: Evaluation) -> tuple[MethodResult, ...]:
    """Give the methods that a picture has room for, the greatest gain first: no oracle, which would dwarf them."""
    singles = [method for method in evaluation.methods if method.kind == "single" and method.gain is not None]
    kept = [method.name for method in singles[:_SHOWN_SINGLES]]
    methods = [
        method
        for method in evaluation.methods
        if method.kind != "oracle"
        and (method.kind != "single" or method.name in kept)
        and (method.gain is not None or method.is_identical)
    ]
    return tuple(sorted(methods, key=lambda method: 0.0 if method.gain is None else -method.gain.mean))


def gains(evaluation: Evaluation, width: int) -> Chart:
    """Draw a row per method: a point for the gain over the best single model, a line for its interval."""
    methods = shown(evaluation)
    labels, axis = row_names([method.label for method in methods], width)
    rows = []
    for method, label in zip(methods, labels, strict=True):
        gain = method.gain
        said = "identical" if gain is None else f"{points(gain.mean)} points, 95 % {interval(gain.low, gain.high)}"
        rows.append(
            {
                "name": label,
                "mean": 0.0 if gain is None else 100.0 * gain.mean,
                "low": 0.0 if gain is None else 100.0 * gain.low,
                "high": 0.0 if gain is None else 100.0 * gain.high,
                "said": f"{method.label}: {said}",
                "is_judged": method.name == "judged",
            }
        )
    colour = alt.condition("datum.is_judged", alt.value(ACCENT), alt.value(MARK))
    names = alt.Y("name:N", sort=None, title=None, axis=axis)
    scale = alt.X("low:Q", title="points over the best single model", axis=alt.Axis(tickCount=6 if width > 500 else 4))
    base = alt.Chart(rows_of(rows))
    zero = alt.Chart(rows_of([{"at": 0}])).mark_rule(color=MUTED, strokeWidth=1).encode(x="at:Q")
    lines = base.mark_rule(strokeWidth=2.5, strokeCap="round").encode(
        x=scale, x2="high:Q", y=names, color=colour, description="said:N"
    )
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(
        x="mean:Q", y=names, color=colour, description="said:N"
    )
    return styled(zero + lines + dots, width, _ROW * len(rows))
