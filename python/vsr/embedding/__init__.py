"""Texts to vectors: one protocol, one fingerprint, and the embedders behind them."""

from vsr.embedding.embedder import Embedder, EmbeddingProgress, ProgressCallback
from vsr.embedding.fingerprint import Difference, Fingerprint
from vsr.embedding.loading import EMBEDDING_MODELS, load_embedder, load_from_fingerprint

__all__ = [
    "EMBEDDING_MODELS",
    "Difference",
    "Embedder",
    "EmbeddingProgress",
    "Fingerprint",
    "ProgressCallback",
    "load_embedder",
    "load_from_fingerprint",
]
