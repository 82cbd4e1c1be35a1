"""Train on some queries, choose for the others, again and again: what the held-out table rests on."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr._checks import as_texts, repeated, require_kind, require_number, require_whole_number
from vsr.choice.objective import Objective, as_objective
from vsr.data.categories import MISSING, category_shares
from vsr.data.outcomes import Outcomes
from vsr.errors import TrainingError
from vsr.evaluation.fold_work import FoldEngine, FoldResult, FoldTask, FoldWork, in_this_process
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Choices, FoldTraining, Held
from vsr.evaluation.learning_curve import train_on_less
from vsr.evaluation.results import CategorySource, Evaluation
from vsr.evaluation.rivals.rival import held_out_rivals
from vsr.evaluation.settings import N_SPLITS, ComparisonSettings
from vsr.evaluation.sliding.curve import curve_of
from vsr.evaluation.sliding.targets import in_view_of, meet, require_measured
from vsr.evaluation.statistics.query_groups import grouped_folds, query_groups
from vsr.evaluation.summary import summarise
from vsr.features import split_features
from vsr.prior.category_means import IntArray
from vsr.selectors import registry
from vsr.selectors.base import TrainedSelector
from vsr.selectors.training_data import Preferences
from vsr.training.trainer import features_of, require_seed

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Comparison:
    """A held-out comparison, and what was trained on all queries for it.

    Attributes:
        evaluation: the table and the verdict.
        selectors: trained on all measured queries, those that combine others last.
    """

    evaluation: Evaluation
    selectors: tuple[TrainedSelector, ...]


def cross_validate(
    features: npt.ArrayLike,
    outcomes: Outcomes,
    algorithms: Sequence[str] | None = None,
    folds: int = 5,
    objective: Objective | None = None,
    seed: int = 0,
    *,
    splits: int = N_SPLITS,
    holdout: float | None = None,
    categories: CategorySource = "predicted",
    parameters: dict[str, dict[str, Any]] | None = None,
    preferences: Preferences | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare selectors with the baselines on queries that they have not seen.

    Queries are split by row (one row is one unique query), stratified by category. Everything that a selector chooses
    is chosen inside the training part, and so is the selector that the verdict judges.

    Args:
        features: (n_queries, n_features) float32, as `build_features` makes them.
        outcomes: one row per query, in the same order.
        algorithms: registry names; all that learn without it.
        folds: number of folds.
        objective: what the choices maximise; `Objective()` without it.
        seed: seed of the splits and the fits.
        splits: how often the queries are split into folds, each time otherwise.
        holdout: share of the queries to hold out once, instead of folds.
        categories: whether queries will arrive with their category or have it predicted: what the verdict is for.
        parameters: per algorithm, its own parameters.
        preferences: pairs of the models of `outcomes`, for algorithms that learn from them.
        progress: told what is being done, how many steps are done, and of how many.

    Raises:
        TrainingError: Features and outcomes do not fit, too few queries for the folds, no split, `holdout` is not a
            fraction, no such algorithm or parameter, or the seed is negative.
        SelectionError: `objective` is none.
    """
    if parameters is not None:
        require_kind(parameters, dict, "parameters", "a dict of one dict of parameters per algorithm", TrainingError)
    settings = ComparisonSettings(
        algorithms=_names(registry.learning() if algorithms is None else algorithms),
        folds=folds,
        splits=splits,
        holdout=holdout,
        objective=as_objective(objective),
        categories=categories,
        seed=require_seed(seed),
        parameters=parameters or {},
        preferences=preferences,
    )
    return compare(features, outcomes, settings, progress).evaluation


def compare(
    features: npt.ArrayLike, outcomes: Outcomes, settings: ComparisonSettings, progress: Progress | None = None
) -> Comparison:
    """Compare as `cross_validate` does, and give what would be deployed as well: the selectors trained on all queries.

    Raises:
        TrainingError: As in `cross_validate`.
    """
    held, selectors = hold_out(features, outcomes, settings, progress)
    rows = compared_rows(features_of(outcomes, features), outcomes, held)
    return Comparison(conclude(held, settings, rows, progress)[1], selectors)


def compared_rows(features: npt.NDArray[np.float32], outcomes: Outcomes, held: Held) -> npt.NDArray[np.float32]:
    """Features of the queries that were compared, out of those of all outcomes."""
    measured = outcomes.measured_rows
    return features[measured if held.sample is None else measured[held.sample]]


