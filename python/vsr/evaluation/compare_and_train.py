"""The whole of `vsr-train train` once queries are vectors: compare, train on all queries, write the artefacts."""

import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr._files import require_writable
from vsr._mapped import forget_pages
from vsr.choice.objective import Objective
from vsr.choice.target import Target
from vsr.data.outcomes import Outcomes
from vsr.embedding import Fingerprint
from vsr.errors import TrainingError
from vsr.evaluation.cross_validation import compared_rows, conclude, hold_out
from vsr.evaluation.document import evaluation_document
from vsr.evaluation.fold_work import FoldEngine, fit_each, in_this_process
from vsr.evaluation.held import CATEGORY_TABLE, Held
from vsr.evaluation.held_reference import held_categories, held_models
from vsr.evaluation.preparation import PreparedTraining, prepare_training
from vsr.evaluation.results import CategorySource, Evaluation
from vsr.evaluation.rivals.rival import RivalRouter
from vsr.evaluation.selection import selection_by_category
from vsr.evaluation.settings import MOST_COMPARED, N_SPLITS, ComparisonSettings
from vsr.evaluation.sliding.targets import instead_of, keeps
from vsr.features import CategoryClassifier, split_features
from vsr.persistence import save_selectors, write_manifest
from vsr.persistence.held_out import HeldOut
from vsr.persistence.sidecar import ArtefactFormat
from vsr.persistence.training_queries import TrainingQueries, query_hashes, write_training_queries
from vsr.persistence.trainings import run_ids
from vsr.persistence.versions import new_training
from vsr.persistence.yardstick import Yardstick
from vsr.prior.category_means import IntArray
from vsr.selectors import registry
from vsr.selectors.base import TrainedSelector
from vsr.selectors.training_data import Preferences
from vsr.training.trainer import Trainer

N_FOLDS = 5
_TABLE = "table"

# Two held-out parts of two folds: with fewer, nothing says how surely a target holds.
_LEAST_FOR_TARGET = 10

ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class HeldComparison:
    """A held-out comparison, and what stands behind it.

    Attributes:
        evaluation: the table and the verdict.
        selectors: trained on all measured queries, those that combine others last.
        held: what every method chose for held-out queries.
    """

    evaluation: Evaluation
    selectors: tuple[TrainedSelector, ...]
    held: Held


