"""What held-out queries say of a quiet day: how often each model is chosen, and what it does there."""

import numpy as np
import numpy.typing as npt

from vsr.data.categories import CATEGORIES, most_probable
from vsr.data.outcomes import Outcomes
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.results import CategorySource
from vsr.persistence.held_out import HeldModel, Moments
from vsr.prior.category_means import FloatArray, IntArray


def held_categories(held: Held) -> dict[str, float]:
    """Number of held-out queries by the category that was predicted for them, a mean over the splits."""
    codes = np.stack([most_probable(shares[held.rows]) for shares in held.predicted_categories])
    counts = np.bincount(codes.ravel(), minlength=len(CATEGORIES)) / held.n_splits
    return {name: float(count) for name, count in zip(CATEGORIES, counts, strict=False) if count}


def held_models(held: Held, method: str, source: CategorySource) -> dict[str, HeldModel]:
    """Say of every model how often it was chosen for held-out queries, and what it did there.

    Args:
        held: what the splits gave.
        method: that chose. What it predicted is kept of the category table and of the recommended selector alone.
        source: how categories were known.
    """
    outcomes, rows = held.outcomes, held.rows
    columns = held.choices[method].columns(source)[:, rows]
    kept = held.choices[JUDGED if method == held.recommended else method]
    predicted = None if kept.given_scores is None else kept.scores(source)[:, rows]
    return {
        model: _model(outcomes, rows, columns == column, column, predicted)
        for column, model in enumerate(outcomes.models)
    }


def _model(
    outcomes: Outcomes, rows: IntArray, chosen: npt.NDArray[np.bool_], column: int, predicted: FloatArray | None
) -> HeldModel:
    shares = chosen.mean(axis=1)
    quality = outcomes.quality[rows, column]
    residuals = None if predicted is None else quality - predicted[:, :, column]
    with np.errstate(divide="ignore", invalid="ignore"):
        latency, cost = np.log(outcomes.latency_s[rows, column]), np.log(outcomes.cost_usd[rows, column])
    return HeldModel(
        share=float(shares.mean()),
        spread=float(shares.std(ddof=1)) if len(shares) > 1 else 0.0,
        residual=None if residuals is None else _moments(residuals, chosen),
        log_latency=_moments(latency, chosen),
        log_cost=_moments(cost, chosen),
    )


def _moments(values: FloatArray, chosen: npt.NDArray[np.bool_]) -> Moments | None:
    """Take mean and deviation over queries, each weighted by the share of the splits that chose the model for it.

    Args:
        values: (n_splits, n_queries), or (n_queries,) where they are the same in every split.
        chosen: (n_splits, n_queries) where the model was chosen.
    """
    values = np.broadcast_to(values, chosen.shape)
    counts = chosen & np.isfinite(values)
    times = counts.sum(axis=0)
    known = times > 0
    if known.sum() < 2:
        return None
    means = np.where(counts, values, 0.0).sum(axis=0)[known] / times[known]
    weights = times[known] / len(chosen)
    n = float(weights.sum())
    mean = float(weights @ means / n)
    return Moments(n, mean, float(np.sqrt(weights @ np.square(means - mean) / n)))
