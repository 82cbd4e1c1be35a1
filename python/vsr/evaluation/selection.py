"""Which models are chosen, overall and by category."""

from collections.abc import Sequence

import numpy as np

from vsr.data.categories import CATEGORIES, OTHER
from vsr.persistence.training_queries import CategorySelection
from vsr.prior.category_means import IntArray


def shares_of(columns: IntArray, models: Sequence[str]) -> dict[str, float]:
    """Give the share of each model among choices, the most chosen first; the others are left out.

    Args:
        columns: any shape, the chosen columns.
        models: name of each column.
    """
    counts = np.bincount(columns.ravel(), minlength=len(models))
    order = np.argsort(-counts, kind="stable")
    return {models[int(column)]: float(counts[column] / columns.size) for column in order if counts[column]}


def selection_by_category(columns: IntArray, codes: IntArray, models: Sequence[str]) -> tuple[CategorySelection, ...]:
    """Give the shares in each category, the largest category first.

    Args:
        columns: (n_splits, n_queries) the chosen columns.
        codes: (n_queries,) category of each query, -1 (which counts as `other`) where it is not known.
        models: name of each column.
    """
    known = np.where(codes < 0, OTHER, codes)
    rows = [
        CategorySelection(
            CATEGORIES[int(code)],
            int((known == code).sum()),
            shares_of(columns[:, known == code], models),
        )
        for code in np.unique(known)
    ]
    return tuple(sorted(rows, key=lambda row: -row.n_queries))
