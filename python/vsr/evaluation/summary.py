"""From the choices that every method made on held-out queries to the lines of the table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vsr.choice.objective import EfficiencyScale, Objective, best_columns, measured_utilities
from vsr.data.outcomes import Outcomes
from vsr.evaluation.bootstrap import Interval, paired_intervals
from vsr.evaluation.results import Evaluation, MethodKind, MethodResult
from vsr.evaluation.verdict import Evidence, judge
from vsr.prior.category_means import FloatArray, IntArray

BEST_SINGLE = "best single"
HIGHEST_QUALITY = "highest quality"
CATEGORY_TABLE = "category table"
RANDOM = "random"
ORACLE = "oracle"
JUDGED = "judged"


@dataclass(eq=False)
class Choices:
    """Columns that a method chose, filled fold by fold.

    Attributes:
        given: (n_queries,) int64 column chosen with the categories as they are, -1 = not held out yet.
        predicted: (n_queries,) int64 column chosen with every category predicted.
        seconds: times of single choices.
    """

    given: IntArray
    predicted: IntArray
    seconds: list[float] = field(default_factory=list)

    @classmethod
    def none_yet(cls, n_queries: int) -> "Choices":
        """Start empty."""
        return cls(np.full(n_queries, -1, dtype=np.int64), np.full(n_queries, -1, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class _HeldOut:
    """What was measured on the held-out queries: all (n_held_out, n_models), NaN = not measured."""

    rows: IntArray
    utility: FloatArray
    quality: FloatArray
    latency_s: FloatArray
    cost_usd: FloatArray
    is_best: FloatArray

    def at(self, values: FloatArray, columns: IntArray) -> FloatArray:
        """Values of the chosen columns, (n_held_out,)."""
        return values[np.arange(len(columns)), columns]


def summarise(
    outcomes: Outcomes,
    choices: dict[str, Choices],
    selectors: Sequence[str],
    held_out: IntArray,
    objective: Objective,
    seed: int,
    *,
    n_folds: int,
    n_categories: int,
    recommended: str,
    classifier_accuracy: float | None,
) -> Evaluation:
    """Work out every line and the verdict.

    Args:
        outcomes: all queries.
        choices: per method, what it chose.
        selectors: the names among `choices` that are selectors.
        held_out: rows that were held out.
        objective: what the choices maximised.
        seed: seed of the bootstrap.
        n_folds: folds that there were.
        n_categories: categories that occur.
        recommended: algorithm that was chosen inside most training parts.
        classifier_accuracy: of the category classifier; None where there is none.
    """
    facts = _facts(outcomes, held_out, objective)
    names = [BEST_SINGLE, HIGHEST_QUALITY, CATEGORY_TABLE, *selectors, JUDGED]
    columns = {name: choices[name].given[held_out] for name in names}
    predicted = {name: choices[name].predicted[held_out] for name in names}
    best = best_columns(facts.quality, facts.latency_s, facts.cost_usd, objective)
    columns[ORACLE] = predicted[ORACLE] = best
    pairs = [(name, base) for name in [*names[1:], ORACLE] for base in (BEST_SINGLE, CATEGORY_TABLE)]
    given_gains = _gains(facts, columns, pairs, seed)
    has_classifier = classifier_accuracy is not None
    predicted_gains = _gains(facts, predicted, pairs, seed) if has_classifier else {}

    def line(name: str, label: str, kind: MethodKind) -> MethodResult:
        chosen = columns[name]
        utility = facts.at(facts.utility, chosen)
        counts = np.bincount(chosen, minlength=outcomes.n_models) / len(chosen)
        over_table = kind in ("selector", "judged")
        seconds = choices[name].seconds if name in choices else []
        return MethodResult(
            name=name,
            label=label,
            kind=kind,
            utility=_mean(utility) or 0.0,
            quality=_mean(facts.at(facts.quality, chosen)) or 0.0,
            latency_s=_mean(facts.at(facts.latency_s, chosen)),
            cost_usd=_mean(facts.at(facts.cost_usd, chosen)),
            gain=given_gains.get((name, BEST_SINGLE)),
            gain_over_table=given_gains[name, CATEGORY_TABLE] if over_table else None,
            gain_predicted=predicted_gains.get((name, BEST_SINGLE)) if name != ORACLE else None,
            gain_predicted_over_table=predicted_gains.get((name, CATEGORY_TABLE)) if over_table else None,
            n_unmeasured=int(np.isnan(utility).sum()),
            selection={
                model: float(share) for model, share in zip(outcomes.models, counts.tolist(), strict=True) if share > 0
            },
            seconds_per_query=float(np.median(seconds)) if seconds else None,
            hit_rate=float(facts.at(facts.is_best, chosen).mean()),
        )

    single = _most_common(outcomes, columns[BEST_SINGLE])
    highest = _most_common(outcomes, columns[HIGHEST_QUALITY])
    methods = [line(BEST_SINGLE, f"best single ({single})", "baseline")]
    if highest != single:
        methods.append(line(HIGHEST_QUALITY, f"highest quality ({highest})", "baseline"))
    methods.append(_random(facts, outcomes))
    if n_categories > 1:
        methods.append(line(CATEGORY_TABLE, CATEGORY_TABLE, "baseline"))
    methods += [line(name, name, "selector") for name in selectors]
    methods.append(line(JUDGED, "chosen inside the folds", "judged"))
    methods.append(line(ORACLE, ORACLE, "oracle"))
    return Evaluation(
        n_queries=outcomes.n_queries,
        n_models=outcomes.n_models,
        n_categories=n_categories,
        n_folds=n_folds,
        n_held_out=len(held_out),
        objective=objective,
        best_single=single,
        highest_quality=highest,
        recommended=recommended,
        methods=tuple(methods),
        best_model_share={
            model: float(share)
            for model, share in zip(outcomes.models, facts.is_best.mean(axis=0).tolist(), strict=True)
        },
        verdict=judge(
            _evidence(given_gains), _evidence(predicted_gains) if has_classifier else None, recommended, single
        ),
        classifier_accuracy=classifier_accuracy,
        seed=seed,
    )


def _facts(outcomes: Outcomes, held_out: IntArray, objective: Objective) -> _HeldOut:
    quality, latency, cost = (values[held_out] for values in (outcomes.quality, outcomes.latency_s, outcomes.cost_usd))
    scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)
    best = np.where(np.isfinite(quality), quality, -1.0)
    return _HeldOut(
        rows=held_out,
        utility=measured_utilities(quality, latency, cost, scale, objective),
        quality=quality,
        latency_s=latency,
        cost_usd=cost,
        is_best=(best >= best.max(axis=1, keepdims=True)).astype(np.float64),
    )


def _gains(
    facts: _HeldOut, columns: dict[str, IntArray], pairs: Sequence[tuple[str, str]], seed: int
) -> dict[tuple[str, str], Interval]:
    """Paired differences of utility; a query counts where both choices were measured."""
    differences = [facts.at(facts.utility, columns[a]) - facts.at(facts.utility, columns[b]) for a, b in pairs]
    return dict(zip(pairs, paired_intervals(differences, seed), strict=True))


def _evidence(gains: dict[tuple[str, str], Interval]) -> Evidence:
    return Evidence(
        judged=gains[JUDGED, BEST_SINGLE],
        judged_over_table=gains[JUDGED, CATEGORY_TABLE],
        table=gains[CATEGORY_TABLE, BEST_SINGLE],
    )


def _random(facts: _HeldOut, outcomes: Outcomes) -> MethodResult:
    """A model drawn at random for every query: the mean over the models that were measured on it."""
    return MethodResult(
        name=RANDOM,
        label=RANDOM,
        kind="baseline",
        utility=_mean(_row_means(facts.utility)) or 0.0,
        quality=_mean(_row_means(facts.quality)) or 0.0,
        latency_s=_mean(_row_means(facts.latency_s)),
        cost_usd=_mean(_row_means(facts.cost_usd)),
        gain=None,
        gain_over_table=None,
        gain_predicted=None,
        gain_predicted_over_table=None,
        n_unmeasured=0,
        selection=dict.fromkeys(outcomes.models, 1.0 / outcomes.n_models),
        seconds_per_query=None,
        hit_rate=float(facts.is_best.mean()),
    )


def _row_means(values: FloatArray) -> FloatArray:
    observed = np.isfinite(values)
    counts = observed.sum(axis=1)
    return np.where(counts > 0, np.where(observed, values, 0.0).sum(axis=1) / np.maximum(counts, 1), np.nan)


def _mean(values: FloatArray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _most_common(outcomes: Outcomes, columns: IntArray) -> str:
    """The model chosen most often: with few queries the best single model can differ between folds."""
    return outcomes.models[int(np.bincount(columns).argmax())]
