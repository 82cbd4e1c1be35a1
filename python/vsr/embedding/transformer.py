"""Embedders with weights: a model folder, loaded by the numerical core."""

import hashlib
import json
import warnings
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vsr import _core
from vsr.embedding.cache import VectorCache
from vsr.embedding.corpus import embed_corpus
from vsr.embedding.embedder import EmbeddingProgress, ProgressCallback, check_texts
from vsr.embedding.fingerprint import Fingerprint

_WARM_UP = "What is the derivative of sin(x)?"
_ONE_ROW = np.zeros(1, dtype=np.uint32)


class TransformerEmbedder:
    """Embed texts with a Qwen3, EmbeddingGemma or BERT model."""

    def __init__(self, encoder: _core.TextEncoder, fingerprint: Fingerprint, cache: VectorCache | None = None) -> None:
        """Take a loaded model; `load` makes all three."""
        self._encoder = encoder
        self._fingerprint = fingerprint
        self._cache = cache

    @classmethod
    def load(
        cls,
        name: str,
        folder: Path,
        architecture: str,
        *,
        dim: int | None,
        prompt: str | None,
        dtype: str,
        max_tokens: int,
        cache_dir: Path | None,
        device: str,
        revision: str | None,
    ) -> Self:
        """Load a model folder and embed one text, so that the first query is as fast as the others.

        Args:
            name: Registry name, for the fingerprint.
            folder: A model in the Sentence Transformers layout.
            architecture: What the model must be: `qwen3`, `gemma3` or `bert`.
            dim: Width of the vectors; None for the smaller of 768 and the model's own.
            prompt: Name of one of the model's prompts.
            dtype: What the network multiplies: `float32`, `bfloat16` or `int8`.
            max_tokens: Longer texts are cut.
            cache_dir: Where vectors are kept between runs.
            device: `cpu` or `cuda`.
            revision: The hub's commit, where the folder came from there.

        Raises:
            EmbeddingError: Something in the folder is missing, damaged or not supported, or the machine does not
                multiply `dtype`.
            OutputError: `cache_dir` cannot be made or written to.
        """
        encoder = _core.TextEncoder(folder, architecture, dim, prompt, max_tokens, device, dtype)
        fingerprint = Fingerprint(
            name=name,
            width=encoder.dim,
            digest=_digest(encoder, folder),
            pooling=encoder.pooling,
            prompt=encoder.prompt,
            dtype=dtype,
            token_limit=encoder.token_limit,
            prompt_name=prompt,
            path=str(folder.resolve()) if revision is None else None,
            revision=revision,
        )
        cache = None if cache_dir is None else VectorCache(cache_dir, fingerprint)
        if cache is not None:
            with cache.opened():  # a folder that cannot be used shows now, not after the first batch
                pass
        encoder.embed(encoder.tokenize([_WARM_UP]), _ONE_ROW)
        return cls(encoder, fingerprint, cache)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return self._encoder.dim

    @property
    def fingerprint(self) -> Fingerprint:
        """What identifies the vectors."""
        return self._fingerprint

    def embed(self, texts: Sequence[str], *, progress: ProgressCallback | None = None) -> NDArray[np.float32]:
        """Embed every text; equal texts are computed once.

        Args:
            texts: Any strings, empty ones included. Those longer than the token limit are cut and counted.
            progress: Called about once a second, and once at the end; it gets the number of texts that were cut, which
                is a warning without it.

        Returns:
            float32 (len(texts), dim), rows of unit length, in the order of `texts`.

        Raises:
            EmbeddingError: A text is not a string or holds a lone surrogate.
            OutputError: The folder of the cache cannot be written to any more.
        """
        check_texts(texts)
        if len(texts) == 1 and progress is None and self._cache is None:
            tokens = self._encoder.tokenize([texts[0]])
            self._warn_of_cut_texts(int(tokens.truncated[0]), 1)
            return self._encoder.embed(tokens, _ONE_ROW)
        if progress is not None:
            return embed_corpus(self._encoder, texts, progress, self._cache)
        states: deque[EmbeddingProgress] = deque(maxlen=1)
        vectors = embed_corpus(self._encoder, texts, states.append, self._cache)
        self._warn_of_cut_texts(states[0].n_truncated, states[0].n_texts)
        return vectors

    def _warn_of_cut_texts(self, n_truncated: int, n_texts: int) -> None:
        if n_truncated:
            are = "text is" if n_texts == 1 else f"of {n_texts:,} texts are"
            limit = f"{self._encoder.token_limit:,} tokens"
            warnings.warn(f"{n_truncated:,} {are} longer than {limit} and cut to these", stacklevel=3)


def _digest(encoder: _core.TextEncoder, folder: Path) -> str:
    """Give the core's digest of the files, and with it what that leaves out: whether texts are lowered first."""
    about = folder / "sentence_bert_config.json"
    is_lowered = about.is_file() and json.loads(about.read_bytes()).get("do_lower_case") is True
    if not is_lowered:
        return encoder.digest
    return hashlib.blake2b(f"{encoder.digest} do_lower_case".encode(), digest_size=16).hexdigest()
