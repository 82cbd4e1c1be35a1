"""Every field of every file of a model folder: another fingerprint, the same vectors, or a refusal."""

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedding import tiny_models
from embedding.folders import REMOVED, Tensors, set_in
from vsr.embedding import Embedder, load_embedder
from vsr.errors import EmbeddingError

TEXTS = [
    "w1 w2 w3",
    "W3 W4",
    "",
    "w5 a ab",
    "w7  w8 12 3",
    " ".join(f"w{i % 60}" for i in range(90)),
    "\u00c9 w9 e\u0301",
]
PROMPT = "query"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_models.write_all(folder)
    return folder


def embedded(embedder: Embedder) -> np.ndarray[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts that are cut
        return embedder.embed(TEXTS)


def fields(value: object, way: str = "") -> Iterator[tuple[str, object]]:
    """Every place of a JSON document as `set_in` names it, with what stands there; of long lists a few."""
    if isinstance(value, dict | list):
        pairs = list(value.items() if isinstance(value, dict) else enumerate(value))
        for key, held in pairs[:3] + pairs[-3:] if len(pairs) > 20 else pairs:
            if "." not in str(key):
                here = f"{way}.{key}" if way else str(key)
                yield here, held
                yield from fields(held, here)


def other_values(value: object) -> list[object]:
    """What may stand in a field in place of a value: removed, null, and others of its kind."""
    others: list[object] = [REMOVED, None]
    if isinstance(value, bool):
        others.append(not value)
    elif isinstance(value, int | float):
        others += [value + 1, value * 2, value / 2, 0]
    elif isinstance(value, str):
        others += [value.swapcase(), f"{value}x", *OTHER_WORDS]
    elif value is None:
        others += [True, 1, "w1"]
    return others


OTHER_WORDS = ["", "relu", "torch.nn.modules.linear.Identity", "Left", "Lowercase"]


def flips(folder: Path) -> Iterator[tuple[str, str, object]]:
    for path in sorted(folder.rglob("*.json")):
        for key, value in dict(fields(json.loads(path.read_text()))).items():
            for other in other_values(value):
                yield str(path.relative_to(folder)), key, other


# Fields that a folder may have beside those of the tiny ones.
MORE = [
    ("1_Pooling/config.json", "include_prompt", False),
    ("1_Pooling/config.json", "pooling_mode_cls_token", True),
    ("1_Pooling/config.json", "pooling_mode", "cls"),
    ("1_Pooling/config.json", "pooling_mode", "lasttoken"),
    ("config.json", "rope_parameters", {"rope_type": "default", "rope_theta": 10.0}),
    ("config.json", "rope_scaling", {"rope_type": "linear", "factor": 2.0}),
    ("config.json", "tie_word_embeddings", True),
    ("config.json", "attention_dropout", 0.5),
    ("config.json", "embedding_scale", 2.0),
    ("config.json", "final_logit_softcapping", 3.0),
    ("config.json", "attn_logit_softcapping", 3.0),
    ("config.json", "use_sliding_window", True),
    ("config_sentence_transformers.json", "default_prompt_name", "query"),
    ("config_sentence_transformers.json", "similarity_fn_name", "dot"),
    ("sentence_bert_config.json", "do_lower_case", False),
    ("sentence_bert_config.json", "max_seq_length", 20),
    ("tokenizer.json", "normalizer", {"type": "Lowercase"}),
    ("tokenizer.json", "normalizer", None),
    ("tokenizer.json", "pre_tokenizer", None),
    ("tokenizer.json", "post_processor", None),
    ("2_Dense/config.json", "activation_function", "torch.nn.modules.linear.Identity"),
]


@pytest.mark.parametrize("name", ["bert-sharded", "qwen3-whole", "gemma-whole"])
def test_a_flipped_field_shows_in_the_fingerprint_or_not_in_the_vectors(
    models: Path, name: str, tmp_path: Path
) -> None:
    original = models / name
    kind = name.partition("-")[0]
    folder = tmp_path / "model"
    shutil.copytree(original, folder)
    expected = {}
    for prompt in (None, PROMPT):
        embedder = load_embedder(kind, folder, prompt=prompt)
        expected[prompt] = embedder.fingerprint.key(), embedded(embedder)
    n_shown = n_same = n_refused = 0
    hidden = []
    for file, key, other in [*flips(original), *MORE]:
        path = folder / file
        try:
            set_in(file, key, other)(folder)
        except (KeyError, IndexError):
            continue  # such a field is not in this folder
        for prompt, (fingerprint, vectors) in expected.items():
            try:
                embedder = load_embedder(kind, folder, prompt=prompt)
                found = embedded(embedder)
            except EmbeddingError:
                n_refused += 1
                continue
            if embedder.fingerprint.key() != fingerprint:
                n_shown += 1
            elif found.shape == vectors.shape and np.array_equal(found, vectors):
                n_same += 1
            else:
                hidden.append((file, key, other, prompt))
        shutil.copy(original / file, path)
    assert hidden == []
    assert min(n_shown, n_same, n_refused) > 20, "one of the three was hardly tried"


@pytest.mark.parametrize("name", ["bert-whole", "qwen3-whole", "gemma-sharded"])
def test_every_tensor_is_in_the_fingerprint(models: Path, name: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(models / name, folder)
    kind = name.partition("-")[0]
    before = load_embedder(kind, folder).fingerprint
    for path in sorted(folder.rglob("*.safetensors")):
        content = path.read_bytes()
        for tensor in Tensors.read(path).held:
            changed = Tensors.read(path)
            dtype, shape, data = changed.held[tensor]
            changed.held[tensor] = (dtype, shape, np.float32(0.5).tobytes() + data[4:])
            changed.write()
            assert load_embedder(kind, folder).fingerprint.key() != before.key(), tensor
            path.write_bytes(content)
