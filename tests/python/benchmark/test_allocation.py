"""Which cells are asked: the core, the probabilities, the draw."""

import numpy as np
import pytest

from vsr.benchmark.allocation import LEAST_PROBABILITY, Allocation, costs_of, probe

N_QUERIES, N_MODELS = 400, 6
MEANS = np.array([0.8, 0.78, 0.5, 0.4, 0.3, 0.2])


@pytest.fixture
def allocation() -> Allocation:
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((N_QUERIES, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Allocation.make(vectors, generator.integers(0, 3, N_QUERIES), N_MODELS, 600, 0)


def quality() -> np.ndarray:
    return (np.random.default_rng(1).random((N_QUERIES, N_MODELS)) < MEANS).astype(np.float64)


def asked(allocation: Allocation, costs: np.ndarray | None = None) -> np.ndarray:
    cells = np.zeros((N_QUERIES, N_MODELS), dtype=bool)
    for number, own in enumerate(allocation.rounds):
        seen = np.where(cells, quality(), np.nan)
        cells[own.rows] = allocation.draw(number, allocation.probabilities(number, seen, costs))
    return cells


def test_every_query_has_one_round_and_the_calls_add_up(allocation: Allocation) -> None:
    rows = np.concatenate([own.rows for own in allocation.rounds])
    assert sorted(rows.tolist()) == list(range(N_QUERIES))
    assert sum(own.n_cells for own in allocation.rounds) == 600
    assert abs(int(asked(allocation).sum()) - 600) <= 3 * len(allocation.rounds)
    core = allocation.rounds[0]
    assert core.n_cells == len(core.rows) * N_MODELS
    assert len(set(allocation.clusters[core.rows])) >= 0.8 * len(set(allocation.clusters))


def test_the_models_close_to_the_best_are_asked_most(allocation: Allocation) -> None:
    shares = asked(allocation).mean(axis=0)
    assert shares[:2].min() > 2.0 * shares[3:].max()
    assert shares.min() >= 0.5 * LEAST_PROBABILITY


def test_the_cheap_come_first(allocation: Allocation) -> None:
    alike = asked(allocation).mean(axis=0)
    dear_first = asked(allocation, np.array([100.0, 1.0, 1.0, 1.0, 1.0, 1.0])).mean(axis=0)
    assert dear_first[0] < alike[0]
    assert costs_of([1.0, None]) is None
    assert costs_of([0.0, 0.0]) is None


def test_later_records_do_not_change_a_round(allocation: Allocation) -> None:
    values = quality()
    known = np.full(values.shape, np.nan)
    known[allocation.rounds[0].rows] = values[allocation.rounds[0].rows]
    np.testing.assert_array_equal(allocation.probabilities(1, known), allocation.probabilities(1, values))


def test_cells_are_drawn_with_their_probabilities(allocation: Allocation) -> None:
    own = allocation.rounds[1]
    known = np.full((N_QUERIES, N_MODELS), np.nan)
    known[allocation.rounds[0].rows] = quality()[allocation.rounds[0].rows]
    probabilities = allocation.probabilities(1, known)
    assert probabilities.sum() >= own.n_cells
    assert (probabilities.max(axis=1) == 1.0).all()
    expected = probabilities * own.n_cells / probabilities.sum()
    assert probabilities.min() >= LEAST_PROBABILITY
    draws = [
        Allocation(N_MODELS, allocation.clusters, allocation.codes, allocation.rounds, seed).draw(1, probabilities)
        for seed in range(600)
    ]
    assert np.abs(np.mean(draws, axis=0) - expected).max() < 0.12
    assert np.abs(np.mean(draws, axis=0) - expected).mean() < 0.02


def test_a_round_without_any_quality_asks_all_alike(allocation: Allocation) -> None:
    probabilities = allocation.probabilities(1, np.full((N_QUERIES, N_MODELS), np.nan))
    assert np.ptp(probabilities) < 1e-9


def test_probes_cover_the_clusters_and_prefer_what_others_were_asked(allocation: Allocation) -> None:
    others = np.full((N_QUERIES, N_MODELS - 1), np.nan)
    others[:200] = 0.5
    rows = probe(allocation.clusters, others, 100, 0)
    assert len(set(rows.tolist())) == 100
    assert rows.max() < 200
    assert len(set(allocation.clusters[rows])) == len(set(allocation.clusters[:200]))


def test_looks_are_parts_of_one_random_order_with_every_model() -> None:
    vectors = np.random.default_rng(0).standard_normal((N_QUERIES, 8)).astype(np.float32)
    codes = np.zeros(N_QUERIES, dtype=np.int64)
    looks = Allocation.in_looks(vectors, codes, N_MODELS, 1200, 0)
    assert [len(own.rows) for own in looks.rounds] == [50, 50, 50, 50]
    rows = np.concatenate([own.rows for own in looks.rounds])
    assert len(set(rows.tolist())) == 200
    assert len(set(looks.clusters[looks.rounds[0].rows])) >= 0.8 * len(set(looks.clusters))
    for number in range(4):
        probabilities = looks.probabilities(number, quality())
        assert (probabilities == 1.0).all()
        assert looks.draw(number, probabilities).all()
    assert [len(own.rows) for own in Allocation.in_looks(vectors, codes, N_MODELS, 3 * N_MODELS, 0).rounds] == [1, 1, 1]
