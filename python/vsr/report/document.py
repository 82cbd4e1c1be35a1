"""The same report for programs."""

from dataclasses import asdict
from typing import Any

from vsr.evaluation.document import evaluation_document
from vsr.report.contents import ReportContents


def report_document(contents: ReportContents, *, with_queries: bool) -> dict[str, Any]:
    """Turn a report into an object that `json` takes; gains are in utility, not in points.

    Args:
        contents: what the report tells.
        with_queries: whether texts of queries and answers may stand in it.
    """
    found = contents.examples
    examples = None if found is None else asdict(found)
    if examples is not None and not with_queries:
        for example in (*examples["wins"], *examples["losses"]):
            del example["query"], example["chosen"]["response"], example["best_single"]["response"]
    return {
        "verdict": contents.evaluation.verdict.kind,
        "source": contents.source,
        "remarks": list(contents.remarks),
        "evaluation": evaluation_document(contents.evaluation, with_curve=True),
        "metrics": [asdict(metric) for metric in contents.metrics],
        "learning": [asdict(point) for point in contents.evaluation.learning_curve],
        "categories": [asdict(row) for row in contents.categories],
        "reliability": None if contents.reliability is None else asdict(contents.reliability),
        "examples": examples,
    }
