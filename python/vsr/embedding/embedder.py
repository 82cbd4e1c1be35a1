"""What every embedder offers, and how it tells how far it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vsr.embedding.fingerprint import Fingerprint
from vsr.errors import EmbeddingError


@dataclass(frozen=True, slots=True)
class EmbeddingProgress:
    """How far an embedder is with the texts of one call.

    Attributes:
        n_texts: How many different texts there are.
        n_done: How many of them have their vector.
        n_cached: How many of those came from the cache.
        n_truncated: How many are cut to the token limit, those from the cache included.
        n_tokens: Tokens computed in this call.
        elapsed_s: Since the call began.
        left_s: Estimated time to the end; None as long as nothing was computed.
    """

    n_texts: int
    n_done: int
    n_cached: int
    n_truncated: int
    n_tokens: int
    elapsed_s: float
    left_s: float | None

    @property
    def tokens_per_second(self) -> float:
        """Tokens computed per second of this call; 0 before the first."""
        return self.n_tokens / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def is_last(self) -> bool:
        """Whether this is the final report of the call."""
        return self.n_done == self.n_texts


ProgressCallback = Callable[[EmbeddingProgress], None]


@runtime_checkable
class Embedder(Protocol):
    """Texts in, unit vectors out."""

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        ...

    @property
    def fingerprint(self) -> Fingerprint:
        """What identifies the vectors."""
        ...

    def embed(self, texts: Sequence[str], *, progress: ProgressCallback | None = None) -> NDArray[np.float32]:
        """Embed every text.

        Args:
            texts: Any strings, empty ones included.
            progress: Called about once a second, and once at the end.

        Returns:
            float32 (len(texts), dim), C-order, rows of unit length, in the order of `texts`.

        Raises:
            EmbeddingError: A text is not a string or holds a lone surrogate.
        """
        ...


def check_texts(texts: Sequence[str]) -> None:
    """Refuse what is no text.

    Raises:
        EmbeddingError: They are no list, or naming the first text that is not a string, or that holds half of a
            surrogate pair.
    """
    if isinstance(texts, str):
        raise EmbeddingError("expected a list of texts, found one string; put it into a list")
    # Embedders read texts in order, and in slices.
    if isinstance(texts, Mapping) or not (hasattr(texts, "__getitem__") and hasattr(texts, "__len__")):
        raise EmbeddingError(f"texts are {texts!r}; expected a list of texts")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise EmbeddingError(f"text {number}: expected a string, found {type(text).__name__}")
        if text.isascii():
            continue
        try:
            text.encode()
        except UnicodeEncodeError as error:
            found = ord(text[error.start])
            raise EmbeddingError(
                f"text {number}: lone surrogate U+{found:04X} at character {error.start}: this is half of a character, "
                "usually from decoding with the wrong encoding; repair or remove the text"
            ) from error
