"""The numerical core: everything here is compiled; arrays are C-order, and the GIL is free while it works."""

from collections.abc import Sequence
from os import PathLike
from typing import final

import numpy as np
from numpy.typing import NDArray

def set_n_threads(n_threads: int) -> None:
    """Set how many threads the core uses; 0 means one per available core."""

def n_threads() -> int:
    """How many threads the core uses."""

@final
class TokenizedTexts:
    """Texts as token numbers."""

    @property
    def lengths(self) -> NDArray[np.uint32]:
        """Tokens of each text, special ones included, after truncation; uint32 (n,)."""

    @property
    def truncated(self) -> NDArray[np.bool_]:
        """Which texts were longer than the limit; bool (n,)."""

@final
class TextEncoder:
    """A loaded embedding model."""

    def __new__(
        cls,
        path: str | PathLike[str],
        architecture: str | None = None,
        dim: int | None = None,
        prompt: str | None = None,
        max_tokens: int | None = None,
        device: str = "cpu",
    ) -> TextEncoder:
        """Load a model folder.

        Raises:
            EmbeddingError: Something is missing, damaged, not supported, or does not fit the other arguments.
        """

    def tokenize(self, texts: Sequence[str]) -> TokenizedTexts:
        """Cut texts into tokens."""

    def embed(self, texts: TokenizedTexts, rows: NDArray[np.uint32]) -> NDArray[np.float32]:
        """Embed some of the tokenized texts: float32 (len(rows), dim), rows of unit length."""

    @property
    def dim(self) -> int:
        """Width of the vectors."""

    @property
    def native_dim(self) -> int:
        """Width of the model's own vectors."""

    @property
    def token_limit(self) -> int:
        """Longest text in tokens, special ones included."""

    @property
    def pooling(self) -> str:
        """ "mean", "cls" or "lasttoken"."""

    @property
    def prompt(self) -> str:
        """The text before every text."""

    @property
    def digest(self) -> str:
        """Digest of configuration, tokenizer, weights and dense layers."""
