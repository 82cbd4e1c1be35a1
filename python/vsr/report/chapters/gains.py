"""Gain per method with intervals."""

from vsr.evaluation.results import Evaluation, MethodResult
from vsr.report.figures import NOT_KNOWN, interval, points, quality, seconds, usd_per_1000
from vsr.report.pictures import gains as picture
from vsr.report.sections import Column, DataTable, Picture, Section


def gains_section(evaluation: Evaluation) -> Section:
    """Say which method gains how much over the best single model, and how surely."""
    selectors = [method for method in evaluation.methods if method.kind == "selector"]
    sure = [method.label for method in selectors if method.gain is not None and method.gain.is_above_zero]
    finding = (
        f"{len(sure)} of {len(selectors)} selectors surely beat always using {evaluation.best_single}: "
        f"{', '.join(sure)}."
        if sure
        else f"No selector surely beats always using {evaluation.best_single}."
    )
    oracle = next((method for method in evaluation.methods if method.name == "oracle"), None)
    if oracle is not None and oracle.gain is not None:
        finding += (
            f" Knowing the best model of every query beforehand would bring {points(oracle.gain.mean)} points "
            "(the oracle, too far to the right to be drawn)."
        )
    return Section(
        key="gains",
        title="Who gains how much",
        findings=(finding,),
        pictures=(
            Picture(
                "gains",
                lambda width: picture.gains(evaluation, width),
                "Each point is a gain, each line its 95 % interval. Look for lines that lie wholly to the right of "
                "zero: only those gains are sure. The accent marks the selector that the verdict is about.",
            ),
        ),
        table=_table(evaluation),
        terms=("gain", "interval", "oracle", "chosen-inside"),
    )


def _table(evaluation: Evaluation) -> DataTable:
    methods = evaluation.methods
    columns = [
        Column("method", is_number=False),
        Column("gain, points", "gain"),
        Column("95 % interval", "interval"),
        Column("quality", "quality"),
        Column("utility", "utility"),
        Column("latency", "latency"),
        Column("1,000 queries cost", "cost"),
        Column("time to choose"),
    ]
    rows = [_row(method) for method in methods]
    # A column of nothing but dashes says nothing.
    keep = [number for number in range(len(columns)) if any(row[number] != NOT_KNOWN for row in rows)]
    return DataTable(
        "Every method on the held-out queries",
        tuple(columns[number] for number in keep),
        tuple(tuple(row[number] for number in keep) for row in rows),
        marked=next((number for number, method in enumerate(methods) if method.name == "judged"), None),
    )


def _row(method: MethodResult) -> tuple[str, ...]:
    gain = method.gain
    return (
        method.label,
        ("identical" if method.is_identical else NOT_KNOWN) if gain is None else points(gain.mean),
        NOT_KNOWN if gain is None or method.kind == "oracle" else interval(gain.low, gain.high),
        quality(method.quality),
        quality(method.utility),
        seconds(method.latency_s),
        usd_per_1000(method.cost_usd),
        seconds(method.seconds_per_query),
    )
