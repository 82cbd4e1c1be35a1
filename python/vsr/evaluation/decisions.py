"""A verdict per decision of a configuration: on its own candidates and its own share of the queries.

One artefact serves all decisions, so it is trained on all queries and models, and each decision chooses among what it
offers. Several decisions are judged at once: their intervals are as wide as it takes for all of them to hold together
in 95 of 100 cases (Bonferroni).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vsr.choice.objective import Objective
from vsr.config import Decision
from vsr.config.rules import DOMAIN, DecisionTable, Known, Rule
from vsr.data.categories import category_names
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Held
from vsr.evaluation.measured import Measured, at, known_mean
from vsr.evaluation.results import CategorySource, VerdictKind
from vsr.evaluation.selection import shares_of
from vsr.evaluation.statistics.intervals import Interval, gain_interval, luck_in_gain, luck_of_the_pick
from vsr.evaluation.verdict import Evidence
from vsr.prior.category_means import IntArray

#: Below so many queries a decision is not judged.
LEAST_QUERIES = 10
_ALPHA = 0.05

DecisionKind = VerdictKind | Literal["one_model", "too_few"]


@dataclass(frozen=True)
class DecisionVerdict:
    """Whether routing pays inside one decision.

    Attributes:
        name: of the decision.
        n_queries: queries that fall into it.
        share: of all queries.
        models: what it offers and the records measured, in its order.
        unmeasured: what it offers and the records lack.
        kind: the verdict; `one_model` where there is nothing to choose, `too_few` where queries are too few to say.
        algorithm: the selector that was judged: the decision's own, else what is recommended; None where none was.
        best_single: the model of highest mean utility among `models` on these queries; None where none was judged.
        quality: mean quality of the chosen models.
        quality_of_best: mean quality of `best_single`.
        gain: utility less that of `best_single`, at the level of all decisions together; None where it always chooses
            that one.
        gain_over_table: utility less that of the table of the best model per category.
        selection: share of the choices that each model has.
        unknown_signals: types of its conditions that records do not hold; they are taken as not holding.
    """

    name: str
    n_queries: int
    share: float
    models: tuple[str, ...]
    unmeasured: tuple[str, ...]
    kind: DecisionKind
    algorithm: str | None = None
    best_single: str | None = None
    quality: float | None = None
    quality_of_best: float | None = None
    gain: Interval | None = None
    gain_over_table: Interval | None = None
    selection: Mapping[str, float] | None = None
    unknown_signals: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecisionsEvaluation:
    """A verdict per decision.

    Attributes:
        decisions: one each, the one that is tried first at the front.
        level: of every interval: 1 - 0.05 / the number of decisions that were judged.
        n_outside: queries that fall into no decision.
        n_queries: queries that were held out.
    """

    decisions: tuple[DecisionVerdict, ...]
    level: float
    n_outside: int
    n_queries: int


def judge_decisions(
    decisions: Sequence[Decision],
    held_of: Mapping[str, Held],
    default: str,
    objective: Objective,
    categories: CategorySource,
    seed: int,
) -> DecisionsEvaluation:
    """Judge every decision on its own queries and candidates.

    A query falls into the first decision whose rules hold for its category as the records give it; without one, as it
    was predicted before the comparison.

    Args:
        decisions: those of the configuration.
        held_of: by algorithm, what its selectors chose and predicted for held-out queries, all of the same splits.
        default: the algorithm among them for decisions without one of their own.
        objective: what the choices maximise.
        categories: how the selectors know the categories.
        seed: of the folds of the estimates for missing cells.
    """
    table = DecisionTable.of(decisions)
    held = held_of[default]
    names = category_names(held.codes)
    found = {name: table.find(Known(category=name)) for name in dict.fromkeys(names)}
    rows_of = {
        id(decision): np.array([row for row in held.rows.tolist() if found[names[row]] is decision], dtype=np.int64)
        for decision, _ in table.decisions
    }
    places = [_Place.of(decision, rule, rows_of[id(decision)], held) for decision, rule in table.decisions]
    n_judged = sum(place.kind is None for place in places)
    level = 1.0 - _ALPHA / max(n_judged, 1)
    measured = Measured.of(held.outcomes, held.codes, objective, seed)
    verdicts = []
    for place in places:
        own = place.decision.algorithm
        name = own.type if own is not None and own.is_trained and own.type in held_of else default
        if place.kind is None:
            verdicts.append(_judge(place, held_of[name], measured, objective, categories, level))
        else:
            verdicts.append(place.verdict(place.kind))
    return DecisionsEvaluation(
        decisions=tuple(verdicts),
        level=level,
        n_outside=len(held.rows) - sum(len(rows) for rows in rows_of.values()),
        n_queries=len(held.rows),
    )


@dataclass(frozen=True, eq=False)
class _Place:
    """A decision, its queries and its candidates."""

    decision: Decision
    rows: IntArray
    columns: IntArray
    models: tuple[str, ...]
    unmeasured: tuple[str, ...]
    unknown_signals: tuple[str, ...]
    share: float

    @classmethod
    def of(cls, decision: Decision, rule: Rule, rows: IntArray, held: Held) -> "_Place":
        offered = tuple(dict.fromkeys(reference.asked_name for reference in decision.model_refs))
        known = tuple(name for name in offered if name in held.outcomes.models)
        return cls(
            decision=decision,
            rows=rows,
            columns=np.array([held.outcomes.models.index(name) for name in known], dtype=np.int64),
            models=known,
            unmeasured=tuple(name for name in offered if name not in known),
            unknown_signals=tuple(sorted(set(rule.types()) - {DOMAIN})),
            share=len(rows) / len(held.rows),
        )

    @property
    def kind(self) -> Literal["one_model", "too_few"] | None:
        """Why it is not judged; None where it is."""
        if len(self.models) < 2:
            return "one_model"
        return "too_few" if len(self.rows) < LEAST_QUERIES else None

    def verdict(self, kind: DecisionKind) -> DecisionVerdict:
        """Give what is known without judging."""
        return DecisionVerdict(
            name=self.decision.name,
            n_queries=len(self.rows),
            share=self.share,
            models=self.models,
            unmeasured=self.unmeasured,
            kind=kind,
            unknown_signals=self.unknown_signals,
        )


def _judge(
    place: _Place, held: Held, measured: Measured, objective: Objective, categories: CategorySource, level: float
) -> DecisionVerdict:
    own = measured.take(place.rows)
    utility = own.utility[:, place.columns]
    best = int(np.nanargmax(utility.mean(axis=0)))
    named = int(place.columns[best])
    known = np.asarray(np.isfinite(utility).all(axis=0))
    luck = luck_of_the_pick(utility[:, known], int(known[:best].sum()))
    base = own.utility[:, named]
    chosen = _choose_among(held, JUDGED, place, named, objective, categories)
    by_table = _choose_among(held, CATEGORY_TABLE, place, named, objective, categories)

    def gain(columns: IntArray) -> Interval | None:
        differs = columns != named
        if not differs.any():
            return None
        shift = luck_in_gain(luck, float(differs.mean()))
        return gain_interval(at(own.utility, columns) - base, shift, level=level, is_judged=own.is_judged)

    over_single = gain(chosen)
    over_table = gain_interval(
        at(own.utility, chosen) - at(own.utility, by_table), level=level, is_judged=own.is_judged
    )
    table = gain(by_table)
    evidence = Evidence(judged=over_single, judged_over_table=over_single if table is None else over_table, table=table)
    models = held.outcomes.models
    return DecisionVerdict(
        name=place.decision.name,
        n_queries=len(place.rows),
        share=place.share,
        models=place.models,
        unmeasured=place.unmeasured,
        kind=evidence.kind(),
        algorithm=held.recommended,
        best_single=models[named],
        quality=known_mean(at(own.quality, chosen)),
        quality_of_best=known_mean(own.quality[:, named]),
        gain=over_single,
        gain_over_table=None if over_single is None else over_table,
        selection=shares_of(chosen, models),
        unknown_signals=place.unknown_signals,
    )


def _choose_among(
    held: Held, name: str, place: _Place, otherwise: int, objective: Objective, categories: CategorySource
) -> IntArray:
    """Choose among the candidates of a decision by kept scores, as each fold would have: (n_splits, n_rows)."""
    columns = held.columns_of(held.choices[name], categories, objective, place.columns)[:, place.rows]
    return np.where(columns < 0, otherwise, columns)
