"""What all selectors share in training: folds, the centred error, the choice of settings, the scale of belief."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from vsr.arguments import as_texts, repeated, require_kind
from vsr.categories import CATEGORIES, CategoryClassifier, category_codes, labelled_enough
from vsr.choice import Chooser, EfficiencyScale, Objective, as_objective, best_columns, measured_utilities
from vsr.errors import TrainingError
from vsr.features import as_features, split_features
from vsr.model_statistics import Statistics
from vsr.outcomes import Outcomes
from vsr.selectors.adam import sigmoid
from vsr.selectors.base import Algorithm, Examples, Features, TrainedSelector
from vsr.selectors.kmeans import KMeans
from vsr.selectors.knn import Knn
from vsr.selectors.matrix_factorization import (
    MatrixFactorization,
    MatrixFactorizationSetting,
    from_preferences,
)
from vsr.selectors.mlp import Mlp
from vsr.selectors.preferences import Preferences
from vsr.selectors.svm import Svm
from vsr.tables import FloatArray, IntArray, MeanTable, centred_rows

ALGORITHMS: dict[str, Callable[..., Algorithm[Any]]] = {
    algorithm.name: algorithm for algorithm in (Knn, KMeans, Svm, Mlp, MatrixFactorization)
}
"""Registry name -> class that takes the algorithm's parameters."""

N_INNER_FOLDS = 4
# Mean size of deviations that are more than rounding errors, on which a slope of 1e14 can be fitted.
_LEAST_DEVIATION = 1e-9
# Enough of a query to recognise it in an explanation.
_QUERY_CHARACTERS = 120
# Weight of the parent in the category table, simplest (no categories at all) first.
_TABLE_SHRINKAGE = (math.inf, 300.0, 100.0, 30.0, 10.0)


