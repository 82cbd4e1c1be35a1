"""Feedback as labels: grades and preferences from production with the texts of their queries, to train on."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vsr.data.feedback import Feedback
from vsr.data.preferences import PreferencePairs
from vsr.data.prompts import unique_key
from vsr.errors import RecordError
from vsr.prior.category_means import FloatArray
from vsr.traffic.decisions import LoggedDecision
from vsr.traffic.told import FeedbackByDecision, has_label


@dataclass(frozen=True)
class LabelReport:
    """What became of lines of feedback on the way to labels, in counts.

    Attributes:
        n_lines: read.
        n_grades: lines with a quality that are trained on.
        n_preferences: lines with a preference that are trained on.
        n_without_label: lines that say how long an answer took, or what it cost, and no more.
        n_repeated: grades and preferences after the first of a decision, which holds.
        n_unknown_ids: lines about a decision that is in no log.
        n_without_text: lines about a decision whose text the log does not hold.
        n_other_model: grades and preferences that name another model than the decision chose.
        n_unknown_models: lines that name a model of which there are no records.
        n_measured: lines about queries that were measured; records say more.
    """

    n_lines: int = 0
    n_grades: int = 0
    n_preferences: int = 0
    n_without_label: int = 0
    n_repeated: int = 0
    n_unknown_ids: int = 0
    n_without_text: int = 0
    n_other_model: int = 0
    n_unknown_models: int = 0
    n_measured: int = 0

    def lines(self) -> list[str]:
        """Say in sentences what was left out and what to do about it, nothing where all was used."""
        counted = (
            (self.n_without_label, "they say nothing of quality"),
            (self.n_repeated, "their decision had one before"),
            (self.n_unknown_ids, "no log holds their decision; name it with --log"),
            (self.n_without_text, "the log holds no text of their decision; log with `serve --log-text`"),
            (self.n_other_model, "they name another model than was chosen"),
            (self.n_unknown_models, "there are no records of their model; measure it, or leave it out"),
            (self.n_measured, "records of their queries say more"),
        )
        return [
            f"{count:,} {'line' if count == 1 else 'lines'} of feedback left out: {why}"
            for count, why in counted
            if count
        ]


@dataclass(frozen=True, eq=False)
class FeedbackLabels:
    """What feedback teaches.

    Attributes:
        queries: the graded ones, each once.
        categories: of these, where the request gave one; None elsewhere.
        quality: (n_queries, n_models) float64, NaN = not graded; the mean of several grades.
        pairs: the preferences, each of weight 1.
        report: what became of the lines.
    """

    queries: tuple[str, ...]
    categories: tuple[str | None, ...]
    quality: FloatArray
    pairs: PreferencePairs
    report: LabelReport


def feedback_labels(
    feedback: Iterable[Feedback],
    decisions: Iterable[LoggedDecision],
    models: Sequence[str],
    measured_queries: Collection[str] = (),
) -> FeedbackLabels:
    """Turn feedback into labels: by the decision, whose text a log holds (`vsr.traffic.told`), or by the query's text.

    Args:
        feedback: all of it.
        decisions: of the log, streamed; empty without one.
        models: names of the columns.
        measured_queries: rendered prompts of the records; feedback about these is left out.

    Raises:
        RecordError: No label is left; the message says what became of the lines.
    """
    lines = list(feedback)
    told = FeedbackByDecision(lines)
    gathered = _Gathered({name: column for column, name in enumerate(models)}, set(map(unique_key, measured_queries)))
    for decision in decisions:
        own = told.take(decision)
        if own is None:
            continue
        gathered.counts["repeated"] += own.n_repeated
        gathered.counts["other_model"] += own.n_other_model
        category = decision.category if decision.category_source == "given" else None
        for line in filter(None, (own.grade, own.preference)):
            gathered.add(line, decision.text or line.query, category, decision.model)
    for line in (*told.of_queries, *told.waiting()):
        if not has_label(line):
            continue
        if line.query is None or (line.quality is not None and line.model is None):
            gathered.counts["unknown_ids"] += 1
        else:
            gathered.add(line, line.query, None, line.model)
    graded, preferred = gathered.graded, gathered.preferred
    gathered.counts["without_label"] = sum(not has_label(line) for line in lines)
    report = LabelReport(len(lines), **{f"n_{name}": count for name, count in gathered.counts.items()})
    if not graded and not preferred:
        raise RecordError(f"no feedback can be trained on: {'; '.join(report.lines())}")
    quality = np.full((len(graded), len(models)), np.nan)
    for row, query in enumerate(graded.values()):
        for column, grades in query.grades.items():
            quality[row, column] = sum(grades) / len(grades)
    return FeedbackLabels(
        queries=tuple(each.text for each in graded.values()),
        categories=tuple(each.category for each in graded.values()),
        quality=quality,
        pairs=PreferencePairs(
            queries=tuple(text for text, _, _, _ in preferred),
            categories=tuple(category for _, category, _, _ in preferred),
            preferred=tuple(better for _, _, better, _ in preferred),
            other=tuple(worse for _, _, _, worse in preferred),
            confidence=(1.0,) * len(preferred),
            n_measured=0,
            n_bad_lines=0,
        ),
        report=report,
    )


@dataclass(frozen=True)
class _Graded:
    """A query, its category where the request gave one, and the grades of each column's model."""

    text: str
    category: str | None
    grades: dict[int, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Gathered:
    """Labels so far, and why other lines are none."""

    column_of: Mapping[str, int]
    measured: Collection[str]
    graded: dict[str, _Graded] = field(default_factory=dict)
    preferred: list[tuple[str, str | None, str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, line: Feedback, text: str | None, category: str | None, answered: str | None) -> None:
        """Take a grade or a preference, or count why not."""
        names = [answered] if line.quality is not None else [line.preferred, line.other]
        if text is None or not text.strip():
            self.counts["without_text"] += 1
        elif any(name not in self.column_of for name in names):
            self.counts["unknown_models"] += 1
        elif unique_key(text) in self.measured:
            self.counts["measured"] += 1
        elif line.quality is None:
            self.counts["preferences"] += 1
            self.preferred.append((text, category, str(line.preferred), str(line.other)))
        else:
            self.counts["grades"] += 1
            query = self.graded.setdefault(unique_key(text), _Graded(text, category))
            query.grades.setdefault(self.column_of[str(answered)], []).append(line.quality)
