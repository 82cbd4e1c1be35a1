"""Feedback joined to the decisions that it is about."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from vsr.choice.chooser import UNKNOWN
from vsr.choice.objective import Objective
from vsr.data.feedback import Feedback
from vsr.data.prompts import unique_key
from vsr.errors import RecordError
from vsr.traffic.decisions import LoggedDecision
from vsr.traffic.table import LoggedTable
from vsr.traffic.told import FeedbackByDecision, Told

_NOTHING_CHOSEN = frozenset({"single_candidate", "default", "relaxed"})


@dataclass(frozen=True)
class JoinReport:
    """What became of decisions and feedback on the way to a table, in counts.

    Attributes:
        n_decisions: read.
        n_repeated: decisions whose id was there before; left out.
        n_in_conversation: decisions with a previous model, which depend on the decision before; left out.
        n_nothing_chosen: decisions with one candidate, by default or by relaxed limits; left out.
        n_without_feedback: of the others; left out.
        n_without_propensity: of those with feedback; left out, as nobody knows how probable they were.
        n_judged: what is left.
        n_feedback: lines read.
        n_preferences: preferences, which say which of two models is better but not how good; left out.
        n_repeated_feedback: grades and preferences after the first of a decision; left out.
        n_other_model: decisions with feedback for another model than was chosen alone; left out.
        n_unknown_ids: grades of a decision that is not in the log.
    """

    n_decisions: int = 0
    n_repeated: int = 0
    n_in_conversation: int = 0
    n_nothing_chosen: int = 0
    n_without_feedback: int = 0
    n_without_propensity: int = 0
    n_judged: int = 0
    n_feedback: int = 0
    n_preferences: int = 0
    n_repeated_feedback: int = 0
    n_other_model: int = 0
    n_unknown_ids: int = 0

    def lines(self) -> list[str]:
        """Say in sentences what is worth knowing, nothing where all went well."""
        counted = (
            (self.n_repeated, "decisions left out: their id was there before"),
            (self.n_in_conversation, "decisions left out: they are in the middle of a conversation"),
            (self.n_nothing_chosen, "decisions left out: there was nothing to choose"),
            (self.n_without_feedback, "decisions left out: there is no feedback about them"),
            (self.n_without_propensity, "decisions left out: the log does not say how probable they were"),
            (self.n_other_model, "decisions left out: the feedback is about another model than was chosen"),
            (self.n_preferences, "preferences left out: they do not say how good an answer was"),
            (self.n_repeated_feedback, "lines of feedback left out: their decision had one before"),
            (self.n_unknown_ids, "lines of feedback left out: their decision is not in the log"),
        )
        return [f"{count:,} {words}" for count, words in counted if count]


@dataclass(frozen=True)
class Joined:
    """The decisions that can be judged, and what became of the others."""

    table: LoggedTable
    report: JoinReport


def join(decisions: Iterable[LoggedDecision], feedback: Iterable[Feedback]) -> Joined:
    """Join feedback to decisions by the id of the decision (`vsr.traffic.told`), else by text and model.

    A decision is judged where there was something to choose, at the beginning of a conversation (what comes later
    depends on the choices before), and where feedback says how good the answer of the chosen model was.

    Args:
        decisions: of the log, streamed.
        feedback: all of it.

    Raises:
        RecordError: No decision is left; the message says what became of them.
    """
    lines = list(feedback)
    told = FeedbackByDecision(lines)
    by_query = _qualities_by_query(told.of_queries)
    n_repeated_feedback = 0
    counts = dict.fromkeys(
        ("decisions", "repeated", "in_conversation", "nothing_chosen", "without_feedback", "without_propensity",
         "other_model"),
        0,
    )  # fmt: skip
    seen: set[str] = set()
    judged: list[tuple[LoggedDecision, float]] = []
    has_texts = False
    for decision in decisions:
        counts["decisions"] += 1
        has_texts = has_texts or decision.text is not None
        if decision.id in seen:
            counts["repeated"] += 1
            continue
        seen.add(decision.id)
        own = told.take(decision) or Told()
        n_repeated_feedback += own.n_repeated
        quality = _by_text(decision, by_query) if own.grade is None else own.quality
        if decision.previous is not None:
            counts["in_conversation"] += 1
        elif _chose_nothing(decision):
            counts["nothing_chosen"] += 1
        elif own.grade is None and own.n_other_model:
            counts["other_model"] += 1
        elif quality is None:
            counts["without_feedback"] += 1
        elif decision.propensity is None:
            counts["without_propensity"] += 1
        else:
            judged.append((decision, quality))
    report = JoinReport(
        **{f"n_{name}": count for name, count in counts.items()},
        n_judged=len(judged),
        n_feedback=len(lines),
        n_preferences=sum(line.preferred is not None for line in lines),
        n_repeated_feedback=n_repeated_feedback,
        n_unknown_ids=sum(line.quality is not None for line in told.waiting()),
    )
    if not judged:
        said = "; ".join(report.lines())
        by_text = "; feedback by query needs a log with texts" if by_query and not has_texts else ""
        raise RecordError(f"no decision can be judged: {said}{by_text}. Expected feedback about decisions of this log")
    return Joined(_table(judged), report)


def _qualities_by_query(lines: Iterable[Feedback]) -> dict[tuple[str, str], float]:
    """Mean of what is said of a model's answers to a query."""
    said: dict[tuple[str, str], list[float]] = {}
    for line in lines:
        if line.quality is not None and line.query is not None and line.model is not None:
            said.setdefault((unique_key(line.query), line.model), []).append(line.quality)
    return {about: sum(qualities) / len(qualities) for about, qualities in said.items()}