def conclude(
    held: Held,
    settings: ComparisonSettings,
    features: npt.NDArray[np.float32] | None = None,
    progress: Progress | None = None,
) -> tuple[Held, Evaluation]:
    """Draw the conclusions from what the splits gave: the target's objective, the table, the verdict, the curve.

    Args:
        held: what the splits gave.
        settings: how they were compared.
        features: (n_queries, n_features) float32 of the same queries; rivals and a learning curve need them.
        progress: told what rivals do, how many steps are done, and of how many.

    Returns:
        What was chosen under the objective that is in force in the end, and the evaluation.

    Raises:
        TrainingError: The target cannot be reached, or a rival cannot be had.
    """
    met, objective = None, settings.objective
    if settings.target is not None:
        met = meet(settings.target, held, settings.categories, settings.seed)
        held, objective = held.under(met.objective), met.objective
    how = (objective, settings.categories, settings.seed)
    rivals = () if features is None else held_out_rivals(held, features, settings.rivals, *how, progress)
    evaluation = summarise(held, *how, rivals)
    if features is not None and (settings.learning_curve or evaluation.verdict.kind == "inconclusive"):
        less = train_on_less(features, held, replace(settings, objective=objective))
        evaluation = summarise(held, *how, rivals, less)
    evaluation = replace(evaluation, target=met, curve=curve_of(held, *how))
    return held, evaluation if met is None else in_view_of(met, evaluation)


def hold_out(
    features: npt.ArrayLike,
    outcomes: Outcomes,
    settings: ComparisonSettings,
    progress: Progress | None = None,
    engine: FoldEngine = in_this_process,
) -> tuple[Held, tuple[TrainedSelector, ...]]:
    """Let every method choose for queries that it has not seen; then train on all.

    Args:
        features: (n_queries, n_features) float32.
        outcomes: one row per query, in the same order.
        settings: what is compared, and how.
        progress: told what is being done, how many steps are done, and of how many.
        engine: what works on the folds, and trains on all.

    Raises:
        TrainingError: As in `cross_validate`.
    """
    if settings.categories not in ("given", "predicted"):
        raise TrainingError(f"categories is {settings.categories!r}; expected 'given' or 'predicted'")
    if settings.target is not None:
        require_measured(settings.target, outcomes)
    else:
        require_cost(settings.objective, outcomes)
    rows = features_of(outcomes, features)
    measured = outcomes.measured_rows
    if len(measured) < outcomes.n_queries:
        rows, outcomes = rows[measured], outcomes.take(measured)
    all_rows, all_outcomes = rows, outcomes
    sample = _sample(outcomes.n_queries, settings)
    if sample is not None:
        rows, outcomes = rows[sample], outcomes.take(sample)
    names, n_queries = registry.parts_first(settings.algorithms), outcomes.n_queries
    codes = split_features(rows).codes
    groups = query_groups(split_features(rows).embeddings, outcomes.groups)
    assignments = _assignments(codes, groups, settings)
    n_folds = int(assignments[0].max()) + 1
    n_tests = n_folds * len(assignments)
    tests = [
        (split, np.flatnonzero(each == number)) for split, each in enumerate(assignments) for number in range(n_folds)
    ]
    tasks = [
        FoldTask(f", fold {number} of {n_tests}", test, split, is_timed=split == 0)
        for number, (split, test) in enumerate(tests, start=1)
    ]
    everything = np.arange(n_queries)
    for_use = FoldTask(" on all queries", everything if sample is None else sample)
    steps = (n_tests + 1) * len(names)

    def say(what: str, n_done: int) -> None:
        if progress is not None:
            progress(what, n_done, steps)

    # Scores are as many as there are queries, models, splits and methods: a target alone needs all of them.
    kept = (CATEGORY_TABLE, *names, JUDGED) if settings.target is not None else ()

    def no_choices(n_splits: int, keeps_scores: tuple[str, ...]) -> dict[str, Choices]:
        return {
            name: Choices.none_yet(n_splits, n_queries, outcomes.n_models if name in keeps_scores else None)
            for name in (CATEGORY_TABLE, *names, JUDGED)
        }

    choices = no_choices(len(assignments), kept or (CATEGORY_TABLE, JUDGED))
    predicted_categories = np.stack([category_shares(np.full(n_queries, MISSING))] * len(assignments))
    trainings: list[list[FoldTraining]] = [[] for _ in assignments]
    accuracies = []
    # Rivals are fitted here: they do not go to where folds are.
    work = FoldWork(rows, outcomes, replace(settings, rivals=()))
    on_all = work if sample is None else replace(work, features=all_rows, outcomes=all_outcomes)
    results = engine([*((work, task) for task in tasks), (on_all, for_use)], say)
    for (split, test), result in zip(tests, itertools.islice(results, len(tests)), strict=True):
        _take(result, choices, split, test)
        predicted_categories[split, test] = result.table.categories
        trainings[split].append(result.table.training)
        for name, selector in result.selectors.items():
            choices[name].seconds += selector.seconds
        if result.table.classifier_accuracy is not None:
            accuracies.append(result.table.classifier_accuracy)
    used = next(results)
    say("held-out table", steps)
    deployed = no_choices(1, kept)
    _take(used, deployed, 0, everything)
    held = Held(
        outcomes=outcomes,
        codes=codes,
        predicted_categories=predicted_categories,
        folds=assignments,
        trainings=trainings,
        choices=choices,
        deployed=deployed,
        groups=groups,
        deployed_training=used.table.training,
        deployed_categories=used.table.categories,
        n_folds=n_folds,
        recommended=used.judged,
        classifier_accuracy=float(np.mean(accuracies)) if accuracies else None,
        sample=sample,
        n_sampled_from=all_outcomes.n_queries,
    )
    return held, used.trained


