"""Checks of the models against one another: copies, models that are never better than another one, ties."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vsr.data.outcomes import Outcomes
from vsr.diagnosis.findings import Finding, Level, listed, percent

_ENOUGH = 20  # queries: of fewer, any two models can look alike
_RARELY_BETTER = 0.01  # share of the queries
_MANY_TIES, _NEARLY_ALL_TIES = 0.5, 0.95
_MOST_PAIRS = 3


def check_models(outcomes: Outcomes, path: str) -> Iterator[Finding]:
    """Find models that are copies of others or never better than another one, and queries on which all do the same."""
    quality, observed = outcomes.quality, outcomes.observed
    n_models = outcomes.n_models
    if n_models > 1:
        both = observed.astype(np.float32).T @ observed.astype(np.float32)
        better = np.array([(quality[:, [column]] > quality).sum(axis=0) for column in range(n_models)])
        yield from _check_pairs(outcomes, both, better, path)
    several = observed.sum(axis=1) > 1
    if several.sum() < _ENOUGH:
        return
    rows = quality[several]
    tied = float((np.nanmax(rows, axis=1) == np.nanmin(rows, axis=1)).mean())
    if tied >= _MANY_TIES:
        what = f"all models do equally well on {percent(tied)} of the queries"
        fix = "Only the others tell models apart: add harder queries, or models that differ more."
        level: Level = "warning" if tied >= _NEARLY_ALL_TIES else "note"
        yield Finding(level, "ties", path, what, fix, field="performance")


def _check_pairs(
    outcomes: Outcomes, both: NDArray[np.float32], better: NDArray[np.int64], path: str
) -> Iterator[Finding]:
    yield from _check_copies(outcomes, both, better, path)
    latency_s, cost_usd = _means(outcomes.latency_s), _means(outcomes.cost_usd)
    # Row a, column b: b is better than a more often than not, by three standard errors of a sign test.
    beaten = (both >= _ENOUGH) & (better.T - better > 3.0 * np.sqrt(better + better.T))
    dominated: list[tuple[float, int, int]] = []  # share of the queries on which a is better than b
    for a in range(outcomes.n_models):
        by = [
            (float(better[a, b] / both[a, b]), a, b)
            for b in np.flatnonzero(beaten[a]).tolist()
            if _not_above(latency_s, b, a) and _not_above(cost_usd, b, a)
        ]
        dominated += [min(by)] if by else []
    for share, a, b in sorted(dominated)[:_MOST_PAIRS]:
        figures = ", ".join(
            f"{values[a]:.3g} {unit} against {values[b]:.3g}"
            for values, unit in ((latency_s, "s"), (cost_usd, "USD"))
            if np.isfinite(values[a]) and np.isfinite(values[b])
        )
        wins, losses, n_both = (int(each) for each in (better[a, b], better[b, a], both[a, b]))
        what = (
            f"{outcomes.models[a]} is worse than {outcomes.models[b]} (better on {wins:,} queries, worse on {losses:,} "
            f"of {n_both:,})"
        )
        if figures:
            what += f", and neither faster nor cheaper ({figures})"
        fix = "It can be left out of the pool."
        if share > _RARELY_BETTER:
            fix = "Only the queries on which it is better speak for it."
        yield Finding("note", "dominated-model", path, what, fix, field="model_name")
    if len(dominated) > _MOST_PAIRS:
        others = listed(outcomes.models[a] for _, a, _ in sorted(dominated)[_MOST_PAIRS:])
        what = f"in the same way other models are better than {others}"
        yield Finding("note", "dominated-model", path, what, "See whether these are worth asking.", field="model_name")


def _check_copies(
    outcomes: Outcomes, both: NDArray[np.float32], better: NDArray[np.int64], path: str
) -> Iterator[Finding]:
    models = outcomes.models
    copies = [
        (a, b)
        for a, b in zip(*np.nonzero((both >= _ENOUGH) & (better == 0) & (better.T == 0)), strict=True)
        if a < b and _n_different(outcomes.quality, a) > 1
    ]
    for a, b in copies[:_MOST_PAIRS]:
        what = f"{models[a]} and {models[b]} have the same quality on all {int(both[a, b]):,} queries of both"
        fix = "Are these one model under two names, or records that were copied?"
        yield Finding("warning", "same-model", path, what, fix, field="model_name")


def _n_different(quality: NDArray[np.float64], column: int) -> int:
    own = quality[:, column]
    return len(np.unique(own[np.isfinite(own)]))


def _not_above(values: NDArray[np.float64], mine: int, others: int) -> bool:
    """Tell whether mine is at most the other's; where one is not known, nothing speaks against it."""
    return not values[mine] > values[others]


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(values)
    n_known = known.sum(axis=0)
    return np.where(n_known > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(n_known, 1), np.nan)
