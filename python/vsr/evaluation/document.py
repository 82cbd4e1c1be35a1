"""An evaluation as plain JSON values, for `--json` and for artefacts."""

from dataclasses import asdict
from typing import Any

from vsr.evaluation.results import Evaluation, MethodResult


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Turn an evaluation into an object that `json` takes; gains are in utility, not in points."""
    return {
        "n_queries": evaluation.n_queries,
        "n_models": evaluation.n_models,
        "n_categories": evaluation.n_categories,
        "n_folds": evaluation.n_folds,
        "n_splits": evaluation.n_splits,
        "n_held_out": evaluation.n_held_out,
        "n_missing_cells": evaluation.n_missing_cells,
        "objective": asdict(evaluation.objective),
        "best_single": evaluation.best_single,
        "luck": evaluation.luck,
        "highest_quality": evaluation.highest_quality,
        "recommended": evaluation.recommended,
        "classifier_accuracy": evaluation.classifier_accuracy,
        "best_model_share": evaluation.best_model_share,
        "methods": [_method(method) for method in evaluation.methods],
        "verdict": asdict(evaluation.verdict),
        "learning_curve": [asdict(point) for point in evaluation.learning_curve],
        "seed": evaluation.seed,
    }


def _method(method: MethodResult) -> dict[str, Any]:
    document = asdict(method)
    # Times differ from run to run, and an artefact's bytes must not.
    document.pop("seconds_per_query")
    return document
