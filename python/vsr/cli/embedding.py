"""Vectors for queries as the embedding flags say, with progress."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vsr.cli import terminal
from vsr.cli.options import EmbeddingOptions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vsr.embedding import Embedder, EmbeddingProgress, Fingerprint


@dataclass(frozen=True, eq=False)
class QueryVectors:
    """Vectors of queries and what made them.

    Attributes:
        embeddings: (n_queries, dim) float32.
        fingerprint: of the embedder, or `external`.
    """

    embeddings: "NDArray[np.float32]"
    fingerprint: "Fingerprint"


def embed_queries(queries: Sequence[str], options: EmbeddingOptions) -> QueryVectors:
    """Read ready vectors or embed the queries.

    Args:
        queries: unique queries in order of first appearance.
        options: the embedding flags.

    Raises:
        RecordError: The file of vectors does not fit.
        EmbeddingError: The model is not to be had, or a query cannot be embedded.
    """
    from vsr.embedding import Fingerprint
    from vsr.jobs import read_embedding_file

    if options.file is not None:
        embeddings = read_embedding_file(options.file, len(queries))
        return QueryVectors(embeddings, Fingerprint.external(embeddings.shape[1]))
    embedder = options.load()
    terminal.say(f"Embedding with {embedder.fingerprint}.")
    return QueryVectors(embed_with_progress(embedder, queries), embedder.fingerprint)


def embed_with_progress(embedder: "Embedder", texts: Sequence[str]) -> "NDArray[np.float32]":
    """Embed texts and show how far it is; texts that were cut are reported."""
    truncated = 0
    with terminal.progress("Embedding", "texts") as show:

        def follow(state: "EmbeddingProgress") -> None:
            nonlocal truncated
            truncated = state.n_truncated
            speed = f"{state.tokens_per_second:,.0f} tokens/s" if state.n_tokens else ""
            show(state.n_done, state.n_texts, left_s=state.left_s, note=speed)

        vectors = embedder.embed(texts, progress=follow)
    if truncated:
        limit = embedder.fingerprint.token_limit
        terminal.warn(f"{truncated:,} texts are longer than {limit} tokens and were cut (--embedding-max-tokens)")
    return vectors
