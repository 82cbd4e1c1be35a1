"""Checks of what was measured: what no selector can learn from, and models and figures that look wrong."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.doctor.findings import Finding, counted, listed
from vsr.doctor.latencies import check_latencies
from vsr.training.folds import FEW_QUERIES

_ENOUGH = 20  # cells: of fewer, anything can look constant
_MOST_MISSING = 0.01  # share of the cells: beyond it, it is worth a warning
_RARELY_BETTER = 0.01  # share of the queries
_MANY_TIES, _NEARLY_ALL_TIES = 0.5, 0.95
_MOST_PAIRS = 5


def check_outcomes(outcomes: Outcomes, path: str, objective: Objective | None = None) -> tuple[Finding, ...]:
    """Check what was measured.

    Args:
        outcomes: one row a query, one column a model.
        path: the file they come from.
        objective: what will be maximised, where that is known.
    """
    constant = tuple(_check_constant(outcomes, path))
    return (
        *constant,
        *_check_cells(outcomes, path),
        *(() if any(each.check == "all-equal" for each in constant) else _check_models(outcomes, path)),
        *check_latencies(outcomes, path),
        *check_costs(outcomes, path, objective),
        *_check_number(outcomes, path),
    )


def check_costs(outcomes: Outcomes, path: str, objective: Objective | None) -> Iterator[Finding]:
    """Check that what is known of costs is enough for the objective.

    Args:
        outcomes: one row a query, one column a model.
        path: the file they come from.
        objective: what will be maximised; None where nothing is said.
    """
    known = np.isfinite(outcomes.cost_usd).any(axis=0)
    asked = objective is not None and objective.cost_share > 0 and objective.quality_weight < 1
    fix = "Add `cost` (USD) to the records, or `pricing` to the models of the configuration and measure again."
    if not known.any():
        if asked and objective is not None:
            what = f"cost is asked for (cost share {objective.cost_share:g}), but no record has a cost"
            yield Finding("error", "no-cost", path, what, f"{fix} Or leave --cost-share out.", field="cost")
        elif objective is None:
            fix = "Fine as long as cost does not matter: --cost-share needs `cost` (USD) in the records."
            yield Finding("note", "no-cost", path, "no record has a cost", fix, field="cost")
    elif not known.all():
        without = listed(name for name, is_known in zip(outcomes.models, known, strict=True) if not is_known)
        what = f"no cost is known of {without}, though of others"
        level = "warning" if asked or objective is None else "note"
        yield Finding(level, "missing-cost", path, what, f"These count as neither cheap nor dear. {fix}", field="cost")


def _check_constant(outcomes: Outcomes, path: str) -> Iterator[Finding]:
    quality = outcomes.quality
    low, high = float(np.nanmin(quality)), float(np.nanmax(quality))
    n_cells = int(outcomes.observed.sum())
    if low == high and n_cells >= _ENOUGH:
        what = f"all {n_cells:,} qualities are {low:g}"
        if low == 0.0:
            fix = "Look at some responses and ground truths: either no model answers, or scoring fits neither."
            yield Finding("error", "all-zero", path, what, fix, field="performance")
        fix = "Nothing tells the models apart but latency and cost: is `performance` what it should be?"
        yield Finding("warning", "all-equal", path, what, fix, field="performance")
        return
    for column, model in enumerate(outcomes.models):
        own = quality[:, column][np.isfinite(quality[:, column])]
        if len(own) >= _ENOUGH and (own == own[0]).all():
            what = f"{model} has quality {own[0]:g} on all {len(own):,} queries"
            is_worst = float(own[0]) == 0.0
            fix = "Look at some of its responses: is it asked rightly, and scored by the right rule?"
            yield Finding("warning" if is_worst else "note", "constant-model", path, what, fix, field="performance")


def _check_cells(outcomes: Outcomes, path: str) -> Iterator[Finding]:
    observed = outcomes.observed
    n_missing = int(observed.size - observed.sum())
    if not n_missing:
        return
    per_model = observed.sum(axis=0)
    fewest = np.argsort(per_model, kind="stable")
    shown = listed(
        (f"{outcomes.models[column]} ({per_model[column]:,} of {outcomes.n_queries:,})" for column in fewest
         if per_model[column] < outcomes.n_queries),
        most=3,
    )  # fmt: skip
    share = n_missing / observed.size
    what = f"{n_missing:,} of {observed.size:,} qualities are missing ({_percent(share)}); measured: {shown}"
    fix = "Measure the rest (`vsr-train benchmark` asks only what is missing), or accept that figures are estimates."
    yield Finding("warning" if share > _MOST_MISSING else "note", "missing-cells", path, what, fix)


def _check_models(outcomes: Outcomes, path: str) -> Iterator[Finding]:
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
        what = f"all models do equally well on {_percent(tied)} of the queries"
        fix = "Only the others tell models apart: add harder queries, or models that differ more."
        level = "warning" if tied >= _NEARLY_ALL_TIES else "note"
        yield Finding(level, "ties", path, what, fix, field="performance")


def _check_pairs(
    outcomes: Outcomes, both: NDArray[np.float32], better: NDArray[np.int64], path: str
) -> Iterator[Finding]:
    models = outcomes.models
    latency_s, cost_usd = _means(outcomes.latency_s), _means(outcomes.cost_usd)
    enough = both >= _ENOUGH
    # Row a, column b: a is hardly ever better than b, b somewhere better than a.
    beaten = enough & (better <= _RARELY_BETTER * both) & (better < better.T)
    copies = [
        (a, b)
        for a, b in zip(*np.nonzero(enough & (better == 0) & (better.T == 0)), strict=True)
        if a < b and (_n_different(outcomes.quality, a) > 1)
    ]
    for a, b in copies[:_MOST_PAIRS]:
        what = f"{models[a]} and {models[b]} have the same quality on all {int(both[a, b]):,} queries of both"
        fix = "Are these one model under two names, or records that were copied?"
        yield Finding("warning", "same-model", path, what, fix, field="model_name")
    n_dominated = 0
    for a, model in enumerate(models):
        by = [b for b in np.flatnonzero(beaten[a]) if _not_above(latency_s, b, a) and _not_above(cost_usd, b, a)]
        if not by:
            continue
        n_dominated += 1
        if n_dominated > _MOST_PAIRS:
            continue
        b = max(by, key=lambda each: float(better[each, a] / both[each, a]))
        figures = ", ".join(
            f"{name} {values[b]:.3g} against {values[a]:.3g} {unit}"
            for name, values, unit in (("latency", latency_s, "s"), ("cost", cost_usd, "USD"))
            if np.isfinite(values[a]) and np.isfinite(values[b])
        )
        what = (
            f"{model} is hardly ever better than {models[b]} ({int(better[a, b]):,} of {int(both[a, b]):,} queries; "
            f"worse on {int(better[b, a]):,}){f', and has no advantage in {figures}' if figures else ''}"
        )
        yield Finding("note", "dominated-model", path, what, "It can be left out of the pool.", field="model_name")
    if n_dominated > _MOST_PAIRS:
        what = f"{n_dominated - _MOST_PAIRS} more models are dominated in the same way"
        yield Finding("note", "dominated-model", path, what, "They can be left out of the pool.", field="model_name")


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


def _percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")


def _check_number(outcomes: Outcomes, path: str) -> Iterator[Finding]:
    n_measured = len(outcomes.measured_rows)
    if n_measured < FEW_QUERIES:
        what = f"only {counted(n_measured, 'query has', 'queries have')} a quality"
        fix = f"Measure {FEW_QUERIES} at the very least to judge routing; some hundreds are better."
        yield Finding("note", "few-queries", path, what, fix)
    if outcomes.n_models == 1:
        what = f"{outcomes.models[0]} is the only model"
        yield Finding("note", "one-model", path, what, "There is nothing to choose: measure another one.")
