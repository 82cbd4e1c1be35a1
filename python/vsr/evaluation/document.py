"""An evaluation as plain JSON values, for `--json` and for artefacts."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vsr.evaluation.results import Evaluation, MethodResult

if TYPE_CHECKING:
    from vsr.evaluation.bootstrap import Interval


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Turn an evaluation into an object that `json` takes; gains are in utility, not in points."""
    return {
        "n_queries": evaluation.n_queries,
        "n_models": evaluation.n_models,
        "n_categories": evaluation.n_categories,
        "n_folds": evaluation.n_folds,
        "n_held_out": evaluation.n_held_out,
        "objective": asdict(evaluation.objective),
        "best_single": evaluation.best_single,
        "highest_quality": evaluation.highest_quality,
        "recommended": evaluation.recommended,
        "classifier_accuracy": evaluation.classifier_accuracy,
        "best_model_share": evaluation.best_model_share,
        "methods": [_method(method) for method in evaluation.methods],
        "verdict": asdict(evaluation.verdict),
        "seed": evaluation.seed,
    }


def _method(method: MethodResult) -> dict[str, Any]:
    document = asdict(method)
    for name in ("gain", "gain_over_table", "gain_predicted", "gain_predicted_over_table"):
        value: Interval | None = getattr(method, name)
        document[name] = None if value is None else asdict(value)
    # Times differ from run to run, and an artefact's bytes must not.
    document.pop("seconds_per_query")
    return document
