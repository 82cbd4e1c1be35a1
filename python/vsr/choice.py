"""From predicted quality to a model: the objective, the candidates on offer, ties, and what is said of the choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from vsr.arguments import as_list, require_kind, require_number
from vsr.categories import CATEGORIES, MISSING, category_codes
from vsr.errors import SelectionError
from vsr.model_statistics import Statistics
from vsr.tables import FloatArray, IntArray

# The slowest model counts as at least so many times the fastest: 1.00 s against 1.01 s is no difference.
_MIN_SPAN = 100.0
_FREE_USD = 1e-6

Reason = Literal["predicted", "single_candidate", "default"]
CategorySource = Literal["given", "predicted"]


@dataclass(frozen=True)
class Objective:
    """What a choice maximises.

    `utility = quality_weight * quality + (1 - quality_weight) * efficiency`, with
    `efficiency = (1 - cost_share) * speed + cost_share * cheapness`.

    Attributes:
        quality_weight: 1.0 quality alone, 0.9 default, 0.7 balanced, 0.5 equal, 0.3 speed first, 0.0 fastest always.
        cost_share: share of cheapness in efficiency; the rest is speed.
    """

    quality_weight: float = 0.9
    cost_share: float = 0.0

    def __post_init__(self) -> None:
        """Check the range.

        Raises:
            SelectionError: A weight is no number in [0, 1].
        """
        for name, value in (("quality_weight", self.quality_weight), ("cost_share", self.cost_share)):
            require_number(value, name, "a number from 0 to 1", SelectionError)
            if not 0.0 <= value <= 1.0:
                raise SelectionError(f"{name} is {value}; expected a number from 0 to 1")


def as_objective(objective: Objective | None) -> Objective:
    """Take an objective as callers pass it: `Objective()` without one.

    Raises:
        SelectionError: It is something else, for example a number.
    """
    if objective is None:
        return Objective()
    require_kind(objective, Objective, "objective", "vsr.Objective(quality_weight=...)", SelectionError)
    return objective


class ModelReference(Protocol):
    """A candidate as a configuration names it."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def lora_name(self) -> str | None:
        """Name of the LoRA adapter that is asked in its place, if any."""


Candidate = str | ModelReference | Mapping[str, object]


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
        reference: the chosen candidate as it was passed in; None where no candidates were passed.
        unknown_candidates: candidates that the artefact does not know; they were not compared.
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
    reference: Candidate | None = None
    unknown_candidates: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scale:
    """The logarithmic scale from the fastest (or cheapest) to the slowest (or dearest) model of an artefact.

    Attributes:
        log_best: logarithm of the value that counts 1.
        log_worst: logarithm of the value that counts 0.
    """

    log_best: float
    log_worst: float

    @classmethod
    def spanning(cls, values: FloatArray) -> "Scale":
        """Span the known values, widened around the middle to a factor of 100 at least.

        Args:
            values: any shape, positive or NaN.
        """
        known = np.log(values[np.isfinite(values)])
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        middle, half = (low + high) / 2.0, max((high - low) / 2.0, float(np.log(_MIN_SPAN)) / 2.0)
        return cls(middle - half, middle + half)

    def merit(self, values: FloatArray) -> FloatArray:
        """1 at the best end, 0 at the worst, beyond them for values outside; 0.5 where unknown. Any shape."""
        merit = (self.log_worst - np.log(values)) / (self.log_worst - self.log_best)
        return np.where(np.isfinite(merit), merit, 0.5)


@dataclass(frozen=True, eq=False)
class EfficiencyScale:
    """Speed and cheapness on the scales of one artefact, whatever candidates are on offer."""

    latency: Scale
    cost: Scale
    free_usd: float

    @classmethod
    def of_outcomes(cls, latency_s: FloatArray, cost_usd: FloatArray) -> "EfficiencyScale":
        """Span the models' means over all queries: both (n_queries, n_models), NaN = unknown."""
        return cls.of(_column_means(latency_s), _column_means(cost_usd))

    @classmethod
    def of(cls, latency_s: FloatArray, cost_usd: FloatArray) -> "EfficiencyScale":
        """Span the models' means.

        Args:
            latency_s: (n_models,) seconds, NaN = unknown.
            cost_usd: (n_models,) USD per query, NaN = unknown, 0 = free.
        """
        paid = cost_usd[np.isfinite(cost_usd) & (cost_usd > 0.0)]
        free = float(paid.min()) if paid.size else _FREE_USD
        return cls(Scale.spanning(_positive(latency_s, 1e-6)), Scale.spanning(_positive(cost_usd, free)), free)

    def efficiency(self, latency_s: FloatArray, cost_usd: FloatArray, objective: Objective) -> FloatArray:
        """Mix speed and cheapness; any shape, NaN = unknown."""
        speed = self.latency.merit(_positive(latency_s, 1e-6))
        cheapness = self.cost.merit(_positive(cost_usd, self.free_usd))
        return (1.0 - objective.cost_share) * speed + objective.cost_share * cheapness


def _positive(values: FloatArray, instead_of_zero: float) -> FloatArray:
    return np.where(values > 0.0, values, np.where(np.isfinite(values), instead_of_zero, np.nan))


def measured_utilities(
    quality: FloatArray, latency_s: FloatArray, cost_usd: FloatArray, scale: EfficiencyScale, objective: Objective
) -> FloatArray:
    """Utility of what was measured: all (n_queries, n_models), NaN where quality was not measured."""
    efficiency = scale.efficiency(latency_s, cost_usd, objective)
    return objective.quality_weight * quality + (1.0 - objective.quality_weight) * efficiency


