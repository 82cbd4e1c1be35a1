"""The metrics of the literature, each with its definition."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        name: as its source calls it.
        value: None where it does not apply.
        unit: of the value, empty for a plain number.
        definition: how it is worked out, one sentence or a formula.
        source: where the definition is from.
    """

    name: str
    value: float | None
    unit: str
    definition: str
    source: str
