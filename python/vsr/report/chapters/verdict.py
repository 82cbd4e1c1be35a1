"""The verdict first, and what it means in quality, money and time."""

from dataclasses import dataclass

from vsr.evaluation.results import Evaluation
from vsr.report.figures import change, points, quality, seconds, usd_per_1000


@dataclass(frozen=True)
class Fact:
    """One figure of the selector beside that of the best single model.

    Attributes:
        name: what it is.
        term: its term in the glossary.
        value: of the selector.
        beside: of the best single model.
        change: how they differ.
    """

    name: str
    term: str
    value: str
    beside: str
    change: str


@dataclass(frozen=True)
class Headline:
    """The top of the report.

    Attributes:
        verdict: a few words.
        reason: the rest of the verdict's sentence.
        facts: the figures.
        best_single: the model that they stand beside.
    """

    verdict: str
    reason: str
    facts: tuple[Fact, ...]
    best_single: str


def headline(evaluation: Evaluation) -> Headline:
    """Put the verdict into a line, a sentence and at most three figures."""
    verdict, _, reason = evaluation.verdict.sentence.partition(": ")
    judged, single = evaluation.method("judged"), evaluation.method("best single")
    facts = [
        Fact(
            "quality",
            "quality",
            quality(judged.quality),
            quality(single.quality),
            _points(judged.quality - single.quality),
        )
    ]
    if judged.cost_usd is not None and single.cost_usd is not None:
        changed = change(judged.cost_usd, single.cost_usd)
        costs = usd_per_1000(judged.cost_usd), usd_per_1000(single.cost_usd)
        facts.append(Fact("cost of 1,000 queries", "cost", *costs, changed))
    if judged.latency_s is not None and single.latency_s is not None:
        changed = change(judged.latency_s, single.latency_s)
        facts.append(Fact("latency", "latency", seconds(judged.latency_s), seconds(single.latency_s), changed))
    return Headline(verdict.rstrip("."), reason[:1].upper() + reason[1:], tuple(facts), evaluation.best_single)


def _points(difference: float) -> str:
    said = points(difference)
    return "no change" if said == "0.0" else f"{said} points"
