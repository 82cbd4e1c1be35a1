"""Where names stand beside their points so that none covers another: a drawing cannot be asked for that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# Mean width of a character in the measuring font, in parts of its size.
_CHARACTER = 0.54
_GAP = 9
_DOT = 5


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
        text: the name.
        align: where the text hangs on its point.
        dx: shift to the right in pixels.
        dy: shift down.
        limit: pixels beyond which the name is cut.
    """

    text: str
    align: Literal["left", "right", "center"]
    dx: float
    dy: float
    limit: float


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "_Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def placed(
    named: Sequence[Spot], obstacles: Sequence[Spot], width: float, height: float, size: float
) -> tuple[Label, ...]:
    """Place names in order, each where it covers nothing; one that finds no room is left out.

    Args:
        named: points with names, the most important first.
        obstacles: points without a name.
        width: of the drawing.
        height: of the drawing.
        size: of the type.
    """
    taken = [_Box(spot.x - _DOT, spot.y - _DOT, spot.x + _DOT, spot.y + _DOT) for spot in (*named, *obstacles)]
    labels = []
    for spot in named:
        long = min(len(spot.text) * size * _CHARACTER, 0.6 * width)
        for label, box in _ways(spot, long, size):
            is_inside = box.left >= 0.0 and box.right <= width and box.top >= 0.0 and box.bottom <= height
            if is_inside and not any(box.overlaps(other) for other in taken):
                labels.append(label)
                taken.append(box)
                break
    return tuple(labels)


def _ways(spot: Spot, long: float, size: float) -> list[tuple[Label, _Box]]:
    half, limit = size / 2.0 + 1.0, long * 1.25
    ways: list[tuple[Label, _Box]] = []
    for dy in (0.0, -10.0, 10.0, -18.0, 18.0, -28.0, 28.0):
        y = spot.y + dy
        right = _Box(spot.x + _GAP, y - half, spot.x + _GAP + long, y + half)
        left = _Box(spot.x - _GAP - long, y - half, spot.x - _GAP, y + half)
        ways.append((Label(spot.text, "left", _GAP, dy, limit), right))
        ways.append((Label(spot.text, "right", -_GAP, dy, limit), left))
        if abs(dy) >= 10.0:
            middle = _Box(spot.x - long / 2.0, y - half, spot.x + long / 2.0, y + half)
            ways.append((Label(spot.text, "center", 0.0, dy, limit), middle))
    return ways
