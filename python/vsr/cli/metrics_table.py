"""The metrics as `evaluate` prints them: the ones that most people ask for; `--json` has all, with definitions."""

from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.evaluation.metrics.measure import Metrics
    from vsr.evaluation.metrics.metric import Metric

_SHOWN = (
    "latency p95",
    "gain over static mix",
    "gap closed",
    "CostSave",
    "AIQ",
    "APGR",
    "CPT(50)",
    "switch precision",
    "expected calibration error",
    "noise ceiling",
    "selection entropy",
)
# The note of a value is shown where the value says little without it.
_WITH_NOTE = ("gain over static mix", "APGR")


def write_metrics(metrics: "Metrics") -> None:
    """Print a short list of metrics, and whether the choices collapsed onto one model, to stdout."""
    shown = [metrics.value(name) for name in _SHOWN]
    rows = tuple((metric.name, _value(metric)) for metric in shown)
    terminal.write_table(Table((Column("of the chosen selector"), Column("value", "right")), rows))
    terminal.write("")
    for metric in shown:
        if metric.note and (metric.value is None or metric.name in _WITH_NOTE):
            terminal.write(f"{metric.name}: {metric.note}.")
    terminal.write(f"{len(metrics.values) - len(shown)} more, their definitions, choices by category: --json has them.")
    only = metrics.selection[0].collapsed_onto
    if only is not None:
        share = metrics.selection[0].shares[only]
        terminal.write(f"{share:.1%} of the choices are {only}: routing has collapsed onto one model.")


def _value(metric: "Metric") -> str:
    value = metric.value
    if value is None:
        return "n/a"
    if metric.unit == "points":
        interval = metric.interval
        around = "" if interval is None else f" ({interval.low:+.1f} .. {interval.high:+.1f})"
        return f"{value + 0.0:+.1f}{around}"
    return f"{value:.2f} s" if metric.unit == "s" else f"{value + 0.0:.3f}"
