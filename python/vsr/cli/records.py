"""Records read for a command, with what a person should know of them on stderr."""

from pathlib import Path
from typing import TYPE_CHECKING

from vsr.cli import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vsr.data.outcomes import Outcomes

#: What `benchmark` calls its records where nothing is said.
RECORDS_NAME = "benchmark_training_data.jsonl"


def read_measured(path: Path, models: "Sequence[str] | None" = None, *, skip_bad_lines: bool) -> "Outcomes":
    """Read records into outcomes, and say how many queries and models there are and what was left out.

    Args:
        path: the file of records.
        models: keep these alone; None keeps all.
        skip_bad_lines: leave out lines that cannot be read, and count them.

    Raises:
        RecordError: The file cannot be read, or holds nothing to learn from.
    """
    from vsr.data.records import read_records
    from vsr.training.outcomes import read_outcomes

    outcomes = read_outcomes(read_records(path, skip_bad_lines=skip_bad_lines), models)
    # More than one query: `read_outcomes` sees to it.
    terminal.say(f"{outcomes.n_queries:,} unique queries, {terminal.counted(outcomes.n_models, 'model')}.")
    for line in [] if outcomes.report is None else outcomes.report.lines():
        terminal.say(f"  {line}")
    return outcomes
