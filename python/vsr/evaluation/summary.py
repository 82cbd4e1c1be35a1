"""From the choices that every method made on held-out queries to the lines of the table."""

from collections.abc import Sequence

import numpy as np

from vsr.choice.objective import Objective
from vsr.evaluation.baselines import fixed_baselines, oracles, rival_line
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Held
from vsr.evaluation.learning_curve import LessTraining
from vsr.evaluation.lines import Lines
from vsr.evaluation.results import CategorySource, Evaluation
from vsr.evaluation.rivals.rival import Rival
from vsr.evaluation.statistics.prediction_powered import JudgedLabels
from vsr.evaluation.verdict import judge

BEST_SINGLE = "best single"


def summarise(
    held: Held,
    objective: Objective,
    categories: CategorySource,
    seed: int,
    rivals: Sequence[Rival] = (),
    less: tuple[LessTraining, ...] = (),
) -> Evaluation:
    """Work out every line and the verdict.

    Args:
        held: what the splits gave.
        objective: what the choices maximised.
        categories: the way queries will arrive, which the verdict is for.
        seed: seed of the folds of the estimates for missing cells.
        rivals: what others would have chosen for the held-out queries.
        less: what was chosen after training on fewer queries, for a learning curve.
    """
    outcomes, lines = held.outcomes, Lines(held, objective, seed)
    series = lines.series(less, categories) if less else None
    n_categories = len(np.unique(held.codes))
    n_sampled_from = None if held.sample is None else held.n_sampled_from
    models = outcomes.models
    named = models[lines.named]
    highest = int(np.nanargmax(lines.all_measured.quality.mean(axis=0)))
    singles = np.argsort(-np.nan_to_num(lines.all_measured.utility.mean(axis=0), nan=-np.inf), kind="stable")
    methods = [lines.line(BEST_SINGLE, f"best single ({named})", "baseline", lines.always(lines.named))]
    methods += [
        lines.single(int(column), models[column] + (" (highest quality)" if column == highest else ""))
        for column in singles
        if column != lines.named and outcomes.observed[:, column].any()
    ]
    methods += fixed_baselines(lines, categories)
    other: CategorySource = "given" if categories == "predicted" else "predicted"
    has_ways = n_categories > 1
    if has_ways:
        methods.append(lines.chosen(CATEGORY_TABLE, CATEGORY_TABLE, "baseline", categories))
    methods += [rival_line(lines, rival) for rival in rivals]
    methods += [
        lines.chosen(name, name, "selector", categories)
        for name in held.choices
        if name not in (CATEGORY_TABLE, JUDGED)
    ]
    methods.append(lines.chosen(JUDGED, "chosen inside the folds", "judged", categories))
    if has_ways:
        methods.append(lines.chosen(JUDGED, "chosen inside the folds", "judged", other, f", categories {other}"))
    methods += oracles(lines, objective)
    return Evaluation(
        n_queries=outcomes.n_queries,
        n_models=outcomes.n_models,
        n_categories=n_categories,
        n_folds=held.n_folds,
        n_splits=held.n_splits,
        n_held_out=len(held.rows),
        n_missing_cells=int(lines.measured.is_missing.sum()),
        objective=objective,
        best_single=named,
        luck=lines.luck,
        highest_quality=models[highest],
        recommended=held.recommended,
        methods=tuple(methods),
        best_model_share={
            model: float(share)
            for model, share in zip(models, lines.measured.is_best.mean(axis=0).tolist(), strict=True)
        },
        verdict=judge(
            lines.evidence(categories, series),
            categories if has_ways else None,
            held.recommended,
            named,
            n_sampled_from=n_sampled_from,
        ),
        classifier_accuracy=held.classifier_accuracy,
        seed=seed,
        judged_labels=JudgedLabels.of(outcomes),
        has_logged_draws=outcomes.probability is not None,
        n_sampled_from=n_sampled_from,
        learning_curve=() if series is None else series.points(lines.gain(lines.columns(JUDGED, categories))),
    )
