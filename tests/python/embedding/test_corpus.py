"""Many texts: which are computed together, in what order, how long it takes and what it costs in memory."""

import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from embedding.conftest import Reference
from vsr.embedding import Embedder, EmbeddingProgress, corpus
from vsr.embedding.corpus import embed_corpus

TOKENS_PER_SECOND = 20_000


@dataclass(frozen=True)
class Tokens:
    lengths: npt.NDArray[np.uint32]
    truncated: npt.NDArray[np.bool_]
    texts: Sequence[str]


@dataclass
class Counting:
    """An encoder that takes note of what it is asked; the time that it takes passes on a clock of its own.

    A text has one token for four characters, and its vector holds its length and its first character.
    """

    dim: int = 3
    token_limit: int = 2048
    now_s: float = 0.0
    windows: list[Sequence[str]] = field(default_factory=list)
    batches: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    spans_s: list[float] = field(default_factory=list)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        self.windows.append(texts)
        wanted = np.array([1 + len(text) // 4 for text in texts])
        return Tokens(np.minimum(wanted, self.token_limit).astype(np.uint32), wanted > self.token_limit, texts)

    def embed(self, tokens: Tokens, rows: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
        self.batches.append(tokens.lengths[rows])
        span_s = float(tokens.lengths[rows].sum()) / TOKENS_PER_SECOND
        self.spans_s.append(span_s)
        self.now_s += span_s
        vectors = np.zeros((len(rows), self.dim), dtype=np.float32)
        vectors[:, 0] = [len(tokens.texts[row]) for row in rows]
        vectors[:, 1] = [ord(tokens.texts[row][:1] or " ") for row in rows]
        return vectors


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting()
    monkeypatch.setattr("vsr.embedding.corpus.time.perf_counter", lambda: counting.now_s)
    return counting


def embed(encoder: Counting, texts: Sequence[str]) -> tuple[npt.NDArray[np.float32], list[EmbeddingProgress]]:
    states: list[EmbeddingProgress] = []
    return embed_corpus(encoder, texts, states.append), states  # type: ignore[arg-type]


def mixed_texts(n: int, longest: int = 8000) -> list[str]:
    """Queries as people write them: most are short, few are very long; all differ."""
    lengths = np.minimum(np.random.default_rng(0).lognormal(4.5, 1.2, n), longest).astype(int)
    return [f"{i} {'x' * length}" for i, length in enumerate(lengths)]


def test_each_different_text_is_computed_once_and_comes_back_in_its_places(encoder: Counting) -> None:
    texts = [text for text in mixed_texts(3000) for _ in range(2)]
    order = np.random.default_rng(1).permutation(len(texts))
    shuffled = [texts[i] for i in order]
    vectors, states = embed(encoder, shuffled)
    assert sorted(text for window in encoder.windows for text in window) == sorted(set(texts))
    assert vectors[:, 0].tolist() == [len(text) for text in shuffled]
    assert vectors[:, 1].tolist() == [ord(text[0]) for text in shuffled]
    assert (states[-1].n_texts, states[-1].n_done) == (3000, 3000)


def padded_over_real(batches: Sequence[npt.NDArray[np.uint32]]) -> float:
    """What padding would cost. The network itself gets packed tokens and no padding at all."""
    return sum(int(batch.max()) * len(batch) for batch in batches) / sum(int(batch.sum()) for batch in batches)


def test_texts_of_a_batch_are_about_as_long_as_each_other(encoder: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.TOKENS_PER_SECOND", 1000)  # of a large model on a few cores
    embed(encoder, mixed_texts(5000))
    assert 1.0 < padded_over_real(encoder.batches) <= 1.05


def test_so_are_they_by_a_real_tokenizer(
    references: Callable[[str], Reference], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "_LARGEST_BATCH", 1000)
    real = references("qwen3-tiny").load()._encoder  # type: ignore[attr-defined]
    generator = np.random.default_rng(0)
    words = ["the", "derivative", "of", "Ж", "谁写了", "integral", "🙂", "12,345.67", "\n\n", "court"]
    texts = [
        " ".join(generator.choice(words, n)) for n in np.minimum(generator.lognormal(2.5, 1, 5000), 300).astype(int)
    ]
    lengths: list[npt.NDArray[np.uint32]] = []

    class Watched:
        dim, token_limit, tokenize = real.dim, real.token_limit, real.tokenize

        def embed(self, tokens: Tokens, rows: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
            lengths.append(tokens.lengths[rows])
            return np.zeros((len(rows), self.dim), dtype=np.float32)

    embed_corpus(Watched(), texts, lambda _state: None)  # type: ignore[arg-type]
    assert 1.0 < padded_over_real(lengths) <= 1.05


def test_a_batch_takes_about_a_second_at_most(encoder: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.TOKENS_PER_SECOND", 3000)
    embed(encoder, mixed_texts(2000))
    assert sum(encoder.spans_s) > 20
    assert max(encoder.spans_s) <= 1.0
    assert np.median(encoder.spans_s) > 0.9


def test_a_batch_is_never_larger_than_memory_likes_and_never_empty(
    encoder: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.TOKENS_PER_SECOND", 1e9)
    embed(encoder, mixed_texts(2000))
    assert max(int(batch.sum()) for batch in encoder.batches) <= 16_384
    monkeypatch.setattr(f"{__name__}.TOKENS_PER_SECOND", 1)
    encoder.batches.clear()
    embed(encoder, mixed_texts(20))
    assert [len(batch) for batch in encoder.batches[2:]] == [1] * (len(encoder.batches) - 2)


def test_few_texts_are_held_as_tokens_at_a_time(encoder: Counting) -> None:
    embed(encoder, [*mixed_texts(3000), *(f"{i}{'y' * 300_000}" for i in range(30)), "z" * 5_000_000])
    assert max(len(window) for window in encoder.windows) <= 1024
    for window in encoder.windows:
        assert len(window) == 1 or sum(map(len, window)) <= 1 << 21


def test_memory_is_that_of_the_result(encoder: Counting) -> None:
    encoder.dim = 256
    texts = [f"{i % 15_000} number" for i in range(20_000)]
    tracemalloc.start()
    try:
        vectors, _ = embed(encoder, texts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert vectors.nbytes == 20_000 * 256 * 4
    assert peak < 1.35 * vectors.nbytes


def test_the_time_left_is_about_right(encoder: Counting) -> None:
    _, states = embed(encoder, mixed_texts(20_000, longest=50_000))
    total_s = states[-1].elapsed_s
    assert total_s > 10
    for state in states[len(states) // 4 : -1]:
        assert state.left_s is not None
        assert state.elapsed_s + state.left_s == pytest.approx(total_s, rel=0.15)
    assert states[-1].tokens_per_second == pytest.approx(TOKENS_PER_SECOND)
    assert states[-1].n_truncated == sum(len(text) // 4 >= 2048 for text in mixed_texts(20_000, longest=50_000)) > 0


def test_ctrl_c_is_prompt_and_leaves_the_embedder_usable(loaded: Callable[..., Embedder]) -> None:
    embedder = loaded("qwen3-tiny")
    expected = embedder.embed(["a"])
    texts = [f"number {i} {'a triangle and a prime ' * 12}" for i in range(20_000)]
    sent_at = 0.0

    def interrupt() -> None:
        nonlocal sent_at
        sent_at = time.monotonic()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(1.0, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        embedder.embed(texts)
    assert time.monotonic() - sent_at < 5
    timer.join()
    np.testing.assert_array_equal(embedder.embed(["a"]), expected)
