"""The embedder without weights: the same numbers on every machine, with every version."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from vsr.embedding import EmbeddingProgress, load_embedder

TEXT = "The quick brown fox: na\u00efve \u4f60\u597d!"
VALUES = [
    *(-0.07684733, -0.7172417, 0.23054199, -0.17931043),
    *(0.10246310, -0.33300510, -0.10246310, 0.51231550),
]
# Of artefacts that exist: whoever changes these numbers changes `_DIGEST` in hashing.py too.
DIGESTS = {
    "What is the derivative of sin(x)?": "f07b53e7e6ee3976",
    "  WHAT is\nthe derivative of SIN(x)? ": "f07b53e7e6ee3976",
    TEXT: "3369e0fa5c54baf5",
    "": "e61a2e3c81d6733c",
}


def digest(vector: np.ndarray) -> str:
    return hashlib.sha256(vector.astype("<f4").tobytes()).hexdigest()[:16]


def test_values_are_the_same_everywhere() -> None:
    np.testing.assert_allclose(load_embedder("hash", dim=8).embed([TEXT])[0], VALUES, atol=1e-7)
    vectors = load_embedder("hash").embed(list(DIGESTS))
    assert [digest(vector) for vector in vectors] == list(DIGESTS.values())
    assert load_embedder("hash").fingerprint.digest == "hash-1"


def test_values_are_the_same_in_another_process_with_other_hashes() -> None:
    code = (
        "import sys; from vsr.embedding import load_embedder;"
        "sys.stdout.buffer.write(load_embedder('hash').embed([sys.argv[1]]).tobytes())"
    )
    outputs = [
        subprocess.run([sys.executable, "-R", "-c", code, TEXT], stdout=subprocess.PIPE, check=True, timeout=60).stdout
        for _ in range(2)
    ]
    assert outputs[0] == outputs[1] == load_embedder("hash").embed([TEXT]).tobytes()


@pytest.mark.parametrize("dim", [1, 14, 768, 5000])
def test_any_width_is_the_number_of_buckets(dim: int) -> None:
    embedder = load_embedder("hash", dim=dim)
    assert embedder.embed(["a cell", "a court"]).shape == (2, dim)
    assert (embedder.dim, embedder.fingerprint.width) == (dim, dim)


def test_likeness_follows_words() -> None:
    vectors = load_embedder("hash").embed(
        ["Compute the derivative of sine", "the derivative of cosine, computed", "Who painted the Mona Lisa?"]
    )
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2] + 0.2


def test_progress_of_many_texts() -> None:
    states: list[EmbeddingProgress] = []
    load_embedder("hash", dim=4).embed([f"text {i}" for i in range(10_000)], progress=states.append)
    assert [state.n_done for state in states] == [4096, 8192, 10_000]
    assert [state.is_last for state in states] == [False, False, True]
    assert states[-1].left_s == 0
