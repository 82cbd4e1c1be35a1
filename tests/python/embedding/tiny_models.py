"""Complete folders of tiny models with random weights, so that tests need no files from elsewhere."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

N_WORDS = 60
"""Words that their tokenizers know as one token: `w0`, `w1`, ..."""


_NAMES = {"bert": "bert", "qwen3": "qwen3", "gemma3_text": "gemma"}


def models() -> list[tuple[dict[str, Any], dict[str, tuple[int, ...]]]]:
    """Give configuration and shapes of weights of a tiny model of each architecture."""
    hidden, wide, head_dim = 24, 40, 8
    bert = {
        "model_type": "bert", "vocab_size": 70, "hidden_size": hidden, "num_hidden_layers": 2, "num_attention_heads": 3,
        "intermediate_size": wide, "hidden_act": "gelu", "max_position_embeddings": 80, "type_vocab_size": 2,
        "layer_norm_eps": 1e-12, "position_embedding_type": "absolute",
    }  # fmt: skip
    decoder = {
        "vocab_size": 70, "hidden_size": hidden, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": head_dim, "intermediate_size": wide, "max_position_embeddings": 80,
        "rms_norm_eps": 1e-6, "rope_theta": 1e6, "attention_bias": False,
    }  # fmt: skip
    qwen3 = {"model_type": "qwen3", **decoder, "hidden_act": "silu", "layer_types": ["full_attention"] * 2}
    gemma = {
        "model_type": "gemma3_text", **decoder, "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 8,
        "sliding_window": 16, "sliding_window_pattern": 2, "rope_local_base_freq": 1e4,
        "use_bidirectional_attention": True,
    }  # fmt: skip
    bert_shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (70, hidden),
        "embeddings.position_embeddings.weight": (80, hidden),
        "embeddings.token_type_embeddings.weight": (2, hidden),
    }
    for name in (
        "embeddings",
        *(f"encoder.layer.{i}.{part}" for i in range(2) for part in ("attention.output", "output")),
    ):
        bert_shapes |= {f"{name}.LayerNorm.weight": (hidden,), f"{name}.LayerNorm.bias": (hidden,)}
    for i in range(2):
        for part, n_out, n_in in (
            *((f"attention.self.{part}", hidden, hidden) for part in ("query", "key", "value")),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", wide, hidden),
            ("output.dense", hidden, wide),
        ):
            name = f"encoder.layer.{i}.{part}"
            bert_shapes |= {f"{name}.weight": (n_out, n_in), f"{name}.bias": (n_out,)}
    norms = ("input_layernorm", "post_attention_layernorm")
    gemma_norms = (*norms, "pre_feedforward_layernorm", "post_feedforward_layernorm")
    return [
        (bert, bert_shapes),
        (qwen3, _decoder_shapes(qwen3, norms)),
        (gemma, _decoder_shapes(gemma, gemma_norms)),
    ]


def _decoder_shapes(config: dict[str, Any], norms: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    hidden, wide, head_dim = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    heads, kv_heads = config["num_attention_heads"] * head_dim, config["num_key_value_heads"] * head_dim
    shapes: dict[str, tuple[int, ...]] = {
        "embed_tokens.weight": (config["vocab_size"], hidden),
        "norm.weight": (hidden,),
    }
    for i in range(config["num_hidden_layers"]):
        layer = f"layers.{i}"
        shapes |= {f"{layer}.{name}.weight": (hidden,) for name in norms}
        shapes |= {f"{layer}.self_attn.{part}_norm.weight": (head_dim,) for part in "qk"}
        shapes |= {
            f"{layer}.self_attn.q_proj.weight": (heads, hidden),
            f"{layer}.self_attn.k_proj.weight": (kv_heads, hidden),
            f"{layer}.self_attn.v_proj.weight": (kv_heads, hidden),
            f"{layer}.self_attn.o_proj.weight": (hidden, heads),
            f"{layer}.mlp.gate_proj.weight": (wide, hidden),
            f"{layer}.mlp.up_proj.weight": (wide, hidden),
            f"{layer}.mlp.down_proj.weight": (hidden, wide),
        }
    return shapes


def tokenizer(model_type: str) -> dict[str, Any]:
    """Make WordPiece for BERT and BPE for the others, with a bit of everything around them."""
    words = {f"w{i}": i for i in range(N_WORDS)}
    if model_type == "bert":
        token = {"id": 60, "content": "[CLS]", "special": True, "normalized": False}
        added = [{**token, "single_word": False, "lstrip": False, "rstrip": False}]
        splitting: dict[str, Any] = {"type": "WhitespaceSplit"}
        model: dict[str, Any] = {
            "type": "WordPiece", "unk_token": "w0", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": words | {"[CLS]": 60, "[SEP]": 61, "a": 62, "##b": 63},
        }  # fmt: skip
    else:
        added = []
        spaces = {"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Removed", "invert": False}
        splitting = {"type": "Sequence", "pretokenizers": [spaces, {"type": "Digits", "individual_digits": False}]}
        model = {
            "type": "BPE", "unk_token": "w0", "fuse_unk": False, "byte_fallback": False, "dropout": None,
            "vocab": words | {str(i): 60 + i for i in range(9)} | {"w": 69},
            "merges": [["w", str(i)] for i in range(1, 9)],
        }  # fmt: skip
    one_space = {"type": "Replace", "pattern": {"Regex": " +"}, "content": " "}
    text = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 64, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": None,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "w0",
        },
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, one_space]},
        "pre_tokenizer": splitting,
        "post_processor": {
            "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "w1", "type_id": 0}}, text],
            "pair": [text], "special_tokens": {"w1": {"id": "w1", "ids": [1], "tokens": ["w1"]}},
        },
        "decoder": None,
        "model": model,
    }  # fmt: skip


def write_model(folder: Path, config: dict[str, Any], shapes: dict[str, tuple[int, ...]], *, sharded: bool) -> None:
    """Write a whole folder; a sharded one has two files of weights and an index."""
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "2_Dense").mkdir()
    kinds = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense"), ("Normalize", "3_Normalize"))
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds)
    ]
    hidden = config["hidden_size"]
    _write_json(folder / "config.json", config)
    _write_json(folder / "tokenizer.json", tokenizer(config["model_type"]))
    _write_json(folder / "modules.json", modules)
    _write_json(
        folder / "1_Pooling" / "config.json", {"word_embedding_dimension": hidden, "pooling_mode_mean_tokens": True}
    )
    _write_json(
        folder / "config_sentence_transformers.json", {"prompts": {"query": "w2 "}, "default_prompt_name": None}
    )
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": 70, "do_lower_case": True})
    dense = {
        "in_features": hidden,
        "out_features": 16,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    _write_json(folder / "2_Dense" / "config.json", dense)
    _write_tensors(folder / "2_Dense" / "model.safetensors", {"linear.weight": (16, hidden), "linear.bias": (16,)})
    if not sharded:
        _write_tensors(folder / "model.safetensors", shapes)
        return
    names = sorted(shapes)
    places = {name: f"part-{index % 2}.safetensors" for index, name in enumerate(names)}
    for file in sorted(set(places.values())):
        _write_tensors(folder / file, {name: shapes[name] for name in names if places[name] == file})
    _write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": 1}, "weight_map": places})


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_tensors(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    rng = np.random.default_rng(0)
    header: dict[str, object] = {}
    data = b""
    for name, shape in shapes.items():
        values = (rng.standard_normal(shape) * 0.3 + ("norm" in name.lower())).astype(np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": (len(data), len(data) + len(values))}
        data += values
    encoded = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(encoded)) + encoded + data)


def write_all(folder: Path) -> None:
    """Write each architecture with its weights in one file and in shards: `bert-whole`, `bert-sharded`, ..."""
    for config, shapes in models():
        for sharded in (False, True):
            kind = "sharded" if sharded else "whole"
            write_model(folder / f"{_NAMES[config['model_type']]}-{kind}", config, shapes, sharded=sharded)
