"""Saved artefacts on records that they have not seen: what they bring, against what training promised.

The artefact and the single model that training named were both fixed before these records were measured, so a plain
paired interval is right: nothing was picked on them. The best single model of the records was, and its luck counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr.choice.chooser import Chooser
from vsr.choice.objective import EfficiencyScale, Objective, measured_utilities
from vsr.data.categories import category_codes
from vsr.data.outcomes import Outcomes
from vsr.errors import ArtefactError
from vsr.evaluation.deployed.novelty import Novelty
from vsr.evaluation.deployed.promise import Promise, promise_of
from vsr.evaluation.results import CategorySource
from vsr.evaluation.selection import selection_by_category, shares_of
from vsr.evaluation.statistics.intervals import Interval, gain_interval, luck_of_the_pick
from vsr.evaluation.statistics.missing_cells import completed
from vsr.evaluation.statistics.prediction_powered import completed_qualities
from vsr.persistence import Artefact
from vsr.persistence.training_queries import CategorySelection, TrainingQueries
from vsr.prior.category_means import FloatArray, IntArray
from vsr.routing import Router


@dataclass(frozen=True)
class DeployedResult:
    """One artefact, or one model for everything, on the new records.

    Attributes:
        name: registry name of the artefact's algorithm, or `always` and the name of a model.
        utility: mean utility of the chosen models under the objective.
        quality: mean quality of the chosen models.
        latency_s: mean latency in seconds, None where none was measured.
        cost_usd: mean cost per query in USD, None where none is known.
        over_named: utility less that of the single model that training named as best; None where it was not measured
            here, for itself, and for what always chooses it.
        over_best: utility less that of the single model that is best on these records, likewise.
        n_unmeasured: queries whose chosen model was not measured; their values are estimates.
        selection: share of the choices that each model has.
        by_category: the same by category of the record.
        promise: what training said of it; None for single models, and where it said nothing.
    """

    name: str
    utility: float
    quality: float
    latency_s: float | None
    cost_usd: float | None
    over_named: Interval | None
    over_best: Interval | None
    n_unmeasured: int
    selection: Mapping[str, float]
    by_category: tuple[CategorySelection, ...]
    promise: Promise | None


@dataclass(frozen=True)
class DeployedEvaluation:
    """Artefacts on records that they have not seen.

    Attributes:
        n_queries: queries that were judged.
        n_categories: categories among them.
        models: models that are both in the records and known to the artefacts: the candidates.
        unknown_models: models of the records that no artefact knows.
        unmeasured_models: models of the artefacts that the records lack.
        n_missing_cells: cells of the candidates that were not measured.
        objective: what the choices maximise.
        categories: how the categories of the queries were known to the artefacts.
        named: the single model that training named as best; None where it named none.
        best_single: the single model of highest mean utility on these records, one that no artefact knows included.
        luck: what its mean owes to having been picked on them.
        recommended: algorithm of the recommended artefact; None where none is.
        artefacts: one result per artefact.
        singles: one per model of the records, the best first.
        n_left_out: queries of the records that were in the training; None where that cannot be known.
        novelty: how unlike the training queries these are; None where the folder keeps nothing to tell by.
    """

    n_queries: int
    n_categories: int
    models: tuple[str, ...]
    unknown_models: tuple[str, ...]
    unmeasured_models: tuple[str, ...]
    n_missing_cells: int
    objective: Objective
    categories: CategorySource
    named: str | None
    best_single: str
    luck: float
    recommended: str | None
    artefacts: tuple[DeployedResult, ...]
    singles: tuple[DeployedResult, ...]
    n_left_out: int | None = None
    novelty: Novelty | None = None

    def artefact(self, name: str) -> DeployedResult:
        """Give the result of an artefact by its algorithm."""
        return next(each for each in self.artefacts if each.name == name)


def evaluate_deployed(
    artefacts: Sequence[Artefact],
    outcomes: Outcomes,
    embeddings: npt.ArrayLike,
    *,
    recommended: str | None = None,
    training: TrainingQueries | None = None,
    objective: Objective | None = None,
    categories: CategorySource | None = None,
    seed: int = 0,
) -> DeployedEvaluation:
    """Judge artefacts on records that were not in their training.

    Args:
        artefacts: of one folder, the recommended one (if any) among them; the first says what training promised.
        outcomes: the records; queries of the training are left out already (`TrainingQueries.are_known`).
        embeddings: (n_queries, dim) vectors by the embedder of the artefacts.
        recommended: algorithm of the recommended artefact.
        training: what the folder keeps of its training queries.
        objective: what the choices maximise; the artefacts' own without it.
        categories: how the artefacts know the categories; as the verdict of the training assumes without it.
        seed: of the folds that estimate missing cells.

    Raises:
        ArtefactError: The records have no model that an artefact knows.
        RecordError: The vectors do not fit the artefacts.
    """
    first = next((each for each in artefacts if each.selector.name == recommended), artefacts[0])
    held_out = None if first.header is None else first.header.held_out
    source = categories or _source(held_out)
    wanted = objective or (Objective() if first.header is None else first.header.objective)
    seen = np.flatnonzero(np.any(outcomes.observed, axis=0))
    measured = outcomes.with_models([outcomes.models[column] for column in seen])
    judge = _Judge(measured, embeddings, first, wanted, source, seed, held_out)
    known = dict.fromkeys(name for artefact in artefacts for name in artefact.selector.models)
    for artefact in artefacts:
        if not set(artefact.selector.models) & set(measured.models):
            raise ArtefactError(
                f"{artefact.path}: knows {', '.join(artefact.selector.models)}, none of which the records measured "
                f"({', '.join(measured.models)}). Measure the models of the artefact"
            )
    results = tuple(judge.artefact(artefact, training) for artefact in artefacts)
    candidates = tuple(name for name in measured.models if name in known)
    return DeployedEvaluation(
        n_queries=measured.n_queries,
        n_categories=len(np.unique(judge.codes)),
        models=candidates,
        unknown_models=tuple(name for name in measured.models if name not in known),
        unmeasured_models=tuple(name for name in known if name not in measured.models),
        n_missing_cells=int((~measured.with_models(candidates).observed).sum()),
        objective=wanted,
        categories=source,
        named=judge.named,
        best_single=measured.models[judge.best],
        luck=judge.luck,
        recommended=recommended,
        artefacts=results,
        singles=judge.singles(),
    )


class _Judge:
    """Knows what every result is compared with."""

    def __init__(
        self,
        outcomes: Outcomes,
        embeddings: npt.ArrayLike,
        first: Artefact,
        objective: Objective,
        source: CategorySource,
        seed: int,
        held_out: Mapping[str, Any] | None,
    ) -> None:
        self.outcomes = outcomes
        self.embeddings = embeddings
        self.objective = objective
        self.source = source
        self.codes = category_codes(outcomes.categories)
        statistics = first.selector.statistics
        # On the scale of the training, so that utilities can be held against the promise.
        scale = EfficiencyScale.of(statistics.latency_s[-1], statistics.cost_usd[-1])
        if not np.isfinite(statistics.latency_s).any():
            scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)

        def utility_of(quality: FloatArray) -> FloatArray:
            return measured_utilities(quality, outcomes.latency_s, outcomes.cost_usd, scale, objective, outcomes.models)

        self.utility = completed_qualities(outcomes, self.codes, seed, utility_of)
        self.quality = completed_qualities(outcomes, self.codes, seed)
        self.latency_s = completed(outcomes.latency_s, self.codes, seed, outcomes.probability)
        self.cost_usd = completed(outcomes.cost_usd, self.codes, seed, outcomes.probability)
        self.best = int(self.utility.mean(axis=0).argmax())
        self.luck = luck_of_the_pick(self.utility, self.best)
        named = None if held_out is None else held_out.get("best_single")
        self.named = named if isinstance(named, str) else None
        self.column_of_named = outcomes.models.index(self.named) if self.named in outcomes.models else None

    def artefact(self, artefact: Artefact, training: TrainingQueries | None) -> DeployedResult:
        """Let an artefact choose among the models that were measured."""
        selector = artefact.selector
        given = self.outcomes.categories if self.source == "given" else None
        prepared = Router.of(artefact).prepare_vectors(self.embeddings, given)
        chooser = Chooser.prepare(selector.statistics, self.objective)
        column_of = {name: column for column, name in enumerate(self.outcomes.models)}
        # In the order in which ties are decided.
        order = [int(own) for own in chooser.order if selector.models[int(own)] in column_of]
        utilities = chooser.utilities(selector.scores(prepared.features), prepared.categories)[:, order]
        place = np.array([column_of[selector.models[own]] for own in order])
        has_run = training is not None and artefact.header is not None and artefact.header.run_id == training.run_id
        return self._result(
            selector.name, place[utilities.argmax(axis=1)], promise_of(artefact, training if has_run else None)
        )

    def singles(self) -> tuple[DeployedResult, ...]:
        """Give one line per model, the best first."""
        order = np.argsort(-self.utility.mean(axis=0), kind="stable")
        n_queries, models = self.outcomes.n_queries, self.outcomes.models
        return tuple(self._result(f"always {models[int(j)]}", np.full(n_queries, j), None) for j in order)

    def _result(self, name: str, columns: IntArray, promise: Promise | None) -> DeployedResult:
        rows = np.arange(len(columns))
        models = self.outcomes.models
        return DeployedResult(
            name=name,
            utility=float(self.utility[rows, columns].mean()),
            quality=float(np.clip(self.quality[rows, columns].mean(), 0.0, 1.0)),
            latency_s=_mean(self.latency_s[rows, columns]),
            cost_usd=_mean(self.cost_usd[rows, columns]),
            over_named=None if self.column_of_named is None else self._gain(columns, self.column_of_named, 0.0),
            over_best=self._gain(columns, self.best, self.luck),
            n_unmeasured=int((~self.outcomes.observed[rows, columns]).sum()),
            selection=shares_of(columns, models),
            by_category=selection_by_category(columns[None, :], self.codes, models),
            promise=promise,
        )

    def _gain(self, columns: IntArray, single: int, luck: float) -> Interval | None:
        """Gain over a single model; None where it is chosen for everything."""
        differs = columns != single
        if not differs.any():
            return None
        difference = self.utility[np.arange(len(columns)), columns] - self.utility[:, single]
        # Luck lies evenly on the queries of the model that was picked: on those that go to it, on both sides.
        return gain_interval(difference[None, :], luck * float(differs.mean()), widening=1.0)


def _source(held_out: Mapping[str, Any] | None) -> CategorySource:
    """Say how the training's verdict assumes that categories are known."""
    verdict = None if held_out is None else held_out.get("verdict")
    return "given" if isinstance(verdict, Mapping) and verdict.get("categories") == "given" else "predicted"


def _mean(values: FloatArray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
