"""`--feedback` of `train`: the flags, and what feedback from production teaches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.options import EmbeddingOptions, FiniteRange, collected
from vsr.cli.sections import option
from vsr.selectors import registry

if TYPE_CHECKING:
    from vsr.data.outcomes import Outcomes
    from vsr.traffic.labels import FeedbackLabels

_SECTION = "Feedback from production"
# With thumbs of which a fifth are wrong, 1 cost more than feedback brought (`benches/python/feedback_weight.py`).
_WEIGHT = 0.25


@dataclass(frozen=True)
class FeedbackOptions:
    """Where feedback is and what it counts, as the flags say."""

    file: Path | None = None
    log: tuple[Path, ...] = ()
    given_weight: float | None = None

    def __post_init__(self) -> None:
        """Refuse combinations in which a flag would do nothing.

        Raises:
            click.UsageError: A log or a weight without feedback.
        """
        if self.file is None and self.log:
            raise click.UsageError("--log has no effect without --feedback.")
        if self.file is None and self.given_weight is not None:
            raise click.UsageError("--feedback-weight has no effect without --feedback.")

    @property
    def weight(self) -> float:
        """What a graded query counts beside a measured one."""
        return _WEIGHT if self.given_weight is None else self.given_weight

    def check(self, algorithms: Sequence[str], embedding: EmbeddingOptions, *, analyze_only: bool) -> None:
        """Refuse feedback that nothing would learn from.

        Raises:
            click.UsageError: Nothing is trained, or its queries cannot be embedded.
        """
        if self.file is None:
            return
        if analyze_only:
            raise click.UsageError("--feedback has no effect with --analyze-only: nothing is trained.")
        if not set(registry.learning()) & set(algorithms):
            raise click.UsageError("--feedback has no effect here: no algorithm that learns is trained (--algorithm).")
        if embedding.file is not None:
            raise click.UsageError(
                "--feedback needs an embedding model: --embedding-file lacks vectors of its queries."
            )

    def check_solver(self, parameters: Mapping[str, Mapping[str, object]]) -> None:
        """Refuse a solver that knows no weights, before anything is trained.

        Raises:
            click.UsageError: It is to fit the SVM.
        """
        weighs = self.file is not None and self.weight not in (0.0, 1.0)
        if weighs and parameters.get("svm", {}).get("solver") == "linfa":
            raise click.UsageError(
                "--svm-solver linfa knows no weights of queries: use shared-gram, or --feedback-weight 1."
            )

    def read(self, outcomes: "Outcomes", *, skip_bad_lines: bool) -> "FeedbackLabels | None":
        """Read feedback and log, and say what is used and what is left out; None where nothing is to be learnt.

        Raises:
            RecordError: One of them cannot be read, or no line is a label.
        """
        from vsr.data.feedback import read_feedback
        from vsr.traffic.decisions import read_decisions
        from vsr.traffic.labels import feedback_labels

        if self.file is None:
            return None
        feedback = read_feedback(self.file, skip_bad_lines=skip_bad_lines)
        decisions = read_decisions(self.log, skip_bad_lines=skip_bad_lines) if self.log else None
        labels = feedback_labels(feedback, decisions or (), outcomes.models, outcomes.queries)
        for read in (feedback, decisions):
            if read is not None and read.n_bad_lines:
                bad = terminal.counted(read.n_bad_lines, "bad line")
                terminal.warn(f"{bad} left out; the first: {read.bad_lines[0]}")
        for line in labels.report.lines():
            terminal.warn(line)
        if self.weight == 0.0:
            terminal.say("Feedback counts nothing: its weight is 0.")
            return None
        grades = terminal.counted(labels.report.n_grades, "grade")
        queries = terminal.counted(len(labels.queries), "query", "queries")
        preferences = terminal.counted(labels.report.n_preferences, "preference")
        terminal.say(f"Feedback: {grades} of {queries}, {preferences}; weight {self.weight:g}.")
        return labels


def feedback_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add `--feedback`, `--log`, `--feedback-weight`; the command gets them as `feedback: FeedbackOptions`."""
    declarations = (
        option(
            "--feedback",
            "feedback_file",
            section=_SECTION,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Grades of answers, and preferences: trained on beside the records, never held out.",
        ),
        option(
            "--log",
            "feedback_log",
            section=_SECTION,
            type=click.Path(path_type=Path),
            metavar="PATH",
            multiple=True,
            help="The decision log, with texts, that feedback by id is about; a folder or a file. May be repeated.",
        ),
        option(
            "--feedback-weight",
            "feedback_given_weight",
            section=_SECTION,
            type=FiniteRange(0.0, 1.0),
            metavar="0..1",
            show_default=str(_WEIGHT),
            help="What a graded query, or a preference, counts beside a measured one.",
        ),
    )
    return collected(command, "feedback", "feedback_", FeedbackOptions, declarations)
