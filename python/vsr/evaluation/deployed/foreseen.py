"""What an artefact would choose for queries that nobody has measured, and how far these are from its training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES, category_shares, most_probable, rows_of
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.evaluation.deployed.novelty import Novelty, novelty_of
from vsr.evaluation.selection import selection_by_category, shares_of
from vsr.persistence import Artefact
from vsr.persistence.training_queries import CategorySelection
from vsr.persistence.yardstick import Yardstick
from vsr.prior.category_means import FloatArray
from vsr.routing import Router


@dataclass(frozen=True)
class Foreseen:
    """What an artefact would do with queries.

    Attributes:
        name: registry name of its algorithm.
        n_queries: unique queries.
        objective: what the choices maximise.
        quality: mean predicted quality of the chosen models.
        latency_s: mean latency to expect in seconds, by model and category; None where none was measured.
        cost_usd: mean cost per query to expect in USD, likewise.
        selection: share of the choices that each model has.
        by_category: the same by category.
        n_given: queries that brought their category.
        n_predicted: queries whose category was predicted.
        n_assumed: queries that are taken as `other`, in want of a classifier.
        classifier_accuracy: share of the labelled training queries for which the classifier is right; None without one.
        novelty: how far the queries are from those of the training; None where the folder does not tell.
    """

    name: str
    n_queries: int
    objective: Objective
    quality: float
    latency_s: float | None
    cost_usd: float | None
    selection: Mapping[str, float]
    by_category: tuple[CategorySelection, ...]
    n_given: int
    n_predicted: int
    n_assumed: int
    classifier_accuracy: float | None
    novelty: Novelty | None


def foresee(
    artefact: Artefact,
    categories: Sequence[str | None],
    embeddings: npt.ArrayLike,
    *,
    yardstick: Yardstick | None = None,
    objective: Objective | None = None,
) -> Foreseen:
    """Let an artefact choose for queries that nobody has measured.

    Args:
        artefact: the artefact.
        categories: one per query; None is predicted.
        embeddings: (n_queries, dim) vectors by the embedder of the artefact.
        yardstick: of the training queries.
        objective: what the choices maximise; the artefact's own without it.

    Raises:
        RecordError: The vectors do not fit the artefact.
    """
    selector = artefact.selector
    wanted = objective or (Objective() if artefact.header is None else artefact.header.objective)
    prepared = Router.of(artefact).prepare_vectors(embeddings, categories)
    scores = selector.scores(prepared.features)
    columns = Chooser.prepare(selector.statistics, wanted).best(scores, prepared.categories)
    rows = np.arange(len(columns))
    # A category that training never saw has no row of its own: its means are those over all queries.
    was_seen = np.asarray(np.any(selector.statistics.counts, axis=1))
    shares = category_shares(prepared.categories)
    shares[:, -1] += shares[:, :-1][:, ~was_seen].sum(axis=1)
    shares[:, :-1][:, ~was_seen] = 0.0
    return Foreseen(
        name=selector.name,
        n_queries=len(columns),
        objective=wanted,
        quality=float(scores[rows, columns].mean()),
        latency_s=_mean(rows_of(selector.statistics.latency_s, shares)[rows, columns]),
        cost_usd=_mean(rows_of(selector.statistics.cost_usd, shares)[rows, columns]),
        selection=shares_of(columns, selector.models),
        by_category=selection_by_category(columns[None, :], most_probable(prepared.categories), selector.models),
        n_given=prepared.sources.count("given"),
        n_predicted=prepared.sources.count("predicted"),
        n_assumed=prepared.sources.count(None),
        classifier_accuracy=None if selector.classifier is None else selector.classifier.accuracy,
        novelty=None if yardstick is None else novelty_of(yardstick, unit_rows(as_embeddings(embeddings))),
    )


def unseen_categories(artefact: Artefact, foreseen: Foreseen) -> tuple[str, ...]:
    """Name the categories of the queries that the training measured no query of."""
    counted = artefact.selector.statistics.counts.sum(axis=1)
    if not counted.any():
        return ()
    return tuple(row.category for row in foreseen.by_category if not counted[CATEGORIES.index(row.category)])


def _mean(values: FloatArray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
