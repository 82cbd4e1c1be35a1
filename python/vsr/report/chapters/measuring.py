"""How it was measured: what anybody needs who wants to doubt the figures."""

from vsr.evaluation.results import Evaluation
from vsr.report.contents import ReportContents
from vsr.report.figures import points, share


def measuring(contents: ReportContents) -> tuple[str, ...]:
    """Say what was measured and how, one sentence each."""
    evaluation = contents.evaluation
    categories = "one category" if evaluation.n_categories == 1 else f"{evaluation.n_categories} categories"
    compared = f"{evaluation.n_queries:,} unique queries"
    if evaluation.n_sampled_from is not None:
        compared = f"A random sample of {evaluation.n_queries:,} of {evaluation.n_sampled_from:,} unique queries"
    said = [
        f"{compared} from {contents.source}, {evaluation.n_models} models, {categories}.",
        _held_out(evaluation),
        f"Choices maximise a quality weight of {evaluation.objective.quality_weight:g}"
        + (
            "."
            if evaluation.objective.cost_share == 0.0
            else f" and give cost {share(evaluation.objective.cost_share)} of the rest."
        ),
    ]
    if evaluation.verdict.categories is not None:
        said.append(f"Categories of the held-out queries were {evaluation.verdict.categories}.")
    if evaluation.classifier_accuracy is not None:
        said.append(f"Predicted categories are right for {share(evaluation.classifier_accuracy)} of the queries.")
    if round(100.0 * evaluation.luck, 1) > 0.0:
        said.append(
            f"{evaluation.best_single} was picked on these queries: {points(evaluation.luck).lstrip('+')} points of "
            "its lead are counted as luck wherever another model is chosen, so gains exceed the differences between "
            "the means."
        )
    if evaluation.n_missing_cells:
        of_all = evaluation.n_missing_cells / (evaluation.n_held_out * evaluation.n_models)
        said.append(
            f"{share(of_all)} of the answers were not measured: every figure is an estimate over all queries, which "
            + (
                "weighs answers by the probabilities with which they were drawn."
                if evaluation.has_logged_draws
                else "assumes that answers are missing at random."
            )
        )
    return (*said, *contents.remarks)


def _held_out(evaluation: Evaluation) -> str:
    if evaluation.n_folds == 1:
        way = f"{evaluation.n_held_out:,} of them were held out once"
    else:
        times = {1: "once", 2: "twice"}.get(evaluation.n_splits, f"{evaluation.n_splits} times")
        way = f"Every query was held out {times}, in {evaluation.n_folds} folds"
    return f"{way} (seed {evaluation.seed}): no figure is from a query that the choosing selector had seen."
