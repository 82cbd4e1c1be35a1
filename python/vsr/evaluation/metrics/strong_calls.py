"""A strong and a weak model: what quality a share of strong calls brings, when they go where they should gain most."""

import numpy as np

from vsr.prior.category_means import FloatArray


def recovered_gap(margin: FloatArray, weak: FloatArray, strong: FloatArray) -> FloatArray | None:
    """Share of the gap between two models that is recovered by each number of strong calls.

    Args:
        margin: (n_splits, n_queries) by how much the strong model is predicted to be ahead.
        weak: (n_queries,) quality of the weak model.
        strong: (n_queries,) quality of the strong one.

    Returns:
        (n_queries + 1,) float64, from 0 strong calls (0) to all of them (1); None where the strong model is not ahead.
    """
    gap = float(strong.mean() - weak.mean())
    if gap <= 0.0:
        return None
    order = np.argsort(-margin, axis=1, kind="stable")
    won = np.cumsum((strong - weak)[order], axis=1).mean(axis=0) / len(weak)
    return np.concatenate([[0.0], won]) / gap


def average_gap_recovered(recovered: FloatArray) -> float:
    """Average over the share of strong calls: (n + 1,) as `recovered_gap` gives it -> APGR."""
    return float(np.trapezoid(recovered, dx=1.0 / (len(recovered) - 1)))


def call_threshold(recovered: FloatArray, share: float) -> float:
    """Smallest share of strong calls that recovers a share of the gap, CPT."""
    return float(np.flatnonzero(recovered >= share - 1e-12)[0] / (len(recovered) - 1))
