"""What the slider of the quality weight says at each of its stops."""

from dataclasses import dataclass

from vsr.evaluation.results import Curve, CurvePoint
from vsr.report.figures import change, points, quality, seconds, share, shares, usd_per_1000


@dataclass(frozen=True)
class Stop:
    """One stop of the slider.

    Attributes:
        index: of the point among those of the curve, which is the order of its dots in the pictures.
        weight: the quality weight.
        cost_share: what counts beside quality, in words.
        quality: as text.
        quality_change: against what is in force.
        cost: as text; None where it is not known.
        cost_change: against what is in force.
        latency: as text; None where it is not known.
        latency_change: against what is in force.
        who: who answers how much.
        said: all of it as one sentence, for screen readers.
    """

    index: int
    weight: str
    cost_share: str
    quality: str
    quality_change: str
    cost: str | None
    cost_change: str
    latency: str | None
    latency_change: str
    who: str
    said: str


@dataclass(frozen=True)
class Slider:
    """The stops, the cheapest or fastest first, and where it stands at first."""

    stops: tuple[Stop, ...]
    start: int
    cost_shares: tuple[str, ...]


def slider(curve: Curve) -> Slider:
    """Put the points of the selector in the order of their weights."""
    order = sorted(
        range(len(curve.judged)), key=lambda index: (curve.judged[index].cost_share, curve.judged[index].quality_weight)
    )
    stops = tuple(_stop(index, curve.judged[index], curve.default) for index in order)
    default = curve.default
    nearest = min(
        range(len(order)),
        key=lambda number: (
            abs(curve.judged[order[number]].cost_share - default.cost_share),
            abs(curve.judged[order[number]].quality_weight - default.quality_weight),
        ),
    )
    return Slider(stops, nearest, tuple(dict.fromkeys(stop.cost_share for stop in stops)))


def _beside(cost_share: float) -> str:
    """Say what counts beside quality."""
    if cost_share in (0.0, 1.0):
        return "speed" if cost_share == 0.0 else "cost"
    return "speed and cost alike" if cost_share == 0.5 else f"cost {share(cost_share)}, speed the rest"


def _stop(index: int, point: CurvePoint, default: CurvePoint) -> Stop:
    moved = points(point.quality - default.quality)
    said = [f"quality {quality(point.quality)}"]
    if point.cost_usd is not None:
        said.append(f"{usd_per_1000(point.cost_usd)} for 1,000 queries")
    if point.latency_s is not None:
        said.append(seconds(point.latency_s))
    who = shares(point.selection)
    return Stop(
        index=index,
        weight=f"{point.quality_weight:g}",
        cost_share=_beside(point.cost_share),
        quality=quality(point.quality),
        quality_change="no change" if moved == "0.0" else f"{moved} points",
        cost=None if point.cost_usd is None else usd_per_1000(point.cost_usd),
        cost_change=change(point.cost_usd, default.cost_usd),
        latency=None if point.latency_s is None else seconds(point.latency_s),
        latency_change=change(point.latency_s, default.latency_s),
        who=who,
        said=f"Quality weight {point.quality_weight:g}: {', '.join(said)}. {who}",
    )
