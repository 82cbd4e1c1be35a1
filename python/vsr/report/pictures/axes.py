"""Axes that stay readable at any width: names of rows, ticks whose labels are exact."""

import math
from typing import Any

import altair as alt

from vsr.report.ink import INK

# A reader's font may be wider than the one that names are measured in.
_CHARACTER_PX = 7.0
_LONGEST_NAME = 0.36
_LEAST_CHARACTERS = 8

#: Puts the title of an upright axis above it, where it can be read without turning the head.
ABOVE: dict[str, Any] = {
    "titleAngle": 0,
    "titleAnchor": "end",
    "titleAlign": "left",
    "titleBaseline": "bottom",
    "titleX": -36,
    "titleY": -10,
}


def shortened(name: str, n_characters: int) -> str:
    """Cut a name, with an ellipsis where something is lost."""
    return name if len(name) <= n_characters else name[: n_characters - 1].rstrip() + "…"


def row_names(names: list[str], width: int) -> tuple[list[str], alt.Axis]:
    """Cut the names of rows to the room that they have, and make the axis that they stand on.

    Args:
        names: one a row.
        width: of the drawing.

    Returns:
        The names, still different, and the axis.
    """
    most = max(_LEAST_CHARACTERS, int(_LONGEST_NAME * width / _CHARACTER_PX))
    cut = _different([shortened(name, most) for name in names])
    extent = math.ceil(max(len(name) for name in cut) * _CHARACTER_PX)
    return cut, alt.Axis(
        labelLimit=0, labelColor=INK, domain=False, ticks=False, grid=False, labelOverlap=False, minExtent=extent
    )


def linear_ticks(low: float, high: float, about: int) -> list[float]:
    """Give round numbers between two ends, about as many as asked for."""
    step = 10.0 ** math.floor(math.log10((high - low) / about))
    step *= next(factor for factor in (1.0, 2.0, 5.0, 10.0) if (high - low) / (step * factor) <= about + 1)
    first = math.ceil(low / step - 1e-9)
    return [_clean(number * step) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Give round numbers between two ends of a logarithmic axis, at most as many as asked for if there is a way."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [_clean(digit * 10.0**power) for power in powers for digit in digits]
        found = [value for value in found if low <= value <= high]
        if len(found) <= most:
            break
    return found


def decimals(value: float) -> int:
    """Count the decimals that a number needs."""
    return next((places for places in range(12) if math.isclose(round(value, places), value, rel_tol=1e-6)), 12)


def _clean(value: float) -> float:
    return float(f"{value:.6g}")


def _different(names: list[str]) -> list[str]:
    """Number what cutting has made equal: equal names would share a row."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result
