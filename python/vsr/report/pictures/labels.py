"""Where names stand beside their points so that none covers another: a drawing cannot be asked for that."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from vsr.report.pictures.axes import shortened

# Mean width of a character in the measuring font, in parts of its size.
_CHARACTER = 0.57
_GAP = 9
_DOT = 5
_LINE = 1.5


@dataclass(frozen=True)
class Spot:
    """A point with a name: pixels from the left and from the top."""

    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Label:
    """A name that found room.

    Attributes:
        name: of its point.
        text: the name as it is written, cut where it is long.
        align: where the text hangs on its point.
        dx: shift to the right in pixels.
        dy: shift down.
    """

    name: str
    text: str
    align: Literal["left", "right", "center"]
    dx: float
    dy: float


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "_Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def placed(
    named: Sequence[Spot],
    obstacles: Sequence[Spot],
    width: float,
    height: float,
    size: float,
    n_characters: int,
    always: str = "",
) -> tuple[Label, ...]:
    """Place names in order, each where it covers nothing; one that finds no room is left out.

    Args:
        named: points with names, the most important first.
        obstacles: points without a name.
        width: of the drawing.
        height: of the drawing.
        size: of the type.
        n_characters: longer names are cut.
        always: the name that is written even if it covers something.
    """
    taken = [_Box(spot.x - _DOT, spot.y - _DOT, spot.x + _DOT, spot.y + _DOT) for spot in named]
    taken += [_Box(spot.x - _LINE, spot.y - _LINE, spot.x + _LINE, spot.y + _LINE) for spot in obstacles]
    labels = []
    for spot in named:
        ways = [
            (sum(box.overlaps(other) for other in taken), label, box)
            for label, box in _ways(spot, shortened(spot.text, n_characters), size)
            if box.left >= 0.0 and box.right <= width and box.top >= 0.0 and box.bottom <= height
        ]
        n_covered, label, box = min(ways, key=lambda way: way[0], default=_NO_WAY)
        if label is not None and box is not None and (n_covered == 0 or spot.text == always):
            labels.append(label)
            taken.append(box)
    return tuple(labels)


_NO_WAY: tuple[int, Label | None, _Box | None] = (0, None, None)


def along(path: Sequence[Spot]) -> list[Spot]:
    """Give points along a line, close enough together that no name fits between them."""
    spots = []
    for start, end in pairwise(path):
        n_steps = max(1, math.ceil(math.hypot(end.x - start.x, end.y - start.y) / _DOT))
        for step in range(n_steps):
            part = step / n_steps
            spots.append(Spot("", start.x + part * (end.x - start.x), start.y + part * (end.y - start.y)))
    return spots


def _ways(spot: Spot, text: str, size: float) -> list[tuple[Label, _Box]]:
    half, long = size / 2.0 + 1.0, len(text) * size * _CHARACTER
    ways: list[tuple[Label, _Box]] = []
    for dy in (0.0, -10.0, 10.0, -18.0, 18.0, -28.0, 28.0):
        y = spot.y + dy
        right = _Box(spot.x + _GAP, y - half, spot.x + _GAP + long, y + half)
        left = _Box(spot.x - _GAP - long, y - half, spot.x - _GAP, y + half)
        ways.append((Label(spot.text, text, "left", _GAP, dy), right))
        ways.append((Label(spot.text, text, "right", -_GAP, dy), left))
        if abs(dy) >= 10.0:
            middle = _Box(spot.x - long / 2.0, y - half, spot.x + long / 2.0, y + half)
            ways.append((Label(spot.text, text, "center", 0.0, dy), middle))
    return ways
