"""The objective that meets a target on held-out queries, what quality that leaves, and how surely it holds."""

from dataclasses import replace

import numpy as np

from vsr.choice.for_target import require_known, require_model
from vsr.choice.objective import Objective
from vsr.choice.target import Target, search
from vsr.data.outcomes import Outcomes
from vsr.errors import SelectionError, TrainingError
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Held
from vsr.evaluation.measured import at
from vsr.evaluation.results import CategorySource, Evaluation, MethodResult, MetTarget, Verdict
from vsr.evaluation.sliding.beside import Reference, shown_points
from vsr.evaluation.sliding.replay import Ledger, Replay, known_columns
from vsr.evaluation.statistics.intervals import mean_interval, training_variance, widened
from vsr.evaluation.summary import BEST_SINGLE
from vsr.prior.category_means import FloatArray, IntArray


def meet(target: Target, held: Held, categories: CategorySource, seed: int) -> MetTarget:
    """Find the objective that gives up least for a target.

    The objective is found on all held-out queries. What it needs on new queries is judged by objectives that are found
    the same way on four fifths of them, each on the last fifth.

    Args:
        target: what choices may need at most.
        held: what the splits gave.
        categories: the way queries will arrive.
        seed: seed of the estimates for missing cells, and of the fifths.

    Raises:
        TrainingError: The target cannot be reached, or is of something that was not measured.
    """
    ledger = Ledger.of(held.outcomes, held.codes, held.rows, seed)
    replay = Replay(held, ledger, JUDGED, categories)
    needed = needed_by(target, ledger)
    parts = replay.parts(seed)
    sizes = np.bincount(parts)

    def attained(objective: Objective) -> FloatArray:
        own = at(needed, replay.columns(objective)).mean(axis=0)
        return np.asarray(np.bincount(parts, own) / sizes)

    try:
        found = search(target, attained, sizes)
    except SelectionError as error:
        raise TrainingError(str(error)) from error
    columns = _nested(replay, found.without, parts)
    within = [target.is_met_by(value) for value in needed.mean(axis=0).tolist()]
    values = at(needed, columns)
    reference = Reference.of(replay, seed, within if any(within) else None)
    beside = reference.beside(columns)
    free = target.under(0.0)
    unlimited = replay.columns(free)
    return MetTarget(
        target=target,
        objective=found.objective,
        held_out=float(at(needed, replay.columns(found.objective)).mean()),
        unlimited=float(at(needed, unlimited).mean()),
        expected=widened(mean_interval(values, replay.groups), training_variance(values, replay.folds)),
        quality=beside.quality,
        unlimited_quality=float(at(ledger.quality, unlimited).mean()),
        gain=beside.gain,
        gain_over=reference.name,
        is_gain_within=any(within),
    )


def require_measured(target: Target, outcomes: Outcomes) -> None:
    """Refuse a target of what was not measured of every model, or of a model that is not there.

    Raises:
        TrainingError: It is one.
    """
    try:
        if target.model is not None:
            require_model(target.model, outcomes.models)
        else:
            values = outcomes.cost_usd if target.kind == "cost" else outcomes.latency_s
            require_known(target, outcomes.models, known_columns(values))
    except SelectionError as error:
        raise TrainingError(str(error)) from error


def instead_of(verdict: Verdict) -> str:
    """Name the line of the table that a verdict says to use where it is not the best selector."""
    return CATEGORY_TABLE if verdict.kind == "category_table" else BEST_SINGLE


def in_view_of(met: MetTarget, evaluation: Evaluation) -> Evaluation:
    """Add to the verdict where what it says to use does not keep to the target."""
    verdict = evaluation.verdict
    if verdict.kind == "route" or keeps(met.target, evaluation.method(instead_of(verdict))):
        return evaluation
    used = "that table" if verdict.kind == "category_table" else f"always using {evaluation.best_single}"
    sentence = f"{verdict.sentence} But {used} does not keep to the target, and {evaluation.recommended} does."
    return replace(evaluation, verdict=replace(verdict, sentence=sentence))


def needed_by(target: Target, ledger: Ledger) -> FloatArray:
    """(n_held_out, n_models) what each choice counts against a target that `require_measured` let pass."""
    if target.model is not None:
        is_model = np.array([float(model == target.model) for model in ledger.models])
        return np.broadcast_to(is_model, ledger.quality.shape)
    values = ledger.cost_usd if target.kind == "cost" else ledger.latency_s
    assert values is not None, "it is known of every model"
    return values


def keeps(target: Target, method: MethodResult) -> bool:
    """Whether a line of the table keeps to a target."""
    if target.model is not None:
        return target.is_met_by(method.selection.get(target.model, 0.0))
    needed = method.cost_usd if target.kind == "cost" else method.latency_s
    return needed is not None and target.is_met_by(needed)


def sentences_of(met: MetTarget) -> tuple[str, ...]:
    """Say what was found: what it takes, how surely it holds, what quality it leaves."""
    target, expected = met.target, met.expected
    per = f"for {target.model}" if target.model is not None else "per query"
    if met.objective == target.under(0.0):
        lead = f"The target of {target.shown(target.value)} {per} is no limit: choices by quality need less"
        if target.model is not None:
            lead = f"The target of {target.shown(target.value)} {per} is no limit: it is chosen less often anyway"
    else:
        lead = f"The target of {target.shown(target.value)} {per} is met with {_objective(met.objective)}"
    kept = "the best that keeps to it" if met.is_gain_within else "the best; no single model keeps to it"
    low, high = target.shown(max(expected.low, 0.0)), target.shown(expected.high)
    return (
        (
            f"{lead}: {target.shown(met.held_out)} on the held-out queries; on new ones the mean is within "
            f"{low} .. {high} (95 %)."
        ),
        (
            f"That leaves a quality of {met.quality:.3f} ({met.unlimited_quality:.3f} without a limit), "
            f"{shown_points(met.gain)} beside {met.gain_over} for everything, {kept}."
        ),
    )


def _objective(objective: Objective) -> str:
    if objective.model_penalty:
        return ", ".join(f"a penalty of {value:.3g} on {model}" for model, value in objective.model_penalty.items())
    return f"quality weight {objective.quality_weight:.4g} and cost share {objective.cost_share:g}"


def _nested(replay: Replay, objectives: tuple[Objective, ...], parts: IntArray) -> IntArray:
    """(n_splits, n_held_out) choices in every part under the objective that was found without it."""
    columns: IntArray | None = None
    for part, objective in enumerate(objectives):
        own = replay.columns(objective)
        columns = own if columns is None else columns
        columns[:, parts == part] = own[:, parts == part]
    assert columns is not None, "there is no part"
    return columns