def _sample(n_queries: int, settings: ComparisonSettings) -> IntArray | None:
    """Draw the queries to compare on, ascending; None for all of them."""
    if settings.most_queries is None or n_queries <= settings.most_queries:
        return None
    return np.sort(np.random.default_rng(settings.seed).permutation(n_queries)[: settings.most_queries])


def require_cost(objective: Objective, outcomes: Outcomes) -> None:
    """Refuse to weigh a cost that nobody knows.

    Raises:
        TrainingError: Cost counts, and no record has one.
    """
    if objective.cost_share > 0.0 and objective.quality_weight < 1.0 and not np.isfinite(outcomes.cost_usd).any():
        raise TrainingError(
            f"cost_share is {objective.cost_share:g}, but no record has a cost. Measure with prices in the "
            "configuration, or leave the cost share out"
        )


def _take(result: FoldResult, into: dict[str, Choices], split: int, rows: IntArray) -> None:
    """Take over what every method chose for some rows; the judged one is one of them once more."""
    into[CATEGORY_TABLE].take(split, rows, result.table.predictions)
    for name, selector in result.selectors.items():
        into[name].take(split, rows, selector.predictions)
    into[JUDGED].take(split, rows, result.selectors[result.judged].predictions)


def _names(algorithms: Sequence[str]) -> tuple[str, ...]:
    expected = f"a list of at least one of {', '.join(registry.names())}"
    names = as_texts(algorithms, "algorithms", expected, TrainingError)
    if not names:
        raise TrainingError(f"algorithms are an empty list; expected {expected}")
    twice = repeated(names)
    if twice:
        raise TrainingError(f"algorithms name {', '.join(twice)} more than once; expected each one once")
    return names


def _assignments(codes: IntArray, groups: IntArray, settings: ComparisonSettings) -> list[IntArray]:
    """Fold of each row, once per split; a holdout is one split."""
    require_whole_number(settings.splits, "splits", "a whole number of 1 or more", TrainingError)
    if settings.splits < 1:
        raise TrainingError(f"splits is {settings.splits}; expected 1 at least")
    generator = np.random.default_rng(settings.seed)
    n_splits = settings.splits if settings.holdout is None else 1
    return [_assign(codes, groups, settings.folds, settings.holdout, generator) for _ in range(n_splits)]


def _assign(
    codes: IntArray, groups: IntArray, folds: int, holdout: float | None, generator: np.random.Generator
) -> IntArray:
    """Fold of each row, -1 for rows that are never held out."""
    n_groups = int(groups.max()) + 1
    if holdout is None:
        require_whole_number(folds, "folds", "a whole number of 2 or more", TrainingError)
        if 2 <= n_groups < folds <= len(codes):
            folds = n_groups
        if not 2 <= folds <= n_groups:
            raise TrainingError(
                f"{folds} folds of {_counted(len(codes), n_groups)}; expected 2 folds at least and one query per fold"
            )
        return grouped_folds(codes, groups, folds, generator)
    require_number(holdout, "holdout", "a fraction between 0 and 1", TrainingError)
    if not 0.0 < holdout < 1.0:
        raise TrainingError(f"holdout is {holdout}; expected a fraction between 0 and 1, for example 0.2")
    if n_groups < 3:
        raise TrainingError(f"{_counted(len(codes), n_groups)}; to hold one out takes 3 at least")
    n_held_out = min(max(1, round(holdout * n_groups)), n_groups - 2)
    # As many folds as groups number them category by category; every so many-th of them is held out.
    position = grouped_folds(codes, groups, n_groups, generator)
    return np.where((position + 1) * n_held_out // n_groups > position * n_held_out // n_groups, 0, -1)


def _counted(n_queries: int, n_groups: int) -> str:
    queries = f"{n_queries} queries with a measured quality"
    return queries if n_groups == n_queries else f"{queries} in {_groups(n_groups)}"


def _groups(n_groups: int) -> str:
    return "one group that belongs together" if n_groups == 1 else f"{n_groups} groups that belong together"
