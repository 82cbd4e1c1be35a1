"""From the choices that every method made on held-out queries to the lines of the table."""

import numpy as np

from vsr.choice.objective import Objective, best_columns
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Held
from vsr.evaluation.intervals import Interval, gain_interval, luck_in_gain, shrunk_means
from vsr.evaluation.measured import Measured, at, known_mean
from vsr.evaluation.results import CategorySource, Evaluation, MethodKind, MethodResult
from vsr.evaluation.verdict import Evidence, judge
from vsr.prior.category_means import IntArray

BEST_SINGLE = "best single"
RANDOM = "random"
ORACLE = "oracle"


class _Lines:
    """Makes the lines; knows what all of them are compared with."""

    def __init__(self, held: Held, objective: Objective, seed: int) -> None:
        everything = Measured.of(held.outcomes, held.codes, objective, seed)
        self.held = held
        self.all_measured = everything
        self.measured = everything.take(held.rows)
        means = everything.utility.mean(axis=0)
        self.named = int(np.nanargmax(means))
        known = np.flatnonzero(np.isfinite(means))
        #: What the shrunk mean of each model is above its own mean: below 0 for one that owes something to luck.
        self.pull = np.zeros(len(means))
        self.pull[known] = shrunk_means(everything.utility[:, known]) - means[known]
        self.luck = max(0.0, -float(self.pull[self.named]))
        self.base = self.measured.utility[:, self.named]

    def columns(self, name: str, source: CategorySource) -> IntArray:
        """(n_splits, n_held_out) what a method chose."""
        return self.held.choices[name].columns(source)[:, self.held.rows]

    def is_identical(self, name: str, source: CategorySource) -> bool:
        """Whether a method, trained on all queries, chooses the named model for each of them."""
        return bool((self.held.deployed[name].columns(source) == self.named).all())

    def gain(self, columns: IntArray) -> Interval:
        """Gain over the named model."""
        return gain_interval(at(self.measured.utility, columns) - self.base, self.luck_in(columns))

    def luck_in(self, columns: IntArray) -> float:
        """How much of the named model's luck stands in the gain of some choices over it."""
        return luck_in_gain(self.luck, float((columns != self.named).mean()))

    def line(
        self,
        name: str,
        label: str,
        kind: MethodKind,
        columns: IntArray,
        gain: Interval | None = None,
        over_table: Interval | None = None,
        categories: CategorySource | None = None,
        *,
        is_identical: bool = False,
        measured: Measured | None = None,
    ) -> MethodResult:
        """Take the means of some choices."""
        measured, outcomes = self.measured if measured is None else measured, self.held.outcomes
        counts = np.bincount(columns.ravel(), minlength=outcomes.n_models) / columns.size
        seconds = self.held.choices[name].seconds if name in self.held.choices else []
        return MethodResult(
            name=name,
            label=label,
            kind=kind,
            categories=categories,
            utility=known_mean(at(measured.utility, columns)) or 0.0,
            quality=min(max(known_mean(at(measured.quality, columns)) or 0.0, 0.0), 1.0),
            latency_s=known_mean(at(measured.latency_s, columns)),
            cost_usd=known_mean(at(measured.cost_usd, columns)),
            is_identical=is_identical,
            gain=gain,
            gain_over_table=over_table,
            n_unmeasured=round(float(at(measured.is_missing, columns).sum()) / len(columns)),
            selection={
                model: float(share) for model, share in zip(outcomes.models, counts.tolist(), strict=True) if share > 0
            },
            seconds_per_query=float(np.median(seconds)) if seconds else None,
            hit_rate=float(at(measured.is_best, columns).mean()),
        )

    def chosen(self, name: str, label: str, kind: MethodKind, source: CategorySource, told: str = "") -> MethodResult:
        """Give the line of a method that chooses by query, with given or with predicted categories."""
        columns = self.columns(name, source)
        is_identical = self.is_identical(name, source)
        over_table = None
        if kind != "baseline":
            by_table = at(self.measured.utility, self.columns(CATEGORY_TABLE, source))
            over_table = gain_interval(at(self.measured.utility, columns) - by_table)
        gain = None if is_identical else self.gain(columns)
        told_of = source if len(np.unique(self.held.codes)) > 1 else None
        return self.line(
            f"{name}{told}", f"{label}{told}", kind, columns, gain, over_table, told_of, is_identical=is_identical
        )

    def single(self, column: int, label: str) -> MethodResult:
        """Give the line of one model for everything."""
        shift = float(self.pull[column] - self.pull[self.named])
        gain = gain_interval((self.measured.utility[:, column] - self.base)[None, :], shift)
        return self.line(f"always {self.held.outcomes.models[column]}", label, "single", self.always(column), gain)

    def always(self, column: int) -> IntArray:
        """(1, n_held_out) one model for everything."""
        return np.full((1, len(self.held.rows)), column)

    def evidence(self, source: CategorySource) -> Evidence:
        """Give what the verdict looks at."""
        judged = self.chosen(JUDGED, JUDGED, "judged", source)
        table = self.chosen(CATEGORY_TABLE, CATEGORY_TABLE, "baseline", source)
        over_table = judged.gain_over_table
        if table.is_identical or over_table is None:
            over_table = judged.gain
        return Evidence(judged=judged.gain, judged_over_table=over_table, table=table.gain)


