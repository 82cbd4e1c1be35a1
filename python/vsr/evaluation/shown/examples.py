"""Queries on which routing won and lost: what the figures are made of."""

from dataclasses import dataclass

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.results import CategorySource
from vsr.prior.category_means import FloatArray, IntArray

N_EXAMPLES = 20


@dataclass(frozen=True)
class ModelAnswer:
    """What one model did on one query.

    Attributes:
        model: its name.
        quality: measured quality.
        latency_s: seconds, None where it was not measured.
        cost_usd: USD, None where it is not known.
        response: what it answered; None where the records do not hold it.
    """

    model: str
    quality: float
    latency_s: float | None
    cost_usd: float | None
    response: str | None = None


@dataclass(frozen=True)
class Example:
    """One held-out query for which another model than the best single one was chosen.

    Attributes:
        query: its text.
        category: its category.
        gain: quality of the chosen model less that of the best single one.
        chosen: what the chosen model did.
        best_single: what the best single model did.
    """

    query: str
    category: str
    gain: float
    chosen: ModelAnswer
    best_single: ModelAnswer


@dataclass(frozen=True)
class Examples:
    """Queries on both sides.

    Attributes:
        wins: the greatest gains first; among about equal ones drawn by lot.
        losses: the greatest losses first, drawn alike.
        n_wins: held-out queries on which routing gave the better answer.
        n_losses: held-out queries on which it gave the worse one.
        n_same: queries on which the best single model was chosen, both did equally well, or one was not measured.
    """

    wins: tuple[Example, ...]
    losses: tuple[Example, ...]
    n_wins: int
    n_losses: int
    n_same: int


def examples(held: Held, source: CategorySource, best_single: str, seed: int, n_each: int = N_EXAMPLES) -> Examples:
    """Take the queries on which the choice of the first split gained and lost most quality, measured on both sides.

    Speed and cost are left aside here: nobody sees them in an answer.

    Args:
        held: what the splits gave.
        source: how the categories of the queries were known.
        best_single: the model that the choices are compared with.
        seed: of the lot among queries whose gains are about equal.
        n_each: how many of each.
    """
    outcomes, rows = held.outcomes, held.rows
    quality = outcomes.quality[rows]
    columns = held.choices[JUDGED].columns(source)[0, rows]
    named = outcomes.models.index(best_single)
    gains = quality[np.arange(len(rows)), columns] - quality[:, named]
    gains = np.where(np.isfinite(gains) & (columns != named), gains, 0.0)
    lot = np.random.default_rng(seed).permutation(len(rows))

    def most(signed: FloatArray) -> IntArray:
        order = np.lexsort((lot, -np.round(signed, 1)))
        return np.asarray([row for row in order if signed[row] > 0.0][:n_each], dtype=np.int64)

    def example(index: int) -> Example:
        row = int(rows[index])
        return Example(
            query=outcomes.queries[row],
            category=CATEGORIES[int(held.codes[row])],
            gain=float(gains[index]),
            chosen=_answer(held, row, int(columns[index])),
            best_single=_answer(held, row, named),
        )

    n_wins, n_losses = int((gains > 0.0).sum()), int((gains < 0.0).sum())
    return Examples(
        wins=tuple(example(int(index)) for index in most(gains)),
        losses=tuple(example(int(index)) for index in most(-gains)),
        n_wins=n_wins,
        n_losses=n_losses,
        n_same=len(rows) - n_wins - n_losses,
    )


def _answer(held: Held, row: int, column: int) -> ModelAnswer:
    outcomes = held.outcomes
    return ModelAnswer(
        model=outcomes.models[column],
        quality=float(outcomes.quality[row, column]),
        latency_s=_known(outcomes.latency_s[row, column]),
        cost_usd=_known(outcomes.cost_usd[row, column]),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
