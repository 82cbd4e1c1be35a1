"""Many texts through one encoder: each different text once, in batches of about a second, results in input order."""

import contextlib
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vsr import _core
from vsr.embedding.cache import OpenCache, VectorCache
from vsr.embedding.embedder import EmbeddingProgress, ProgressCallback

_WINDOW = 1024  # texts that are held as tokens at a time
_WINDOW_CHARACTERS = 1 << 21  # and no more than this of them: about a second of cutting them into tokens
_FIRST_BATCH = 512  # tokens: enough to measure the speed
_LARGEST_BATCH = 16_384  # tokens: more is not faster and only takes memory
_BATCH_S = 1.0
_CHARACTERS_PER_TOKEN = 4  # of usual text: what is beyond the token limit costs no time


class _Report:
    """Counts what is done and tells the caller about once a second."""

    def __init__(self, n_texts: int, callback: ProgressCallback) -> None:
        self._n_texts = n_texts
        self._callback = callback
        self._started_s = time.perf_counter()
        self._n_done = self._n_cached = self._n_tokens = 0
        self._work_done = self._work = 0
        self.n_truncated = 0

    def add_cached(self, n_texts: int) -> None:
        self._n_cached += n_texts
        self._n_done += n_texts

    def begin(self, work: int) -> None:
        """Say how many characters are to be computed, after those of the cache are known."""
        self._work = work

    def add(self, n_texts: int, work: int, n_tokens: int) -> None:
        self._n_done += n_texts
        self._work_done += work
        self._n_tokens += n_tokens
        if self._n_done < self._n_texts:
            self.tell()

    def tell(self) -> None:
        elapsed = time.perf_counter() - self._started_s
        left = None
        if self._n_done == self._n_texts:
            left = 0.0
        elif self._work_done:
            left = elapsed * (self._work - self._work_done) / self._work_done
        self._callback(
            EmbeddingProgress(
                self._n_texts, self._n_done, self._n_cached, self.n_truncated, self._n_tokens, elapsed, left
            )
        )


def embed_corpus(
    encoder: _core.TextEncoder,
    texts: Sequence[str],
    progress: ProgressCallback,
    cache: VectorCache | None = None,
) -> NDArray[np.float32]:
    """Embed texts that were checked before.

    Texts are sorted by length, so that those of one batch have about as many tokens each; the longest come first,
    which makes the estimated time fall rather than rise. Beside the result this holds one window of texts.

    Args:
        encoder: The loaded model.
        texts: Any strings.
        progress: Called after every batch, and once at the end.
        cache: Where vectors are looked up, and kept after every batch.

    Returns:
        float32 (len(texts), dim), rows of unit length, in the order of `texts`.

    Raises:
        OutputError: The cache cannot be opened.
    """
    first_places: dict[str, int] = {}
    source = np.fromiter(
        (first_places.setdefault(text, row) for row, text in enumerate(texts)), dtype=np.intp, count=len(texts)
    )
    del first_places
    is_first = source == np.arange(len(source))
    rows = np.flatnonzero(is_first)
    vectors = np.empty((len(texts), encoder.dim), dtype=np.float32)
    report = _Report(len(rows), progress)
    with contextlib.ExitStack() as stack:
        stored = None if cache is None else stack.enter_context(cache.opened())
        if stored is not None:
            rows = _rows_to_compute(stored, texts, rows, vectors, report)
        _compute(encoder, stored, texts, rows, vectors, report)
    repeated = np.flatnonzero(~is_first)
    for begin in range(0, len(repeated), _WINDOW):
        window = repeated[begin : begin + _WINDOW]
        vectors[window] = vectors[source[window]]
    report.tell()
    return vectors


def _rows_to_compute(
    stored: OpenCache,
    texts: Sequence[str],
    rows: NDArray[np.intp],
    vectors: NDArray[np.float32],
    report: _Report,
) -> NDArray[np.intp]:
    """Fill in what the cache has, and give the rows that it lacks."""
    missing = np.ones(len(rows), dtype=np.bool_)
    for begin in range(0, len(rows), _WINDOW):
        window = rows[begin : begin + _WINDOW]
        found = stored.read([texts[row] for row in window])
        vectors[window[found.rows]] = found.vectors
        missing[begin + found.rows] = False
        report.n_truncated += int(np.count_nonzero(found.truncated))
        report.add_cached(len(found.rows))
    return rows[missing]


def _compute(
    encoder: _core.TextEncoder,
    stored: OpenCache | None,
    texts: Sequence[str],
    rows: NDArray[np.intp],
    vectors: NDArray[np.float32],
    report: _Report,
) -> None:
    """Compute the vectors of the texts at `rows`, all different, and keep each batch at once."""
    n_characters = np.fromiter((len(texts[row]) for row in rows), dtype=np.int64, count=len(rows))
    order = np.argsort(-n_characters, kind="stable")
    rows, n_characters = rows[order], n_characters[order]
    work = np.minimum(n_characters, _CHARACTERS_PER_TOKEN * encoder.token_limit) + _CHARACTERS_PER_TOKEN
    report.begin(int(work.sum()))
    budget = _FIRST_BATCH
    begin = 0
    while begin < len(rows):
        end = begin + _n_that_fit(n_characters[begin : begin + _WINDOW], _WINDOW_CHARACTERS)
        tokens = encoder.tokenize([texts[row] for row in rows[begin:end]])
        lengths, truncated = tokens.lengths, tokens.truncated
        by_length = np.argsort(-lengths.astype(np.int64), kind="stable").astype(np.uint32)
        first = 0
        while first < len(by_length):
            batch = by_length[first : first + _n_that_fit(lengths[by_length[first:]], budget)]
            started_s = time.perf_counter()
            computed = encoder.embed(tokens, batch)
            elapsed_s = time.perf_counter() - started_s
            batch_rows = rows[begin + batch]
            vectors[batch_rows] = computed
            if stored is not None:
                stored.write([texts[row] for row in batch_rows], computed, truncated[batch])
            n_tokens = int(lengths[batch].sum())
            budget = _next_budget(n_tokens, elapsed_s)
            first += len(batch)
            report.n_truncated += int(np.count_nonzero(truncated[batch]))
            report.add(len(batch), int(work[begin + batch].sum()), n_tokens)
        begin = end


def _n_that_fit(lengths: NDArray[np.integer], budget: int) -> int:
    """How many texts, taken in order, stay within `budget` tokens or characters; at least one."""
    return max(1, int(np.searchsorted(np.cumsum(lengths, dtype=np.int64), budget, side="right")))


def _next_budget(n_tokens: int, elapsed_s: float) -> int:
    """Tokens that take about a second, judged by the last batch."""
    if elapsed_s <= 0:
        return _LARGEST_BATCH
    return int(min(max(n_tokens / elapsed_s * _BATCH_S, 1), _LARGEST_BATCH))
