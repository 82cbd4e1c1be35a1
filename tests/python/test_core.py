"""What only the binding does: types, errors, threads, signals, forks. The arithmetic is tested in tests/rust."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vsr import _core
from vsr.errors import ArtefactError

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((400, 24)).astype(np.float32)
ROWS = np.arange(400, dtype=np.uint32)
QUALITY = (RNG.random((400, 3)) < 0.5).astype(np.float64)


def test_results_have_the_promised_types() -> None:
    rows, distances = _core.KnnIndex(FEATURES, 0).search(FEATURES[:3], 5)
    assert (rows.shape, rows.dtype, distances.dtype) == ((3, 5), np.uint32, np.float32)
    centroids, labels, inertia = _core.kmeans_fit(FEATURES, 4, 2, 50, 1e-4, 0)
    assert (centroids.shape, centroids.dtype, labels.dtype, type(inertia)) == ((4, 24), np.float32, np.uint32, float)
    matrix = _core.KernelMatrix(FEATURES, "rbf", 0.1)
    coefficients, biases = matrix.fit(ROWS, QUALITY, 1.0)
    assert (coefficients.shape, coefficients.dtype, biases.shape) == ((400, 3), np.float64, (3,))
    assert matrix.decisions(ROWS[:7], ROWS, coefficients, biases).shape == (7, 3)
    assert _core.SupportVectors(FEATURES, coefficients, biases, "rbf", 0.1).decisions(FEATURES[:7]).shape == (7, 3)
    assert _core.squared_distances(FEATURES[:2], FEATURES).dtype == np.float32
    assert _core.hash_embed(["a", "b"], 9).shape == (2, 9)


@pytest.mark.parametrize("order", [np.asfortranarray, lambda rows: np.repeat(rows, 2, axis=0)[::2], np.array])
def test_the_layout_of_an_array_does_not_matter(order: Callable[[np.ndarray], np.ndarray]) -> None:
    expected = _core.KnnIndex(FEATURES, 2).search(FEATURES[:5], 4)
    found = _core.KnnIndex(order(FEATURES), 2).search(order(FEATURES[:5]), 4)
    assert all((a == b).all() for a, b in zip(found, expected, strict=True))


def test_a_read_only_array_is_taken() -> None:
    rows = FEATURES.copy()
    rows.flags.writeable = False
    assert _core.KnnIndex(rows, 0).n_rows == 400


@pytest.mark.parametrize("wrong", [FEATURES.astype(np.float64), FEATURES[0], [[1.0]], None])
def test_another_type_is_a_type_error(wrong: object) -> None:
    with pytest.raises(TypeError):
        _core.KnnIndex(wrong, 0)  # type: ignore[arg-type]


def test_bad_values_are_value_errors_that_say_where() -> None:
    bad = FEATURES.copy()
    bad[17, 3] = np.nan
    with pytest.raises(ValueError, match="features: row 17, column 3 is NaN"):
        _core.kmeans_fit(bad, 2, 1, 10, 1e-4, 0)
    with pytest.raises(ValueError, match="rows of width 23, expected 24"):
        _core.KnnIndex(FEATURES, 0).search(np.ascontiguousarray(FEATURES[:, 1:]), 1)
    with pytest.raises(OverflowError):
        _core.KnnIndex(FEATURES, 0).search(FEATURES, -1)


def test_a_damaged_artefact_is_an_artefact_error(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"centroids": [[1, 2], [3]]}')
    with pytest.raises(ArtefactError, match=r"a\.json: centroids, row 1: 1 numbers, expected 2"):
        _core.read_json_arrays(str(path), {"centroids": "float32"})
    with pytest.raises(FileNotFoundError):
        _core.read_json_arrays(str(tmp_path / "nothing.json"), {})
    with pytest.raises(IsADirectoryError):
        _core.write_json_parts(str(tmp_path), ["1"])
    with pytest.raises(ValueError, match="float16"):
        _core.read_json_arrays(str(path), {"centroids": "float16"})


def test_python_reads_what_the_core_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    numbers = RNG.standard_normal(1000).astype(np.float32)
    counts = np.arange(6).reshape(2, 3)
    _core.write_json_parts(
        str(path), ['{"n": ', numbers, ', "c": ', counts, ', "d": ', numbers.astype(np.float64), "}"]
    )
    document = json.loads(path.read_text())
    assert (np.array(document["n"], dtype=np.float32) == numbers).all()
    assert document["c"] == counts.tolist()
    assert document["d"] == numbers.tolist()
    text, arrays = _core.read_json_arrays(str(path), {"n": "float32", "d": "float64"})
    assert json.loads(text) == {"n": None, "c": counts.tolist(), "d": None}
    assert (arrays["n"] == numbers).all() and arrays["d"].dtype == np.float64


def test_the_number_of_threads_can_be_set_and_asked() -> None:
    try:
        _core.set_n_threads(3)
        assert _core.n_threads() == 3
    finally:
        _core.set_n_threads(0)
    assert _core.n_threads() >= 1


@pytest.mark.parametrize(("value", "n_threads"), [("3", 3), (" 1 ", 1), ("0", None), ("many", None), ("-1", None)])
def test_the_number_of_threads_may_stand_in_the_environment(value: str, n_threads: int | None) -> None:
    code = (
        "from vsr import _core; print(_core.n_threads()); _core.set_n_threads(5); print(_core.n_threads());"
        "_core.set_n_threads(0); print(_core.n_threads())"
    )

    def answers(**variables: str) -> list[int]:
        environment = {name: held for name, held in os.environ.items() if name != "VSR_NUM_THREADS"} | variables
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return [int(line) for line in done.stdout.split()]

    usual = answers()[0] if n_threads is None else n_threads
    assert answers(VSR_NUM_THREADS=value) == [usual, 5, usual]


def test_an_index_is_searched_from_many_threads_at_once() -> None:
    index = _core.KnnIndex(FEATURES, 0)
    expected = index.search(FEATURES, 3)[0]
    wrong: list[int] = []

    def search(number: int) -> None:
        wrong.extend(number for _ in range(20) if (index.search(FEATURES, 3)[0] != expected).any())

    threads = [threading.Thread(target=search, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def fit_in_child(queue: "multiprocessing.Queue[float]") -> None:
    queue.put(_core.kmeans_fit(FEATURES, 4, 4, 50, 1e-4, 0)[2])


def test_a_forked_process_gets_threads_of_its_own() -> None:
    inertia = _core.kmeans_fit(FEATURES, 4, 4, 50, 1e-4, 0)[2]
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[float] = context.Queue()
    child = context.Process(target=fit_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == inertia
    child.join(timeout=30)
    assert child.exitcode == 0


def test_ctrl_c_ends_a_long_fit() -> None:
    rows = np.random.default_rng(1).standard_normal((20_000, 64)).astype(np.float32)
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        _core.kmeans_fit(rows, 200, 500, 100_000, 0.0, 0)
    assert time.monotonic() - start < 30
    timer.join()


# In a process of its own: whoever is interrupted leaves linfa's threads at work until their model ends.
INTERRUPTED = """
import os, signal, threading, time
import numpy as np
from vsr import _core

