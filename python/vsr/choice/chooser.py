"""From predicted quality to a model: the objective, the candidates on offer, ties, and what is said of the choice."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from vsr._checks import as_list, require_kind
from vsr.choice.candidates import Candidate, Offer
from vsr.choice.objective import EfficiencyScale, Objective, as_objective
from vsr.data.categories import CATEGORIES, MISSING, Categories, category_codes, most_probable, rows_of
from vsr.errors import SelectionError
from vsr.prior.category_means import FloatArray, IntArray
from vsr.prior.statistics import Statistics

#: Why a candidate was not compared: the artefact has never seen it.
UNKNOWN = "unknown"

Reason = Literal["predicted", "single_candidate", "default"]
CategorySource = Literal["given", "predicted"]


@dataclass(frozen=True)
class Choice:
    """The model to ask, and why.

    Attributes:
        model: name of the chosen model, or of its LoRA adapter where the candidate has one.
        quality: its predicted quality in [0, 1]; None for a default, which is not compared.
        utility: its utility under the objective; None likewise.
        margin: its utility less the runner-up's; None where there is no runner-up.
        reason: `predicted`, `single_candidate` or `default`.
        scores: predicted quality of every candidate that the artefact knows.
        utilities: utility of every such candidate.
        category: category that the query was taken to have, None where it is not known.
        category_source: `given` or `predicted`, None where there is none.
        decision: name of the configuration's decision that the query fell into; None where there is none.
        reference: the chosen candidate as it was passed in; None where no candidates were passed.
        excluded: candidates that were not compared, each with the reason; `unknown` to the artefact, for one.
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

    @property
    def ranking(self) -> tuple[str, ...]:
        """Every candidate that was compared, best first: whom to ask next if the model fails."""
        # Candidates stand in the order that breaks ties, and sorting keeps it.
        return tuple(sorted(self.utilities, key=lambda name: -self.utilities[name])) or (self.model,)


@dataclass(frozen=True, eq=False)
class Chooser:
    """Everything about a choice that does not depend on the query, worked out once.

    Attributes:
        statistics: quality, latency and cost by model and category.
        objective: what is maximised.
        weighted_efficiency: (n_categories + 1, n_models) what efficiency adds to utility and penalties take
            from it, last row: unknown category.
        order: (n_models,) columns by higher mean quality, then lower latency, then name: ties go to the first.
    """

    statistics: Statistics
    objective: Objective
    weighted_efficiency: FloatArray
    order: IntArray

    @classmethod
    def prepare(cls, statistics: Statistics, objective: Objective) -> "Chooser":
        """Work it out."""
        latency, cost = statistics.latency_s, statistics.cost_usd
        efficiency = EfficiencyScale.of(latency[-1], cost[-1]).efficiency(latency, cost, objective)
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
        )

    def utilities(self, scores: FloatArray, categories: Categories) -> FloatArray:
        """Utility of every model: scores (n, n_models) and categories as codes, -1 = unknown, or shares -> the same."""
        return self.objective.quality_weight * scores + rows_of(self.weighted_efficiency, categories)

    def best(self, scores: FloatArray, categories: Categories) -> IntArray:
        """Column of the chosen model for every query when all are on offer: (n,)."""
        return np.asarray(self.order[self.utilities(scores, categories)[:, self.order].argmax(axis=1)])

    def choose(
        self,
        scores: FloatArray,
        categories: Categories,
        candidates: Sequence[Candidate] | None,
        default: str | None,
        sources: Sequence[CategorySource | None],
    ) -> list[Choice]:
        """Choose for every row; see `choose`."""
        codes = most_probable(categories)
        offer = Offer.of(self.statistics.models, candidates)
        if not offer.names:
            answer = _default_choice(offer, self.statistics.models, default)
            return [
                replace(answer, category=_category(code), category_source=source)
                for code, source in zip(codes.tolist(), sources, strict=True)
            ]
        position = {column: rank for rank, column in enumerate(self.order.tolist())}
        by_rank = sorted(range(len(offer.names)), key=lambda i: position[offer.columns[i]])
        columns = np.array([offer.columns[i] for i in by_rank], dtype=np.int64)
        names = [offer.names[i] for i in by_rank]
        references = [offer.references[i] for i in by_rank]
        offered_scores = scores[:, columns]
        utilities = self.utilities(scores, categories)[:, columns]
        single = len(names) == 1
        choices = []
        for row, (score_row, utility_row, code, source) in enumerate(
            zip(offered_scores.tolist(), utilities.tolist(), codes.tolist(), sources, strict=True)
        ):
            best = int(utilities[row].argmax())
            runner_up = max((u for i, u in enumerate(utility_row) if i != best), default=None)
            choices.append(
                Choice(
                    model=names[best],
                    quality=score_row[best],
                    utility=utility_row[best],
                    margin=None if runner_up is None else utility_row[best] - runner_up,
                    reason="single_candidate" if single else "predicted",
                    scores=dict(zip(names, score_row, strict=True)),
                    utilities=dict(zip(names, utility_row, strict=True)),
                    category=_category(code),
                    category_source=source,
                    reference=references[best],
                    excluded=dict.fromkeys(offer.unknown, UNKNOWN),
                )
            )
        return choices


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
    return chooser.choose(matrix, codes, candidates, default, sources)


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