def best_columns(quality: FloatArray, latency_s: FloatArray, cost_usd: FloatArray, objective: Objective) -> IntArray:
    """Column of the highest measured utility of every query; ties to the cheaper, then the faster, then the first.

    Args:
        quality: (n_queries, n_models), NaN = not measured.
        latency_s: (n_queries, n_models) seconds, NaN = unknown.
        cost_usd: (n_queries, n_models) USD, NaN = unknown.
        objective: what is maximised.
    """
    scale = EfficiencyScale.of_outcomes(latency_s, cost_usd)
    utility = measured_utilities(quality, latency_s, cost_usd, scale, objective)
    keys = (_or(latency_s, np.inf), _or(cost_usd, np.inf), -_or(utility, -np.inf))
    # lexsort sorts by its last key first.
    return np.asarray(np.lexsort(keys, axis=1)[:, 0])


def _or(values: FloatArray, instead: float) -> FloatArray:
    return np.where(np.isfinite(values), values, instead)


def _column_means(values: FloatArray) -> FloatArray:
    observed = np.isfinite(values)
    counts = observed.sum(axis=0)
    return np.where(counts > 0, _or(values, 0.0).sum(axis=0) / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True, eq=False)
class Chooser:
    """Everything about a choice that does not depend on the query, worked out once.

    Attributes:
        statistics: quality, latency and cost by model and category.
        objective: what is maximised.
        weighted_efficiency: (n_categories + 1, n_models) what efficiency adds to utility, last row: unknown category.
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
            weighted_efficiency=(1.0 - objective.quality_weight) * efficiency,
            order=np.array(order, dtype=np.int64),
        )

    def utilities(self, scores: FloatArray, codes: IntArray) -> FloatArray:
        """Utility of every model: scores (n, n_models) and category codes (n,), -1 = unknown -> (n, n_models)."""
        return self.objective.quality_weight * scores + self.weighted_efficiency[codes]

    def best(self, scores: FloatArray, codes: IntArray) -> IntArray:
        """Column of the chosen model for every query when all are on offer: (n,)."""
        return np.asarray(self.order[self.utilities(scores, codes)[:, self.order].argmax(axis=1)])

    def choose(
        self,
        scores: FloatArray,
        codes: IntArray,
        candidates: Sequence[Candidate] | None,
        default: str | None,
        sources: Sequence[CategorySource | None],
    ) -> list[Choice]:
        """Choose for every row; see `choose`."""
        offer = _Offer.of(self.statistics.models, candidates)
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
        utilities = self.utilities(scores, codes)[:, columns]
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
                    unknown_candidates=offer.unknown,
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
    if categories is None:
        categories = [None] * len(matrix)
    categories = as_list(categories, "categories", "a list of one name (or None) per row", SelectionError)
    if len(categories) != len(matrix):
        raise SelectionError(f"{len(matrix)} rows of scores but {len(categories)} categories; expected one per row")
    codes = category_codes(categories)
    sources: list[CategorySource | None] = ["given" if code != MISSING else None for code in codes.tolist()]
    chooser = Chooser.prepare(statistics, as_objective(objective))
    return chooser.choose(matrix, codes, candidates, default, sources)


@dataclass(frozen=True)
class _Offer:
    """Candidates that the artefact knows, and those that it does not."""

    names: list[str]
    columns: list[int]
    references: list[Candidate | None]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, models: Sequence[str], candidates: Sequence[Candidate] | None) -> "_Offer":
        if candidates is None:
            return cls(list(models), list(range(len(models))), [None] * len(models), ())
        column_of = {name: column for column, name in enumerate(models)}
        offer = cls([], [], [], ())
        unknown = []
        for candidate in as_list(candidates, "candidates", "a list of names or references", SelectionError):
            model, adapter = _names(candidate)
            # An adapter that was measured itself speaks for itself; else its model does.
            column = column_of.get(adapter, column_of.get(model)) if adapter else column_of.get(model)
            name = adapter or model
            if column is None:
                unknown.append(name)
            elif name not in offer.names:
                offer.names.append(name)
                offer.columns.append(column)
                offer.references.append(candidate)
        return cls(offer.names, offer.columns, offer.references, tuple(unknown))


def _names(candidate: Candidate) -> tuple[str, str | None]:
    """Model and adapter of a candidate."""
    if isinstance(candidate, str):
        return candidate, None
    if isinstance(candidate, Mapping):
        model, adapter = candidate.get("model"), candidate.get("lora_name")
    else:
        model, adapter = getattr(candidate, "model", None), getattr(candidate, "lora_name", None)
    if not isinstance(model, str) or not (adapter is None or isinstance(adapter, str)):
        raise SelectionError(
            f"candidate {candidate!r} names no model; expected a name, or a reference with `model` and, if wanted, "
            "`use_reasoning` and `lora_name`"
        )
    return model, adapter or None


def _default_choice(offer: _Offer, models: Sequence[str], default: str | None) -> Choice:
    if default is None:
        offered = ", ".join(offer.unknown) or "an empty list"
        raise SelectionError(
            f"no candidate is known: offered {offered}; the artefact knows {', '.join(models)}. "
            "Offer one of these, train on records of the others, or pass a default"
        )
    require_kind(default, str, "default", "the name of a model", SelectionError)
    return Choice(
        model=default, quality=None, utility=None, margin=None, reason="default", unknown_candidates=offer.unknown
    )