@dataclass(frozen=True)
class TrainingSettings:
    """What to train and how.

    Attributes:
        algorithms: registry names; the table of category means is always trained beside them.
        parameters: per algorithm, its own parameters; what is missing is chosen on the data.
        objective: what a choice maximises.
        seed: seed of folds, fits and bootstrap.
        holdout: share of the queries to hold out once; None for folds.
        folds: number of folds; fewer where queries are few.
        splits: how often the queries are split into folds; None: three times, once where they are a sample of many.
        categories: whether queries will arrive with their category or have it predicted.
        category_weight: what stands in the category columns of a feature row.
        preferences: pairs of the models of the outcomes, for algorithms that learn from them.
        classifier: of categories, fitted on the labelled ones of the measured queries already; fitted without it.
        rivals: routers of others, to be baselines of the comparison.
        target: what choices may need at most; the objective that meets it is found, and takes the place of `objective`.
        artefact_format: how artefacts are written, as in `save_selectors`.
        keep_versions: write to a folder of its own, which becomes the current one, and keep so many of these; without
            it to the folder itself, unless that keeps versions already.
        engine: what works on the folds of the comparison, and trains on all queries for it.
        most_compared: more queries than these are compared on a random sample of so many; artefacts are trained on all.
    """

    algorithms: tuple[str, ...] = field(default_factory=registry.names)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    objective: Objective = field(default_factory=Objective)
    seed: int = 0
    holdout: float | None = None
    folds: int = N_FOLDS
    splits: int | None = None
    categories: CategorySource = "predicted"
    category_weight: float = 1.0
    preferences: Preferences | None = None
    classifier: CategoryClassifier | None = None
    rivals: tuple[RivalRouter, ...] = ()
    target: Target | None = None
    artefact_format: ArtefactFormat = "auto"
    keep_versions: int | None = None
    engine: FoldEngine = in_this_process
    most_compared: int = MOST_COMPARED


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a training gave.

    Attributes:
        selectors: the trained selectors, those that combine others behind their parts, the table last.
        paths: their artefacts, in the same order.
        evaluation: the held-out comparison; None where there was nothing to compare.
        held: what every method chose for held-out queries; None where there was nothing to compare.
        recommended: the algorithm to deploy, as the manifest says it.
        always: the one model that `recommended` answers with; None where it chooses among several.
        notes: what a person should know, one sentence each.
        n_predicted_categories: queries whose category was predicted.
        duration_s: how long it took.
    """

    selectors: tuple[TrainedSelector, ...]
    paths: tuple[Path, ...]
    evaluation: Evaluation | None
    held: Held | None
    recommended: str
    always: str | None
    notes: tuple[str, ...]
    n_predicted_categories: int
    duration_s: float


def compare_and_train(
    outcomes: Outcomes,
    embeddings: npt.ArrayLike,
    fingerprint: Fingerprint,
    output_dir: str | os.PathLike[str],
    settings: TrainingSettings | None = None,
    progress: ProgressCallback | None = None,
) -> TrainingResult:
    """Compare selectors on held-out queries, train them on all, write their artefacts, and last the manifest.

    Nothing is written before everything is trained: an interrupt or an error leaves older artefacts as they are.

    Args:
        outcomes: one row per unique query.
        embeddings: (n_queries, dim) vectors in the same order.
        fingerprint: what made the vectors.
        output_dir: folder of the artefacts; made if it is missing.
        settings: what to train and how.
        progress: told what is being done, how many steps are done, and of how many.

    Raises:
        RecordError: Outcomes and vectors do not fit.
        TrainingError: Too few queries, a parameter that cannot be used, or a target that cannot be reached.
        OutputError: The folder cannot be written.
    """
    started = time.monotonic()
    settings = TrainingSettings() if settings is None else settings
    require_writable(output_dir)
    prepared = prepare_training(
        outcomes, embeddings, settings.preferences, settings.category_weight, settings.classifier
    )
    features, outcomes, notes = prepared.features, prepared.outcomes, list(prepared.notes)
    settings = replace(settings, preferences=prepared.preferences, classifier=prepared.classifier)
    comparison = compare_prepared(prepared, settings, notes, progress)
    evaluation = None if comparison is None else comparison.evaluation
    selectors = _train(features, outcomes, settings, progress) if comparison is None else comparison.selectors
    if evaluation is not None:
        settings = replace(settings, objective=evaluation.objective)
    recommended = recommended_by(evaluation)
    is_single = recommended is None
    sample = None if comparison is None else comparison.held.sample
    table = (
        _table_of_one(features, outcomes, settings, sample)
        if is_single
        else _prepared(features, outcomes, settings).train(_TABLE)
    )
    selectors = (*(each for each in selectors if each.name != _TABLE), table)
    recommended = recommended or _TABLE
    notes += [note for selector in selectors for note in selector.predictor.notes]
    forget_pages(features)
    held_out = None if evaluation is None else evaluation_document(evaluation)
    with new_training(output_dir, settings.keep_versions) as training:
        folder = training.folder
        paths = save_selectors(
            selectors,
            folder,
            fingerprint,
            objective=settings.objective,
            held_out=held_out,
            artefact_format=settings.artefact_format,
        )
        by_name = {selector.name: path for selector, path in zip(selectors, paths, strict=True)}
        _keep_queries(folder, paths, prepared, comparison, settings, has_table=not is_single)
        write_manifest(folder, by_name, recommended, settings.objective, held_out)
    return TrainingResult(
        selectors=selectors,
        paths=tuple(training.path / path.name for path in paths),
        evaluation=evaluation,
        held=None if comparison is None else comparison.held,
        recommended=recommended,
        always=evaluation.best_single if is_single and evaluation is not None else None,
        notes=tuple(notes),
        n_predicted_categories=prepared.n_predicted_categories,
        duration_s=time.monotonic() - started,
    )


def _keep_queries(
    output_dir: str | os.PathLike[str],
    paths: Sequence[Path],
    prepared: PreparedTraining,
    comparison: HeldComparison | None,
    settings: TrainingSettings,
    *,
    has_table: bool,
) -> None:
    """Write what later evaluations need to know of the training queries beside the artefacts.

    Where one model should answer everything (no `has_table`), the artefact `table` is not the table of the comparison.
    """
    run_id = run_ids(paths).pop()
    yardstick = Yardstick.of(split_features(prepared.features).embeddings, settings.seed)
    selection, models, categories = {}, {}, {}
    if comparison is not None:
        held = comparison.held
        for method, choices in held.choices.items():
            name = _TABLE if method == CATEGORY_TABLE and has_table else method
            if name in registry.names():
                columns = choices.columns(settings.categories)[:, held.rows]
                selection[name] = selection_by_category(columns, held.codes[held.rows], held.outcomes.models)
                models[name] = held_models(held, method, settings.categories)
        categories = held_categories(held)
    n_held_out = 0 if comparison is None else len(comparison.held.rows)
    held_out = HeldOut(n_held_out, yardstick.n_distances, categories, models)
    hashes = query_hashes(prepared.outcomes.queries, run_id)
    write_training_queries(
        output_dir, TrainingQueries(run_id, hashes, yardstick.sample, yardstick.distances, selection, held_out)
    )


def recommended_by(evaluation: Evaluation | None) -> str | None:
    """Give the algorithm that the comparison says to deploy; None for the best single model.

    What does not keep to a target is never recommended: the target was found for the chosen selector.
    """
    if evaluation is None:
        return None
    met = evaluation.target
    if met is not None and not keeps(met.target, evaluation.method(instead_of(evaluation.verdict))):
        return evaluation.recommended
    if evaluation.verdict.kind == "category_table":
        return _TABLE
    gain = evaluation.method("judged").gain
    surely = evaluation.verdict.kind == "route" or (gain is not None and gain.is_above_zero)
    return evaluation.recommended if surely else None


def _train(
    features: npt.NDArray[np.float32], outcomes: Outcomes, settings: TrainingSettings, progress: ProgressCallback | None
) -> tuple[TrainedSelector, ...]:
    """Train without a comparison."""
    done = itertools.count()
    table = _prepared(features, outcomes, settings)

    def fit(name: str, parts: Sequence[TrainedSelector]) -> TrainedSelector:
        if progress is not None:
            progress(f"{name} on all queries", next(done), len(settings.algorithms))
        return table.train(name, parts, **settings.parameters.get(name, {}))

    return tuple(fit_each(settings.algorithms, table.data.n_queries, fit).values())


def _table_of_one(
    features: npt.NDArray[np.float32], outcomes: Outcomes, settings: TrainingSettings, sample: IntArray | None
) -> TrainedSelector:
    """Train the table that is one model for everything: without categories it is the best one.

    A verdict on a sample names the best model of the sample, so that is the one, if every model was measured there.
    """
    table = _prepared(features, outcomes, settings).without_categories().train(_TABLE)
    rows = outcomes.measured_rows if sample is None else outcomes.measured_rows[sample]
    if sample is None or not outcomes.observed[rows].any(axis=0).all():
        return table
    named = _prepared(features[rows], outcomes.take(rows), settings).without_categories().train(_TABLE)
    return replace(named, training_digest=table.training_digest)


def _prepared(features: npt.NDArray[np.float32], outcomes: Outcomes, settings: TrainingSettings) -> Trainer:
    return Trainer.prepare(
        features, outcomes, settings.seed, settings.objective, settings.preferences, settings.classifier
    )


def compare_prepared(
    prepared: PreparedTraining, settings: TrainingSettings, notes: list[str], progress: ProgressCallback | None
) -> HeldComparison | None:
    """Compare on held-out queries; None, and a note why, where there is nothing to compare.

    Args:
        prepared: features and outcomes of the queries.
        settings: how to compare.
        notes: what a person should know is appended here.
        progress: told what is being done, how many steps are done, and of how many.

    Raises:
        TrainingError: A parameter that cannot be used, or a target that cannot be reached.
    """
    outcomes = prepared.outcomes
    if settings.target is not None and (outcomes.n_models == 1 or outcomes.n_queries < _LEAST_FOR_TARGET):
        raise TrainingError(
            f"a target needs two models and {_LEAST_FOR_TARGET} measured queries at least; there are "
            f"{outcomes.n_models} and {outcomes.n_queries}"
        )
    if outcomes.n_models == 1:
        notes.append(f"{outcomes.models[0]} is the only model: there is nothing to choose")
        return None
    n_folds = min(settings.folds, min(outcomes.n_queries, settings.most_compared) // 2)
    if n_folds < 2:
        notes.append("too few queries to hold any out: there is no table")
        return None
    if outcomes.groups is not None and None not in outcomes.groups and len(set(outcomes.groups)) == 1:
        notes.append(
            f"all queries belong to the group {outcomes.groups[0]}: none can be held out, and there is no table"
        )
        return None
    how = ComparisonSettings(
        algorithms=tuple(name for name in settings.algorithms if registry.algorithm(name).learns)
        or settings.algorithms,
        folds=n_folds,
        splits=settings.splits or (N_SPLITS if outcomes.n_queries <= settings.most_compared else 1),
        holdout=settings.holdout,
        objective=settings.objective,
        categories=settings.categories,
        seed=settings.seed,
        parameters=settings.parameters,
        preferences=prepared.preferences,
        classifier=prepared.classifier,
        rivals=settings.rivals,
        target=settings.target,
        most_queries=settings.most_compared,
    )
    held, selectors = hold_out(prepared.features, outcomes, how, progress, settings.engine)
    held, evaluation = conclude(held, how, compared_rows(prepared.features, outcomes, held), progress)
    return HeldComparison(evaluation, selectors, held)
