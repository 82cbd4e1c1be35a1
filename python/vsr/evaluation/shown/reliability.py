"""Whether predicted quality comes true: predictions for held-out queries, and what was measured there."""

import math
from dataclasses import dataclass

import numpy as np

from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.results import CategorySource

_N_BINS = 10
# Fewer predictions than this in a group say nothing about it.
_LEAST_IN_BIN = 20


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of about the same quality.

    Attributes:
        predicted: their mean.
        measured: mean of what was measured.
        low: lower end of the 95 % interval of `measured`.
        high: upper end.
        n: cells (one query, one model) behind it.
    """

    predicted: float
    measured: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Reliability:
    """How predicted and measured quality go together.

    Attributes:
        bins: groups of about equally many cells, by predicted quality.
        chosen_predicted: mean prediction for the models that were chosen.
        chosen_measured: mean of what was measured of them.
    """

    bins: tuple[ReliabilityBin, ...]
    chosen_predicted: float
    chosen_measured: float


def reliability(held: Held, source: CategorySource) -> Reliability | None:
    """Group the judged selector's predictions for held-out queries; None where too few were measured.

    A cell's prediction is its mean over the splits, each of a selector that had not seen the query.
    """
    rows = held.rows
    choices = held.choices[JUDGED]
    scores, quality = choices.scores(source)[:, rows], held.outcomes.quality[rows]
    # A model that a fold does not know has no score there.
    n_scored = np.isfinite(scores).sum(axis=0)
    means = np.where(n_scored > 0, np.nansum(scores, axis=0) / np.maximum(n_scored, 1), np.nan)
    is_known = np.isfinite(means) & np.isfinite(quality)
    predicted, measured = means[is_known], quality[is_known]
    n_bins = min(_N_BINS, len(predicted) // _LEAST_IN_BIN)
    if n_bins < 2:
        return None
    order = np.argsort(predicted, kind="stable")
    bins = [_bin(predicted[group], measured[group]) for group in np.array_split(order, n_bins)]
    columns = choices.columns(source)[:, rows]
    split, row = np.indices(columns.shape)
    of_chosen, got = scores[split, row, columns], quality[row, columns]
    is_measured = np.isfinite(of_chosen) & np.isfinite(got)
    if not is_measured.any():
        return None
    return Reliability(tuple(bins), float(of_chosen[is_measured].mean()), float(got[is_measured].mean()))


def _bin(
    predicted: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    measured: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> ReliabilityBin:
    mean, half = float(measured.mean()), 1.96 * float(measured.std()) / math.sqrt(len(measured))
    return ReliabilityBin(float(predicted.mean()), mean, max(0.0, mean - half), min(1.0, mean + half), len(measured))