def stratified_folds(codes: IntArray, n_folds: int, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Deal rows to folds so that every category is spread evenly over them.

    Args:
        codes: (n,) category of each row, any integers.
        n_folds: number of folds, at most n.
        generator: shuffles the rows of each category.

    Returns:
        (n,) int64 fold of each row; the sizes of two folds differ by at most one.
    """
    # One shuffled deck, sorted by category, dealt round robin.
    order = generator.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    folds = np.empty(len(codes), dtype=np.int64)
    folds[order] = np.arange(len(codes)) % n_folds
    return folds


@dataclass(frozen=True, eq=False)
class InnerFold:
    """Training queries of one inner fold, and those held out of it.

    Attributes:
        examples: what to fit on.
        features: (n_held_out, n_features) float32.
        parent: (n_held_out, n_models) float64, the examples' table for the held-out queries.
        residual: (n_held_out, n_models) float64, quality less parent less the query's own difficulty; NaN = missing.
        rows: (n_held_out,) int64 row numbers of the held-out queries.
    """

    examples: Examples
    features: Features
    parent: FloatArray
    residual: FloatArray
    rows: IntArray


@dataclass(frozen=True)
class Chosen:
    """A setting that was chosen out of fold.

    Attributes:
        setting: the algorithm's setting.
        belief: slope of the held-out residuals on the predicted deviations, cut to what the algorithm allows.
        explained: share of the held-out centred error of the parent that the prediction takes away.
        gain: mean utility of the choices on held-out queries, less that of the choices by the parent alone.
    """

    setting: Any
    belief: float
    explained: float
    gain: float


class _Tally:
    """Sums per held-out query of one setting: residual x residual, residual x deviation, deviation x deviation.

    Attributes:
        deviations: of every fold, kept in single precision because there are many settings.
    """

    def __init__(self) -> None:
        self._parts: list[FloatArray] = []
        self.deviations: list[npt.NDArray[np.float32]] = []

    def add(self, residual: FloatArray, deviations: FloatArray) -> None:
        observed = np.isfinite(residual)
        r = np.where(observed, residual, 0.0)
        # Both means of the centred error run over the same observed cells.
        d = np.nan_to_num(centred_rows(deviations, observed))
        self.deviations.append(deviations.astype(np.float32))
        self._parts.append(np.stack([(r * r).sum(1), (r * d).sum(1), (d * d).sum(1)]))

    def sums(self) -> FloatArray:
        """(3, n_held_out) over all folds; no held-out query where no fold could be used."""
        return np.concatenate([np.zeros((3, 0)), *self._parts], axis=1)


def _belief(sums: FloatArray, limit: float) -> float:
    """Least-squares slope of residuals on deviations, cut to [0, limit]; 0 where these are rounding errors."""
    _, cross, square = sums.sum(axis=1)
    if square <= sums.shape[1] * _LEAST_DEVIATION**2:
        return 0.0
    return float(np.clip(cross / square, 0.0, limit))


def _simplest(errors: Sequence[FloatArray]) -> int:
    """Pick the first of the settings that is within one standard error of the best one.

    Args:
        errors: per setting, simplest first, the error of every held-out query.
    """
    best = int(np.argmin([error.sum() for error in errors]))
    for number, error in enumerate(errors[:best]):
        difference = error - errors[best]
        if difference.sum() <= math.sqrt(len(difference)) * difference.std():
            return number
    return best


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """Features and outcomes, checked, with the table of means chosen: what each algorithm then trains on.

    Attributes:
        outcomes: what was measured.
        examples: all queries, as the final fits see them.
        category_weight: what stands in the category columns.
        classifier: predicts missing categories; None where too few queries are labelled.
        seed: seed of folds and fits.
        objective: says which model was the best one of a training query.
    """

    outcomes: Outcomes
    examples: Examples
    category_weight: float
    classifier: CategoryClassifier | None
    seed: int
    objective: Objective

    @classmethod
    def prepare(
        cls, features: npt.ArrayLike, outcomes: Outcomes, seed: int = 0, objective: Objective | None = None
    ) -> "TrainingTable":
        """Check that features and outcomes fit, choose the shrinkage of the table, fit the category classifier.

        Args:
            features: (n_queries, n_features) float32, as `build_features` makes them.
            outcomes: one row per query, in the same order.
            seed: seed of folds and fits.
            objective: says which model was the best one of a training query; `Objective()` without it.

        Raises:
            TrainingError: The number of rows differs, there are fewer than two queries, nothing was measured, or the
                seed is negative.
        """
        seed = require_seed(seed)
        objective = as_objective(objective)
        rows = features_of(outcomes, features)
        if isinstance(features, np.ndarray) and np.may_share_memory(rows, features):
            rows = rows.copy()  # what a caller does with its array afterwards must not change the table
        measured = outcomes.measured_rows
        if len(measured) < outcomes.n_queries:
            rows, outcomes = rows[measured], outcomes.take(measured)
        if outcomes.n_queries < 2:
            raise TrainingError(
                f"{outcomes.n_queries} unique queries have a measured quality; at least 2 are needed to learn "
                "anything, 50 to judge it"
            )
        seen: list[bool] = np.any(outcomes.observed, axis=0).tolist()
        never = [name for name, is_seen in zip(outcomes.models, seen, strict=True) if not is_seen]
        if never:
            raise TrainingError(f"no quality was measured for {', '.join(never)}; leave them out or measure them")
        split = split_features(rows)
        shrinkage = _choose_table_shrinkage(outcomes.quality, split.codes, seed)
        parent = MeanTable.fit(outcomes.quality, split.codes, len(CATEGORIES), shrinkage)
        labels = category_codes(outcomes.categories)
        classifier = CategoryClassifier.fit(split.embeddings, labels) if labelled_enough(labels) else None
        return cls(
            outcomes=outcomes,
            examples=Examples(rows, split.codes, outcomes.quality, parent),
            category_weight=split.category_weight,
            classifier=classifier,
            seed=seed,
            objective=objective,
        )

    def train(self, name: str, **parameters: Any) -> TrainedSelector:
        """Choose the settings of one algorithm out of fold and fit it on all queries.

        Args:
            name: registry name.
            **parameters: the algorithm's own, as on the command line in snake_case (`k`, `num_clusters`, `kernel`,
                `gamma`, `c`, `solver`, `hidden_layers`, `num_factors`, `index`).

        Raises:
            TrainingError: No such algorithm or parameter.
        """
        algorithm = make_algorithm(name, **parameters)
        # NumPy's products here are small: a second BLAS thread gains little and, on a busy machine, spins.
        with threadpool_limits(limits=1, user_api="blas"):
            chosen = self.choose(algorithm)
            predictor = algorithm.fit(self.examples, chosen.setting, self.seed)
        return TrainedSelector(
            name=name,
            models=self.outcomes.models,
            n_features=self.examples.features.shape[1],
            category_weight=self.category_weight,
            parent=self.examples.parent,
            belief=chosen.belief,
            predictor=predictor,
            statistics=self.statistics(),
            classifier=self.classifier,
            parameters=asdict(getattr(predictor, "setting", chosen.setting)),
            seed=self.seed,
            explained=chosen.explained,
            gain=chosen.gain,
            training_digest=self.outcomes.digest(),
            training_best=self.best_models(),
            training_queries=tuple(query[:_QUERY_CHARACTERS] for query in self.outcomes.queries),
        )

    def statistics(self) -> Statistics:
        """Quality, latency and cost by model and category, as every selector of this table carries them."""
        return Statistics.from_outcomes(self.outcomes, self.examples.codes, self.examples.parent)

    def best_models(self) -> tuple[str, ...]:
        """Name of the model of highest measured utility for every query, under the objective."""
        columns = best_columns(self.outcomes.quality, self.outcomes.latency_s, self.outcomes.cost_usd, self.objective)
        return tuple(self.outcomes.models[column] for column in columns.tolist())

    def choose(self, algorithm: Algorithm[Any]) -> Chosen:
        """Choose the setting of least centred error out of fold, the simplest within one standard error of it."""
        n_rows = min(self.examples.n_queries, algorithm.max_tuning_rows)
        n_train = n_rows - n_rows // min(N_INNER_FOLDS, n_rows)
        settings = list(algorithm.settings(max(n_train, 1)))
        tallies: dict[Any, _Tally] = {setting: _Tally() for setting in settings}
        folds = []
        for fold in self._inner_folds(n_rows):
            folds.append(fold)
            for result in algorithm.sweep(fold.examples, fold.features, fold.parent, settings, self.seed):
                tallies[result.setting].add(fold.residual, result.deviations)
        sums = [tallies[setting].sums() for setting in settings]
        beliefs = [_belief(each, algorithm.belief_limit) for each in sums]
        errors = [
            own - 2.0 * belief * cross + belief**2 * square
            for (own, cross, square), belief in zip(sums, beliefs, strict=True)
        ]
        number = _simplest(errors)
        parents_error = float(sums[number][0].sum())
        return Chosen(
            setting=settings[number],
            belief=beliefs[number],
            explained=1.0 - float(errors[number].sum()) / parents_error if parents_error > 0.0 else 0.0,
            gain=self._gain(folds, tallies[settings[number]].deviations, beliefs[number]),
        )

    def _gain(self, folds: Sequence[InnerFold], deviations: Sequence[npt.NDArray[np.float32]], belief: float) -> float:
        """Mean difference in measured utility between choices by the prediction and by the parent, out of fold."""
        outcomes = self.outcomes
        scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)
        utility = measured_utilities(outcomes.quality, outcomes.latency_s, outcomes.cost_usd, scale, self.objective)
        chooser = Chooser.prepare(self.statistics(), self.objective)
        differences = [np.zeros(0)]
        for fold, deviation in zip(folds, deviations, strict=True):
            codes = self.examples.codes[fold.rows]
            chosen = chooser.best(fold.parent + belief * deviation, codes)
            by_parent = chooser.best(fold.parent, codes)
            differences.append(utility[fold.rows, chosen] - utility[fold.rows, by_parent])
        measured = np.concatenate(differences)
        measured = measured[np.isfinite(measured)]
        return float(measured.mean()) if measured.size else 0.0

    def _inner_folds(self, n_rows: int) -> Iterator[InnerFold]:
        generator = np.random.default_rng(self.seed)
        examples = self.examples
        rows = np.arange(examples.n_queries)
        if n_rows < examples.n_queries:
            rows = np.sort(generator.permutation(examples.n_queries)[:n_rows])
        folds = stratified_folds(examples.codes[rows], min(N_INNER_FOLDS, len(rows)), generator)
        for number in range(folds.max() + 1):
            fold = _inner_fold(examples, rows[folds != number], rows[folds == number])
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


def _inner_fold(examples: Examples, train: IntArray, held_out: IntArray) -> InnerFold | None:
    """Fit the table on the training rows and take residuals of the held-out ones; None without a row for a model."""
    quality = examples.quality[train]
    if not np.isfinite(quality).any(axis=0).all():
        return None
    codes = examples.codes[train]
    parent = MeanTable.fit(quality, codes, len(CATEGORIES), examples.parent.shrinkage)
    return InnerFold(
        examples=Examples(np.ascontiguousarray(examples.features[train]), codes, quality, parent),
        features=np.ascontiguousarray(examples.features[held_out]),
        parent=parent.rows(examples.codes[held_out]),
        residual=parent.residuals(examples.quality[held_out], examples.codes[held_out]),
        rows=held_out,
    )


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
    return _TABLE_SHRINKAGE[_simplest([np.concatenate(each) for each in errors])]


def parameters_among(parameters: Mapping[str, Any], columns: IntArray) -> dict[str, Any]:
    """Give an algorithm's parameters where only some models are left: preference pairs between those alone.

    Args:
        parameters: the algorithm's own.
        columns: (n_left,) their columns among all models.
    """
    preferences = parameters.get("preferences")
    if preferences is None:
        return dict(parameters)
    return {**parameters, "preferences": preferences.among(columns)}


def make_algorithm(name: str, **parameters: Any) -> Algorithm[Any]:
    """Make an algorithm with its parameters.

    Raises:
        TrainingError: No such algorithm, or it has no such parameter.
    """
    algorithm = ALGORITHMS.get(name) if isinstance(name, str) else None
    if algorithm is None:
        raise TrainingError(f"no algorithm is called {name!r}; there are {', '.join(ALGORITHMS)}")
    try:
        return algorithm(**parameters)
    except TypeError as error:
        raise TrainingError(f"{name}: {error}".replace("__init__() ", "")) from error


def train_selector(
    name: str, features: npt.ArrayLike, outcomes: Outcomes, *, seed: int = 0, **parameters: Any
) -> TrainedSelector:
    """Train one selector.

    Args:
        name: `knn`, `kmeans`, `svm`, `mlp` or `matrix_factorization`.
        features: (n_queries, n_features) float32, as `build_features` makes them.
        outcomes: one row per query, in the same order.
        seed: the same seed and thread count give the same selector.
        **parameters: the algorithm's own, as on the command line in snake_case.

    Raises:
        TrainingError: Features and outcomes do not fit, fewer than two queries, no such algorithm or parameter.
    """
    return TrainingTable.prepare(features, outcomes, seed).train(name, **parameters)


def train_with_preferences(
    features: npt.ArrayLike,
    preferred: Sequence[str],
    other: Sequence[str],
    models: Sequence[str],
    confidence: npt.ArrayLike | None = None,
    *,
    seed: int = 0,
    **parameters: Any,
) -> TrainedSelector:
    """Train a matrix factorization from preference pairs alone.

    Pairs fix differences between models only: the scores have the right order, but their level is 0.5 on average.

    Args:
        features: (n_pairs, n_features) float32, the query of each pair.
        preferred: name of the model that was preferred, per pair.
        other: name of the other one, per pair.
        models: names of all models, in the order of the columns.
        confidence: (n_pairs,) weight of each pair; all the same without it.
        seed: seed of the fit.
        **parameters: the factorization's own: `num_factors`, the length of a model's factor vector.

    Raises:
        TrainingError: A name is not among `models`, the lengths differ, or there is no such parameter.
        RecordError: The features are no matrix of finite numbers.
    """
    seed = require_seed(seed)
    unknown = sorted(parameters.keys() - {"num_factors"})
    if unknown:
        raise TrainingError(f"pairs train with no parameter {', '.join(unknown)}; there is num_factors alone")
    num_factors = MatrixFactorization(**parameters).num_factors
    rows = as_features(features)
    models = as_texts(models, "models", "a list of names", TrainingError)
    preferred = as_texts(preferred, "preferred", "a list of one name per pair", TrainingError)
    other = as_texts(other, "other", "a list of one name per pair", TrainingError)
    twice = repeated(models)
    if twice:
        raise TrainingError(f"models name {', '.join(twice)} more than once; expected one column a model")
    try:
        weights = np.ones(len(rows)) if confidence is None else np.asarray(confidence, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"confidence is no list of numbers ({error}); expected one for every pair") from error
    preferences = Preferences(
        features=rows,
        preferred=_columns(preferred, models),
        other=_columns(other, models),
        confidence=weights,
    )
    predictor = from_preferences(
        preferences, len(models), MatrixFactorizationSetting(num_factors, 1.0), seed, level=0.0
    )
    n_models, n_categories = len(models), len(CATEGORIES)
    overall = sigmoid(predictor.model_biases.astype(np.float64))
    parent = MeanTable(
        overall=overall,
        by_category=np.tile(overall, (n_categories, 1)),
        counts=np.zeros((n_categories, n_models), dtype=np.int64),
        shrinkage=math.inf,
    )
    unmeasured = np.full((n_categories + 1, n_models), np.nan)
    return TrainedSelector(
        name="matrix_factorization",
        models=models,
        n_features=rows.shape[1],
        category_weight=split_features(rows).category_weight,
        parent=parent,
        belief=1.0,
        predictor=predictor,
        statistics=Statistics(models, overall, parent.counts, unmeasured, unmeasured),
        classifier=None,
        parameters=asdict(predictor.setting),
        seed=seed,
    )


def _columns(names: Sequence[str], models: Sequence[str]) -> IntArray:
    """Column of each name.

    Raises:
        TrainingError: A name is not among the models.
    """
    column_of = {name: column for column, name in enumerate(models)}
    unknown = sorted({name for name in names if name not in column_of})
    if unknown:
        raise TrainingError(f"preferences name {', '.join(unknown)}; expected names among {', '.join(models)}")
    return np.array([column_of[name] for name in names], dtype=np.int64)
