"""Folds, the centred error, the calibration slope: what all selectors share."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pools import DIM, Pool, make_pool, planted_pool, signalless_pool
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES
from vsr.data.outcomes import Outcomes
from vsr.prior.category_means import MeanTable
from vsr.selectors.base import Algorithm, SweepResult
from vsr.selectors.parameters import Parameters
from vsr.selectors.training_data import Features, TrainingData
from vsr.training.calibration import Chosen, Tally, calibration_slope, simplest
from vsr.training.folds import stratified_folds
from vsr.training.trainer import Trainer, train_selector

FloatArray = NDArray[np.float64]


# Folds


@given(st.lists(st.integers(-1, 4), min_size=2, max_size=80), st.integers(2, 6), st.integers(0, 100))
def test_folds_are_even_and_so_are_categories_over_them(codes: list[int], n_folds: int, seed: int) -> None:
    n_folds = min(n_folds, len(codes))
    folds = stratified_folds(np.array(codes), n_folds, np.random.default_rng(seed))
    sizes = np.bincount(folds, minlength=n_folds)
    assert sizes.max() - sizes.min() <= 1
    for code in set(codes):
        of_category = np.bincount(folds[np.array(codes) == code], minlength=n_folds)
        assert of_category.max() - of_category.min() <= 1


def test_folds_depend_on_the_seed_alone() -> None:
    codes = np.arange(50) % 3
    first, again, other = (stratified_folds(codes, 5, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


# The centred error and the calibration slope


def centred_error(scores: FloatArray, quality: FloatArray) -> FloatArray:
    """Of every query, summed over its measured models, as `selectors.md` defines it."""
    errors = []
    for score, truth in zip(scores, quality, strict=True):
        seen = np.isfinite(truth)
        ours, theirs = score[seen] - score[seen].mean(), truth[seen] - truth[seen].mean()
        errors.append(float(((ours - theirs) ** 2).sum()))
    return np.array(errors)


def tallied(seed: int, missing: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Quality, prior and deviations of 40 queries on 5 models, and their sums."""
    generator = np.random.default_rng(seed)
    prior = generator.random((40, 5))
    deviations = generator.standard_normal((40, 5))
    quality = prior + 0.4 * deviations + 0.5 * generator.standard_normal((40, 5)) + generator.random((40, 1))
    quality[generator.random(quality.shape) < missing] = np.nan
    quality[:, 0] = 0.5
    residual = quality - prior
    residual -= np.nanmean(residual, axis=1, keepdims=True)
    tally = Tally()
    tally.add(residual[:15], deviations[:15])
    tally.add(residual[15:], deviations[15:])
    return quality, prior, deviations, tally.sums()


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_sums_give_the_centred_error_at_every_belief(missing: float) -> None:
    quality, prior, deviations, (own, cross, square) = tallied(0, missing)
    for slope in (0.0, 0.3, 1.0, 7.0):
        direct = centred_error(prior + slope * deviations, quality)
        np.testing.assert_allclose(own - 2.0 * slope * cross + slope**2 * square, direct, atol=1e-9)


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_belief_is_the_slope_of_least_squares(missing: float) -> None:
    quality, prior, deviations, sums = tallied(1, missing)
    seen = np.isfinite(quality)
    centred = [np.where(seen, values, np.nan) for values in (quality - prior, deviations)]
    wanted, given_ = (values - np.nanmean(values, axis=1, keepdims=True) for values in centred)
    slope = np.linalg.lstsq(given_[seen][:, None], wanted[seen], rcond=None)[0][0]
    assert 0.0 < slope < 1.0
    assert calibration_slope(sums, 1.0) == pytest.approx(slope)
    errors = [centred_error(prior + slope * deviations, quality).sum() for slope in (slope - 0.01, slope, slope + 0.01)]
    assert min(errors) == errors[1]


def test_belief_is_cut_to_its_limits() -> None:
    row = np.array([[1.0, -1.0]])
    for factor, limit, expected in (
        (0.5, 1.0, 1.0),
        (0.5, math.inf, 2.0),
        (-1.0, 1.0, 0.0),
        (0.0, 1.0, 0.0),
        (4.0, 1.0, 0.25),
    ):
        tally = Tally()
        tally.add(row, factor * row)
        assert calibration_slope(tally.sums(), limit) == expected


def test_rounding_errors_are_not_believed() -> None:
    """Deviations that are nothing but noise of the last bit have a slope too, an enormous one."""
    generator = np.random.default_rng(0)
    residual = generator.standard_normal((200, 3))
    residual -= residual.mean(axis=1, keepdims=True)
    tally = Tally()
    tally.add(residual, 1e-17 * generator.standard_normal((200, 3)))
    assert calibration_slope(tally.sums(), math.inf) == 0.0