rows = np.random.default_rng(1).standard_normal((6_000, 64)).astype(np.float32)
quality = (np.random.default_rng(2).random((6_000, 2)) < 0.5).astype(np.float64)
threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    _core.svm_fit_linfa(rows, quality, "rbf", 0.01, 1.0)
except KeyboardInterrupt:
    print(time.monotonic() - start)
os._exit(0)
"""


def test_ctrl_c_ends_a_fit_of_linfa() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=True, timeout=120)
    assert float(done.stdout) < 3


def test_weighted_sums_are_plain_sums() -> None:
    generator = np.random.default_rng(0)
    index = _core.KnnIndex(FEATURES, 0)
    rows, squared = index.search(FEATURES, 5)
    same, weights = index.neighbours(FEATURES, 5, 4.0)
    np.testing.assert_array_equal(rows, same)
    norms = (FEATURES.astype(np.float64) ** 2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(weights, np.maximum(1.0 - squared / (2.0 * norms), 0.0) ** 4, atol=1e-12)
    values = generator.standard_normal((len(FEATURES), 3))
    values[generator.random(values.shape) < 0.3] = np.nan
    with pytest.raises(ValueError, match="may be written to"):
        _core.weighted_sums(rows, weights, values)
    values.flags.writeable = False
    sums, masses = _core.weighted_sums(rows, weights, values)
    np.testing.assert_allclose(sums, np.einsum("nk,nkm->nm", weights, np.nan_to_num(values)[rows]), atol=1e-12)
    np.testing.assert_allclose(masses, np.einsum("nk,nkm->nm", weights, np.isfinite(values)[rows]), atol=1e-12)
    np.testing.assert_array_equal(_core.weighted_sums(rows[:1], weights[:1], values)[0][0], sums[0])
    with pytest.raises(ValueError, match="row"):
        _core.weighted_sums(rows + np.uint32(len(FEATURES)), weights, values)


def test_queries_that_have_seen_all_groups_wait_for_the_others() -> None:
    generator = np.random.default_rng(1)
    rows = np.hstack([generator.standard_normal((60, 4)), np.eye(3)[np.arange(60) % 3]]).astype(np.float32)
    queries = np.vstack([rows[:20], np.hstack([generator.standard_normal((20, 4)), generator.random((20, 3))])])
    queries = queries.astype(np.float32)
    expected = np.argsort(_core.squared_distances(queries, rows), axis=1, kind="stable")
    for k in (1, 30, 60):
        np.testing.assert_array_equal(_core.KnnIndex(rows, 3).search(queries, k)[0], expected[:, :k])
