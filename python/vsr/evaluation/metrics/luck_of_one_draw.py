"""The noise ceiling: how much of what an oracle is ahead would be gone if every model were asked once more."""

import numpy as np

from vsr.prior.category_means import FloatArray


def luck_of_one_draw(first: FloatArray, others: FloatArray, named: int) -> tuple[float, int] | None:
    """Share of the oracle's lead over a single model that is luck of one draw.

    The oracle picks by the first draw of every cell. What it picks is worth as much as the other draws say, which had
    no part in the pick; what the first draw says beyond that is luck. No selector can reach it.

    Args:
        first: (n_queries, n_models) quality of the first draw, NaN = none.
        others: (n_queries, n_models) mean quality of the further draws, NaN = none.
        named: column of the single model.

    Returns:
        The share, and the number of queries behind it: those of which every measured cell was drawn again. None where
        there are none, or the oracle is not ahead.
    """
    again = np.isfinite(others) | ~np.isfinite(first)
    rows = np.flatnonzero(again.all(axis=1) & np.isfinite(first[:, named]))
    if not rows.size:
        return None
    values = first[rows]
    pick = np.where(np.isfinite(values), values, -np.inf).argmax(axis=1)
    at = np.arange(len(rows))
    lead = float((values[at, pick] - values[:, named]).mean())
    if lead <= 0.0:
        return None
    return float((values[at, pick] - others[rows][at, pick]).mean()) / lead, len(rows)
