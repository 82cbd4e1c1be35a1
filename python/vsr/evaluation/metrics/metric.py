"""A figure and what it means."""

from dataclasses import dataclass

from vsr.evaluation.statistics.intervals import Interval


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        name: as its source calls it.
        value: None where it does not apply; the note then says why.
        unit: of the value, empty for a plain number; `share` is from 0 to 1, `points` are hundredths of utility.
        definition: one sentence with the formula.
        source: where the definition is from.
        interval: 95 % interval in the unit of the value; None where there is none.
        note: why there is no value, or what it is about here.
    """

    name: str
    value: float | None
    unit: str
    definition: str
    source: str
    interval: Interval | None = None
    note: str = ""


@dataclass(frozen=True)
class Definition:
    """What a metric is, whatever its value.

    Attributes:
        name: as its source calls it.
        unit: of the value.
        formula: one sentence with the formula.
        source: where it is from.
    """

    name: str
    unit: str
    formula: str
    source: str

    def of(self, value: float | None, interval: Interval | None = None, note: str = "") -> Metric:
        """Give the metric with its value."""
        return Metric(self.name, value, self.unit, self.formula, self.source, interval, note)

    def without(self, why: str) -> Metric:
        """Say that it does not apply, and why."""
        return self.of(None, note=why)
