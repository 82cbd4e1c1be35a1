"""Every vector that transformers and sentence-transformers compute for the reference models."""

from collections.abc import Callable

import numpy as np
import pytest

from embedding.conftest import MODELS, WITH_WEIGHTS, Reference, assert_same_vectors
from vsr.embedding import Embedder, EmbeddingProgress

ALL_PROMPTS = [
    *((name, None) for name in WITH_WEIGHTS),
    *(("embeddinggemma-tiny", prompt) for prompt in ("query", "document", "Classification")),
    *((name, "query") for name in ("qwen3-tiny", "qwen3-tiny-bf16")),
]


def ignore(_state: EmbeddingProgress) -> None:
    """Follow the progress, so that texts which are cut are counted there and not warned of."""


@pytest.mark.parametrize(("name", "prompt"), ALL_PROMPTS)
class TestReferenceVectors:
    def test_alone(
        self, name: str, prompt: str | None, references: Callable[[str], Reference], loaded: Callable[..., Embedder]
    ) -> None:
        reference, embedder = references(name), loaded(name, prompt=prompt)
        alone = [embedder.embed([text], progress=ignore)[0] for text in reference.texts]
        assert_same_vectors(alone, reference.vectors[prompt])

    def test_in_a_mixed_batch(
        self, name: str, prompt: str | None, references: Callable[[str], Reference], loaded: Callable[..., Embedder]
    ) -> None:
        reference, embedder = references(name), loaded(name, prompt=prompt)
        assert_same_vectors(embedder.embed(reference.texts, progress=ignore), reference.vectors[prompt])

    def test_in_any_order_among_other_texts(
        self, name: str, prompt: str | None, references: Callable[[str], Reference], loaded: Callable[..., Embedder]
    ) -> None:
        reference, embedder = references(name), loaded(name, prompt=prompt)
        texts = [*reference.texts, *(f"something else {'and more ' * (i % 40)}{i}" for i in range(30))]
        for seed in range(2):
            order = np.random.default_rng(seed).permutation(len(texts))
            vectors = embedder.embed([texts[i] for i in order], progress=ignore)
            back = np.argsort(order)[: len(reference.texts)]
            assert_same_vectors(vectors[back], reference.vectors[prompt])


def test_every_case_of_every_reference_is_among_these(references: Callable[[str], Reference]) -> None:
    assert [(name, prompt) for name in WITH_WEIGHTS for prompt in references(name).prompt_names] == sorted(
        ALL_PROMPTS, key=lambda case: WITH_WEIGHTS.index(case[0])
    )


@pytest.mark.parametrize("name", MODELS)
def test_tokens_and_cut_texts_are_counted_as_the_reference_does(
    name: str, references: Callable[[str], Reference], loaded: Callable[..., Embedder]
) -> None:
    reference = references(name)
    seen: list[EmbeddingProgress] = []
    loaded(name).embed(reference.texts, progress=seen.append)
    assert seen[-1].n_tokens == sum(reference.n_tokens[None])
    assert seen[-1].n_truncated == sum(n == reference.max_tokens for n in reference.n_tokens[None]) > 0


def test_rounded_weights_stay_near_those_they_were_made_of(references: Callable[[str], Reference]) -> None:
    # The same model in bfloat16 and in float32.
    rounded, exact = (references(name).vectors[None] for name in ("qwen3-tiny-bf16", "qwen3-tiny"))
    found = references("qwen3-tiny-bf16").load().embed(references("qwen3-tiny").texts, progress=ignore)
    assert_same_vectors(found, exact, cosine=0.999)
    assert np.abs(rounded - exact).max() > 1e-4  # so that the test above says something


@pytest.mark.parametrize(("name", "prompt"), ALL_PROMPTS)
def test_products_of_rounded_numbers_stay_near_the_references(
    name: str,
    prompt: str | None,
    references: Callable[[str], Reference],
    loaded: Callable[..., Embedder],
    rounded_dtype: str,
) -> None:
    reference, embedder = references(name), loaded(name, prompt=prompt, dtype=rounded_dtype)
    found = embedder.embed(reference.texts, progress=ignore)
    assert_same_vectors(found, reference.vectors[prompt], cosine={"bfloat16": 0.999, "int8": 0.99}[rounded_dtype])
    assert np.abs(found - reference.vectors[prompt]).max() > 1e-4  # so that these are not the vectors of float32
    alone = [embedder.embed([text], progress=ignore)[0] for text in reference.texts]
    np.testing.assert_array_equal(found, alone)
