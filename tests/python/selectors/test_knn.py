"""KNN against loops over all training queries."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pools import Pool, planted_pool
from vsr.errors import ArtefactError
from vsr.persistence import load_selector, save_selector
from vsr.selectors.knn import Knn, KnnPredictor, KnnSetting
from vsr.selectors.training_data import TrainingData
from vsr.training.trainer import Trainer, train_selector

FloatArray = NDArray[np.float64]


def with_gaps(pool: Pool, share: float = 0.3) -> Pool:
    quality = pool.outcomes.quality.copy()
    quality[np.random.default_rng(9).random(quality.shape) < share] = np.nan
    return pool.with_quality(quality)


def examples_of(pool: Pool) -> TrainingData:
    return Trainer.prepare(pool.features, pool.outcomes).data


def slow_neighbours(data: TrainingData, query: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    """The k nearest rows, nearest first, and their cosines where these are above 0."""
    rows, wanted = data.features.astype(np.float64), query.astype(np.float64)
    squared = [float(((row - wanted) ** 2).sum()) for row in rows]
    order = sorted(range(len(rows)), key=lambda row: (np.float32(squared[row]), row))
    length = float(wanted @ wanted)
    return [(row, max(1.0 - squared[row] / (2.0 * length), 0.0)) for row in order[:k]]


def slow_means(
    neighbours: list[tuple[int, float]],
    values: FloatArray,
    sharpness: float,
    shrinkage: float,
    counts: FloatArray | None = None,
) -> FloatArray:
    """`sum of weight x value / (sum of weights + L)` over the measured cells of the neighbours, model by model."""
    means = []
    for column in values.T:
        total = mass = 0.0
        for row, cosine in neighbours:
            if np.isfinite(column[row]):
                weight = cosine**sharpness * (1.0 if counts is None else float(counts[row]))
                total += weight * column[row]
                mass += weight
        means.append(total / max(mass + shrinkage, 1e-12))
    return np.array(means)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("share_missing", [0.0, 0.4])
@pytest.mark.parametrize(
    "setting", [KnnSetting(1, 0.0, 1.0), KnnSetting(7, 2.0, 1.0), KnnSetting(25, 20.0, 4.0), KnnSetting(500, 5.0, 1.0)]
)
def test_deviations_are_those_of_plain_loops(setting: KnnSetting, share_missing: float, is_weighted: bool) -> None:
    data = examples_of(with_gaps(planted_pool(90), share_missing))
    if is_weighted:
        data = replace(data, weights=np.random.default_rng(4).uniform(0.1, 1.0, data.n_queries))
    unseen = planted_pool(12, seed=1).features
    predictor = Knn.of().fit(data, setting, seed=0)
    expected = []
    for query in unseen:
        neighbours = slow_neighbours(data, query, setting.k)
        means = slow_means(neighbours, data.completed_residual, setting.sharpness, setting.shrinkage, data.weights)
        expected.append(means - means.mean())
    prior = data.prior.rows(np.zeros(len(unseen), dtype=np.int64))
    np.testing.assert_allclose(predictor.predicted_residuals(unseen, prior), expected, atol=2e-6)


def test_quality_is_the_weighted_mean_of_the_neighbours() -> None:
    data = examples_of(with_gaps(planted_pool(90)))
    unseen = planted_pool(12, seed=1).features
    predictor = Knn.of().fit(data, KnnSetting(9, 3.0, 1.0), seed=0)
    expected = [slow_means(slow_neighbours(data, query, 9), data.quality, 1.0, 0.0) for query in unseen]
    np.testing.assert_allclose(predictor.quality(unseen), expected, atol=2e-6)


def test_scores_are_the_parent_plus_what_is_believed() -> None:
    pool = planted_pool(90)
    selector = replace(train_selector("knn", pool.features, pool.outcomes, k=9), slope=0.4)
    data, predictor = examples_of(pool), selector.predictor
    assert isinstance(predictor, KnnPredictor)
    unseen = planted_pool(12, seed=1)
    assert selector.prior is not None
    columns = unseen.features[:, -14:].argmax(axis=1)
    for query, code, score in zip(unseen.features, columns, selector.scores(unseen.features), strict=True):
        setting = predictor.setting
        neighbours = slow_neighbours(data, query, setting.k)
        means = slow_means(neighbours, data.completed_residual, setting.sharpness, setting.shrinkage)
        raw = selector.prior.by_category[code] + selector.slope * (means - means.mean())
        np.testing.assert_allclose(score, np.clip(raw, 0.0, 1.0), atol=2e-6)


def test_both_engines_find_the_same_neighbours() -> None:
    data = examples_of(planted_pool(150))
    unseen = planted_pool(40, seed=1).features
    found = [
        Knn.of(index=engine).fit(data, KnnSetting(20, 1.0, 1.0), 0).neighbours(unseen)
        for engine in ("flat", "ball-tree")
    ]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_a_tree_goes_to_another_process_as_its_rows() -> None:
    data = examples_of(planted_pool(60))
    fitted = Knn.of(index="ball-tree").fit(data, KnnSetting(10, 5.0, 4.0), 0)
    there = pickle.loads(pickle.dumps(fitted))
    assert there.index.engine == "ball-tree"
    for ours, theirs in zip(fitted.neighbours(data.features), there.neighbours(data.features), strict=True):
        np.testing.assert_array_equal(theirs, ours)


def test_a_sweep_gives_what_single_fits_give() -> None:
    data = examples_of(with_gaps(planted_pool(120)))
    unseen = planted_pool(20, seed=1).features
    knn = Knn.of()
    settings = [*knn.settings(120), KnnSetting(1000, 1.0, 2.0)]
    prior = data.prior.rows(np.zeros(20, dtype=np.int64))
    swept = {result.setting: result.predicted_residuals for result in knn.sweep(data, unseen, prior, settings, 0)}
    assert set(swept) == set(settings)
    for setting in settings:
        alone = knn.fit(data, setting, 0).predicted_residuals(unseen, prior)
        np.testing.assert_allclose(swept[setting], alone, atol=1e-12)


def test_settings_fit_the_number_of_rows() -> None:
    assert {setting.k for setting in Knn.of().settings(3000)} == {400, 200, 100, 50, 25}
    assert {setting.k for setting in Knn.of().settings(120)} == {25}
    assert {setting.k for setting in Knn.of().settings(2)} == {1}
    assert {setting.k for setting in Knn.of(k=5).settings(3000)} == {5}
    simplest = Knn.of().settings(3000)[0]
    assert (simplest.k, simplest.shrinkage) == (400, max(setting.shrinkage for setting in Knn.of().settings(3000)))


def test_a_file_with_gaps_holds_filled_residuals(tmp_path: Path) -> None:
    pool, unseen = with_gaps(planted_pool(90)), planted_pool(12, seed=1).features
    selector = train_selector("knn", pool.features, pool.outcomes)
    path = save_selector(selector, tmp_path)
    np.testing.assert_array_equal(load_selector(tmp_path, "knn").scores(unseen), selector.scores(unseen))
    document = json.loads(path.read_bytes())
    del document["vsr"]["predictor"]["residual"]
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ArtefactError, match="residual' is missing"):  # as before cells were filled
        load_selector(tmp_path, "knn")
