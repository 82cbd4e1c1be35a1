"""One trainer for all algorithms: choose the setting out of fold, then fit on all queries."""

import functools
import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vsr._checks import require_kind
from vsr._mapped import forget_pages
from vsr._threads import one_linear_algebra_thread
from vsr.choice.chooser import Chooser
from vsr.choice.objective import EfficiencyScale, Objective, as_objective, best_columns, measured_utilities
from vsr.data.categories import CATEGORIES, MISSING, category_codes
from vsr.data.outcomes import Outcomes
from vsr.errors import TrainingError
from vsr.features import as_features, split_features
from vsr.features.classifier import CategoryClassifier
from vsr.prior.category_means import FloatArray, IntArray, MeanTable
from vsr.prior.statistics import Statistics
from vsr.selectors import registry
from vsr.selectors.base import Algorithm, HeldOut, Predictor, TrainedSelector
from vsr.selectors.training_data import Features, Grades, Preferences, TrainingData
from vsr.training.calibration import Chosen, Tally, calibration_slope, simplest
from vsr.training.folds import FEW_QUERIES, N_INNER_FOLDS, InnerFold, inner_fold, stratified_folds, with_grades
from vsr.training.judged_labels import calibrated

# Enough of a query to recognise it in an explanation.
_QUERY_CHARACTERS = 120
# Weight of the prior in the category table, simplest (no categories at all) first.
_TABLE_SHRINKAGE = (math.inf, 300.0, 100.0, 30.0, 10.0)


