"""What the words and the figures of a report mean: every one of them is a place that its name links to."""

import re
from dataclasses import dataclass

from vsr.evaluation.metrics import Metric


@dataclass(frozen=True)
class Term:
    """A word or a metric.

    Attributes:
        key: its anchor, without `def-`.
        name: as the report writes it.
        definition: what it means.
        source: where the definition is from, empty for our own.
    """

    key: str
    name: str
    definition: str
    source: str = ""


_WORDS = (
    Term("quality", "quality", "What an answer is worth, from 0 to 1; for a method the mean over the models it chose."),
    Term(
        "utility",
        "utility",
        "quality weight × quality + (1 − quality weight) × efficiency, where efficiency is speed, cheapness or a mix "
        "of both on a logarithmic scale from the slowest (dearest) model, 0, to the fastest (cheapest), 1.",
    ),
    Term("quality-weight", "quality weight", "How much quality counts against speed and cost: 1 is quality alone."),
    Term("cost", "cost", "Mean US dollars of the chosen models, for 1,000 queries, as the records have them."),
    Term("latency", "latency", "Mean seconds until the chosen models had answered, as the records have them."),
    Term("best-single", "best single model", "The model of highest mean utility on all queries, used for everything."),
    Term(
        "gain",
        "gain over the best single model",
        "Utility less that of the best single model, in points (hundredths). What that model owes to its having been "
        "picked on the same queries is taken off its lead.",
    ),
    Term(
        "interval",
        "95 % interval",
        "Where the gain of what will be deployed lies on new queries of the same kind, in about 95 of 100 cases. An "
        "interval that reaches 0 leaves open whether there is a gain.",
    ),
    Term("identical", "identical", "Trained on all queries, the method would always choose the best single model."),
    Term("category-table", "category table", "The best model per category, nothing more."),
    Term("random", "random", "A model drawn at random for every query."),
    Term("oracle", "oracle", "The best model of every query, known afterwards: a bound that nobody reaches."),
    Term(
        "held-out",
        "held out",
        "A query is held out when the selector that chooses for it was trained without it. Only such queries count.",
    ),
    Term(
        "chosen-inside",
        "chosen inside the folds",
        "The selector that would be deployed: picked by what the training queries alone show, then judged on others.",
    ),
    Term("share", "share", "Share of the held-out queries for which a model was chosen."),
    Term(
        "among-the-best",
        "among the best",
        "Share of the held-out queries on which no model did better; ties count for all, so shares add up to more "
        "than 100 %.",
    ),
    Term(
        "frontier",
        "frontier",
        "The single models that no other single model beats in quality without costing more (or taking longer).",
    ),
    Term(
        "predicted-quality",
        "predicted quality",
        "What the selector expects an answer of a model to be worth before anybody asks it.",
    ),
)


def key_of(name: str) -> str:
    """Make an anchor of a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def glossary(metrics: tuple[Metric, ...]) -> tuple[Term, ...]:
    """Give every term in order; a metric that defines a word of ours takes its place."""
    own = {term.key: term for term in _WORDS}
    for metric in metrics:
        key = key_of(metric.name)
        own[key] = Term(key, metric.name, metric.definition, metric.source)
    return tuple(sorted(own.values(), key=lambda term: term.name.lower()))
