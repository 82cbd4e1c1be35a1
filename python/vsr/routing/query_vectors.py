"""The vectors of requests: given, remembered from an equal text, or embedded, all of a batch at once."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vsr._checks import require_whole_number
from vsr.data.messages import Text
from vsr.embedding import Embedder
from vsr.embedding.embedder import check_texts
from vsr.embedding.vectors import as_embeddings, unit_rows
from vsr.errors import SelectionError
from vsr.routing.request import NOTHING_ASKED, Request

Vectors = npt.NDArray[np.float32]

QUERY_CACHE = 10_000
"""Texts whose vectors are kept unless somebody says otherwise: 30 MB at 768 dimensions, and the texts."""

_LONGEST_KEPT = 8_000  # characters: ten thousand longer texts are a memory full, so these are kept by their digests


class QueryVectors:
    """Gives the vectors of requests; safe to use from several threads."""

    def __init__(
        self, embedder: Embedder | None, dim: int, path: Path, query_cache: int = QUERY_CACHE, text: Text = "last"
    ) -> None:
        """Take the parts.

        Args:
            embedder: what makes vectors of texts; None where they come from elsewhere.
            dim: their width.
            path: the artefact that they are for, named in errors.
            query_cache: texts whose vectors are kept, the least recently used is forgotten; 0 keeps none.
            text: which text of conversations is embedded.

        Raises:
            SelectionError: `query_cache` is no whole number of 0 or more.
        """
        require_whole_number(query_cache, "query_cache", "a number of texts, 0 for none", SelectionError)
        if query_cache < 0:
            raise SelectionError(f"query_cache is {query_cache}; expected a number of texts, 0 for none")
        self.embedder = embedder
        self._dim = dim
        self._path = path
        self._text: Text = text
        self._capacity = query_cache
        self._kept: OrderedDict[str | bytes, Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, requests: Sequence[Request]) -> Vectors:
        """Give one unit vector per request: (n, dim) float32, C-order.

        Raises:
            SelectionError: A request has neither text nor vector, its text is blank, or there is no embedder.
            RecordError: A vector has another width or is not finite.
            EmbeddingError: A text cannot be embedded.
        """
        given = [row for row, request in enumerate(requests) if request.embedding is not None]
        if len(given) == len(requests):
            if not requests:
                return np.empty((0, self._dim), dtype=np.float32)
            # A list, not an array: what is no row of numbers then ends in the check of all vectors.
            vectors: list[object] = [request.embedding for request in requests]
            return unit_rows(as_embeddings(vectors, dim=self._dim))  # type: ignore[arg-type]
        if not given:
            return self._of_texts([request.text(self._text) for request in requests])
        rows = np.empty((len(requests), self._dim), dtype=np.float32)
        asked = [row for row, request in enumerate(requests) if request.embedding is None]
        rows[given] = self.of([requests[row] for row in given])
        rows[asked] = self._of_texts([requests[row].text(self._text) for row in asked])
        return rows

    def recall(self, request: Request) -> Vectors | None:
        """Give the vector of a request that was just chosen for, (dim,) float32; None where it is not kept."""
        if request.embedding is not None:
            return np.asarray(request.embedding, dtype=np.float32)
        text = request.text(self._text)
        return None if text is None else self._kept.get(_key(text))

    def _of_texts(self, queries: Sequence[str | None]) -> Vectors:
        if self.embedder is None:
            raise SelectionError(
                f"{self._path}: names no embedding model, because it was trained on vectors from elsewhere; "
                f"give the query's vector of {self._dim} numbers (embedding=...), made as in training"
            )
        texts = [text for text in queries if text is not None]
        if len(texts) < len(queries):
            raise SelectionError(NOTHING_ASKED)
        check_texts(texts)
        blank = next((row for row, text in enumerate(texts) if not text or text.isspace()), None)
        if blank is not None:
            raise SelectionError(f"query {blank} is blank; expected a text that is not blank")
        if not self._capacity:
            return unit_rows(self.embedder.embed(texts))
        found = self._recall(texts)
        unknown = [text for text in dict.fromkeys(texts) if text not in found]
        if unknown:
            vectors = unit_rows(self.embedder.embed(unknown))
            if unknown == texts:  # the usual case, alone or many: nothing to put together
                self._remember(unknown, vectors)
                return vectors
            found |= dict(zip(unknown, vectors, strict=True))
            self._remember(unknown, vectors)
        return np.stack([found[text] for text in texts])

    def _recall(self, texts: Sequence[str]) -> dict[str, Vectors]:
        found = {}
        with self._lock:
            for text in texts:
                key = _key(text)
                vector = self._kept.get(key)
                if vector is not None:
                    self._kept.move_to_end(key)
                    found[text] = vector
        return found

    def _remember(self, texts: Sequence[str], vectors: Vectors) -> None:
        pairs = zip(texts[-self._capacity :], vectors[-self._capacity :], strict=True)
        # Copies: a row would keep its whole batch alive.
        fresh = [(_key(text), vector.copy()) for text, vector in pairs]
        with self._lock:
            self._kept.update(fresh)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)


def _key(text: str) -> str | bytes:
    """Give what a text is kept under."""
    if len(text) <= _LONGEST_KEPT:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()
