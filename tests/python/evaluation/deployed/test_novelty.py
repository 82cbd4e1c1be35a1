"""How far queries are from those of a training."""

import gzip
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pools import DIM, planted_pool
from vsr.embedding import Fingerprint
from vsr.embedding.vectors import unit_rows
from vsr.evaluation.compare_and_train import TrainingSettings, compare_and_train
from vsr.evaluation.deployed.novelty import novelty_of
from vsr.persistence import open_artefact
from vsr.persistence.training_queries import TRAINING_QUERIES_NAME
from vsr.persistence.yardstick import Yardstick, find_yardstick


def directions(n: int, generator: np.random.Generator, middle: int = 0) -> npt.NDArray[np.float32]:
    """Unit vectors around one axis."""
    vectors = generator.normal(scale=0.2, size=(n, 32))
    vectors[:, middle] += 1.0
    return unit_rows(vectors.astype(np.float32))


@pytest.mark.parametrize("n_training", [200, 1_500, 5_000])
def test_one_in_a_hundred_queries_of_the_same_kind_is_unlike_them(n_training: int) -> None:
    generator = np.random.default_rng(0)
    found = [
        novelty_of(Yardstick.of(directions(n_training, generator), seed), directions(1_000, generator))
        for seed in range(20)
    ]
    shares = np.array([novelty.share for novelty in found])
    assert 0.005 < shares.mean() < 0.016
    assert abs(np.mean([novelty.typical_rank for novelty in found]) - 0.5) < 0.05
    assert not any(novelty.low > 0.02 for novelty in found)


def test_foreign_queries_are_found_and_named_the_furthest_first() -> None:
    generator = np.random.default_rng(1)
    yardstick = Yardstick.of(directions(800, generator))
    mixed = np.concatenate([directions(90, generator), directions(10, generator, middle=5)])
    novelty = novelty_of(yardstick, mixed)
    assert set(range(90, 100)) <= set(novelty.unlike)
    assert set(novelty.unlike[:10]) == set(range(90, 100))
    assert novelty.is_unusual
    assert novelty.low < novelty.share < novelty.high


def test_the_same_seed_draws_the_same_yardstick() -> None:
    vectors = directions(1_200, np.random.default_rng(2))
    one, two, other = (Yardstick.of(vectors, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.sample, two.sample)
    np.testing.assert_array_equal(one.distances, two.distances)
    assert not np.array_equal(one.sample, other.sample)
    assert len(one.sample) == 1_000


def test_two_queries_are_a_yardstick() -> None:
    vectors = directions(2, np.random.default_rng(3))
    novelty = novelty_of(Yardstick.of(vectors), vectors)
    assert novelty.n_unlike == 0


def test_it_comes_from_the_training_or_from_a_knn_artefact_of_it(tmp_path: Path) -> None:
    pool = planted_pool(60)
    settings = TrainingSettings(algorithms=("knn", "kmeans"), holdout=0.3)
    compare_and_train(pool.outcomes, pool.features[:, :DIM], Fingerprint.external(DIM), tmp_path, settings)
    artefact = open_artefact(tmp_path, "kmeans")
    kept = find_yardstick(tmp_path, artefact)
    (tmp_path / TRAINING_QUERIES_NAME).unlink()
    of_knn = find_yardstick(tmp_path, artefact)
    assert kept is not None
    assert of_knn is not None
    np.testing.assert_allclose(kept.sample, of_knn.sample, atol=1e-3)
    np.testing.assert_allclose(kept.distances, of_knn.distances, atol=1e-3)
    (tmp_path / "knn_model.json").unlink()
    assert find_yardstick(tmp_path, artefact) is None


def test_unseen_categories_of_mmlu_pro_are_further_away_than_a_random_split(shared: Path) -> None:
    with gzip.open(shared / "data" / "mmlu_pro_outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        categories = np.array([json.loads(line)["category"] for line in lines])
    vectors = unit_rows(np.load(shared / "data" / "mmlu_pro_minilm.npy").astype(np.float32))
    order = np.random.default_rng(0).permutation(len(vectors))
    alike = novelty_of(Yardstick.of(vectors[order[:1_500]]), vectors[order[1_500:4_500]])
    assert 0.003 < alike.share < 0.02
    is_science = np.isin(categories, ["math", "physics", "chemistry", "engineering", "computer science"])
    sciences, others = order[is_science[order]], order[~is_science[order]]
    foreign = novelty_of(Yardstick.of(vectors[sciences[:1_500]]), vectors[others[:3_000]])
    assert foreign.is_unusual
    assert foreign.share > 5 * alike.share
    assert foreign.typical_rank > 0.75
