"""Everything that a report tells."""

from dataclasses import dataclass

from vsr.evaluation.metrics import Metric
from vsr.evaluation.results import Evaluation
from vsr.evaluation.shown.by_category import CategoryRow
from vsr.evaluation.shown.examples import Examples
from vsr.evaluation.shown.reliability import Reliability


@dataclass(frozen=True)
class ReportContents:
    """What a comparison found. A part that is None or empty is left out.

    Attributes:
        evaluation: the table, the verdict and the curves.
        source: what was measured, for example the name of the file of records.
        remarks: what a reader has to know of the data, one sentence each.
        metrics: figures of the literature with their definitions.
        categories: which model was chosen for which category.
        reliability: whether predicted quality comes true.
        examples: queries on which routing won and lost.
    """

    evaluation: Evaluation
    source: str
    remarks: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    categories: tuple[CategoryRow, ...] = ()
    reliability: Reliability | None = None
    examples: Examples | None = None
