"""Quality against cost and latency, with the objective to slide."""

from functools import partial

from vsr.evaluation.results import Curve, CurvePoint
from vsr.report.figures import NOT_KNOWN, quality, seconds, shares, usd_per_1000
from vsr.report.pictures import tradeoff as picture
from vsr.report.sections import Column, DataTable, Picture, Section

_TITLES = {"cost": "Quality against cost", "latency": "Quality against latency"}
_LOOK = (
    "Up is better, left is {cheaper}. Grey points are single models; the dashed line joins those that no other single "
    "model beats, the thin one is the category table. The accent is the selector, a small point for every quality "
    "weight, the large one as it is now. Look whether it lies above the dashed line: that is what routing brings."
)
_AGAIN = (
    "The same against latency: left is faster. Look whether the selector buys its quality with time, or wins on both "
    "sides."
)


def tradeoff_section(curve: Curve, best_single: str) -> Section | None:
    """Say what sliding the objective brings; None where neither cost nor latency is known."""
    known: list[picture.Against] = [each for each in ("cost", "latency") if picture.is_known(curve, each)]
    if not known:
        return None
    pictures = tuple(
        Picture(
            f"quality_against_{against}",
            partial(picture.tradeoff, curve, against, best_single),
            _look(curve, against) if number == 0 else _AGAIN,
        )
        for number, against in enumerate(known)
    )
    return Section(
        key="tradeoff",
        title=_TITLES[known[0]] if len(known) == 1 else "Quality against cost and latency",
        findings=curve.sentences,
        pictures=pictures,
        table=_table(curve),
        terms=("quality", "cost", "latency", "frontier", "quality-weight"),
    )


def _look(curve: Curve, against: picture.Against) -> str:
    look = _LOOK.format(cheaper="cheaper" if against == "cost" else "faster")
    below = picture.below(curve)
    if not below:
        return look
    lie = "lies" if len(below) == 1 else "lie"
    return f"{look} {', '.join(below)} {lie} below the picture."


def _table(curve: Curve) -> DataTable:
    columns = (
        Column("what", is_number=False),
        Column("quality", "quality"),
        Column("1,000 queries cost", "cost"),
        Column("latency", "latency"),
        Column("who answers", "share", is_number=False),
    )
    singles = sorted(curve.singles.items(), key=lambda item: -item[1].quality)
    rows = [_row(name + (", on the frontier" if name in curve.frontier else ""), point) for name, point in singles]
    several = len({point.cost_share for point in curve.judged}) > 1
    table = [point for point in curve.table if point.cost_share == curve.default.cost_share]
    for what, points in (("selector", curve.judged), ("category table", table)):
        for point in points:
            at = f"{what}, quality weight {point.quality_weight:g}"
            rows.append(_row(at + (f", cost share {point.cost_share:g}" if several else ""), point))
    keep = [number for number in range(len(columns)) if any(row[number] != NOT_KNOWN for row in rows)]
    return DataTable(
        "Single models, and the methods over the quality weight",
        tuple(columns[number] for number in keep),
        tuple(tuple(row[number] for number in keep) for row in rows),
    )


def _row(name: str, point: CurvePoint) -> tuple[str, ...]:
    who = NOT_KNOWN if len(point.selection) == 1 else shares(point.selection, most=3)
    return (name, quality(point.quality), usd_per_1000(point.cost_usd), seconds(point.latency_s), who)
