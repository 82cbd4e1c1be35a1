"""Makes the lines of the table; knows what all of them are compared with."""

from collections.abc import Sequence

import numpy as np

from vsr.choice.objective import Objective
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED, Held
from vsr.evaluation.learning_curve import LearningSeries, LessTraining
from vsr.evaluation.measured import Measured, at, known_mean
from vsr.evaluation.results import CategorySource, MethodKind, MethodResult
from vsr.evaluation.statistics.intervals import Interval, gain_interval, luck_in_gain, shrunk_means
from vsr.evaluation.verdict import Evidence
from vsr.prior.category_means import FloatArray, IntArray


class Lines:
    """Makes the lines; knows what all of them are compared with."""

    def __init__(self, held: Held, objective: Objective, seed: int, level: float = 0.95) -> None:
        everything = Measured.of(held.outcomes, held.codes, objective, seed)
        self.held, self.level = held, level
        self.all_measured = everything
        self.measured = everything.take(held.rows)
        means = everything.utility.mean(axis=0)
        self.named = int(np.nanargmax(means))
        known = np.flatnonzero(np.isfinite(means))
        #: What the shrunk mean of each model is above its own mean: below 0 for one that owes something to luck.
        self.pull = np.zeros(len(means))
        self.pull[known] = shrunk_means(everything.utility[:, known], held.groups) - means[known]
        self.luck = max(0.0, -float(self.pull[self.named]))
        self.base = self.measured.utility[:, self.named]
        #: Group of each held-out query.
        self.groups = np.unique(held.groups[held.rows], return_inverse=True)[1].reshape(-1)

    def columns(self, name: str, source: CategorySource) -> IntArray:
        """(n_splits, n_held_out) what a method chose."""
        return self.held.choices[name].columns(source)[:, self.held.rows]

    def is_identical(self, name: str, source: CategorySource) -> bool:
        """Whether a method, trained on all queries, chooses the named model for each of them."""
        return bool((self.held.deployed[name].columns(source) == self.named).all())

    def gain(self, columns: IntArray) -> Interval:
        """Gain over the named model."""
        return self.interval(at(self.measured.utility, columns) - self.base, self.luck_in(columns))

    def interval(self, differences: FloatArray, luck: float = 0.0) -> Interval:
        """Put the interval around differences of the held-out queries."""
        return gain_interval(differences, luck, self.groups, level=self.level, is_judged=self.measured.is_judged)

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
        seconds: Sequence[float] = (),
    ) -> MethodResult:
        """Take the means of some choices."""
        measured, outcomes = self.measured if measured is None else measured, self.held.outcomes
        counts = np.bincount(columns.ravel(), minlength=outcomes.n_models) / columns.size
        if not seconds and name in self.held.choices:
            seconds = self.held.choices[name].seconds
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
            over_table = self.interval(at(self.measured.utility, columns) - by_table)
        gain = None if is_identical else self.gain(columns)
        told_of = source if len(np.unique(self.held.codes)) > 1 else None
        return self.line(
            f"{name}{told}", f"{label}{told}", kind, columns, gain, over_table, told_of, is_identical=is_identical
        )

    def single(self, column: int, label: str) -> MethodResult:
        """Give the line of one model for everything."""
        shift = float(self.pull[column] - self.pull[self.named])
        gain = self.interval((self.measured.utility[:, column] - self.base)[None, :], shift)
        return self.line(f"always {self.held.outcomes.models[column]}", label, "single", self.always(column), gain)

    def mix(self, name: str, label: str, weights: FloatArray, gain: Interval | None) -> MethodResult:
        """Give the line of a model drawn by fixed weights for every query: (n_models,) of sum 1."""
        measured, models = self.measured, self.held.outcomes.models
        drawn = np.flatnonzero(weights)

        def mean(values: FloatArray) -> float | None:
            known = [(weights[j], known_mean(values[:, j])) for j in drawn]
            found = [(weight, value) for weight, value in known if value is not None]
            total = sum(weight for weight, _ in found)
            return float(sum(weight * value for weight, value in found) / total) if found else None

        return MethodResult(
            name=name,
            label=label,
            kind="baseline",
            categories=None,
            utility=mean(measured.utility) or 0.0,
            quality=min(max(mean(measured.quality) or 0.0, 0.0), 1.0),
            latency_s=mean(measured.latency_s),
            cost_usd=mean(measured.cost_usd),
            is_identical=False,
            gain=gain,
            gain_over_table=None,
            n_unmeasured=round(float((measured.is_missing @ weights).sum())),
            selection={models[j]: float(weights[j]) for j in drawn},
            seconds_per_query=None,
            hit_rate=float((measured.is_best @ weights).mean()),
        )

    def always(self, column: int) -> IntArray:
        """(1, n_held_out) one model for everything."""
        return np.full((1, len(self.held.rows)), column)

    def series(self, less: tuple[LessTraining, ...], source: CategorySource) -> LearningSeries:
        """Give what a learning curve rests on."""
        return LearningSeries.of(less, self.held, self.measured.utility, self.named, self.groups, source)

    def evidence(self, source: CategorySource, series: LearningSeries | None = None) -> Evidence:
        """Give what the verdict looks at."""
        judged = self.chosen(JUDGED, JUDGED, "judged", source)
        table = self.chosen(CATEGORY_TABLE, CATEGORY_TABLE, "baseline", source)
        over_table = judged.gain_over_table
        if table.is_identical or over_table is None:
            over_table = judged.gain
        to_come = None if series is None else series.to_come()
        return Evidence(judged=judged.gain, judged_over_table=over_table, table=table.gain, to_come=to_come)
