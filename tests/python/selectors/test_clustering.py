"""K-means of many rows by blocks against k-means of all rows at once."""

import numpy as np
import numpy.typing as npt
import pytest

from vsr import _mapped
from vsr._core import kmeans_fit
from vsr.selectors import clustering
from vsr.selectors.clustering import cluster_rows, nearest


def clustered(n_rows: int, width: int = 24) -> npt.NDArray[np.float32]:
    """Thirty clusters that overlap, of different sizes."""
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((30, width))
    own = rng.choice(30, n_rows, p=np.arange(1, 31) / 465.0)
    return (centres[own] + 0.7 * rng.standard_normal((n_rows, width))).astype(np.float32)


def inertia(rows: npt.NDArray[np.float32], centroids: npt.NDArray[np.float32]) -> float:
    return float(np.square(rows[:, None] - centroids[None]).sum(axis=2).min(axis=1).sum())


@pytest.mark.parametrize("n_clusters", [8, 30])
def test_a_start_on_a_fifth_of_the_rows_reaches_the_inertia_of_all_of_them(
    n_clusters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = clustered(10_000)
    at_once = kmeans_fit(rows, n_clusters, 4, 100, 1e-4, 0)
    centroids, labels = cluster_rows(rows, n_clusters, 4, 0, most_at_once=2_000)
    assert inertia(rows, centroids) <= 1.01 * at_once[2]
    distances = np.square(rows[:, None] - centroids[None]).sum(axis=2)
    np.testing.assert_allclose(distances[np.arange(len(rows)), labels], distances.min(axis=1), rtol=1e-4)
    monkeypatch.setattr(clustering, "_MAX_PASSES", 0)
    start, _ = cluster_rows(rows, n_clusters, 4, 0, most_at_once=2_000)
    assert inertia(rows, centroids) < 0.999 * inertia(rows, start)


def test_few_rows_are_clustered_at_once() -> None:
    rows = clustered(300)
    centroids, labels = cluster_rows(rows, 5, 2, 7)
    expected = kmeans_fit(rows, 5, 2, 100, 1e-4, 7)
    np.testing.assert_array_equal(centroids, expected[0])
    np.testing.assert_array_equal(labels, expected[1])


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = clustered(900)
    whole = cluster_rows(rows, 6, 1, 0, most_at_once=300)
    monkeypatch.setattr(_mapped, "BLOCK_ROWS", 77)
    parts = cluster_rows(rows, 6, 1, 0, most_at_once=300)
    np.testing.assert_allclose(parts[0], whole[0], atol=1e-5)
    assert (parts[1] == whole[1]).mean() > 0.99


def test_more_clusters_than_rows_and_equal_rows() -> None:
    rows = np.repeat(clustered(2), 50, axis=0)
    centroids, labels = cluster_rows(rows, 4, 1, 0, most_at_once=20)
    assert np.isfinite(centroids).all()
    assert inertia(rows, centroids) < 1e-6
    np.testing.assert_array_equal(labels, nearest(rows, centroids)[0])
