"""What every embedder promises: the same vector for a text alone and in any company, and errors that say why."""

import warnings
from collections.abc import Callable

import numpy as np
import pytest

from embedding.conftest import WITH_WEIGHTS, Reference, assert_same_vectors
from vsr.embedding import Embedder, EmbeddingProgress
from vsr.errors import EmbeddingError

EMBEDDERS = (*WITH_WEIGHTS, "hash")
ODD_TEXTS = {
    "empty": "",
    "spaces": "   ",
    "all kinds of white space": " \t\n\r\u00a0\u2003\u3000",
    "emoji": "🙂🚀👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "\u202bمرحبا بالعالم שלום עולם\u202c",
    "control characters": "a\x00b\x01\x1b[31m\x7f\ufeff\u200b\u0085",
    "combining marks": "Z" + "\u0301\u0323" * 200,
    "not normalised": "e\u0301 \ufb01 Ⅷ ２",
    "beyond the basic plane": "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𠜎𠜱",
    "private and unassigned": "\ue000\U0010ffff\u0378",
    "one word without end": "x" * 5000,
    "special tokens": "[CLS] <bos> <|endoftext|> [SEP] <eos> [UNK]",
}


@pytest.fixture(params=EMBEDDERS)
def embedder(request: pytest.FixtureRequest, loaded: Callable[..., Embedder]) -> Embedder:
    return loaded(request.param)


@pytest.fixture(autouse=True)
def cut_texts_are_no_failure() -> None:
    warnings.filterwarnings("ignore", message=".*tokens and cut to these")


def test_it_is_an_embedder(embedder: Embedder) -> None:
    assert isinstance(embedder, Embedder)
    assert embedder.dim == embedder.fingerprint.width > 0


def test_vectors_are_unit_rows_of_float32(embedder: Embedder) -> None:
    vectors = embedder.embed(["What is the derivative of sin(x)?", "a"])
    assert vectors.shape == (2, embedder.dim)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_no_texts_are_no_rows(embedder: Embedder) -> None:
    seen: list[EmbeddingProgress] = []
    assert embedder.embed([], progress=seen.append).shape == (0, embedder.dim)
    assert [state.is_last for state in seen] == [True]


def test_a_text_has_its_vector_in_any_company(embedder: Embedder) -> None:
    texts = [f"{'word ' * (7 * i % 60)}number {i}" for i in range(40)] + list(ODD_TEXTS.values())
    together = embedder.embed(texts)
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = embedder.embed([texts[i] for i in order])
    np.testing.assert_allclose(shuffled, together[order], atol=2e-6)
    for i in (0, 3, 17, 39, *range(40, len(texts))):
        np.testing.assert_allclose(embedder.embed([texts[i]])[0], together[i], atol=2e-6)


def test_equal_texts_have_equal_vectors(embedder: Embedder) -> None:
    seen: list[EmbeddingProgress] = []
    vectors = embedder.embed(["b", "a", "b", "a", "b"], progress=seen.append)
    assert (vectors[[0, 0, 1]] == vectors[[2, 4, 3]]).all()
    assert (vectors[0] != vectors[1]).any()
    assert seen[-1].n_done == seen[-1].n_texts


@pytest.mark.parametrize("kind", ODD_TEXTS)
def test_odd_texts_have_finite_vectors(embedder: Embedder, kind: str) -> None:
    vector = embedder.embed([ODD_TEXTS[kind]])[0]
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_hundred_thousand_characters(embedder: Embedder) -> None:
    long = [("routing saves money without losing quality. " * 2300)[:100_000], "a" * 100_000, "🙂" * 100_000]
    vectors = embedder.embed([*long, "short"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert_same_vectors(vectors[3:], embedder.embed(["short"]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("half \ud83d of a pair", r"text 1: lone surrogate U\+D83D at character 5: .*repair or remove the text"),
        (7, "text 1: expected a string, found int"),
        (None, "text 1: expected a string, found NoneType"),
        (b"bytes", "text 1: expected a string, found bytes"),
    ],
)
def test_what_is_no_text_is_refused(embedder: Embedder, text: str, message: str) -> None:
    with pytest.raises(EmbeddingError, match=message):
        embedder.embed(["fine", text])


def test_one_string_is_no_list_of_texts(embedder: Embedder) -> None:
    with pytest.raises(EmbeddingError, match="expected a list of texts, found one string"):
        embedder.embed("What is it?")


def test_progress_ends_with_all_texts(embedder: Embedder) -> None:
    seen: list[EmbeddingProgress] = []
    embedder.embed([f"text {i}" for i in range(300)], progress=seen.append)
    assert [state.is_last for state in seen] == [False] * (len(seen) - 1) + [True]
    assert (seen[-1].n_texts, seen[-1].n_done, seen[-1].n_cached, seen[-1].left_s) == (300, 300, 0, 0.0)
    assert [state.n_done for state in seen] == sorted(state.n_done for state in seen)


def test_loading_again_gives_the_same_fingerprint(references: Callable[[str], Reference]) -> None:
    for name in ("bert-tiny", "qwen3-tiny-bf16"):
        first, second = (references(name).load().fingerprint for _ in range(2))
        assert first == second
        assert first.differences(second) == []
