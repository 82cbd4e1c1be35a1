"""The verdict: one rule, the interval."""

from dataclasses import dataclass

from vsr.evaluation.bootstrap import Interval
from vsr.evaluation.results import Verdict, VerdictKind

# An estimate above 0 that ten times the queries would not settle is no reason to measure more.
_WORTH_MEASURING = 10.0


@dataclass(frozen=True)
class Evidence:
    """What the rule looks at.

    Attributes:
        judged: gain over the best single model of the selector that was chosen inside the training folds.
        judged_over_table: its gain over the category table.
        table: gain of the category table over the best single model.
    """

    judged: Interval
    judged_over_table: Interval
    table: Interval

    def kind(self) -> VerdictKind:
        """Apply the rule."""
        if self.judged.is_above_zero and self.judged_over_table.is_above_zero:
            return "route"
        if self.table.is_above_zero:
            return "category_table"
        if self.judged.is_above_zero:
            # Categories do as well as far as these queries can tell, but do not beat the single model themselves.
            return "inconclusive"
        if self.judged.mean > 0.0 and self.queries_needed() <= _WORTH_MEASURING * self.judged.n:
            return "inconclusive"
        return "static"

    def queries_needed(self) -> float:
        """Queries at which an interval of the same spread around the same mean would leave 0."""
        weakest = min((self.judged, self.judged_over_table), key=lambda i: i.mean / max(i.high - i.low, 1e-12))
        if weakest.mean <= 0.0:
            weakest = self.judged
        if weakest.mean <= 0.0:
            return float("inf")
        half_width = (weakest.high - weakest.low) / 2.0
        return weakest.n * max(half_width / weakest.mean, 1.0) ** 2


def judge(
    given: Evidence, predicted: Evidence | None, recommended: str, best_single: str, *, unit: str = "points"
) -> Verdict:
    """Put the verdict into one sentence.

    Args:
        given: evidence with the categories as they are.
        predicted: evidence with every category predicted; None where there is no classifier.
        recommended: algorithm to use if routing pays.
        best_single: the model to use if it does not.
        unit: what a hundredth of utility is called.
    """
    kind = given.kind()
    needed = None
    over_single = f"always using {best_single}"
    chosen = f"the selector that was chosen inside the folds, {recommended} mostly,"
    if kind == "route":
        sentence = f"Routing pays: {chosen} gains {_gain(given.judged, unit)} over {over_single}"
    elif kind == "category_table":
        sentence = (
            f"A table of the best model per category is enough: it gains {_gain(given.table, unit)} over "
            f"{over_single}, and no selector is surely better"
        )
    elif kind == "inconclusive":
        needed = round(given.queries_needed())
        if given.judged.is_above_zero:
            sentence = (
                f"Not decided yet: {chosen} gains {_gain(given.judged, unit)} over {over_single}, but its gain over a "
                f"table of the best model per category, {_gain(given.judged_over_table, unit)}, is not surely there"
            )
        else:
            sentence = (
                f"Do not route yet: the gain over {over_single}, {_gain(given.judged, unit)}, is not surely there"
            )
        sentence += f"; about {needed:,} queries would decide"
    else:
        sentence = f"Do not route: nothing surely beats {over_single}"
        if given.judged.high - given.judged.low > 0.0:
            sentence += f" (chosen inside the folds: {_gain(given.judged, unit)})"
    with_predicted = None if predicted is None else predicted.kind()
    if with_predicted is not None and with_predicted != kind and predicted is not None:
        said = {
            "route": "routing pays",
            "category_table": "the table is enough",
            "static": "do not route",
            "inconclusive": "not decided",
        }[with_predicted]
        decisive = predicted.table if with_predicted == "category_table" else predicted.judged
        sentence += f"; where categories have to be predicted: {said}, {_gain(decisive, unit)}"
    return Verdict(kind=kind, sentence=sentence + ".", with_predicted=with_predicted, queries_needed=needed)


def _gain(interval: Interval, unit: str) -> str:
    """Write a difference in utility with its interval."""
    mean, low, high = (f"{round(100 * value, 1) + 0.0:+.1f}" for value in (interval.mean, interval.low, interval.high))
    return f"{mean} {unit} (95 % {low} .. {high})"
