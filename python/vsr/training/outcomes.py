"""From a file of records to outcomes; answers without a quality are scored on the way."""

from collections.abc import Sequence

from vsr.data.outcomes import Outcomes
from vsr.data.records import Records, UnratedRecord
from vsr.errors import RecordError
from vsr.training.folds import FEW_QUERIES


def read_outcomes(records: Records, models: Sequence[str] | None = None) -> Outcomes:
    """Group records into outcomes; answers without a quality are scored on the way.

    Args:
        records: what `read_records` gives.
        models: keep these alone; None keeps all.

    Raises:
        RecordError: The file cannot be read, or holds nothing to learn from.
    """
    outcomes = Outcomes.from_records(records, models, scorer=_score)
    n_measured = len(outcomes.measured_rows)
    if n_measured < 2:
        raise RecordError(
            f"{records.path}: only {n_measured} unique query has a measured quality; expected 2 at least to learn "
            f"anything, and {FEW_QUERIES} to judge it. Measure more queries"
        )
    return outcomes


def _score(record: UnratedRecord) -> float | None:
    """Score an answer whose record has no quality."""
    from vsr.scoring import score_response  # noqa: PLC0415 -- most files are scored already

    score = score_response(
        record.response or "",
        None if record.ground_truth is None else str(record.ground_truth),
        query=record.query,
        choices=record.choices,
        metric=record.metric,
        category=record.category,
        task_name=record.task_name,
    )
    return None if score.kind == "none" else score.value
