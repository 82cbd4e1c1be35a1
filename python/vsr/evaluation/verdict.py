"""The verdict: one rule, the interval; one sentence."""

from dataclasses import dataclass

from vsr.evaluation.learning_curve import queries_needed
from vsr.evaluation.results import CategorySource, Verdict, VerdictKind
from vsr.evaluation.statistics.intervals import Interval

# An estimate above 0 that ten times the queries would not settle is no reason to measure more.
_WORTH_MEASURING = 10.0
# What is needed is known so roughly that a tenth more than there is says nothing.
_SAYS_SOMETHING = 1.1


@dataclass(frozen=True)
class Evidence:
    """What the rule looks at.

    Attributes:
        judged: gain over the best single model of the selector that was chosen inside the training folds; None where
            the artefact would always choose that model.
        judged_over_table: its gain over the category table; over the best single model where the table always chooses
            that one.
        table: gain of the category table over the best single model; None where it always chooses that one.
        to_come: what is still to come of the judged gain with more queries; None where there is no learning curve.
    """

    judged: Interval | None
    judged_over_table: Interval | None
    table: Interval | None
    to_come: float | None = None

    def kind(self) -> VerdictKind:
        """Apply the rule."""
        judged, over_table = self.judged, self.judged_over_table
        if judged is not None and over_table is not None and judged.is_above_zero and over_table.is_above_zero:
            return "route"
        if self.table is not None and self.table.is_above_zero:
            return "category_table"
        if judged is None:
            return "identical"
        if judged.is_above_zero:
            # The table does not surely beat the single model; of the two, the one that looks better is deployed.
            return "route" if over_table is not None and over_table.mean > 0.0 else "inconclusive"
        if judged.mean > 0.0 and self.queries_needed() <= _WORTH_MEASURING * judged.n:
            return "inconclusive"
        return "static"

    def queries_needed(self) -> float:
        """Queries at which the judged interval would leave 0; without a learning curve, if the gain stays as it is."""
        return float("inf") if self.judged is None else queries_needed(self.judged, self.to_come or 0.0)


def judge(
    evidence: Evidence,
    categories: CategorySource | None,
    recommended: str,
    best_single: str,
    *,
    unit: str = "points",
    n_sampled_from: int | None = None,
) -> Verdict:
    """Put the verdict into one sentence.

    Args:
        evidence: what the rule looks at.
        categories: the way queries will arrive that the evidence is for; None where categories make no difference.
        recommended: algorithm to use if routing pays.
        best_single: the model to use if it does not.
        unit: what a hundredth of utility is called.
        n_sampled_from: where the evidence is a random sample of the queries, how many there are in all.
    """
    kind = evidence.kind()
    judged = evidence.judged
    needed = None
    over_single = f"always using {best_single}"
    where = "" if categories is None else f", categories {categories}"
    chosen = f"the chosen selector, {recommended},"
    if kind == "category_table" and evidence.table is not None:
        sentence = (
            f"A table of the best model per category is enough: it gains {_gain(evidence.table, unit, where)} over "
            f"{over_single}, and no selector is surely better"
        )
    elif judged is None:
        sentence = f"Do not route: trained on all queries, {recommended} would be identical to {over_single}"
    elif kind == "route":
        sentence = f"Routing pays: {chosen} gains {_gain(judged, unit, where)} over {over_single}"
        over_table = evidence.judged_over_table
        if over_table is not None and not over_table.is_above_zero:
            sentence += (
                f"; over a table of the best model per category, which does not surely pay, it gains "
                f"{_gain(over_table, unit)}"
            )
    elif kind == "inconclusive":
        needed = _said_needed(evidence)
        if judged.is_above_zero and evidence.judged_over_table is not None:
            sentence = (
                f"Not decided yet: {chosen} gains {_gain(judged, unit, where)} over {over_single}, but its gain over a "
                f"table of the best model per category, {_gain(evidence.judged_over_table, unit)}, is not surely there"
            )
        else:
            gained = _gain(judged, unit, where)
            sentence = f"Do not route yet: the gain over {over_single}, {gained}, is not surely there"
        if needed is not None:
            sentence += f"; the learning curve says that about {needed:,} queries would decide"
        if judged is not None and n_sampled_from is not None:
            sentence += f", and there are {n_sampled_from:,}: compare on more of them"
    else:
        gained = _gain(judged, unit, where)
        sentence = f"Do not route: nothing surely beats {over_single} (the chosen selector, {recommended}: {gained})"
    return Verdict(kind=kind, sentence=sentence + ".", categories=categories, queries_needed=needed)


def _said_needed(evidence: Evidence) -> int | None:
    """Give a number of queries to two digits; None without a curve, or where what is there should have decided."""
    needed = evidence.queries_needed()
    if (
        evidence.judged is None
        or evidence.to_come is None
        or not _SAYS_SOMETHING * evidence.judged.n < needed < float("inf")
    ):
        return None
    return int(float(f"{needed:.1e}"))


def _gain(interval: Interval, unit: str, where: str = "") -> str:
    """Write a difference in utility with its interval, and what it is for."""
    mean, low, high = (f"{round(100 * value, 1) + 0.0:+.1f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean} {unit} (95 % {low} .. {high}{where})"
