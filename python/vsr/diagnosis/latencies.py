"""Checks of latencies: units, stopped clocks, values that nobody measured."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vsr.data.outcomes import Outcomes
from vsr.diagnosis.findings import Finding, Level, listed

_ENOUGH = 10
# Seconds: hardly any model takes longer for the median answer. Whole numbers from a few dozen on are milliseconds.
_LONG_S, _LONG_IF_WHOLE_S = 300.0, 60.0
_IMMEDIATE_S = 0.001


def check_latencies(outcomes: Outcomes, path: str) -> Iterator[Finding]:
    """Find latencies that look like milliseconds, are all the same, or zero.

    Args:
        outcomes: one row a query, one column a model; seconds.
        path: the file they come from.
    """
    known = {
        model: own
        for model, column in zip(outcomes.models, outcomes.latency_s.T, strict=True)
        if (own := column[np.isfinite(column)]).size >= _ENOUGH
    }
    if not np.isfinite(outcomes.latency_s).any():
        fix = "Choices then weigh quality and cost alone; `response_time` (seconds) says how long an answer took."
        yield Finding("note", "no-latency", path, "no record has a latency", fix, field="response_time")
        return
    slow = [model for model, own in known.items() if _looks_like_milliseconds(own)]
    if slow:
        median = float(np.median(np.concatenate([known[model] for model in slow])))
        what = f"half the answers of {_named(slow, outcomes)} take longer than {median:,.0f} s: are these milliseconds?"
        yield _about(path, "latency-unit", what, "`response_time` is in seconds: divide by 1,000.")
    zero = [model for model, own in known.items() if np.median(own) < _IMMEDIATE_S]
    if zero:
        what = f"half the answers of {_named(zero, outcomes)} take less than a millisecond"
        yield _about(
            path, "zero-latency", what, "Nobody answers so fast: leave `response_time` out if it is not known."
        )
    equal = [model for model, own in known.items() if (own == own[0]).all() and model not in zero]
    if equal:
        shown = listed(f"{model} ({known[model][0]:g} s)" for model in equal)
        what = f"every answer takes exactly as long: {shown}"
        fix = "Is it a measurement? Leave `response_time` out if it is not."
        # One figure a model is what some know of theirs; the same one for all is nobody's.
        is_one_figure = len(equal) > 1 and len({known[model][0] for model in equal}) == 1
        yield _about(path, "equal-latencies", what, fix, "warning" if is_one_figure else "note")


def _named(models: list[str], outcomes: Outcomes) -> str:
    return "all models" if len(models) == outcomes.n_models else listed(models)


def _about(path: str, check: str, what: str, fix: str, level: Level = "warning") -> Finding:
    return Finding(level, check, path, what, fix, field="response_time")


def _looks_like_milliseconds(own: NDArray[np.float64]) -> bool:
    median = float(np.median(own))
    return median >= _LONG_S or (median >= _LONG_IF_WHOLE_S and bool((own == np.round(own)).all()))
