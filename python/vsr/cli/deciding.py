"""Looking at the verdict between the parts of `--until-decided`: what was asked is read, compared, and said."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from vsr.benchmark.allocation import Allocation
    from vsr.benchmark.plan import Plan
    from vsr.benchmark.rounds import Decide
    from vsr.benchmark.rounds_file import Look
    from vsr.choice.objective import Objective
    from vsr.evaluation.looks import Seen
    from vsr.evaluation.statistics.intervals import Interval


def require_truth(plan: "Plan") -> None:
    """Refuse to ask for a verdict that nothing can give.

    Raises:
        BenchmarkError: Too few queries can be scored.
    """
    from vsr.errors import BenchmarkError
    from vsr.training.folds import FEW_QUERIES

    n_known = sum(question.query.ground_truth is not None for question in plan.questions)
    if n_known < FEW_QUERIES:
        raise BenchmarkError(
            f"--until-decided: {n_known} of {plan.n_queries:,} queries have a ground truth; expected {FEW_QUERIES} at "
            "least. Add some, or leave the flag out and judge the answers (`vsr-train judge`)"
        )


def decide_by(
    plan: "Plan",
    records_path: Path,
    vectors: "npt.NDArray[np.float32]",
    rounds: "Allocation",
    objective: "Objective",
    seed: int,
) -> "Decide":
    """Make what looks at the verdict after a part, as `train` would give it for what was asked.

    Args:
        plan: every query and every model.
        records_path: where the answers stand.
        vectors: (n_questions, dim) float32 of the queries of the plan.
        rounds: the parts.
        objective: what a choice maximises.
        seed: of folds and fits.
    """
    from vsr.benchmark.rounds_file import Look
    from vsr.data.prompts import unique_key
    from vsr.data.records import read_records
    from vsr.errors import RecordError
    from vsr.evaluation.compare_and_train import TrainingSettings
    from vsr.evaluation.looks import LOOKED_AT, level_of, look
    from vsr.evaluation.preparation import prepare_training
    from vsr.training.folds import FEW_QUERIES
    from vsr.training.outcomes import read_outcomes

    n_ceiling, n_looks = sum(len(own.rows) for own in rounds.rounds), len(rounds.rounds)
    place = {question.key: index for index, question in enumerate(plan.questions)}
    settings = TrainingSettings(algorithms=LOOKED_AT, objective=objective, seed=seed)

    def decide(number: int, asked: "npt.NDArray[np.int64]") -> "Look":
        is_last = number == n_looks - 1
        goes_on = _ASKED_ALL if is_last else "Goes on."
        try:  # a line that a kill has torn is mended when the next part is asked
            records = read_records(records_path, skip_bad_lines=True)
            outcomes = read_outcomes(records, [model.name for model in plan.models])
        except RecordError:
            return Look(f"Look {number + 1} of {n_looks}: too few answers have a quality. {goes_on}", ends=is_last)
        places = [place.get(unique_key(query), -1) for query in outcomes.queries]
        among = set(asked.tolist())
        rows = [row for row in outcomes.measured_rows.tolist() if places[row] in among]
        head = f"Look {number + 1} of {n_looks}, {len(rows):,} queries"
        seen = None
        if len(rows) >= FEW_QUERIES:
            prepared = prepare_training(outcomes.take(rows), vectors[[places[row] for row in rows]])
            seen = look(prepared, settings, n_ceiling, level_of(n_looks))
        if seen is None:
            why = f"fewer than {FEW_QUERIES} can be compared" if len(rows) < FEW_QUERIES else "nothing to compare"
            return Look(f"{head}: {why}. {goes_on}", ends=is_last)
        return Look(
            f"{head}, {100 * seen.level:.4g} % intervals: {_seen(seen)}\n  {_what_next(seen, is_last=is_last)}",
            ends=is_last or seen.end is not None,
        )

    return decide


_ASKED_ALL = "Ends: all that --until-decided may ask is asked."


def _seen(seen: "Seen") -> str:
    rise = "" if seen.rise is None else f", to come {_points(seen.rise)}"
    return (
        f"points over always {seen.best_single}\n"
        f"  {seen.recommended} {_gain(seen.gain)}, category table {_gain(seen.table)}{rise}"
    )


def _what_next(seen: "Seen", *, is_last: bool) -> str:
    """Say why the run goes on or stops."""
    from vsr.evaluation.looks import FLAT_RISE, LEAST_WORTH

    if seen.verdict == "category_table":
        return "Stops: a table of the best model per category pays."
    if seen.end == "pays":
        return "Stops: routing pays."
    if seen.end == "not worth it":
        return f"Stops: do not route, a gain of {100 * LEAST_WORTH:g} point is not to be had."
    if is_last:
        return f"Not decided. {_ASKED_ALL}"
    if seen.end == "flat":
        return (
            f"Stops: do not route. The learning curve is flat (less than {100 * FLAT_RISE:g} points to come),\n"
            "  and the rest is unlikely to decide otherwise."
        )
    return "Goes on: not decided."


def _gain(interval: "Interval") -> str:
    return f"{_points(interval.mean)} ({_points(interval.low)} .. {_points(interval.high)})"


def _points(value: float) -> str:
    return f"{round(100 * value, 1) + 0.0:+.1f}"
