"""From a finished comparison to what a report tells of it."""

import os
from dataclasses import replace

from vsr.data.answers import read_answers
from vsr.evaluation.held import Held
from vsr.evaluation.metrics.measure import metrics_of
from vsr.evaluation.results import CategorySource, Evaluation
from vsr.evaluation.shown.by_category import models_by_category
from vsr.evaluation.shown.examples import Example, Examples, ModelAnswer, examples
from vsr.evaluation.shown.reliability import reliability
from vsr.report.contents import ReportContents


def gather(
    held: Held,
    evaluation: Evaluation,
    categories: CategorySource,
    records: str | os.PathLike[str],
    *,
    remarks: tuple[str, ...] = (),
    with_queries: bool = True,
) -> ReportContents:
    """Gather what a report tells; the records are read once more for the answers to a few queries.

    Args:
        held: what the splits gave.
        evaluation: the comparison that was made of it.
        categories: the way queries will arrive.
        records: the file that the outcomes were read from.
        remarks: what a reader has to know of the data.
        with_queries: whether texts will be shown, so that answers are needed.

    Raises:
        RecordError: The file of records is gone.
    """
    found = examples(held, categories, evaluation.best_single, evaluation.seed)
    return ReportContents(
        evaluation=evaluation,
        source="standard input" if os.fspath(records) == "-" else os.path.basename(os.fspath(records)),  # noqa: PTH119
        remarks=remarks,
        metrics=metrics_of(held, evaluation, categories).values,
        categories=models_by_category(held, categories) if evaluation.n_categories > 1 else (),
        reliability=reliability(held, categories),
        examples=_with_answers(found, records) if with_queries else found,
    )


def _with_answers(found: Examples, records: str | os.PathLike[str]) -> Examples:
    everything = (*found.wins, *found.losses)
    wanted = [(each.query, answer.model) for each in everything for answer in (each.chosen, each.best_single)]
    answers = read_answers(records, wanted)

    def answered(example: Example) -> Example:
        def of(answer: ModelAnswer) -> ModelAnswer:
            return replace(answer, response=answers.get((example.query, answer.model)))

        return replace(example, chosen=of(example.chosen), best_single=of(example.best_single))

    return replace(found, wins=tuple(map(answered, found.wins)), losses=tuple(map(answered, found.losses)))