@dataclass(frozen=True, eq=False)
class Trainer:
    """Features and outcomes, checked, with the table of means chosen: what each algorithm then trains on.

    Attributes:
        outcomes: what was measured.
        data: all queries, as the final fits see them.
        category_weight: what stands in the category columns.
        classifier: predicts missing categories; None where too few queries are labelled.
        seed: seed of folds and fits.
        objective: says which model was the best one of a training query.
        grades: queries that people graded in service; fits learn from them too, nothing else does.
    """

    outcomes: Outcomes
    data: TrainingData
    category_weight: float
    classifier: CategoryClassifier | None
    seed: int
    objective: Objective
    grades: Grades | None = None

    @classmethod
    def prepare(
        cls,
        features: npt.ArrayLike,
        outcomes: Outcomes,
        seed: int = 0,
        objective: Objective | None = None,
        preferences: Preferences | None = None,
        classifier: CategoryClassifier | None = None,
    ) -> "Trainer":
        """Check that features and outcomes fit, choose the shrinkage of the table, fit the category classifier.

        Args:
            features: (n_queries, n_features) float32, as `build_features` makes them; copied, unless they are
                read-only.
            outcomes: one row per query, in the same order.
            seed: seed of folds and fits.
            objective: says which model was the best one of a training query; `Objective()` without it.
            preferences: pairs of the models of `outcomes`, for algorithms that learn from them, and grades.
            classifier: one that was fitted on the labelled ones of these queries already.

        Raises:
            TrainingError: The number of rows differs, there are fewer than two queries, nothing was measured, or the
                seed is negative.
        """
        seed = require_seed(seed)
        objective = as_objective(objective)
        rows = features_of(outcomes, features)
        if isinstance(features, np.ndarray) and features.flags.writeable and np.may_share_memory(rows, features):
            rows = rows.copy()  # what a caller does with its array afterwards must not change the table
        measured = outcomes.measured_rows
        if len(measured) < outcomes.n_queries:
            rows, outcomes = rows[measured], outcomes.take(measured)
        grades = None if preferences is None else preferences.grades
        if grades is not None and preferences is not None and not preferences.n_pairs:
            preferences = None  # grades alone: nobody gave any pairs to learn differences from
        if grades is not None and (grades.features.shape[1], grades.quality.shape[1]) != (
            rows.shape[1],
            outcomes.n_models,
        ):
            raise TrainingError("grades are not of the width and the models of the outcomes")
        if outcomes.n_queries < 2:
            raise TrainingError(
                f"{outcomes.n_queries} unique queries have a measured quality; at least 2 are needed to learn "
                f"anything, {FEW_QUERIES} to judge it"
            )
        seen: list[bool] = np.any(outcomes.observed, axis=0).tolist()
        never = [name for name, is_seen in zip(outcomes.models, seen, strict=True) if not is_seen]
        if never:
            raise TrainingError(f"no quality was measured for {', '.join(never)}; leave them out or measure them")
        outcomes = calibrated(outcomes)
        split = split_features(rows)
        shrinkage = _choose_table_shrinkage(outcomes.quality, split.codes, seed)
        prior = MeanTable.fit(outcomes.quality, split.codes, len(CATEGORIES), shrinkage)
        if classifier is None:
            classifier = CategoryClassifier.where_labelled_enough(split.embeddings, category_codes(outcomes.categories))
        return cls(
            outcomes=outcomes,
            data=TrainingData(
                rows,
                split.codes,
                outcomes.quality,
                prior,
                preferences,
                best=best_columns(outcomes.quality, outcomes.latency_s, outcomes.cost_usd, objective, outcomes.models),
                queries=tuple(query[:_QUERY_CHARACTERS] for query in outcomes.queries),
            ),
            category_weight=split.category_weight,
            classifier=classifier,
            seed=seed,
            objective=objective,
            grades=grades,
        )

    def train(self, name: str, parts: Sequence[TrainedSelector] = (), /, **parameters: Any) -> TrainedSelector:
        """Choose the settings of one algorithm out of fold and fit it on all queries, graded ones included.

        Args:
            name: registry name.
            parts: selectors of this table, for an algorithm that combines them and for no other one; where none of them
                has learnt anything, all other algorithms are trained for it.
            **parameters: the algorithm's own (`k`, `num_clusters`, `hidden_layers`, ...: its module has them).

        Raises:
            TrainingError: No such algorithm or parameter.
        """
        algorithm = registry.algorithm(name).of(**parameters)
        # NumPy's products here are small: a second BLAS thread gains little and, on a busy machine, spins.
        with one_linear_algebra_thread():
            if algorithm.combines:
                parts = self._parts(parts)
                chosen, predictor = self._combine(algorithm, parts)
                requested = {name: own for part in parts for name, own in part.requested.items()}
            else:
                chosen = self.choose(algorithm)
                predictor = algorithm.fit(self._graded(), chosen.setting, self.seed)
                requested = {name: parameters} if parameters else {}
        forget_pages(self.data.features)
        return TrainedSelector(
            name=name,
            models=self.outcomes.models,
            n_features=self.data.features.shape[1],
            category_weight=self.category_weight,
            prior=self.data.prior,
            slope=chosen.slope,
            predictor=predictor,
            statistics=self.statistics,
            classifier=self.classifier,
            parameters=asdict(predictor.setting),
            seed=self.seed,
            explained=chosen.explained,
            gain=chosen.gain,
            training_digest=self._digest,
            requested=requested,
            held_out=chosen.held_out,
        )

    @functools.cached_property
    def statistics(self) -> Statistics:
        """Quality, latency and cost by model and category, as every selector of this table carries them."""
        return Statistics.from_outcomes(self.outcomes, self.data.codes, self.data.prior)

    def _graded(self) -> TrainingData:
        """All that fits learn from: the measured queries and, where there are any, the graded ones."""
        grades = self.grades
        if grades is None:
            return self.data
        # What was not graded counts as the model's mean: a bad grade is no vote for the model that was asked. Votes
        # have no weights: the less grades weigh, the more it takes for one to name another model than usual.
        mean = self.data.prior.rows(grades.codes)
        known = mean + grades.weight * np.nan_to_num(grades.quality - mean)
        best = Chooser.prepare(self.statistics, self.objective).best(known, grades.codes)
        return with_grades(
            self.data, replace(grades, queries=tuple(q[:_QUERY_CHARACTERS] for q in grades.queries)), best
        )

    @functools.cached_property
    def _digest(self) -> str:
        measured = self.outcomes.digest()
        if self.grades is None:
            return measured
        return hashlib.sha256(f"{measured} {self.grades.digest()}".encode()).hexdigest()

    def choose(self, algorithm: Algorithm[Any, Any]) -> Chosen:
        """Choose the setting of least centred error out of fold, the simplest within one standard error of it."""
        n_rows = min(self.data.n_queries, algorithm.max_tuning_rows)
        grades = self._grades_to_tune_on(algorithm.max_tuning_rows)
        n_train = n_rows - n_rows // min(N_INNER_FOLDS, n_rows) + (0 if grades is None else grades.n_queries)
        settings = list(algorithm.settings(max(n_train, 1)))
        tallies: dict[Any, Tally] = {setting: Tally() for setting in settings}
        folds = []
        for fold in self._inner_folds(n_rows, grades):
            folds.append(fold)
            for result in algorithm.sweep(fold.data, fold.features, fold.prior, settings, self.seed):
                tallies[result.setting].add(fold.freed_residual, result.predicted_residuals, fold.trust)
        sums = [tallies[setting].sums() for setting in settings]
        slopes = [calibration_slope(each, algorithm.largest_slope) for each in sums]
        errors = [
            own - 2.0 * slope * cross + slope**2 * square
            for (own, cross, square), slope in zip(sums, slopes, strict=True)
        ]
        number = simplest(errors)
        prior_error = float(sums[number][0].sum())
        held_out = self._held_out(folds, tallies[settings[number]].predicted_residuals)
        return Chosen(
            setting=settings[number],
            slope=slopes[number],
            explained=1.0 - float(errors[number].sum()) / prior_error if prior_error > 0.0 else 0.0,
            gain=self._gain(held_out, slopes[number]),
            held_out=held_out,
        )

    def _parts(self, given: Sequence[TrainedSelector]) -> tuple[TrainedSelector, ...]:
        """Those that can be combined; without one, all that there are."""
        able = [name for name in registry.learning() if not registry.algorithm(name).combines]
        return tuple(part for part in given if part.name in able) or tuple(self.train(name) for name in able)

    def _combine(self, algorithm: Algorithm[Any, Any], parts: tuple[TrainedSelector, ...]) -> tuple[Chosen, Predictor]:
        data = replace(self.data, parts=parts)
        predictor = algorithm.fit(data, algorithm.settings(data.n_queries)[0], self.seed)
        held_out = algorithm.held_out(data, predictor)
        tally = Tally()
        tally.add(held_out.residual, held_out.predicted_residuals.astype(np.float64))
        own, cross, square = tally.sums().sum(axis=1).tolist()
        chosen = Chosen(
            setting=predictor.setting,
            slope=1.0 if square > 0.0 else 0.0,
            explained=(2.0 * cross - square) / own if own > 0.0 else 0.0,
            gain=self._gain(held_out, 1.0),
            held_out=held_out,
        )
        return chosen, predictor

    def without_categories(self) -> "Trainer":
        """The same queries as if nobody knew their categories: its table is the best single model, always."""
        codes = np.full(self.data.n_queries, MISSING)
        prior = MeanTable.fit(self.outcomes.quality, codes, len(CATEGORIES), math.inf)
        return replace(self, data=replace(self.data, codes=codes, prior=replace(prior, counts=self.data.prior.counts)))

    def _held_out(self, folds: Sequence[InnerFold], predicted_residuals: Sequence[npt.NDArray[np.float32]]) -> HeldOut:
        """Put what was predicted in every fold together; nothing where no fold could be used."""
        none = np.zeros((0, self.data.n_models))
        return HeldOut(
            rows=np.concatenate([np.zeros(0, dtype=np.int64), *(fold.rows for fold in folds)]),
            prior=np.concatenate([none, *(fold.prior for fold in folds)]),
            residual=np.concatenate([none, *(fold.residual for fold in folds)]),
            predicted_residuals=np.concatenate([none.astype(np.float32), *predicted_residuals]),
        )

    def _gain(self, held_out: HeldOut, slope: float) -> float:
        """Mean difference in measured utility between choices by the prediction and by the prior, out of fold."""
        outcomes, rows = self.outcomes, held_out.rows
        scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)
        measured = (outcomes.quality[rows], outcomes.latency_s[rows], outcomes.cost_usd[rows])
        utility = measured_utilities(*measured, scale, self.objective, outcomes.models)
        chooser = Chooser.prepare(self.statistics, self.objective)
        codes = self.data.codes[rows]
        chosen = chooser.best(held_out.prior + slope * held_out.predicted_residuals, codes)
        by_prior = chooser.best(held_out.prior, codes)
        every = np.arange(len(rows))
        gains = utility[every, chosen] - utility[every, by_prior]
        gains = gains[np.isfinite(gains)]
        return float(gains.mean()) if gains.size else 0.0

    def _grades_to_tune_on(self, most: int) -> Grades | None:
        grades = self.grades
        if grades is None or grades.n_queries <= most:
            return grades
        return grades.take(np.sort(np.random.default_rng(self.seed).permutation(grades.n_queries)[:most]))

    def _inner_folds(self, n_rows: int, grades: Grades | None) -> Iterator[InnerFold]:
        generator = np.random.default_rng(self.seed)
        data = self.data
        rows = np.arange(data.n_queries)
        if n_rows < data.n_queries:
            rows = np.sort(generator.permutation(data.n_queries)[:n_rows])
        folds = stratified_folds(data.codes[rows], min(N_INNER_FOLDS, len(rows)), generator)
        for number in range(folds.max() + 1):
            fold = inner_fold(data, rows[folds != number], rows[folds == number], grades)
            if fold is not None:
                yield fold


