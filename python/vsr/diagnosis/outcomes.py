"""Checks of what was measured: what no selector can learn from, and models and figures that look wrong."""

from collections.abc import Iterator

import numpy as np

from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.diagnosis.findings import Finding, Level, counted, listed, percent
from vsr.diagnosis.latencies import check_latencies
from vsr.diagnosis.models import check_models
from vsr.training.folds import FEW_QUERIES

_ENOUGH = 20  # cells: of fewer, anything can look constant
_MOST_MISSING = 0.01  # share of the cells: beyond it, it is worth a warning


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
        *(() if any(each.check in ("all-zero", "all-equal") for each in constant) else check_models(outcomes, path)),
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
    known: list[bool] = np.any(np.isfinite(outcomes.cost_usd), axis=0).tolist()
    asked = objective is not None and objective.cost_share > 0 and objective.quality_weight < 1
    fix = "Add `cost` (USD) to the records, or `pricing` to the models of the configuration and measure again."
    if not any(known):
        if asked and objective is not None:
            what = f"cost is asked for (cost share {objective.cost_share:g}), but no record has a cost"
            yield Finding("error", "no-cost", path, what, f"{fix} Or leave --cost-share out.", field="cost")
        elif objective is None:
            fix = "Fine as long as cost does not matter: --cost-share needs `cost` (USD) in the records."
            yield Finding("note", "no-cost", path, "no record has a cost", fix, field="cost")
    elif not all(known):
        without = listed(name for name, is_known in zip(outcomes.models, known, strict=True) if not is_known)
        what = f"no cost is known of {without}, though of others"
        level: Level = "warning" if asked or objective is None else "note"
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
            return
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
    what = f"{n_missing:,} of {observed.size:,} qualities are missing ({percent(share)}); measured: {shown}"
    fix = "Measure the rest (`vsr-train benchmark` asks only what is missing), or accept that figures are estimates."
    yield Finding("warning" if share > _MOST_MISSING else "note", "missing-cells", path, what, fix)


def _check_number(outcomes: Outcomes, path: str) -> Iterator[Finding]:
    n_measured = len(outcomes.measured_rows)
    if n_measured < FEW_QUERIES:
        what = f"only {counted(n_measured, 'query has', 'queries have')} a quality"
        fix = f"Measure {FEW_QUERIES} at the very least to judge routing; some hundreds are better."
        yield Finding("note", "few-queries", path, what, fix)
    if outcomes.n_models == 1:
        what = f"{outcomes.models[0]} is the only model"
        yield Finding("note", "one-model", path, what, "There is nothing to choose: measure another one.")