def test_the_simplest_setting_within_a_standard_error_is_taken() -> None:
    generator = np.random.default_rng(0)
    noise = 0.1 * generator.standard_normal(400)
    best = 1.0 + generator.random(400)
    worse, nearly = best + 0.05 + noise, best + 0.003 + noise
    assert simplest([worse, best]) == 1
    assert simplest([nearly, best]) == 0
    assert simplest([worse, nearly, best]) == 1
    assert simplest([best, worse]) == 0
    assert simplest([best, best, best]) == 0
    assert simplest([np.zeros(0), np.zeros(0)]) == 0


@dataclass(frozen=True)
class Told:
    """Setting of an algorithm that is told the truth: it multiplies it, and adds noise."""

    factor: float
    noise: float


class Oracle(Algorithm[Parameters, Told]):
    """Predicts the planted deviations, which it reads from the topic columns of the features."""

    name: ClassVar[str] = "oracle"
    max_tuning_rows: ClassVar[int] = 3000
    largest_slope: ClassVar[float] = 1.0

    def __init__(self, *settings: Told) -> None:
        self._settings = settings
        self.seen: list[tuple[TrainingData, Features, FloatArray]] = []

    def settings(self, n_rows: int) -> Sequence[Told]:
        self.n_rows = n_rows
        return self._settings

    def sweep(
        self, data: TrainingData, features: Features, prior: FloatArray, settings: Sequence[Told], seed: int
    ) -> Iterator[SweepResult[Told]]:
        self.seen.append((data, features, prior))
        topic = features[:, :3].argmax(axis=1)
        truth = np.where(topic[:, None] == np.arange(3), 0.4, -0.2)
        for setting in settings:
            noise = np.random.default_rng(seed).standard_normal(truth.shape)
            noise -= noise.mean(axis=1, keepdims=True)
            yield SweepResult(setting, setting.factor * truth + setting.noise * noise)

    def fit(self, *_: object) -> Any:
        raise AssertionError("only its sweep is asked")

    @classmethod
    def to_fields(cls, *_: object) -> Any:
        raise AssertionError("it has no file")

    @classmethod
    def from_fields(cls, *_: object) -> Any:
        raise AssertionError("it has no file")


class UnlimitedOracle(Oracle):
    largest_slope = math.inf


class HastyOracle(Oracle):
    max_tuning_rows = 40


def choose(pool: Pool, *settings: Told, oracle: type[Oracle] = Oracle) -> Chosen:
    return Trainer.prepare(pool.features, pool.outcomes).choose(oracle(*settings))


def test_what_is_right_is_believed_and_what_exaggerates_is_scaled() -> None:
    pool = planted_pool()
    assert choose(pool, Told(1.0, 0.0)).slope == pytest.approx(1.0, abs=0.15)
    assert choose(pool, Told(4.0, 0.0)).slope == pytest.approx(0.25, abs=0.04)
    assert choose(pool, Told(0.1, 0.0)).slope == 1.0
    assert choose(pool, Told(0.1, 0.0), oracle=UnlimitedOracle).slope == pytest.approx(10.0, abs=1.5)
    assert choose(pool, Told(-1.0, 0.0)).slope == 0.0
    assert choose(signalless_pool(n_models=3), Told(1.0, 0.0)).slope < 0.2


def test_the_better_setting_is_chosen_and_the_simpler_of_equals() -> None:
    pool = planted_pool()
    noisy, clear, twice = Told(1.0, 0.5), Told(1.0, 0.0), Told(2.0, 0.0)
    assert choose(pool, noisy, clear).setting == clear
    assert choose(pool, clear, noisy).setting == clear
    assert choose(pool, clear, twice).setting == clear
    assert choose(pool, twice, clear).setting == twice


def test_explained_is_the_share_of_the_error_that_goes_away() -> None:
    pool = planted_pool()
    clear, noisy = choose(pool, Told(1.0, 0.0)).explained, choose(pool, Told(1.0, 0.5)).explained
    # Two thirds of the variance of a Bernoulli of 0.9 and 0.3 is left by the best of all predictions.
    assert 0.25 < clear < 0.45
    assert 0.0 < noisy < clear
    assert choose(pool, Told(-1.0, 0.0)).explained == 0.0


