"""What sliding the objective does: quality, cost and latency under every weight, and three sentences about it."""

import numpy as np

from vsr.choice.objective import Objective
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Held
from vsr.evaluation.results import CategorySource, Curve, CurvePoint
from vsr.evaluation.sliding.replay import Ledger, Replay
from vsr.evaluation.sliding.sentences import sentences_of

__all__ = ["COST_SHARES", "QUALITY_WEIGHTS", "Curve", "CurvePoint", "curve_of"]

#: Denser near 1: models differ by hundredths of quality, and in efficiency by tenths.
QUALITY_WEIGHTS = (
    *(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.74, 0.78, 0.82, 0.85, 0.875, 0.9, 0.915, 0.93),
    *(0.94, 0.95, 0.96, 0.97, 0.975, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 0.999, 1.0),
)
#: Speed alone, both alike, cheapness alone.
COST_SHARES = (0.0, 0.5, 1.0)


def curve_of(held: Held, objective: Objective, categories: CategorySource, seed: int) -> Curve:
    """Slide the objective over the choices of held-out queries.

    Which selector is judged was chosen inside the folds under the objective in force, and stays what it is.

    Args:
        held: what the splits gave.
        objective: the objective in force.
        categories: the way queries will arrive.
        seed: seed of the estimates for missing cells, and of the parts on which points are picked and measured.
    """
    ledger = Ledger.of(held.outcomes, held.codes, held.rows, seed)
    judged = Replay(held, ledger, JUDGED, categories)
    table = Replay(held, ledger, CATEGORY_TABLE, categories)
    objectives = slid(ledger, objective)
    slide = judged.slide(objectives, judged.parts(seed))
    measured = np.flatnonzero(held.outcomes.observed.any(axis=0)).tolist()
    singles = {ledger.models[column]: ledger.point(ledger.always(column), objective) for column in measured}
    return Curve(
        judged=slide.points,
        table=tuple(table.point(each) for each in objectives),
        singles=singles,
        frontier=_frontier(singles),
        default=judged.point(objective),
        sentences=sentences_of(judged, objectives, slide, objective, seed),
    )


def slid(ledger: Ledger, in_force: Objective) -> list[Objective]:
    """Objectives of the curve: those between which something that was measured makes a difference.

    Penalties of models stay what they are in the objective in force.
    """
    shares = (COST_SHARES if ledger.latency_s is not None else (1.0,)) if ledger.cost_usd is not None else (0.0,)
    return [Objective(weight, share, in_force.model_penalty) for share in shares for weight in QUALITY_WEIGHTS]


def _frontier(singles: dict[str, CurvePoint]) -> tuple[str, ...]:
    """Models that no other is better than in quality without being worse in price; all alike where none is known."""
    quality = {model: point.quality for model, point in singles.items()}
    price = {model: _price(point) for model, point in singles.items()}

    def is_beaten(model: str) -> bool:
        return any(
            quality[other] >= quality[model]
            and price[other] <= price[model]
            and (quality[other] > quality[model] or price[other] < price[model])
            for other in singles
        )

    return tuple(sorted((model for model in singles if not is_beaten(model)), key=lambda model: price[model]))


def _price(point: CurvePoint) -> float:
    if point.cost_usd is not None:
        return point.cost_usd
    return 0.0 if point.latency_s is None else point.latency_s
