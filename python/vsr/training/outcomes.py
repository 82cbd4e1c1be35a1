"""From a file of records to outcomes; answers without a quality are scored on the way."""

import warnings
from collections import Counter
from collections.abc import Sequence

from vsr.data.cells import BadRecordError
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
    unknown: Counter[str] = Counter()

    def score(record: UnratedRecord) -> float | None:
        from vsr.scoring import is_unknown_metric  # noqa: PLC0415 -- most files are scored already

        if is_unknown_metric(record.metric):
            _refuse_misspelt(str(record.metric))
            unknown[str(record.metric)] += 1
        return score_record(record)

    outcomes = Outcomes.from_records(records, models, scorer=score)
    for metric, count in unknown.items():
        warnings.warn(
            f'{records.path}: "metric": "{metric[:60]}" names no scoring rule: {count:,} of the answers are scored by '
            "the kind of their ground truth",
            stacklevel=2,
        )
    n_measured = len(outcomes.measured_rows)
    if n_measured < 2:
        raise RecordError(
            f"{records.path}: only {n_measured} unique query has a measured quality; expected 2 at least to learn "
            f"anything, and {FEW_QUERIES} to judge it. Measure more queries"
        )
    return outcomes


def score_record(record: UnratedRecord) -> float | None:
    """Score an answer whose record has no quality, None where there is nothing to score it by."""
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


def _refuse_misspelt(metric: str) -> None:
    """Stop at a metric that is nearly a known one: by another rule the qualities would be wrong without a word.

    Raises:
        BadRecordError: It is.
    """
    from vsr.scoring import meant_metric  # noqa: PLC0415 -- as above

    meant = meant_metric(metric)
    if meant is not None:
        raise BadRecordError(f'"metric": "{metric[:60]}" names no scoring rule; did you mean {meant}?')
