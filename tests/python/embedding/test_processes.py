"""Threads and processes: gateways that fork workers, Python threads that embed at once, the interpreter's lock."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from embedding.conftest import Reference
from vsr import _core
from vsr._threads import set_n_threads
from vsr.embedding import Embedder, transformer

TEXTS = [f"number {i} {'math ' * (i % 12)}" for i in range(200)]

# As gunicorn does it: the parent loads, and has embedded; workers are forked from it and answer on its socket.
PREFORK = """
import os, signal, socket, sys, threading
import numpy as np
from vsr.embedding import load_embedder

embedder = load_embedder(sys.argv[1], sys.argv[2])
texts = [f"number {i} {'math ' * (i % 12)}" for i in range(200)]
expected = embedder.embed(texts)
listening = socket.create_server(("127.0.0.1", 0))
workers = []
for _ in range(3):
    worker = os.fork()
    if worker == 0:
        while True:
            connection, _ = listening.accept()
            with connection:
                begin = int(connection.recv(16))
                vectors = embedder.embed(texts[begin : begin + 20])
                connection.sendall(os.getpid().to_bytes(4, "little") + vectors.tobytes())
    workers.append(worker)

answered = set()
def ask(begin):
    with socket.create_connection(listening.getsockname()) as connection:
        connection.sendall(str(begin).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    answered.add(int.from_bytes(answer[:4], "little"))
    vectors = np.frombuffer(answer[4:], dtype=np.float32).reshape(20, -1)
    np.testing.assert_allclose(vectors, expected[begin : begin + 20], atol=2e-6)
    wrong.remove(begin)

wrong = list(range(0, 180, 20))
clients = [threading.Thread(target=ask, args=(begin,)) for begin in tuple(wrong)]
for client in clients:
    client.start()
for client in clients:
    client.join()
np.testing.assert_array_equal(embedder.embed(texts), expected)
for worker in workers:
    os.kill(worker, signal.SIGTERM)
    os.waitpid(worker, 0)
print(len(wrong), answered <= set(workers), len(answered) > 0)
"""


@pytest.mark.parametrize("name", ["bert-tiny", "qwen3-tiny"])
def test_workers_that_are_forked_from_a_parent_that_has_embedded(
    name: str, references: Callable[[str], Reference]
) -> None:
    reference = references(name)
    done = subprocess.run(
        [sys.executable, "-c", PREFORK, reference.model, str(reference.folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "0 True True\n"


@pytest.mark.parametrize("name", ["bert-tiny", "embeddinggemma-tiny", "qwen3-tiny"])
def test_python_threads_embed_at_once(name: str, loaded: Callable[..., Embedder]) -> None:
    embedder = loaded(name)
    expected = embedder.embed(TEXTS)
    failures: list[str] = []

    def work(number: int) -> None:
        order = np.random.default_rng(number).permutation(len(TEXTS))
        for _ in range(3):
            vectors = embedder.embed([TEXTS[i] for i in order])
            if np.abs(vectors - expected[order]).max() > 2e-6:
                failures.append(f"thread {number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_other_python_threads_run_while_one_embeds(loaded: Callable[..., Embedder]) -> None:
    embedder = loaded("qwen3-tiny")
    # One batch: the lock is asked for within a call, not between calls.
    tokens = embedder._encoder.tokenize([f"{i} {'a triangle and a prime ' * 12}" for i in range(150)])  # type: ignore[attr-defined]
    rows = np.arange(150, dtype=np.uint32)
    times: list[float] = []
    worker = threading.Thread(target=lambda: embedder._encoder.embed(tokens, rows))  # type: ignore[attr-defined]
    started_at = time.perf_counter()
    worker.start()
    while worker.is_alive():
        times.append(time.perf_counter())
        time.sleep(0.001)
    span_s = time.perf_counter() - started_at
    assert span_s > 0.02
    assert np.diff([started_at, *times]).max() < 0.5 * span_s


def test_the_number_of_threads_changes_no_vector(loaded: Callable[..., Embedder]) -> None:
    embedder = loaded("embeddinggemma-tiny")
    before = _core.n_threads()
    try:
        vectors = []
        for n_threads in (1, 2, 5):
            set_n_threads(n_threads)
            vectors.append(embedder.embed(TEXTS))
    finally:
        set_n_threads(before)
    for other in vectors[1:]:
        np.testing.assert_allclose(other, vectors[0], atol=2e-6)


def test_a_model_is_warm_when_it_is_loaded(
    references: Callable[[str], Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    class Watched:
        """The encoder, which says what it is asked."""

        def __init__(self, *arguments: object) -> None:
            self._encoder = _core.TextEncoder(*arguments)  # type: ignore[arg-type]

        def __getattr__(self, name: str) -> object:
            calls.append(name)
            return getattr(self._encoder, name)

    monkeypatch.setattr(transformer, "_core", SimpleNamespace(TextEncoder=Watched))
    references("bert-tiny").load()
    assert calls[-2:] in (["tokenize", "embed"], ["embed", "tokenize"])
