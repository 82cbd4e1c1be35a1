"""Feedback as labels: grades and preferences from production with the texts of their queries, to train on."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vsr.data.feedback import Feedback
from vsr.data.preferences import PreferencePairs
from vsr.data.prompts import unique_key
from vsr.errors import RecordError
from vsr.prior.category_means import FloatArray
from vsr.traffic.decisions import LoggedDecision


@dataclass(frozen=True)
class LabelReport:
    """What became of lines of feedback on the way to labels, in counts.

    Attributes:
        n_lines: read.
        n_grades: lines with a quality that are trained on.
        n_preferences: lines with a preference that are trained on.
        n_without_label: lines that say how long an answer took, or what it cost, and no more.
        n_repeated: lines about a decision that had one before, which holds.
        n_unknown_ids: lines about a decision that is in no log.
        n_without_text: lines about a decision whose text the log does not hold.
        n_other_model: grades of another model than the decision chose.
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
            (self.n_other_model, "they grade another model than was chosen"),
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


@dataclass(frozen=True)
class _About:
    """What a line is about, once its decision was found."""

    text: str
    category: str | None
    chosen: str | None


def feedback_labels(
    feedback: Iterable[Feedback],
    decisions: Iterable[LoggedDecision],
    models: Sequence[str],
    measured_queries: Collection[str] = (),
) -> FeedbackLabels:
    """Turn feedback into labels: by the text of the query, or by the decision, whose text a log holds.

    Args:
        feedback: all of it.
        decisions: of the log, streamed; empty without one.
        models: names of the columns.
        measured_queries: rendered prompts of the records; feedback about these is left out.

    Raises:
        RecordError: No label is left; the message says what became of the lines.
    """
    lines = list(feedback)
    wanted = {each.id for each in lines if each.id is not None}
    found: dict[str, LoggedDecision] = {}
    for decision in decisions:
        if decision.id in wanted:
            found.setdefault(decision.id, decision)
    measured = {unique_key(query) for query in measured_queries}
    column_of = {name: column for column, name in enumerate(models)}
    counts = dict.fromkeys(
        ("without_label", "repeated", "unknown_ids", "without_text", "other_model", "unknown_models", "measured"), 0
    )
    seen: set[str] = set()
    graded: dict[str, _Graded] = {}
    preferred: list[tuple[_About, str, str]] = []
    n_grades = 0
    for line in lines:
        about = _about(line, found)
        why = about if isinstance(about, str) else _refusal(line, about, seen, column_of, measured)
        if line.id is not None and _has_label(line):
            seen.add(line.id)
        if isinstance(about, str) or why is not None:
            counts[str(why)] += 1
        elif line.quality is None:
            preferred.append((about, str(line.preferred), str(line.other)))
        else:
            n_grades += 1
            query = graded.setdefault(unique_key(about.text), _Graded(about, {}))
            query.grades.setdefault(column_of[str(line.model or about.chosen)], []).append(line.quality)
    report = LabelReport(
        n_lines=len(lines),
        n_grades=n_grades,
        n_preferences=len(preferred),
        **{f"n_{name}": count for name, count in counts.items()},
    )
    if not graded and not preferred:
        raise RecordError(f"no feedback can be trained on: {'; '.join(report.lines())}")
    quality = np.full((len(graded), len(models)), np.nan)
    for row, query in enumerate(graded.values()):
        for column, grades in query.grades.items():
            quality[row, column] = sum(grades) / len(grades)
    return FeedbackLabels(
        queries=tuple(each.about.text for each in graded.values()),
        categories=tuple(each.about.category for each in graded.values()),
        quality=quality,
        pairs=PreferencePairs(
            queries=tuple(about.text for about, _, _ in preferred),
            categories=tuple(about.category for about, _, _ in preferred),
            preferred=tuple(better for _, better, _ in preferred),
            other=tuple(worse for _, _, worse in preferred),
            confidence=(1.0,) * len(preferred),
            n_measured=0,
            n_bad_lines=0,
        ),
        report=report,
    )


@dataclass(frozen=True)
class _Graded:
    """A query, and the grades of each column's model."""

    about: _About
    grades: dict[int, list[float]]


def _has_label(line: Feedback) -> bool:
    return line.quality is not None or line.preferred is not None


def _about(line: Feedback, found: dict[str, LoggedDecision]) -> _About | str:
    """Say what a line is about, or why nobody knows."""
    if not _has_label(line):
        return "without_label"
    decision = None if line.id is None else found.get(line.id)
    if decision is None:
        if line.query is None or (line.quality is not None and line.model is None):
            return "unknown_ids"
        return _About(line.query, None, line.model)
    text = decision.text or line.query
    if text is None or not text.strip():
        return "without_text"
    return _About(text, decision.category if decision.category_source == "given" else None, decision.model)


def _refusal(
    line: Feedback, about: _About, seen: Collection[str], column_of: dict[str, int], measured: Collection[str]
) -> str | None:
    """Say why a line of known text is no label; None where it is one."""
    names = (line.preferred, line.other) if line.quality is None else (line.model or about.chosen,)
    if line.id is not None and line.id in seen:
        return "repeated"
    if line.quality is not None and line.model not in (None, about.chosen):
        return "other_model"
    if any(name not in column_of for name in names):
        return "unknown_models"
    return "measured" if unique_key(about.text) in measured else None
