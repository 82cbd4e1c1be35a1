"""SVM against the plain sum over its support vectors, and its two solvers against each other."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from pools import Pool, planted_pool
from vsr._core import KernelMatrix, svm_fit_linfa
from vsr.errors import TrainingError
from vsr.persistence import load_artefact, save_selector
from vsr.prior.category_means import MeanTable
from vsr.selectors import svm
from vsr.selectors.base import TrainedSelector
from vsr.selectors.svm import Svm, SvmPredictor, SvmSetting, default_gamma
from vsr.selectors.training_data import TrainingData
from vsr.training.trainer import Trainer, train_selector

Kernel = Literal["rbf", "linear"]
FloatArray = NDArray[np.float64]
KERNELS: tuple[Kernel, ...] = ("rbf", "linear")


def examples_of(pool: Pool) -> TrainingData:
    return Trainer.prepare(pool.features, pool.outcomes).data


def graded(pool: Pool) -> Pool:
    generator = np.random.default_rng(4)
    return pool.with_quality(generator.binomial(2, pool.expected) / 2)


def kernel_value(a: FloatArray, b: FloatArray, kernel: Kernel, gamma: float | None) -> float:
    assert gamma is not None
    return float(np.exp(-gamma * ((a - b) ** 2).sum())) if kernel == "rbf" else float(a @ b)


def plain_decisions(predictor: SvmPredictor, features: NDArray[np.float32]) -> FloatArray:
    """Sum of alpha K plus bias, pair by pair."""
    setting = predictor.setting
    decisions = np.tile(predictor.biases, (len(features), 1))
    for i, query in enumerate(features.astype(np.float64)):
        for vector, alphas in zip(predictor.vectors.astype(np.float64), predictor.coefficients, strict=True):
            decisions[i] += alphas * kernel_value(query, vector, setting.kernel, setting.gamma)
    return decisions


@pytest.mark.parametrize("kernel", KERNELS)
def test_decisions_are_plain_sums_over_the_support_vectors(kernel: Kernel) -> None:
    data = examples_of(planted_pool(80))
    predictor = Svm.of(kernel=kernel, c=1.0).fit(data, SvmSetting(1.0, 1.0, kernel), 0)
    unseen = planted_pool(10, seed=1).features
    np.testing.assert_allclose(predictor.machine.decisions(unseen), plain_decisions(predictor, unseen), atol=1e-4)
    squashed = 1.0 / (1.0 + np.exp(-plain_decisions(predictor, unseen)))
    np.testing.assert_allclose(predictor.quality(unseen), squashed, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_deviations_are_decisions_less_the_usual_ones_of_the_category(kernel: Kernel) -> None:
    data = examples_of(planted_pool(80))
    predictor = Svm.of(kernel=kernel, c=0.3).fit(data, SvmSetting(0.3, 1.0, kernel), 0)
    unseen = planted_pool(10, seed=1).features
    usual = predictor.usual_decision
    assert usual is not None
    expected = plain_decisions(predictor, unseen) - usual.by_category[unseen[:, -14:].argmax(axis=1)]
    expected -= expected.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(predictor.predicted_residuals(unseen, np.zeros((10, 3))), expected, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_usual_decisions_are_those_of_queries_without_their_own_part(kernel: Kernel) -> None:
    pool = planted_pool(80)
    codes = pool.features[:, -14:].argmax(axis=1)
    # A table that believes in categories: over all queries, their own parts cancel out.
    data = TrainingData(
        pool.features, codes, pool.outcomes.quality, MeanTable.fit(pool.outcomes.quality, codes, 14, 5.0)
    )
    predictor = Svm.of(kernel=kernel, c=0.3).fit(data, SvmSetting(0.3, 1.0, kernel), 0)
    decisions = plain_decisions(predictor, data.features)
    vectors = {row.tobytes(): alphas for row, alphas in zip(predictor.vectors, predictor.coefficients, strict=True)}
    for i, row in enumerate(data.features):
        own = kernel_value(row.astype(float), row.astype(float), kernel, predictor.setting.gamma)
        decisions[i] -= vectors.get(row.tobytes(), np.zeros(3)) * own
    expected = MeanTable.fit(decisions, data.codes, 14, data.prior.shrinkage)
    assert predictor.usual_decision is not None
    np.testing.assert_allclose(predictor.usual_decision.by_category, expected.by_category, atol=1e-4)
    np.testing.assert_allclose(predictor.usual_decision.overall, expected.overall, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("c", [0.1, 1.0])
@pytest.mark.parametrize("grades", [False, True])
def test_both_solvers_decide_alike(kernel: Kernel, c: float, grades: bool) -> None:
    pool = planted_pool(100)
    pool = graded(pool) if grades else pool
    gamma = default_gamma(pool.features)
    rows = np.arange(100, dtype=np.uint32)
    matrix = KernelMatrix(pool.features, kernel, gamma)
    quality = pool.outcomes.quality.copy()
    quality[5:10, 1] = np.nan
    shared = matrix.fit(rows, quality, c, 1e-6)
    linfa = svm_fit_linfa(pool.features, quality, kernel, gamma, c, 1e-6)
    decisions = [matrix.decisions(rows, rows, *solution) for solution in (shared, linfa)]
    np.testing.assert_allclose(decisions[0], decisions[1], atol=1e-3)
    assert (shared[0][5:10, 1] == 0.0).all()


def test_a_query_of_half_the_weight_and_again_counts_as_one() -> None:
    pool, unseen = planted_pool(60), planted_pool(30, seed=1).features
    data = examples_of(pool)
    setting = SvmSetting(0.3, 1.0, "rbf")
    twice = replace(
        data,
        features=np.repeat(data.features, 2, axis=0),
        codes=np.repeat(data.codes, 2),
        quality=np.repeat(data.quality, 2, axis=0),
        weights=np.full(120, 0.5),
    )
    svm = Svm.of()
    none = np.zeros((30, 3))
    expected = svm.fit(data, setting, 0).quality(unseen)
    fitted = svm.fit(twice, setting, 0)
    np.testing.assert_allclose(fitted.quality(unseen), expected, atol=2e-3)
    swept = next(iter(svm.sweep(twice, unseen, none, [setting], 0))).predicted_residuals
    np.testing.assert_allclose(swept, fitted.predicted_residuals(unseen, none), atol=5e-2)
    with pytest.raises(TrainingError, match="solver is 'linfa': linfa-svm has no weights of rows"):
        Svm.of(solver="linfa").fit(twice, setting, 0)


def test_both_solvers_give_the_same_selector() -> None:
    pool, unseen = planted_pool(120), planted_pool(60, seed=1).features
    scores = [
        train_selector("svm", pool.features, pool.outcomes, c=0.3, solver=solver).scores(unseen)
        for solver in ("linfa", "shared-gram")
    ]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)


def test_grades_that_linfa_cannot_take_go_to_the_shared_matrix() -> None:
    pool = planted_pool(60)
    pool = pool.with_quality(np.random.default_rng(0).random((60, 3)))
    np.testing.assert_array_equal(
        train_selector("svm", pool.features, pool.outcomes, c=0.3).scores(pool.features),
        train_selector("svm", pool.features, pool.outcomes, c=0.3, solver="shared-gram").scores(pool.features),
    )
    with pytest.raises(TrainingError, match=r"solver is 'linfa': .* use the solver shared-gram"):
        train_selector("svm", pool.features, pool.outcomes, c=0.3, solver="linfa")


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_sweep_gives_what_single_fits_give(kernel: Kernel) -> None:
    data = examples_of(planted_pool(100))
    unseen = planted_pool(20, seed=1).features
    svm = Svm.of(kernel=kernel, solver="shared-gram")
    settings = svm.settings(100)
    assert [setting.c for setting in settings] == sorted(setting.c for setting in settings)
    for result in svm.sweep(data, unseen, np.zeros((20, 3)), settings, 0):
        alone = svm.fit(data, result.setting, 0).predicted_residuals(unseen, np.zeros((20, 3)))
        np.testing.assert_allclose(result.predicted_residuals, alone, atol=0.05)  # the sweep is content with less


def test_the_default_gamma_is_the_documented_one() -> None:
    features = planted_pool(50).features
    assert default_gamma(features) == pytest.approx(1.0 / (features.shape[1] * features.astype(np.float64).var()))
    assert default_gamma(np.ones((3, 20), dtype=np.float32)) == 1.0


def test_the_union_of_the_support_vectors_is_kept_alone() -> None:
    data = examples_of(planted_pool(80))
    predictor = Svm.of(c=0.1).fit(data, SvmSetting(0.1, 1.0, "rbf"), 0)
    assert (predictor.coefficients != 0.0).any(axis=1).all()
    assert np.abs(predictor.coefficients).max() <= 0.1 + 1e-12


def test_of_many_queries_some_that_cover_are_fitted_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, unseen = planted_pool(400), planted_pool(200, seed=1)
    everything = train_selector("svm", pool.features, pool.outcomes, c=1.0)
    assert everything.predictor.notes == ()
    monkeypatch.setattr(svm, "MOST_FITTED", 200)
    trained = train_selector("svm", pool.features, pool.outcomes, c=1.0)
    (note,) = trained.predictor.notes
    assert note == "svm was fitted on 200 of 400 queries, drawn to cover all categories and clusters"
    assert isinstance(trained.predictor, SvmPredictor)
    assert len(trained.predictor.vectors) <= 200
    loaded = load_artefact(save_selector(trained, tmp_path)).selector
    assert loaded.predictor.notes == trained.predictor.notes
    np.testing.assert_array_equal(loaded.scores(unseen.features), trained.scores(unseen.features))

    data = Trainer.prepare(pool.features, pool.outcomes).data
    setting = SvmSetting(1.0, None, "rbf")
    light = Svm.of(solver="shared-gram").fit(replace(data, weights=np.linspace(0.01, 1.0, 400)), setting, seed=0)
    assert not np.array_equal(light.coefficients, Svm.of(solver="shared-gram").fit(data, setting, seed=0).coefficients)

    def loss(selector: TrainedSelector) -> float:
        return float(np.square(selector.scores(unseen.features) - unseen.outcomes.quality).mean())

    assert loss(trained) < 1.1 * loss(everything)
