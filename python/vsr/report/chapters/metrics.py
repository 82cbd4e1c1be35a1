"""The metrics of the literature as a table whose names link to their definitions."""

from vsr.evaluation.metrics import Metric
from vsr.report.sections import Column, DataTable


def metrics_table(metrics: tuple[Metric, ...]) -> DataTable:
    """Lay out the metrics."""
    return DataTable(
        "Metrics of the selector that would be deployed",
        (Column("metric", is_number=False), Column("value"), Column("source", is_number=False)),
        tuple((metric.name, value_of(metric), metric.source) for metric in metrics),
    )


def value_of(metric: Metric) -> str:
    """Write a value with its unit; `n/a` where it does not apply."""
    if metric.value is None:
        return "n/a"
    shown = f"{metric.value:,.3g}" if abs(metric.value) < 1000 else f"{metric.value:,.0f}"
    return f"{shown} {metric.unit}".rstrip().replace("-", "−")
