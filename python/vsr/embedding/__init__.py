"""Texts to vectors: one protocol, one fingerprint, and the embedders behind them.

The names are imported from their modules when they are first used: the command line reads `models` alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vsr.embedding.embedder import Embedder, EmbeddingProgress, ProgressCallback
    from vsr.embedding.fingerprint import Difference, Fingerprint
    from vsr.embedding.loading import load_embedder, load_from_fingerprint
    from vsr.embedding.models import EMBEDDING_MODELS

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

_HOMES = {
    "embedder": ("Embedder", "EmbeddingProgress", "ProgressCallback"),
    "fingerprint": ("Difference", "Fingerprint"),
    "loading": ("load_embedder", "load_from_fingerprint"),
    "models": ("EMBEDDING_MODELS",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a name from its module on first use (PEP 562)."""
        if name not in _HOME_OF:
            raise AttributeError(f"module 'vsr.embedding' has no attribute {name!r}")
        value: object = getattr(import_module(f"vsr.embedding.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
