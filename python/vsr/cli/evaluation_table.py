"""The held-out table and the verdict as `train` and others print them."""

from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.evaluation import Evaluation, Interval, MethodResult
    from vsr.selectors.base import TrainedSelector

_COLUMNS = (
    Column("selector"),
    Column("utility", "right"),
    Column("quality", "right"),
    Column("vs best single", "right"),
    Column("95 %", "right"),
    Column("latency", "right", is_spare=True),
    Column("per query", "right", is_spare=True),
)


def write_evaluation(evaluation: "Evaluation") -> None:
    """Print the table, how often each model is best, and the verdict, to stdout."""
    weight = evaluation.objective.quality_weight
    way = f"{evaluation.n_folds}-fold" if evaluation.n_folds > 1 else f"hold-out of {evaluation.n_held_out:,}"
    n_categories = terminal.counted(evaluation.n_categories, "category", "categories")
    terminal.write(
        f"{evaluation.n_queries:,} queries, {evaluation.n_models} models, {n_categories}; "
        f"held out: {way}, quality weight {weight:g}"
    )
    terminal.write("")
    # With a weight of 1, utility is quality: one column says both.
    keep = [number for number, column in enumerate(_COLUMNS) if column.title != "utility" or weight < 1.0]
    rows = [_row(method) for method in evaluation.methods]
    terminal.write_table(
        Table(
            tuple(_COLUMNS[number] for number in keep),
            tuple(tuple(row[number] for number in keep) for row in rows),
        )
    )
    terminal.write("")
    _write_categories(evaluation)
    _write_best_models(evaluation)
    unmeasured = max(method.n_unmeasured for method in evaluation.methods)
    if unmeasured:
        terminal.write(f"Up to {unmeasured:,} choices fell on cells that were not measured; they are in no mean.")
    terminal.write("")
    terminal.write(evaluation.verdict.sentence)


def selector_label(selector: "TrainedSelector") -> str:
    """Name a selector with its main parameter: `knn (k=100)`."""
    from vsr.selectors import registry
    from vsr.selectors.parameters import parameters_of, shown

    model = registry.algorithm(selector.name).parameters_model
    said = [
        f"{parameter.label}={shown(selector.parameters.get(parameter.name))}"
        for parameter in parameters_of(selector.name, model)
        if parameter.label is not None
    ]
    return f"{selector.name} ({', '.join(said)})" if said else selector.name


def _row(method: "MethodResult") -> tuple[str, ...]:
    gain = method.gain
    return (
        method.label,
        f"{method.utility:.3f}",
        f"{method.quality:.3f}",
        "-" if gain is None else f"{points(gain.mean)} points",
        "" if gain is None or method.kind == "oracle" else _interval(gain),
        "-" if method.latency_s is None else f"{method.latency_s:.2f} s",
        "" if method.seconds_per_query is None else f"{method.seconds_per_query * 1e6:,.0f} µs",
    )


def _write_categories(evaluation: "Evaluation") -> None:
    """Say what happens where categories have to be predicted."""
    if evaluation.classifier_accuracy is None:
        return
    judged = evaluation.method("judged")
    if judged.gain is None or judged.gain_predicted is None:
        return
    terminal.write(
        f"Chosen inside the folds: {points(judged.gain.mean)} points with categories given, "
        f"{points(judged.gain_predicted.mean)} ({_interval(judged.gain_predicted)}) with categories predicted "
        f"({evaluation.classifier_accuracy:.0%} right)."
    )


def _write_best_models(evaluation: "Evaluation") -> None:
    shares = sorted(evaluation.best_model_share.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{name} {share:.0%}" for name, share in shares[:5])
    more = f" and {len(shares) - 5} more" if len(shares) > 5 else ""
    judged = evaluation.method("judged")
    terminal.write(
        f"Among the best on a query: {shown}{more}. A best model was chosen on {judged.hit_rate:.0%} of the queries, "
        f"by the best single model on {evaluation.method('best single').hit_rate:.0%}."
    )


def points(difference: float) -> str:
    """Write a difference of quality or utility in points; what rounds to nothing has no sign, least of all a minus."""
    shown = f"{100 * difference:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown


def _interval(interval: "Interval") -> str:
    return f"{points(interval.low)} .. {points(interval.high)}"