def _by_text(decision: LoggedDecision, by_query: Mapping[tuple[str, str], float]) -> float | None:
    if decision.text is None or not by_query:
        return None
    return by_query.get((unique_key(decision.text), decision.model))


def _chose_nothing(decision: LoggedDecision) -> bool:
    compared = _compared(decision)
    return decision.reason in _NOTHING_CHOSEN or len(compared) < 2 or decision.model not in compared


def _compared(decision: LoggedDecision) -> list[str]:
    """Name the models that were compared."""
    return [name for name in decision.utilities if name not in decision.excluded and name in decision.scores]


def _table(judged: list[tuple[LoggedDecision, float]]) -> LoggedTable:
    """Put decisions into columns; models stand in the order of their first appearance, which breaks ties."""
    column_of: dict[str, int] = {}
    for decision, _ in judged:
        for name in (*decision.utilities, *decision.candidates, decision.model):
            column_of.setdefault(name, len(column_of))
    shape = (len(judged), len(column_of))
    scores, utilities = np.full(shape, np.nan), np.full(shape, np.nan)
    offered = np.zeros(shape, dtype=bool)
    for row, (decision, _) in enumerate(judged):
        for name in _compared(decision):
            column = column_of[name]
            scores[row, column], utilities[row, column] = decision.scores[name], decision.utilities[name]
        # What the artefact did not know, another one may; what limits left out stays out.
        out = {name for name, why in decision.excluded.items() if why != UNKNOWN}
        for name in (*decision.utilities, *decision.candidates, decision.model):
            offered[row, column_of[name]] = name not in out
    decisions = [decision for decision, _ in judged]
    taken = np.array([column_of[each.model] for each in decisions], dtype=np.int64)
    propensity = np.array([each.propensity for each in decisions], dtype=np.float64)
    gaps = np.nanmax(utilities, axis=1) - utilities[np.arange(len(taken)), taken]
    # A log that does not name the margin shows it: no drawn model was further from the best.
    shown = float(np.nanmax(gaps[propensity < 1.0], initial=0.0))
    margin = [
        0.0 if each.propensity == 1.0 else shown if each.explore_margin is None else each.explore_margin
        for each in decisions
    ]
    return LoggedTable(
        models=tuple(column_of),
        taken=taken,
        propensity=propensity,
        quality=np.array([quality for _, quality in judged], dtype=np.float64),
        scores=scores,
        utilities=utilities,
        offered=offered,
        margin=np.array(margin, dtype=np.float64),
        objectives=tuple(each.objective or Objective() for each in decisions),
        categories=tuple(each.category for each in decisions),
        given=np.array([each.category_source == "given" for each in decisions]),
        texts=tuple(each.text for each in decisions),
        run_ids=frozenset(each.run_id for each in decisions if each.run_id is not None),
    )
