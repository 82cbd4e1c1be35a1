"""The embedder without weights: signed feature hashing of word and character n-grams."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vsr import _core
from vsr.embedding.embedder import EmbeddingProgress, ProgressCallback, check_texts
from vsr.embedding.fingerprint import HASH, Fingerprint
from vsr.embedding.models import DEFAULT_DIM

_DIGEST = "hash-1"  # counts up whenever the hashing itself changes: old artefacts must not meet new vectors
_BATCH = 4096  # a fraction of a second, so that Ctrl-C is prompt


class HashEmbedder:
    """Embed texts by counting hashed n-grams: no download, no weights, the same on every machine."""

    def __init__(self, dim: int = DEFAULT_DIM) -> None:
        """Make an embedder with `dim` buckets."""
        self._fingerprint = Fingerprint(name=HASH, width=dim, digest=_DIGEST)

    @property
    def dim(self) -> int:
        """Number of buckets."""
        return self._fingerprint.width

    @property
    def fingerprint(self) -> Fingerprint:
        """What identifies the vectors: the version of the hashing and the number of buckets."""
        return self._fingerprint

    def embed(self, texts: Sequence[str], *, progress: ProgressCallback | None = None) -> NDArray[np.float32]:
        """Embed every text.

        Args:
            texts: Any strings, empty ones included.
            progress: Called after every few thousand texts and once at the end.

        Returns:
            float32 (len(texts), dim), rows of unit length.

        Raises:
            EmbeddingError: A text is not a string or holds a lone surrogate.
        """
        check_texts(texts)
        started = time.perf_counter()
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for begin in range(0, max(len(texts), 1), _BATCH):
            batch = list(texts[begin : begin + _BATCH])
            vectors[begin : begin + len(batch)] = _core.hash_embed(batch, self.dim)
            if progress is not None:
                done, elapsed = begin + len(batch), time.perf_counter() - started
                left = elapsed * (len(texts) - done) / done if done else None
                progress(EmbeddingProgress(len(texts), done, 0, 0, 0, elapsed, left))
        return vectors
