"""Which model is chosen for which category, and how well each model does there."""

from dataclasses import dataclass

import numpy as np

from vsr.data.categories import CATEGORIES
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.results import CategorySource


@dataclass(frozen=True)
class CategoryCell:
    """One model in one category.

    Attributes:
        model: its name.
        share: share of the category's held-out queries for which it was chosen.
        quality: its mean quality on those of the category's held-out queries that measured it; None where none did.
    """

    model: str
    share: float
    quality: float | None


@dataclass(frozen=True)
class CategoryRow:
    """One category.

    Attributes:
        category: its name.
        n_queries: held-out queries of it.
        quality: mean quality of the chosen models where they were measured; None where none was.
        cells: one a model, in the order of the outcomes.
    """

    category: str
    n_queries: int
    quality: float | None
    cells: tuple[CategoryCell, ...]


def models_by_category(held: Held, source: CategorySource) -> tuple[CategoryRow, ...]:
    """Count what the judged selector chose in each category, the largest category first.

    A query counts for the category that it was given, whether the choice knew it or had to predict it.
    """
    rows, models = held.rows, held.outcomes.models
    columns = held.choices[JUDGED].columns(source)[:, rows]
    quality, codes = held.outcomes.quality[rows], held.codes[rows]
    found = []
    for code in np.unique(codes):
        of_category = np.flatnonzero(codes == code)
        chosen = columns[:, of_category]
        shares = np.bincount(chosen.ravel(), minlength=len(models)) / chosen.size
        cells = tuple(
            CategoryCell(model, float(shares[column]), _mean(quality[of_category, column]))
            for column, model in enumerate(models)
        )
        routed = _mean(quality[of_category, chosen])
        found.append(CategoryRow(CATEGORIES[int(code)], len(of_category), routed, cells))
    return tuple(sorted(found, key=lambda row: -row.n_queries))


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