def summarise(held: Held, objective: Objective, categories: CategorySource, seed: int) -> Evaluation:
    """Work out every line and the verdict.

    Args:
        held: what the splits gave.
        objective: what the choices maximised.
        categories: the way queries will arrive, which the verdict is for.
        seed: seed of the folds of the estimates for missing cells.
    """
    outcomes, lines = held.outcomes, _Lines(held, objective, seed)
    n_categories = len(np.unique(held.codes))
    models = outcomes.models
    named = models[lines.named]
    highest = int(np.nanargmax(lines.all_measured.quality.mean(axis=0)))
    singles = np.argsort(-np.nan_to_num(lines.all_measured.utility.mean(axis=0), nan=-np.inf), kind="stable")
    methods = [lines.line(BEST_SINGLE, f"best single ({named})", "baseline", lines.always(lines.named))]
    methods += [
        lines.single(int(column), models[column] + (" (highest quality)" if column == highest else ""))
        for column in singles
        if column != lines.named and outcomes.observed[:, column].any()
    ]
    methods.append(_random(lines))
    other: CategorySource = "given" if categories == "predicted" else "predicted"
    has_ways = n_categories > 1
    if has_ways:
        methods.append(lines.chosen(CATEGORY_TABLE, CATEGORY_TABLE, "baseline", categories))
    methods += [
        lines.chosen(name, name, "selector", categories)
        for name in held.choices
        if name not in (CATEGORY_TABLE, JUDGED)
    ]
    methods.append(lines.chosen(JUDGED, "chosen inside the folds", "judged", categories))
    if has_ways:
        methods.append(lines.chosen(JUDGED, "chosen inside the folds", "judged", other, f", categories {other}"))
    methods.append(_oracle(lines, objective))
    return Evaluation(
        n_queries=outcomes.n_queries,
        n_models=outcomes.n_models,
        n_categories=n_categories,
        n_folds=held.n_folds,
        n_splits=held.n_splits,
        n_held_out=len(held.rows),
        n_missing_cells=int(lines.measured.is_missing.sum()),
        objective=objective,
        best_single=named,
        luck=lines.luck,
        highest_quality=models[highest],
        recommended=held.recommended,
        methods=tuple(methods),
        best_model_share={
            model: float(share)
            for model, share in zip(models, lines.measured.is_best.mean(axis=0).tolist(), strict=True)
        },
        verdict=judge(lines.evidence(categories), categories if has_ways else None, held.recommended, named),
        classifier_accuracy=held.classifier_accuracy,
        seed=seed,
    )


def _oracle(lines: _Lines, objective: Objective) -> MethodResult:
    """The best model of every query among those that were measured on it: as measured, nothing estimated."""
    outcomes = lines.held.outcomes.take(lines.held.rows)
    columns = best_columns(outcomes.quality, outcomes.latency_s, outcomes.cost_usd, objective, outcomes.models)[None, :]
    measured = Measured.of(lines.held.outcomes, lines.held.codes, objective, None).take(lines.held.rows)
    gain = gain_interval(at(measured.utility, columns) - lines.base, lines.luck_in(columns))
    return lines.line(ORACLE, ORACLE, "oracle", columns, gain, measured=measured)


def _random(lines: _Lines) -> MethodResult:
    """A model drawn at random for every query: the mean over the models."""
    measured, outcomes = lines.measured, lines.held.outcomes
    return MethodResult(
        name=RANDOM,
        label=RANDOM,
        kind="baseline",
        categories=None,
        utility=known_mean(measured.utility) or 0.0,
        quality=known_mean(measured.quality) or 0.0,
        latency_s=known_mean(measured.latency_s),
        cost_usd=known_mean(measured.cost_usd),
        is_identical=False,
        gain=None,
        gain_over_table=None,
        n_unmeasured=0,
        selection=dict.fromkeys(outcomes.models, 1.0 / outcomes.n_models),
        seconds_per_query=None,
        hit_rate=float(measured.is_best.mean()),
    )
