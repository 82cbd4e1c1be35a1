"""The held-out table and the verdict as `train` and others print them."""

from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.cli.terminal import Column, Table

if TYPE_CHECKING:
    from vsr.choice.objective import Objective
    from vsr.evaluation import Evaluation, Interval, MethodResult
    from vsr.evaluation.statistics.prediction_powered import JudgedLabels
    from vsr.selectors.base import TrainedSelector

_COST = "USD/1,000"
_COLUMNS = (
    Column("selector"),
    Column("utility", "right", is_spare=True, importance=1),
    Column("quality", "right"),
    Column("vs best single", "right"),
    Column("95 %", "right"),
    Column(_COST, "right", is_spare=True, importance=2),
    Column("latency", "right", is_spare=True),
    Column("per query", "right", is_spare=True),
)
# Single models that are shown, the best one among them; `--json` has all.
_SHOWN_SINGLES = 5
# What people compare first, and always there; the other baselines are for those who ask what routing has to beat.
_USUAL_BASELINES = ("best single", "random", "category table", "oracle")


def write_evaluation(evaluation: "Evaluation", *, shows_baselines: bool = False) -> None:
    """Print the table, how often each model is best, and the verdict, to stdout.

    Args:
        evaluation: the comparison.
        shows_baselines: whether all baselines are shown, not the usual ones alone.
    """
    way = f"hold-out of {evaluation.n_held_out:,}"
    if evaluation.n_folds > 1:
        times = "" if evaluation.n_splits == 1 else f"{evaluation.n_splits} times "
        way = f"{times}{evaluation.n_folds}-fold"
    n_categories = terminal.counted(evaluation.n_categories, "category", "categories")
    compared = f"{evaluation.n_queries:,} queries"
    if evaluation.n_sampled_from is not None:
        compared = f"compared on a random sample of {evaluation.n_queries:,} of {evaluation.n_sampled_from:,} queries"
    terminal.write(
        f"{compared}, {evaluation.n_models} models, {n_categories}; "
        f"held out: {way}, {objective_label(evaluation.objective)}"
    )
    terminal.write("")
    shown = _shown(evaluation, shows_baselines=shows_baselines)
    # With a weight of 1, utility is quality: one column says both. Nor is there a column of what nobody knows.
    is_said = {
        "utility": not evaluation.objective.is_quality_alone,
        _COST: any(method.cost_usd is not None for method in evaluation.methods),
        "latency": any(method.latency_s is not None for method in evaluation.methods),
    }
    keep = [number for number, column in enumerate(_COLUMNS) if is_said.get(column.title, True)]
    rows = [_row(method) for method in shown]
    terminal.write_table(
        Table(
            tuple(_COLUMNS[number] for number in keep),
            tuple(tuple(row[number] for number in keep) for row in rows),
        )
    )
    terminal.write("")
    _write_notes(evaluation, shown)
    _write_best_models(evaluation)
    terminal.write("")
    terminal.write(evaluation.verdict.sentence)


def objective_label(objective: "Objective") -> str:
    """Write an objective: `quality weight 0.9, cost share 0.5`; what has no effect is left out."""
    said = [f"quality weight {objective.quality_weight:.4g}"]
    if objective.quality_weight < 1.0 and objective.cost_share > 0.0:
        said.append(f"cost share {objective.cost_share:g}")
    said += [f"penalty of {model} {value:.3g}" for model, value in objective.model_penalty.items()]
    return ", ".join(said)


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
        ("identical" if method.is_identical else "-") if gain is None else f"{points(gain.mean)} points",
        "" if gain is None or method.kind == "oracle" else _interval(gain),
        "-" if method.cost_usd is None else _per_thousand(method.cost_usd),
        "-" if method.latency_s is None else f"{method.latency_s:.2f} s",
        "" if method.seconds_per_query is None else f"{method.seconds_per_query * 1e6:,.0f} µs",
    )


def _shown(evaluation: "Evaluation", *, shows_baselines: bool) -> list["MethodResult"]:
    """Leave out single models beyond the first five but for the one of highest quality, and unusual baselines."""
    kept = [f"always {evaluation.highest_quality}"]
    kept += [method.name for method in evaluation.methods if method.kind == "single"][: _SHOWN_SINGLES - 1]

    def is_shown(method: "MethodResult") -> bool:
        if method.kind == "single":
            return method.name in kept
        return shows_baselines or method.kind not in ("baseline", "oracle") or method.name in _USUAL_BASELINES

    return [method for method in evaluation.methods if is_shown(method)]


def _per_thousand(cost_usd: float) -> str:
    """Write what a thousand queries cost, in USD with about three digits."""
    thousand = 1_000.0 * cost_usd
    if thousand == 0.0:
        return "0"
    return f"{thousand:,.0f}" if thousand >= 100.0 else f"{thousand:.3g}"


def _write_notes(evaluation: "Evaluation", shown: list["MethodResult"]) -> None:
    """Say what the table cannot: lines left out, luck taken off, categories, cells that were not measured."""
    left_out = sum(method.kind == "single" for method in evaluation.methods if method not in shown)
    if left_out:
        terminal.write(f"{terminal.counted(left_out, 'more single model')} below these: --json has them.")
    if round(100.0 * evaluation.luck, 1) > 0.0:
        terminal.write(
            f"{evaluation.best_single} was picked on these queries: {100.0 * evaluation.luck:.1f} points of its lead "
            "are counted as luck wherever another one is chosen, so gains exceed the differences between the means."
        )
    if evaluation.classifier_accuracy is not None:
        terminal.write(f"Predicted categories are right for {evaluation.classifier_accuracy:.0%} of the queries.")
    if evaluation.judged_labels is not None:
        terminal.write(_judged_sentence(evaluation.judged_labels))
    if evaluation.n_missing_cells:
        share = evaluation.n_missing_cells / (evaluation.n_held_out * evaluation.n_models)
        basis = "weighs cells by the probabilities with which they were drawn"
        if not evaluation.has_logged_draws:
            basis = "assumes that cells are missing at random"
        terminal.write(
            f"{share:.0%} of the cells were not measured: every line is an estimate over all queries, which {basis}."
        )


def _judged_sentence(labels: "JudgedLabels") -> str:
    """Say what judged qualities are worth, and what the figures rest on."""
    of_all = f"{labels.n_judged:,} of {labels.n_judged + labels.n_true:,} qualities are judged by LLMs"
    if not labels.is_corrected or labels.agreement is None or labels.excess is None:
        return (
            f"{of_all}, and too few are known to say what that is worth: where the judges are wrong, so are the "
            "figures, and no interval shows it. Label 100 queries or more, drawn at random."
        )
    correlation = "" if labels.correlation is None else f", correlation {labels.correlation:.2f}"
    return (
        f"{of_all}; where the quality is known as well ({labels.n_both:,}) they agree on {labels.agreement:.0%}"
        f"{correlation}, and are {points(labels.excess)} points off on average. Figures and intervals are corrected by "
        "the known ones, as if these were drawn at random (prediction-powered inference)."
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
