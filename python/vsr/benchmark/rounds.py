"""A run that asks a part of the calls: in rounds, each planned from the records of those before it; or a few probes."""

import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from vsr.benchmark.allocation import Allocation, costs_of, probe
from vsr.benchmark.display import Display, NoDisplay
from vsr.benchmark.estimate import USUAL_TOKENS
from vsr.benchmark.plan import Plan
from vsr.benchmark.resume import held_quality
from vsr.benchmark.rounds_file import Drawn, Look, RoundsFile
from vsr.benchmark.runner import RunSettings, held_before, run_benchmark
from vsr.benchmark.summary import BenchmarkSummary
from vsr.errors import BenchmarkError

# A prompt of usual length, to compare prices where nothing else is known yet.
_USUAL_PROMPT_TOKENS = 200


#: Looks at the verdict after a round: told which, from 0, and the places of the queries that were asked.
Decide = Callable[[int, npt.NDArray[np.int64]], Look]


def run_in_rounds(
    plan: Plan,
    output: str | os.PathLike[str],
    allocation: Allocation,
    settings: RunSettings | None = None,
    display: Display | None = None,
    decide: Decide | None = None,
    looked_for: str = "",
) -> BenchmarkSummary:
    """Ask a random core, then where the choice is open, in rounds; or parts of a core until the verdict is decided.

    A round is planned from the records of the rounds before it, and begins when those have all their calls. What was
    planned is kept beside the records (`RoundsFile`): a run that was killed makes the calls that are missing.

    Args:
        plan: every query and every model.
        output: the records file; it is made, or taken up where an earlier run left it.
        allocation: the rounds, of the plan's questions and models.
        settings: how the run goes about it.
        display: shows how it goes; nothing by default.
        decide: looks at the verdict after every round, and may end the run.
        looked_for: what that verdict is about: looks at another one do not count.

    Returns:
        What was asked and what came of it, in all rounds.

    Raises:
        BenchmarkError: As in `run_benchmark`, or what stands beside the records is damaged.
        OutputError: What is to stand there cannot be written.
    """
    settings, display = settings or RunSettings(), display or NoDisplay()
    kept = RoundsFile(output, plan, allocation, looked_for)
    if kept.is_of_another_plan:
        display.say(
            f"The rounds in {kept.path} are of other queries, models, settings or flags: planned anew from the records."
        )
    costs = costs_of([model.cost_usd(_USUAL_PROMPT_TOKENS, USUAL_TOKENS) for model in plan.models])
    shape = (len(plan.questions), len(plan.models))
    is_asked, probability = np.zeros(shape, dtype=bool), np.full(shape, np.nan)
    summary: BenchmarkSummary | None = None
    n_asked, seconds, n_before = 0, 0.0, None
    name = "Round" if decide is None else "Part"
    for number, own in enumerate(allocation.rounds):
        drawn = kept.drawn(number)
        if drawn is None:
            probabilities = allocation.probabilities(number, held_quality(output, plan), costs)
            drawn = Drawn(probabilities, allocation.draw(number, probabilities))
            if not drawn.is_drawn.all():  # a part that is asked every model is the same whatever was measured
                kept.keep_drawn(number, drawn)
        probability[own.rows], is_asked[own.rows] = drawn.probabilities, drawn.is_drawn
        now = _drawn(plan, is_asked, probability)
        seen = kept.look(number) if decide is not None else None
        is_last = number == len(allocation.rounds) - 1 or (seen is not None and seen.ends)
        held = held_before(now, output, settings)
        n_missing = sum(len(held.missing(model.name)) for model in now.models)
        if n_missing or is_last:
            display.say(f"{name} {number + 1} of {len(allocation.rounds)}: {n_missing:,} calls.")
            summary = run_benchmark(now, output, settings, display, is_continued=summary is not None)
            n_asked, seconds = n_asked + summary.n_asked, seconds + summary.seconds
            n_before = summary.n_before if n_before is None else n_before
            # What failed before is asked again once, not in every round.
            settings = replace(settings, retry_failed=False)
            # Interrupted, out of money, or a model was stopped: the next round would be another.
            if summary.n_missing or summary.is_interrupted:
                break
        if decide is not None:
            if seen is None:
                seen = decide(number, np.flatnonzero(is_asked.any(axis=1)))
                kept.keep_look(number, seen)
            display.say(seen.said)
            if seen.ends:
                break
    if summary is None:  # the look that ends it came after a part that was complete
        summary = run_benchmark(now, output, settings, display)
        n_before = summary.n_before
    assert n_before is not None, "some round was run"
    return replace(summary, n_asked=n_asked, seconds=seconds, n_before=n_before)


def probing(plan: Plan, name: str, output: str | os.PathLike[str], allocation: Allocation, n_queries: int) -> Plan:
    """Plan the calls of a new model on the queries that say most about it.

    Args:
        plan: every query and every model, the new one included.
        name: the new model.
        output: the records of the others.
        allocation: knows the clusters of the queries.
        n_queries: how many the new model is asked.

    Raises:
        BenchmarkError: There is no such model, the output cannot be read, or holds no answer of another model.
    """
    alone = plan.only(name)
    column = [model.name for model in plan.models].index(name)
    others = np.delete(held_quality(output, plan), column, axis=1)
    if not np.isfinite(others).any():
        raise BenchmarkError(
            f"{os.fspath(output)}: holds no scored answer of another model to these queries; the probes of {name} are "
            "drawn from what the others answered. Ask these first, or leave --probe out"
        )
    rows = probe(allocation.clusters, others, n_queries, allocation.seed)
    is_asked = np.zeros((len(plan.questions), 1), dtype=bool)
    is_asked[rows] = True
    return _drawn(alone, is_asked, np.full(is_asked.shape, len(rows) / len(plan.questions)))


def _drawn(plan: Plan, is_asked: npt.NDArray[np.bool_], probability: npt.NDArray[np.float64]) -> Plan:
    left_out = {
        model.name: frozenset(np.flatnonzero(~own).tolist()) for model, own in zip(plan.models, is_asked.T, strict=True)
    }
    return replace(plan, left_out=left_out, probabilities=probability.copy())