def features_of(outcomes: Outcomes, features: npt.ArrayLike) -> Features:
    """Check features and the outcomes that they belong to.

    Args:
        outcomes: one row per query.
        features: (n_queries, n_features) float32, as `build_features` makes them.

    Returns:
        float32 (n_queries, n_features); the same array where it is that already.

    Raises:
        TrainingError: There are no outcomes, or the number of rows differs.
        RecordError: The features are no matrix of finite numbers.
    """
    rows = as_features(features)
    require_kind(outcomes, Outcomes, "outcomes", "vsr.Outcomes(...) or vsr.Outcomes.from_records(...)", TrainingError)
    if len(rows) != outcomes.n_queries:
        raise TrainingError(
            f"{len(rows)} feature rows but outcomes of {outcomes.n_queries} queries; expected one row per query"
        )
    return rows


def require_seed(seed: int) -> int:
    """Check a seed.

    Raises:
        TrainingError: It is no whole number from 0 to 2^63 - 1.
    """
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise TrainingError(f"seed is {seed!r}; expected a whole number from 0 to 2^63 - 1")
    return int(seed)


def _choose_table_shrinkage(quality: FloatArray, codes: IntArray, seed: int) -> float:
    """L of the category table with the least centred error out of fold, up to infinity."""
    if len(np.unique(codes)) < 2:
        return math.inf
    generator = np.random.default_rng(seed)
    folds = stratified_folds(codes, min(N_INNER_FOLDS, len(codes)), generator)
    errors: list[list[FloatArray]] = [[] for _ in _TABLE_SHRINKAGE]
    for number in range(folds.max() + 1):
        train, held_out = folds != number, folds == number
        if not np.isfinite(quality[train]).any(axis=0).all():
            continue
        for shrinkage, error in zip(_TABLE_SHRINKAGE, errors, strict=True):
            table = MeanTable.fit(quality[train], codes[train], len(CATEGORIES), shrinkage)
            residual = table.residuals(quality[held_out], codes[held_out])
            error.append(np.nansum(np.square(residual), axis=1))
    if not errors[0]:
        return math.inf
    return _TABLE_SHRINKAGE[simplest([np.concatenate(each) for each in errors])]


def train_selector(
    name: str,
    features: npt.ArrayLike,
    outcomes: Outcomes,
    *,
    seed: int = 0,
    preferences: Preferences | None = None,
    **parameters: Any,
) -> TrainedSelector:
    """Train one selector.

    Args:
        name: registry name: `knn`, `kmeans`, `svm`, `mlp`, `matrix_factorization`, or one of another package.
        features: (n_queries, n_features) float32, as `build_features` makes them.
        outcomes: one row per query, in the same order.
        seed: the same seed and thread count give the same selector.
        preferences: pairs of the models of `outcomes`, for algorithms that learn from them.
        **parameters: the algorithm's own, as on the command line in snake_case.

    Raises:
        TrainingError: Features and outcomes do not fit, fewer than two queries, no such algorithm or parameter.
    """
    return Trainer.prepare(features, outcomes, seed, preferences=preferences).train(name, **parameters)
