"""llama.cpp is asked for the same work: the tokens and the weights of everybody else."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

for _package in ("gguf", "llama_cpp", "torch", "transformers"):
    pytest.importorskip(_package, reason=f"{_package} is not installed (`make peers`)")

BENCHES = Path(__file__).parents[3] / "benches" / "python"


@pytest.fixture
def embedding(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHES))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))  # other tests import other modules by these names
    return importlib.import_module("embedding")


def test_llama_cpp_embeds_as_the_reference_does_and_texts_of_a_batch_as_alone(embedding, shared, tmp_path):
    folder = shutil.copytree(shared / "reference" / "qwen3-tiny", tmp_path / "qwen3-tiny")
    folder.chmod(0o755)  # the file for llama.cpp is written beside the weights
    reference = json.loads((folder / "expected.json").read_text())
    cases = [case for case in reference["cases"] if case["prompt_name"] is None]
    cases = [case for case in cases if case["tokens"] < reference["max_seq_length"]]  # nobody cuts here
    tokenizer = embedding.transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    ids = [np.array(tokenizer(case["text"])["input_ids"])[None] for case in cases]
    assert [tokens.size for tokens in ids] == [case["tokens"] for case in cases]
    llama = embedding.LlamaCpp(folder, 2)
    alone = np.concatenate([llama.embedder(tokens)() for tokens in ids])
    cosines = (alone * [case["embedding"] for case in cases]).sum(axis=1)
    assert 0.99 < cosines.min() < 0.99999  # the weights are the same, and rounded
    turned = np.concatenate([ids[0], ids[0][:, ::-1]])
    first, second = llama.embedder(turned)()
    np.testing.assert_allclose(first, alone[0], atol=1e-3)
    assert first @ second < 0.99
