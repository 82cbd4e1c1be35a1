"""KMeans against loops over queries and clusters."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pools import DATA_KINDS, planted_pool, training_data
from vsr.selectors.kmeans import KMeans, KMeansSetting
from vsr.selectors.training_data import TrainingData
from vsr.training.trainer import Trainer

SETTING = KMeansSetting(num_clusters=6, shrinkage=4.0, bandwidth=0.1)


@pytest.fixture(scope="module", params=DATA_KINDS)
def data(request: pytest.FixtureRequest) -> TrainingData:
    return training_data(request.param, 120)


def nearest(row: NDArray[np.float32], centroids: NDArray[np.float32]) -> int:
    squared = [float(((row.astype(np.float64) - centroid) ** 2).sum()) for centroid in centroids]
    return squared.index(min(squared))


def test_clusters_hold_the_shrunk_mean_residuals_of_their_queries(data: TrainingData) -> None:
    predictor = KMeans.of().fit(data, SETTING, seed=0)
    labels = [nearest(row, predictor.centroids) for row in data.features]
    assert predictor.cluster_sizes.tolist() == [labels.count(cluster) for cluster in range(6)]
    for cluster in range(6):
        members = [row for row, label in enumerate(labels) if label == cluster]
        counts = np.ones(data.n_queries) if data.weights is None else data.weights
        mass = sum(counts[row] for row in members) + 4.0
        means = [sum(counts[row] * residual[row] for row in members) / mass for residual in data.completed_residual.T]
        np.testing.assert_allclose(predictor.cluster_residual[cluster], np.array(means) - np.mean(means), atol=1e-12)
        prior = np.mean([data.prior.by_category[data.codes[row]] for row in members], axis=0)
        expected = np.clip(prior + predictor.cluster_residual[cluster], 0.0, 1.0)
        np.testing.assert_allclose(predictor.cluster_quality[cluster], expected, atol=1e-12)


def test_predictions_are_means_of_clusters_weighted_by_distance(data: TrainingData) -> None:
    predictor = KMeans.of().fit(data, SETTING, seed=0)
    unseen = planted_pool(15, seed=1).features
    for values, predicted in (
        (predictor.cluster_residual, predictor.predicted_residuals(unseen, np.zeros((15, 3)))),
        (predictor.cluster_quality, predictor.quality(unseen)),
    ):
        for row, got in zip(unseen.astype(np.float64), predicted, strict=True):
            weights = [float(np.exp(-((row - centroid) ** 2).sum() / 0.1)) for centroid in predictor.centroids]
            expected = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
            np.testing.assert_allclose(got, expected, atol=1e-5)


def test_centroids_are_the_means_of_their_members(data: TrainingData) -> None:
    predictor = KMeans.of().fit(data, SETTING, seed=0)
    labels = np.array([nearest(row, predictor.centroids) for row in data.features])
    means = np.stack([data.features[labels == cluster].mean(axis=0) for cluster in range(6)])
    np.testing.assert_allclose(predictor.centroids, means, atol=0.02)  # the last step moved them by less


def test_a_sweep_tries_every_setting(data: TrainingData) -> None:
    kmeans = KMeans.of()
    settings = kmeans.settings(120)
    unseen = planted_pool(10, seed=1).features
    results = list(kmeans.sweep(data, unseen, np.zeros((10, 3)), settings, 0))
    assert sorted(map(repr, settings)) == sorted(repr(result.setting) for result in results)
    for result in results:
        np.testing.assert_allclose(result.predicted_residuals.sum(axis=1), 0.0, atol=1e-12)


def test_settings_fit_the_number_of_rows() -> None:
    assert {setting.num_clusters for setting in KMeans.of().settings(3000)} == {8, 16, 32, 64}
    assert {setting.num_clusters for setting in KMeans.of().settings(100)} == {8}
    assert {setting.num_clusters for setting in KMeans.of().settings(1)} == {1}
    assert {setting.num_clusters for setting in KMeans.of(num_clusters=5).settings(3000)} == {5}


def test_as_many_clusters_as_queries() -> None:
    few = Trainer.prepare(planted_pool(5).features, planted_pool(5).outcomes).data
    predictor = KMeans.of().fit(few, KMeansSetting(64, 1.0, 0.1), seed=0)
    assert predictor.centroids.shape == (5, few.features.shape[1])
    assert predictor.cluster_sizes.tolist() == [1] * 5
