"""The whole of `vsr-train train` once queries are vectors: compare, train on all queries, write the artefacts."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr._files import require_writable
from vsr.choice.objective import Objective
from vsr.data.categories import category_codes
from vsr.data.outcomes import Outcomes
from vsr.embedding import Fingerprint
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import RecordError, TrainingError
from vsr.evaluation.cross_validation import N_SPLITS, Comparison, ComparisonSettings, compare
from vsr.evaluation.document import evaluation_document
from vsr.evaluation.results import CategorySource, Evaluation
from vsr.features import CategoryClassifier, fill_categories, join_features
from vsr.persistence import save_selectors, write_manifest
from vsr.selectors import registry
from vsr.selectors.base import TrainedSelector
from vsr.selectors.training_data import Preferences
from vsr.training.folds import FEW_QUERIES
from vsr.training.trainer import Trainer

N_FOLDS = 5
_TABLE = "table"

ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TrainingSettings:
    """What to train and how.

    Attributes:
        algorithms: registry names; the table of category means is always trained beside them.
        parameters: per algorithm, its own parameters; what is missing is chosen on the data.
        objective: what a choice maximises.
        seed: seed of folds, fits and bootstrap.
        holdout: share of the queries to hold out once; None for folds.
        splits: how often the queries are split into folds.
        categories: whether queries will arrive with their category or have it predicted.
        category_weight: what stands in the category columns of a feature row.
        preferences: pairs of the models of the outcomes, for algorithms that learn from them.
        classifier: of categories, fitted on the labelled ones of the measured queries already; fitted without it.
    """

    algorithms: tuple[str, ...] = field(default_factory=registry.names)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    objective: Objective = field(default_factory=Objective)
    seed: int = 0
    holdout: float | None = None
    splits: int = N_SPLITS
    categories: CategorySource = "predicted"
    category_weight: float = 1.0
    preferences: Preferences | None = None
    classifier: CategoryClassifier | None = None


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a training gave.

    Attributes:
        selectors: the trained selectors, those that combine others behind their parts, the table last.
        paths: their artefacts, in the same order.
        evaluation: the held-out comparison; None where there was nothing to compare.
        recommended: the algorithm to deploy, as the manifest says it.
        notes: what a person should know, one sentence each.
        n_predicted_categories: queries whose category was predicted.
        duration_s: how long it took.
    """

    selectors: tuple[TrainedSelector, ...]
    paths: tuple[Path, ...]
    evaluation: Evaluation | None
    recommended: str
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
        TrainingError: Too few queries, or a parameter that cannot be used.
        OutputError: The folder cannot be written.
    """
    started = time.monotonic()
    settings = TrainingSettings() if settings is None else settings
    require_writable(output_dir)
    vectors = unit_rows(as_embeddings(embeddings))
    if len(vectors) != outcomes.n_queries:
        raise RecordError(
            f"{len(vectors)} embeddings for {outcomes.n_queries} unique queries; expected one row per unique query, "
            "in order of first appearance"
        )
    measured = outcomes.measured_rows
    if len(measured) < 2:
        raise TrainingError(
            f"{len(measured)} unique queries have a measured quality; at least 2 are needed to learn anything, and "
            f"{FEW_QUERIES} to judge it. Measure more queries"
        )
    outcomes, vectors = outcomes.take(measured), vectors[measured]
    filled = fill_categories(vectors, outcomes.categories, settings.classifier)
    settings = replace(settings, classifier=filled.classifier)
    notes = filled.lines()
    seen: list[bool] = np.any(outcomes.observed, axis=0).tolist()
    never = [name for name, is_seen in zip(outcomes.models, seen, strict=True) if not is_seen]
    if never:
        notes.append(f"left out, because no answer of theirs has a quality: {', '.join(never)}")
        outcomes = outcomes.with_models([name for name in outcomes.models if name not in never])
        left = np.flatnonzero(seen)
        if settings.preferences is not None:
            preferences = settings.preferences.among(left)
            settings = replace(settings, preferences=preferences)
            if not preferences.n_pairs:
                raise TrainingError("no preference pair is left between models whose quality was measured")
    if outcomes.n_queries < FEW_QUERIES:
        notes.append(
            f"only {outcomes.n_queries} unique queries: the intervals are too wide to say whether routing pays; "
            f"measure {FEW_QUERIES} at the very least, some hundreds are better"
        )
    features = join_features(vectors, category_codes(filled.categories), settings.category_weight)
    comparison = _compare(features, outcomes, settings, notes, progress)
    evaluation = None if comparison is None else comparison.evaluation
    selectors = _train(features, outcomes, settings, progress) if comparison is None else comparison.selectors
    recommended = _recommended(evaluation)
    table = Trainer.prepare(features, outcomes, settings.seed, settings.objective, classifier=settings.classifier)
    if recommended is None:
        # One model should answer everything: the table is that model where it has no categories.
        table = table.without_categories()
    selectors = (*(each for each in selectors if each.name != _TABLE), table.train(_TABLE))
    recommended = recommended or _TABLE
    held_out = None if evaluation is None else evaluation_document(evaluation)
    paths = save_selectors(selectors, output_dir, fingerprint, objective=settings.objective, held_out=held_out)
    by_name = {selector.name: path for selector, path in zip(selectors, paths, strict=True)}
    write_manifest(output_dir, by_name, recommended, settings.objective, held_out)
    return TrainingResult(
        selectors=selectors,
        paths=tuple(paths),
        evaluation=evaluation,
        recommended=recommended,
        notes=tuple(notes),
        n_predicted_categories=filled.n_predicted,
        duration_s=time.monotonic() - started,
    )


def _recommended(evaluation: Evaluation | None) -> str | None:
    """Give the algorithm that the comparison says to deploy; None for the best single model."""
    if evaluation is None:
        return None
    if evaluation.verdict.kind == "category_table":
        return _TABLE
    gain = evaluation.method("judged").gain
    surely = evaluation.verdict.kind == "route" or (gain is not None and gain.is_above_zero)
    return evaluation.recommended if surely else None


def _train(
    features: npt.NDArray[np.float32], outcomes: Outcomes, settings: TrainingSettings, progress: ProgressCallback | None
) -> tuple[TrainedSelector, ...]:
    """Train without a comparison."""
    table = Trainer.prepare(
        features, outcomes, settings.seed, settings.objective, settings.preferences, settings.classifier
    )
    selectors: list[TrainedSelector] = []
    for done, name in enumerate(registry.parts_first(settings.algorithms)):
        if progress is not None:
            progress(f"{name} on all queries", done, len(settings.algorithms))
        selectors.append(table.train(name, selectors, **settings.parameters.get(name, {})))
    return tuple(selectors)


def _compare(
    features: npt.NDArray[np.float32],
    outcomes: Outcomes,
    settings: TrainingSettings,
    notes: list[str],
    progress: ProgressCallback | None,
) -> Comparison | None:
    if outcomes.n_models == 1:
        notes.append(f"{outcomes.models[0]} is the only model: there is nothing to choose")
        return None
    n_folds = min(N_FOLDS, outcomes.n_queries // 2)
    if n_folds < 2:
        notes.append("too few queries to hold any out: there is no table")
        return None
    how = ComparisonSettings(
        algorithms=tuple(name for name in settings.algorithms if registry.algorithm(name).learns)
        or settings.algorithms,
        folds=n_folds,
        splits=settings.splits,
        holdout=settings.holdout,
        objective=settings.objective,
        categories=settings.categories,
        seed=settings.seed,
        parameters=settings.parameters,
        preferences=settings.preferences,
        classifier=settings.classifier,
    )
    return compare(features, outcomes, how, progress)
