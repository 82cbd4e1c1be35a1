"""From predicted quality to a model: the objective, the candidates on offer, ties, and what is said of the choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from vsr._checks import as_list, require_kind
from vsr.choice.candidates import Candidate, Offer
from vsr.choice.expectations import NO_DEMAND, UNKNOWN_FACTS, Demand, Expectations, ModelFacts
from vsr.choice.exploration import Exploration
from vsr.choice.limits import NO_LIMITS, Limits, Miss, Offered, miss_of, nobody
from vsr.choice.objective import EfficiencyScale, Objective, as_objective
from vsr.data.categories import CATEGORIES, MISSING, Categories, category_codes, most_probable, rows_of
from vsr.errors import SelectionError
from vsr.prior.category_means import FloatArray, IntArray
from vsr.prior.statistics import Statistics

#: Why a candidate was not compared: the artefact has never seen it.
UNKNOWN = "unknown"

_MOST_OFFERS = 256

Reason = Literal["predicted", "single_candidate", "stayed", "explored", "relaxed", "default", "fixed", "shadow"]
CategorySource = Literal["given", "predicted"]


@dataclass(frozen=True)
class Choice:
    """The model to ask, and why.

    Attributes:
        model: name of the chosen model, or of its LoRA adapter where the candidate has one.
        quality: its predicted quality in [0, 1]; None for a default, which is not compared.
        utility: its utility under the objective; None likewise.
        margin: its utility less that of the best other one, below 0 where the conversation stays with its model or
            another than the best was drawn; None where there is no other.
        reason: `predicted`, `single_candidate`, `stayed` (staying with the model of the conversation, though another
            is better), `explored` (drawn by chance, though another is better), `relaxed` (no candidate meets the
            limits, and this one misses least) or `default`; of a server also `fixed` (routing is switched off) and
            `shadow` (the choice is logged, and this model answers).
        scores: predicted quality of every candidate that the artefact knows.
        utilities: utility of every such candidate.
        category: category that the query was taken to have, None where it is not known.
        category_source: `given` or `predicted`, None where there is none.
        decision: name of the configuration's decision that the query fell into; None where there is none.
        reference: the chosen candidate as it was passed in; None where no candidates were passed.
        excluded: candidates that were left out, each with the reason: `unknown` to the artefact, or the limits that it
            misses.
        missing_signals: types of conditions that rules of decisions ask about and the request did not speak of; these
            did not hold.
        propensity: probability with which this model was chosen: 1 unless the request was explored.
    """

    model: str
    quality: float | None
    utility: float | None
    margin: float | None
    reason: Reason
    scores: dict[str, float] = field(default_factory=dict)
    utilities: dict[str, float] = field(default_factory=dict)
    category: str | None = None
    category_source: CategorySource | None = None
    decision: str | None = None
    reference: Candidate | None = None
    excluded: dict[str, str] = field(default_factory=dict)
    missing_signals: tuple[str, ...] = ()
    propensity: float = 1.0

    @property
    def ranking(self) -> tuple[str, ...]:
        """The chosen model, then the other candidates that were not left out, best first: whom to ask if it fails."""
        # Candidates stand in the order that breaks ties, and sorting keeps it.
        others = [name for name in self.utilities if name != self.model and name not in self.excluded]
        return (self.model, *sorted(others, key=lambda name: -self.utilities[name]))


@dataclass(frozen=True, eq=False, slots=True)
class Terms:
    """What a request sets beyond its objective and candidates.

    Attributes:
        limits: what the model has to keep.
        previous: name of the model that has answered in this conversation so far.
        demand: what the request is, apart from what it means.
        exploration: whether another model than the best may be drawn; None for never.
    """

    limits: Limits = NO_LIMITS
    previous: str | None = None
    demand: Demand = NO_DEMAND
    exploration: Exploration | None = None


@dataclass(frozen=True, eq=False)
class Chooser:
    """Everything about a choice that does not depend on the query, worked out once.

    Attributes:
        statistics: quality, latency and cost by model and category.
        objective: what is maximised.
        weighted_efficiency: (n_categories + 1, n_models) what efficiency adds to utility and penalties take
            from it, last row: unknown category.
        order: (n_models,) columns by higher mean quality, then lower latency, then name: ties go to the first.
        scale: on which cheapness and speed are measured.
        expectations: cost and latency of single requests.
    """

    statistics: Statistics
    objective: Objective
    weighted_efficiency: FloatArray
    order: IntArray
    scale: EfficiencyScale
    expectations: Expectations
    _offers: dict[tuple[Candidate, ...] | None, Offer] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def prepare(
        cls, statistics: Statistics, objective: Objective, facts: Mapping[str, ModelFacts] | None = None
    ) -> "Chooser":
        """Work it out.

        Args:
            statistics: of the training records.
            objective: what is maximised.
            facts: what a configuration says of the models, by name.
        """
        latency, cost = statistics.latency_s, statistics.cost_usd
        scale = EfficiencyScale.of(latency[-1], cost[-1])
        efficiency = scale.efficiency(latency, cost, objective)
        columns = range(len(statistics.models))
        order = sorted(
            columns,
            key=lambda j: (
                -statistics.quality[j],
                latency[-1, j] if np.isfinite(latency[-1, j]) else np.inf,
                statistics.models[j],
            ),
        )
        return cls(
            statistics=statistics,
            objective=objective,
            weighted_efficiency=(1.0 - objective.quality_weight) * efficiency - objective.penalties(statistics.models),
            order=np.array(order, dtype=np.int64),
            scale=scale,
            expectations=Expectations(statistics, facts or {}),
        )

    def utilities(self, scores: FloatArray, categories: Categories) -> FloatArray:
        """Utility of every model: scores (n, n_models) and categories as codes, -1 = unknown, or shares -> the same."""
        return self.objective.quality_weight * scores + rows_of(self.weighted_efficiency, categories)

    def best(
        self, scores: FloatArray, categories: Categories, offered: npt.NDArray[np.bool_] | None = None
    ) -> IntArray:
        """Column of the chosen model for every query: (n,).

        Args:
            scores: (n, n_models) float64.
            categories: of the queries.
            offered: (n_models,) which models are on offer, one at least; all without it.
        """
        order = self.order if offered is None else self.order[offered[self.order]]
        return np.asarray(order[self.utilities(scores, categories)[:, order].argmax(axis=1)])

    def offer(self, candidates: Sequence[Candidate] | None) -> Offer:
        """Sort candidates into known and unknown ones; None offers all. Offers of names are kept."""
        key = None if candidates is None else tuple(candidates) if isinstance(candidates, list | tuple) else ()
        if key is not None and not (key and all(type(candidate) is str for candidate in key)):
            return Offer.of(self.statistics.models, self.order.tolist(), candidates)
        offer = self._offers.get(key)
        if offer is None:
            if len(self._offers) >= _MOST_OFFERS:
                self._offers.clear()
            offer = self._offers[key] = Offer.of(self.statistics.models, self.order.tolist(), candidates)
        return offer

    def choose(
        self,
        scores: FloatArray,
        categories: Categories,
        offer: Offer,
        default: str | None,
        sources: Sequence[CategorySource | None],
        terms: Sequence[Terms | None] | None = None,
    ) -> list[Choice]:
        """Choose for every row.

        Args:
            scores: (n, n_models) predicted qualities.
            categories: of the queries, as codes (n,), -1 = unknown, or as shares (n, n_categories + 1).
            offer: the candidates, as `offer` gives them.
            default: the model to answer with where no candidate is known.
            sources: where each category comes from.
            terms: limits and the like of each request; None sets none.
        """
        codes = most_probable(categories)
        if not offer.names:
            answer = _default_choice(offer, self.statistics.models, default)
            return [
                replace(answer, category=_category(code), category_source=source)
                for code, source in zip(codes.tolist(), sources, strict=True)
            ]
        names = offer.names
        score_rows = scores[:, offer.index].tolist()
        utility_rows = self.utilities(scores, categories)[:, offer.index].tolist()
        reason: Reason = "single_candidate" if len(names) == 1 else "predicted"
        choices = []
        for row, (quality, utility, code, source) in enumerate(
            zip(score_rows, utility_rows, codes.tolist(), sources, strict=True)
        ):
            best = utility.index(max(utility))
            choice = Choice(
                model=names[best],
                quality=quality[best],
                utility=utility[best],
                margin=_margin(utility, best),
                reason=reason,
                scores=dict(zip(names, quality, strict=True)),
                utilities=dict(zip(names, utility, strict=True)),
                category=_category(code),
                category_source=source,
                reference=offer.references[best],
                excluded=dict.fromkeys(offer.unknown, UNKNOWN),
            )
            own = None if terms is None else terms[row]
            choices.append(
                choice if own is None else self._under(own, choice, offer, categories[row : row + 1], default)
            )
        return choices

    def _under(self, terms: Terms, free: Choice, offer: Offer, category: Categories, default: str | None) -> Choice:
        """Choose again under the terms of a request; `free` is the choice without any."""
        exploration = terms.exploration if terms.previous is None else None  # never in the middle of a conversation
        if (
            terms.limits is NO_LIMITS
            and not terms.demand.capabilities
            and exploration is None
            and (terms.previous == free.model or terms.previous not in offer.names)
        ):
            return free  # what most requests of a conversation come to
        quality, utility = list(free.scores.values()), list(free.utilities.values())
        facts = [self._facts(name, model) for name, model in zip(offer.names, offer.models, strict=True)]
        misses = self._misses(terms, quality, offer, facts, category)
        left = [place for place, miss in enumerate(misses) if miss is None]
        missed = {offer.names[place]: miss for place, miss in enumerate(misses) if miss is not None}
        choice = replace(free, excluded=free.excluded | {name: miss.reason for name, miss in missed.items()})
        if not left:
            if terms.limits.nobody_left == "error" or (terms.limits.nobody_left == "default" and default is None):
                raise nobody(tuple(missed), tuple(missed.values()))
            if terms.limits.nobody_left == "default":
                assert default is not None, "refused above"
                return replace(
                    choice, model=default, quality=None, utility=None, margin=None, reason="default", reference=None
                )
            least = min(range(len(misses)), key=lambda place: (list(missed.values())[place].size, -utility[place]))
            return _taking(choice, least, offer, quality, utility, [least], "relaxed")
        best = max(left, key=lambda place: utility[place])
        reason: Reason = "single_candidate" if len(left) == 1 else "predicted"
        if terms.previous in offer.names:
            stay = offer.names.index(terms.previous)
            if stay in left and stay != best:
                saved = self._worth_of_cache(offer.columns[stay], facts[stay], terms.demand, category)
                if utility[best] - utility[stay] - saved <= self.objective.switch_margin:
                    best, reason = stay, "stayed"
        if exploration is None:
            return _taking(choice, best, offer, quality, utility, left, reason)
        taken, propensity = exploration.draw(utility, left, best)
        reason = reason if taken == best else "explored"
        return replace(_taking(choice, taken, offer, quality, utility, left, reason), propensity=propensity)

    def _facts(self, name: str, model: str) -> ModelFacts:
        facts = self.expectations.facts
        return facts.get(name) or facts.get(model) or UNKNOWN_FACTS

    def _misses(
        self, terms: Terms, quality: list[float], offer: Offer, facts: list[ModelFacts], category: Categories
    ) -> list[Miss | None]:
        limits, needed = terms.limits, terms.demand.capabilities
        if limits is NO_LIMITS and not needed:
            return [None] * len(quality)
        costs = self.expectations.cost_usd(category, offer.columns, facts, terms.demand)
        latencies = rows_of(self.expectations.latency_s, category)[0].tolist()
        return [
            miss_of(limits, needed, Offered(fact, quality[place], costs[place], latencies[column]))
            for place, (fact, column) in enumerate(zip(facts, offer.columns, strict=True))
        ]

    def _worth_of_cache(self, column: int, facts: ModelFacts, demand: Demand, category: Categories) -> float:
        """Give by how much utility rises where a server has the beginning of the prompt in its cache."""
        weight = (1.0 - self.objective.quality_weight) * self.objective.cost_share
        saved = self.expectations.saved_usd(column, facts, demand) if weight and demand.n_cached_characters else 0.0
        if not saved:
            return 0.0
        cost = self.expectations.cost_usd(category, [column], [facts], demand)[0]
        cheapness = self.scale.cheapness(np.array([cost, max(cost - saved, 0.0)]))
        return weight * float(cheapness[1] - cheapness[0])


def _taking(
    choice: Choice,
    place: int,
    offer: Offer,
    quality: list[float],
    utility: list[float],
    left: list[int],
    reason: Reason,
) -> Choice:
    """Give a choice another model, by its place in the offer; `left` are the places that were compared."""
    return replace(
        choice,
        model=offer.names[place],
        quality=quality[place],
        utility=utility[place],
        margin=_margin([utility[other] for other in left], left.index(place)),
        reason=reason,
        reference=offer.references[place],
    )


def _margin(utility: list[float], place: int) -> float | None:
    """Utility of one less that of the best other one."""
    if len(utility) < 2:
        return None
    first, second = sorted(utility)[:-3:-1]
    return utility[place] - (second if utility[place] == first else first)


def _category(code: int) -> str | None:
    return None if code == MISSING else CATEGORIES[code]


def choose(
    scores: npt.ArrayLike,
    statistics: Statistics,
    categories: Sequence[str | None] | None = None,
    candidates: Sequence[Candidate] | None = None,
    default: str | None = None,
    objective: Objective | None = None,
) -> list[Choice]:
    """Choose a model for every query.

    Args:
        scores: (n_queries, n_models) predicted qualities, columns in the order of `statistics.models`.
        statistics: the selector's, for speed and cost.
        categories: category of each query, None = unknown; without it all are unknown.
        candidates: names of models or references to them, the first of those that answer to one name (with and
            without reasoning, say); None offers all.
        default: the model to answer with when no candidate is known.
        objective: what is maximised; `Objective()` without it.

    Returns:
        One choice per query.

    Raises:
        SelectionError: The shapes do not fit, an argument is of another kind, or no candidate is known and there is no
            default.
        RecordError: A category is no text.
    """
    matrix = score_matrix(scores, statistics)
    if categories is None:
        categories = [None] * len(matrix)
    categories = as_list(categories, "categories", "a list of one name (or None) per row", SelectionError)
    if len(categories) != len(matrix):
        raise SelectionError(f"{len(matrix)} rows of scores but {len(categories)} categories; expected one per row")
    codes = category_codes(categories)
    sources: list[CategorySource | None] = ["given" if code != MISSING else None for code in codes.tolist()]
    chooser = Chooser.prepare(statistics, as_objective(objective))
    return chooser.choose(matrix, codes, chooser.offer(candidates), default, sources)


def score_matrix(scores: npt.ArrayLike, statistics: Statistics) -> FloatArray:
    """Take scores as callers pass them: (n_queries, n_models) float64.

    Raises:
        SelectionError: They are none, or do not fit the statistics.
    """
    require_kind(statistics, Statistics, "statistics", "those of a selector (selector.statistics)", SelectionError)
    try:
        matrix = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SelectionError(f"scores are no matrix of numbers ({error}); expected one row per query") from error
    if matrix.ndim != 2 or matrix.shape[1] != len(statistics.models):
        raise SelectionError(
            f"scores have shape {matrix.shape}; expected one row per query and {len(statistics.models)} columns, "
            "one per model of the statistics"
        )
    if not np.isfinite(matrix).all():
        raise SelectionError("scores hold NaN or infinity; expected the output of a selector's scores()")
    return matrix


def _default_choice(offer: Offer, models: Sequence[str], default: str | None) -> Choice:
    if default is None:
        offered = ", ".join(offer.unknown) or "an empty list"
        raise SelectionError(
            f"no candidate is known: offered {offered}; the artefact knows {', '.join(models)}. "
            "Offer one of these, train on records of the others, or pass a default"
        )
    require_kind(default, str, "default", "the name of a model", SelectionError)
    return Choice(
        model=default,
        quality=None,
        utility=None,
        margin=None,
        reason="default",
        excluded=dict.fromkeys(offer.unknown, UNKNOWN),
    )