def test_everything_is_judged_on_rows_that_were_not_fitted() -> None:
    pool = planted_pool(100)
    oracle = Oracle(Told(1.0, 0.0))
    Trainer.prepare(pool.features, pool.outcomes).choose(oracle)
    assert oracle.n_rows == 75
    held_out: list[bytes] = []
    for data, features, prior in oracle.seen:
        fitted = {row.tobytes() for row in data.features}
        own = [row.tobytes() for row in features]
        assert not fitted & set(own)
        assert len(fitted) + len(own) == 100
        held_out += own
        table = MeanTable.fit(data.quality, data.codes, len(CATEGORIES), data.prior.shrinkage)
        np.testing.assert_array_equal(prior, table.rows(features[:, DIM:].argmax(axis=1)))
    assert sorted(held_out) == sorted(row.tobytes() for row in pool.features)


def test_no_more_than_the_tuning_rows_are_looked_at() -> None:
    pool = planted_pool(100)
    oracle = HastyOracle(Told(1.0, 0.0))
    Trainer.prepare(pool.features, pool.outcomes).choose(oracle)
    assert {len(data.features) + len(features) for data, features, _ in oracle.seen} == {40}


def test_folds_in_which_a_model_was_never_measured_are_left_out() -> None:
    pool = planted_pool(40)
    quality = pool.outcomes.quality.copy()
    quality[1:, 0] = np.nan
    oracle = Oracle(Told(1.0, 0.0))
    Trainer.prepare(pool.features, pool.with_quality(quality).outcomes).choose(oracle)
    assert len(oracle.seen) == 3


# The table of means


def test_categories_that_say_nothing_are_shrunk_away() -> None:
    pool = signalless_pool(400)
    assert Trainer.prepare(pool.features, pool.outcomes).data.prior.shrinkage == math.inf


def test_categories_that_say_much_are_kept() -> None:
    generator = np.random.default_rng(0)
    codes = np.arange(300) % 3
    quality = np.where(codes[:, None] == np.arange(3), 0.9, 0.3) + 0.05 * generator.random((300, 3))
    pool = make_pool(generator.standard_normal((300, DIM)), tuple(CATEGORIES[code] for code in codes), quality)
    prior = Trainer.prepare(pool.features, pool.outcomes).data.prior
    assert prior.shrinkage <= 30.0
    assert prior.by_category[:3].argmax(axis=1).tolist() == [0, 1, 2]


def test_the_classifier_of_missing_categories_needs_enough_labels() -> None:
    pool = planted_pool(100)
    assert Trainer.prepare(pool.features, pool.outcomes).classifier is not None
    few = Outcomes(
        queries=pool.outcomes.queries,
        categories=["math"] * 20 + ["law"] * 19 + [None] * 61,
        models=pool.outcomes.models,
        quality=pool.outcomes.quality,
    )
    assert Trainer.prepare(pool.features, few).classifier is None


def test_the_best_model_of_a_training_query_is_that_of_the_objective() -> None:
    pool = make_pool(
        np.eye(3, DIM),
        ("math",) * 3,
        [[1.0, 0.9], [0.2, 0.9], [0.5, 0.5]],
        latency_s=np.array([[10.0, 0.1], [10.0, 0.1], [1.0, 0.5]]),
    )
    best = {
        weight: Trainer.prepare(pool.features, pool.outcomes, 0, Objective(weight)).data.best.tolist()
        for weight in (1.0, 0.5)
    }
    assert best == {1.0: [0, 1, 1], 0.5: [1, 1, 1]}


# What all trainings have in common


@pytest.mark.parametrize("name", ["knn", "kmeans", "svm"])
def test_the_order_of_the_models_changes_the_order_of_the_scores_alone(name: str) -> None:
    pool = planted_pool(120)
    reversed_ = Outcomes(
        queries=pool.outcomes.queries,
        categories=pool.outcomes.categories,
        models=pool.outcomes.models[::-1],
        quality=pool.outcomes.quality[:, ::-1],
    )
    forward = train_selector(name, pool.features, pool.outcomes).scores(pool.features)
    backward = train_selector(name, pool.features, reversed_).scores(pool.features)
    np.testing.assert_allclose(backward[:, ::-1], forward, atol=1e-9)


@pytest.mark.parametrize("name", ["kmeans", "mlp", "matrix_factorization"])
def test_the_seed_changes_what_is_random(name: str) -> None:
    pool = planted_pool(120)
    parameters: dict[str, Any] = {"hidden_layers": (8,)} if name == "mlp" else {}
    scores = [
        train_selector(name, pool.features, pool.outcomes, seed=seed, **parameters).scores(pool.features)
        for seed in (0, 1)
    ]
    assert np.abs(scores[0] - scores[1]).max() > 1e-6
