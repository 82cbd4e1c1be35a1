"""What other policies would have chosen in logged decisions: another objective, another artefact."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import Categories, rows_of
from vsr.prior.statistics import Statistics
from vsr.traffic.table import NOBODY, FloatArray, IntArray, LoggedTable


def lacks(table: LoggedTable, objectives: Sequence[Objective]) -> str | None:
    """Say what the log alone does not tell of choices under other objectives; None where it tells all.

    Args:
        table: the decisions.
        objectives: one for each of them.
    """
    mixed = [(old, new) for old, new in zip(table.objectives, objectives, strict=True) if new.quality_weight < 1.0]
    if any(old.quality_weight == 1.0 for old, _ in mixed):
        return "was made with quality weight 1, so it holds no efficiency"
    if any(old.cost_share != new.cost_share for old, new in mixed):
        return "holds speed and cheapness in the mixture of its own cost share, not apart"
    return None


def under_objectives(table: LoggedTable, objectives: Sequence[Objective]) -> IntArray:
    """Choose anew by what the log says alone: (n,) columns.

    Efficiency is what is left of a logged utility when quality and penalty are taken out: u = w q + (1 - w) e - p.

    Args:
        table: the decisions.
        objectives: one for each of them; the log lacks nothing for them.
    """
    old_weight = np.array([each.quality_weight for each in table.objectives])[:, None]
    weight = np.array([each.quality_weight for each in objectives])[:, None]
    old_penalties, penalties = (
        np.stack([each.penalties(table.models) for each in those]) for those in (table.objectives, objectives)
    )
    efficiency = (table.utilities + old_penalties - old_weight * table.scores) / np.maximum(1.0 - old_weight, 1e-12)
    return _best(table, weight * table.scores + np.where(weight < 1.0, (1.0 - weight) * efficiency, 0.0) - penalties)


def under_statistics(
    table: LoggedTable,
    statistics: Statistics,
    scores: FloatArray,
    categories: Categories,
    objectives: Sequence[Objective],
) -> IntArray:
    """Choose anew by scores and an artefact's statistics.

    Args:
        table: the decisions.
        statistics: how fast and cheap models are.
        scores: (n, n_models) predicted quality, columns as in the statistics; NaN where nothing is predicted.
        categories: of the decisions.
        objectives: one for each of them.

    Returns:
        (n,) columns of the table; `NOBODY` where nothing on offer is known to the statistics.
    """
    utilities = np.full(table.scores.shape, np.nan)
    pairs = [(table.models.index(name), place) for place, name in enumerate(statistics.models) if name in table.models]
    there, places = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    for objective in dict.fromkeys(objectives):
        rows = np.flatnonzero([each == objective for each in objectives])
        own = Chooser.prepare(statistics, objective).utilities(scores[rows], categories[rows])
        utilities[np.ix_(rows, there)] = own[:, places]
    return _best(table, utilities)


def scores_of_log(table: LoggedTable, statistics: Statistics) -> FloatArray:
    """Give the logged scores in the columns of an artefact's statistics: (n, n_models), NaN where there are none."""
    scores = np.full((len(table), len(statistics.models)), np.nan)
    for place, name in enumerate(statistics.models):
        if name in table.models:
            scores[:, place] = table.scores[:, table.models.index(name)]
    return scores


@dataclass(frozen=True)
class Expected:
    """What a policy's choices cost and how long they take, by the means of the training records; None = not known."""

    latency_s: float | None
    cost_usd: float | None


def expected(table: LoggedTable, statistics: Statistics, categories: Categories, columns: IntArray) -> Expected:
    """Give the means over all decisions, covered by the log or not, for whose model the records say it."""
    place_of = {name: place for place, name in enumerate(statistics.models)}
    places = np.array([place_of.get(name, NOBODY) for name in table.models] + [NOBODY], dtype=np.int64)[columns]
    rows = np.flatnonzero(places != NOBODY)

    def mean(means: FloatArray) -> float | None:
        values = rows_of(means, categories[rows])[np.arange(len(rows)), places[rows]]
        known = values[np.isfinite(values)]
        return float(known.mean()) if known.size else None

    return Expected(mean(statistics.latency_s), mean(statistics.cost_usd))


def _best(table: LoggedTable, utilities: FloatArray) -> IntArray:
    """Give the column of the highest utility on offer, the first of equal ones; `NOBODY` where there is none."""
    on_offer = np.where(table.offered & np.isfinite(utilities), utilities, -np.inf)
    return np.where(np.isfinite(on_offer).any(axis=1), on_offer.argmax(axis=1), NOBODY)
