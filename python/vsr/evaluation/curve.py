"""The curve: what sliding the objective brings, and where the single models stand beside it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CurvePoint:
    """What a method does under one objective, or a single model under the objective in force.

    Attributes:
        quality_weight: of the objective.
        cost_share: of the objective.
        quality: mean quality of the chosen models.
        utility: mean utility under that objective.
        cost_usd: mean cost per query in USD, None where none is known.
        latency_s: mean latency in seconds, None where none was measured.
        selection: share of the choices that each model has.
    """

    quality_weight: float
    cost_share: float
    quality: float
    utility: float
    cost_usd: float | None
    latency_s: float | None
    selection: dict[str, float]


@dataclass(frozen=True)
class Curve:
    """The methods over the objective.

    Attributes:
        judged: the selector that would be deployed, over the objective.
        table: the category table.
        singles: every single model.
        frontier: names of the single models on the frontier of cost (latency where no cost is known) and quality.
        default: what the objective in force does.
        sentences: the three sentences.
    """

    judged: tuple[CurvePoint, ...]
    table: tuple[CurvePoint, ...]
    singles: dict[str, CurvePoint]
    frontier: tuple[str, ...]
    default: CurvePoint
    sentences: tuple[str, ...]
