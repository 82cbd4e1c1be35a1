"""Which models were chosen, over all and by category, and how evenly."""

import math
from dataclasses import dataclass

import numpy as np

from vsr.data.categories import CATEGORIES, MISSING
from vsr.prior.category_means import FloatArray, IntArray

# Nearly everything to one model is no routing, whatever the rest is.
_COLLAPSED = 0.99


@dataclass(frozen=True)
class Selection:
    """Shares of the choices among some queries.

    Attributes:
        category: name of the category, None for all queries.
        n_queries: queries behind it.
        shares: of each model that was chosen at all, largest first.
        entropy: 0 for one model alone, 1 for all alike.
    """

    category: str | None
    n_queries: int
    shares: dict[str, float]
    entropy: float

    @property
    def collapsed_onto(self) -> str | None:
        """The model that has all choices, or 99 % of them; None where there is none."""
        model, share = next(iter(self.shares.items()))
        return model if share >= _COLLAPSED else None


def selections(columns: IntArray, codes: IntArray, models: tuple[str, ...]) -> tuple[Selection, ...]:
    """Count the choices over all queries, then by category, the largest category first.

    Args:
        columns: (n_splits, n_queries) what was chosen.
        codes: (n_queries,) category of each.
        models: name of each column.
    """
    found = []
    for code in np.unique(codes).tolist():
        of_category = np.flatnonzero(codes == code)
        name = "unknown" if code == MISSING else CATEGORIES[code]
        found.append(_selection(name, columns[:, of_category], models))
    found.sort(key=lambda selection: -selection.n_queries)
    return (_selection(None, columns, models), *found)


def entropy(shares: FloatArray) -> float:
    """Shannon entropy over its largest value: 0 one model, 1 all alike; 0 where there is one model only."""
    if len(shares) < 2:
        return 0.0
    chosen = shares[shares > 0.0]
    # Adding 0 turns -0 into 0.
    return float(-(chosen * np.log(chosen)).sum() / math.log(len(shares))) + 0.0


def _selection(category: str | None, columns: IntArray, models: tuple[str, ...]) -> Selection:
    shares = np.bincount(columns.ravel(), minlength=len(models)) / columns.size
    ranked = sorted(zip(models, shares.tolist(), strict=True), key=lambda item: -item[1])
    return Selection(category, columns.shape[1], {name: share for name, share in ranked if share > 0}, entropy(shares))
