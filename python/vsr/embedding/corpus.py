"""Many texts through one encoder: each different text once, in batches of about a second, results in input order."""

import time
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vsr import _core
from vsr.embedding.embedder import EmbeddingProgress, ProgressCallback

_WINDOW = 1024  # texts that are held as tokens at a time
_FIRST_BATCH = 512  # tokens: enough to measure the speed
_LARGEST_BATCH = 16_384  # tokens: more is not faster and only takes memory
_BATCH_S = 1.0


class _Report:
    """Counts what is done and tells the caller about once a second."""

    def __init__(self, n_texts: int, n_bytes: int, callback: ProgressCallback | None) -> None:
        self._n_texts = n_texts
        self._n_bytes = n_bytes
        self._callback = callback
        self._started_s = time.perf_counter()
        self._done = self._done_bytes = self._cached = self._tokens = 0
        self.n_truncated = 0

    def add_cached(self, n_texts: int, n_bytes: int) -> None:
        self._cached += n_texts
        self._done += n_texts
        self._n_bytes -= n_bytes

    def add(self, n_texts: int, n_bytes: int, n_tokens: int) -> None:
        self._done += n_texts
        self._done_bytes += n_bytes
        self._tokens += n_tokens
        if self._done < self._n_texts:
            self.tell()

    def tell(self) -> None:
        if self._callback is None:
            return
        elapsed = time.perf_counter() - self._started_s
        left = None
        if self._done == self._n_texts:
            left = 0.0
        elif self._done_bytes:
            left = elapsed * (self._n_bytes - self._done_bytes) / self._done_bytes
        self._callback(
            EmbeddingProgress(self._n_texts, self._done, self._cached, self.n_truncated, self._tokens, elapsed, left)
        )


def embed_corpus(
    encoder: _core.TextEncoder, texts: Sequence[str], progress: ProgressCallback | None
) -> NDArray[np.float32]:
    """Embed texts that were checked before.

    Texts are sorted by length, so that those of one batch have about as many tokens each; the longest come first,
    which makes the estimated time fall rather than rise.

    Args:
        encoder: The loaded model.
        texts: Any strings.
        progress: Called after every batch, and once at the end.

    Returns:
        float32 (len(texts), dim), rows of unit length, in the order of `texts`.
    """
    places: dict[str, int] = {}
    rows = np.fromiter((places.setdefault(text, len(places)) for text in texts), dtype=np.intp, count=len(texts))
    unique = list(places)
    del places
    n_bytes = np.fromiter((len(text) for text in unique), dtype=np.int64, count=len(unique))
    vectors = np.empty((len(unique), encoder.dim), dtype=np.float32)
    report = _Report(len(unique), int(n_bytes.sum()), progress)
    order = np.argsort(-n_bytes, kind="stable")
    budget = _FIRST_BATCH
    for begin in range(0, len(order), _WINDOW):
        window = order[begin : begin + _WINDOW]
        tokens = encoder.tokenize([unique[row] for row in window])
        lengths = tokens.lengths
        report.n_truncated += int(np.count_nonzero(tokens.truncated))
        by_length = np.argsort(-lengths.astype(np.int64), kind="stable").astype(np.uint32)
        first = 0
        while first < len(by_length):
            batch = by_length[first : first + _n_that_fit(lengths[by_length[first:]], budget)]
            started_s = time.perf_counter()
            vectors[window[batch]] = encoder.embed(tokens, batch)
            elapsed_s = time.perf_counter() - started_s
            n_tokens = int(lengths[batch].sum())
            budget = _next_budget(n_tokens, elapsed_s)
            first += len(batch)
            report.add(len(batch), int(n_bytes[window[batch]].sum()), n_tokens)
    if report.n_truncated:
        warnings.warn(
            f"{report.n_truncated:,} of {len(unique):,} texts are longer than {encoder.token_limit:,} tokens "
            "and were cut",
            stacklevel=3,
        )
    report.tell()
    return vectors if len(unique) == len(texts) else vectors[rows]


def _n_that_fit(lengths: NDArray[np.uint32], budget: int) -> int:
    """How many texts, taken in order, stay within `budget` tokens; at least one."""
    return max(1, int(np.searchsorted(np.cumsum(lengths, dtype=np.int64), budget, side="right")))


def _next_budget(n_tokens: int, elapsed_s: float) -> int:
    """Tokens that take about a second, judged by the last batch."""
    if elapsed_s <= 0:
        return _LARGEST_BATCH
    return int(min(max(n_tokens / elapsed_s * _BATCH_S, 1), _LARGEST_BATCH))
