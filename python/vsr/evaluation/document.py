"""An evaluation as plain JSON values, for `--json` and for artefacts."""

from dataclasses import asdict
from typing import Any

from vsr.evaluation.metrics.measure import Metrics
from vsr.evaluation.results import Evaluation, MethodResult, MetTarget


def evaluation_document(evaluation: Evaluation, *, with_curve: bool = False) -> dict[str, Any]:
    """Turn an evaluation into an object that `json` takes; gains are in utility, not in points.

    Args:
        evaluation: the comparison.
        with_curve: whether the points of the curve are in it; artefacts do without these hundreds.
    """
    curve = evaluation.curve if with_curve else None
    return {
        "n_queries": evaluation.n_queries,
        **({} if evaluation.n_sampled_from is None else {"n_sampled_from": evaluation.n_sampled_from}),
        "n_models": evaluation.n_models,
        "n_categories": evaluation.n_categories,
        "n_folds": evaluation.n_folds,
        "n_splits": evaluation.n_splits,
        "n_held_out": evaluation.n_held_out,
        "n_missing_cells": evaluation.n_missing_cells,
        "objective": evaluation.objective.document(),
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
        **({} if evaluation.judged_labels is None else {"judged_labels": asdict(evaluation.judged_labels)}),
        **({} if evaluation.target is None else {"target": _target(evaluation.target)}),
        **({} if curve is None else {"curve": asdict(curve)}),
    }


def _target(met: MetTarget) -> dict[str, Any]:
    return asdict(met) | {"objective": met.objective.document()}


def _method(method: MethodResult) -> dict[str, Any]:
    document = asdict(method)
    # Times differ from run to run, and an artefact's bytes must not.
    document.pop("seconds_per_query")
    return document


def metrics_document(metrics: Metrics) -> dict[str, Any]:
    """Turn metrics into an object that `json` takes."""
    return {
        "metrics": [asdict(metric) for metric in metrics.values],
        "selection": [
            asdict(selection) | {"collapsed_onto": selection.collapsed_onto} for selection in metrics.selection
        ],
    }
