"""The metrics of the literature as a table whose names link to their definitions."""

from vsr.evaluation.metrics import Metric
from vsr.report.figures import seconds, usd
from vsr.report.sections import Column, DataTable


def metrics_table(metrics: tuple[Metric, ...]) -> DataTable:
    """Lay out the metrics."""
    return DataTable(
        "Metrics of the selector that would be deployed",
        (
            Column("metric", is_number=False),
            Column("value"),
            Column("95 % interval", "interval"),
            Column("remark", is_number=False),
        ),
        tuple((metric.name, value_of(metric), _interval(metric), metric.note) for metric in metrics),
    )


def value_of(metric: Metric) -> str:
    """Write a value in its unit; `n/a` where it does not apply."""
    return "n/a" if metric.value is None else _written(metric.value, metric.unit)


def _interval(metric: Metric) -> str:
    found = metric.interval
    if found is None:
        return ""
    return f"{_bare(found.low, metric.unit)} to {_bare(found.high, metric.unit)}"


def _written(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100.0 * value:.1f} %".replace("-", "−")
    if unit.startswith("USD"):
        return usd(value)
    if unit == "s":
        return seconds(value)
    return f"{_bare(value, unit)} {unit}".rstrip()


def _bare(value: float, unit: str) -> str:
    written = f"{value:+.1f}" if unit == "points" else f"{value:.3f}"
    return written.replace("-", "−")
