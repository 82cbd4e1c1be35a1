"""Model folders that are damaged or not supported: the message names the file, what was found and what was expected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedding.conftest import MODELS
from embedding.folders import REMOVED, as_type, change_tensors, cut_file, remove, rename, set_in, swap_dimensions, write
from vsr.embedding import load_embedder
from vsr.errors import EmbeddingError

Copied = Callable[[str], Path]

QUERY = "encoder.layer.1.attention.self.query.weight"
GATE = "layers.2.mlp.gate_proj.weight"
SHARD = "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"

# What is done to which model, and what the message must say (all of it).
REFUSED: dict[str, tuple[str, Callable[[Path], object], tuple[str, ...]]] = {
    # The architecture
    "another architecture": (
        "bert-tiny",
        set_in("config.json", "model_type", "roberta"),
        ("config.json: the architecture 'roberta' is not supported; expected bert, qwen3 or gemma3_text",),
    ),
    "one that is ours, not the one asked for": (
        "bert-tiny",
        set_in("config.json", "model_type", "qwen3"),
        ("expected a model of the architecture bert, found qwen3",),
    ),
    "no architecture": (
        "bert-tiny",
        set_in("config.json", "model_type", REMOVED),
        ("config.json: the field 'model_type' is missing",),
    ),
    "a decoder that only looks back": (
        "embeddinggemma-tiny",
        set_in("config.json", "use_bidirectional_attention", False),
        ("'use_bidirectional_attention' is not true",),
    ),
    "stretched positions": (
        "qwen3-tiny",
        set_in("config.json", "rope_scaling", {"rope_type": "yarn", "factor": 4.0}),
        ("config.json: rotary positions with scaling ('rope_scaling': ", "yarn", "are not supported"),
    ),
    "a window": ("qwen3-tiny", set_in("config.json", "use_sliding_window", True), ("'use_sliding_window': true",)),
    "an unknown kind of layer": (
        "embeddinggemma-tiny",
        set_in("config.json", "layer_types", ["linear_attention"] * 6),
        ('layers of the type "linear_attention" are not supported; expected sliding_attention or full_attention',),
    ),
    "an unknown activation": (
        "bert-tiny",
        set_in("config.json", "hidden_act", "mish"),
        ("config.json: ", "mish", "expected", "gelu"),
    ),
    "an activation of another model": (
        "qwen3-tiny",
        set_in("config.json", "hidden_act", "relu"),
        ("config.json: 'hidden_act' Relu is not supported; expected silu",),
    ),
    "relative positions": (
        "bert-tiny",
        set_in("config.json", "position_embedding_type", "relative_key"),
        ("config.json: ", "relative_key"),
    ),
    "a decoder of the right name": (
        "bert-tiny",
        set_in("config.json", "is_decoder", True),
        ("config.json: 'is_decoder': true is not supported",),
    ),
    "heads that cannot be shared out": (
        "qwen3-tiny",
        set_in("config.json", "num_key_value_heads", 3),
        ("4 attention heads, 3 heads of keys and values",),
    ),
    "a width that heads do not divide": (
        "bert-tiny",
        set_in("config.json", "num_attention_heads", 5),
        ("hidden_size 48 is no multiple of num_attention_heads 5",),
    ),
    "text for a number": ("bert-tiny", set_in("config.json", "hidden_size", "wide"), ("config.json: ", "wide")),
    "no JSON": ("bert-tiny", write("config.json", "{"), ("config.json: no valid JSON: ",)),
    "no object": ("bert-tiny", write("config.json", "[]"), ("config.json: expected a JSON object",)),
    "no configuration": ("bert-tiny", remove("config.json"), ("config.json: this file is missing",)),
    # The weights
    "no weights": ("bert-tiny", remove("model.safetensors"), ("there is neither model.safetensors nor ",)),
    "weights cut off": (
        "bert-tiny",
        cut_file("model.safetensors", 0.9),
        ("model.safetensors: no complete safetensors file (", "it may have been cut off, load it again"),
    ),
    "a header cut off": ("bert-tiny", cut_file("model.safetensors", 0.001), ("no complete safetensors file",)),
    "empty weights": ("bert-tiny", write("model.safetensors", ""), ("no complete safetensors file",)),
    "a renamed tensor": (
        "bert-tiny",
        rename(QUERY, QUERY.replace("query", "qury")),
        (f"tensor {QUERY} of shape [48, 48] is missing; the nearest name is {QUERY.replace('query', 'qury')}",),
    ),
    "a wrongly shaped tensor": (
        "qwen3-tiny",
        swap_dimensions(GATE),
        (f"tensor {GATE}: expected shape [160, 64] from config.json, found [64, 160]",),
    ),
    "a configuration of another size": (
        "qwen3-tiny",
        set_in("config.json", "intermediate_size", 128),
        ("mlp.gate_proj.weight: expected shape [128, 64] from config.json, found [160, 64]",),
    ),
    "too few layers in the configuration": (
        "bert-tiny",
        set_in("config.json", "num_hidden_layers", 1),
        ("tensor encoder.layer.1.", "has no place in this architecture; config.json and weights do not fit"),
    ),
    "too many layers in the configuration": (
        "bert-tiny",
        set_in("config.json", "num_hidden_layers", 3),
        ("tensor encoder.layer.2.", " is missing"),
    ),
    "a foreign tensor": (
        "bert-tiny",
        change_tensors(lambda held: held.update({"adapter.weight": ("F32", [1], bytes(4))})),
        ("tensor adapter.weight of shape [1] has no place in this architecture",),
    ),
    "whole numbers for weights": (
        "bert-tiny",
        as_type(QUERY, "I8", 1),
        (f"tensor {QUERY}: type I8 is not supported, expected F32, F16 or BF16",),
    ),
    "a shard that is not there": (
        "qwen3-tiny-bf16",
        remove(SHARD),
        (f"{SHARD}: this shard is named by the index and is not there; the download is not complete",),
    ),
    "a shard cut off": ("qwen3-tiny-bf16", cut_file(SHARD, 0.5), (f"{SHARD}: no complete safetensors file",)),
    "an index that is wrong": (
        "qwen3-tiny-bf16",
        set_in(INDEX, "weight_map.adapter", SHARD),
        (f'tensor adapter: it is not in "{SHARD}"',),
    ),
    "an index that leads elsewhere": (
        "qwen3-tiny-bf16",
        set_in(INDEX, "weight_map", {"model.norm.weight": "../other.safetensors"}),
        ("tensor model.norm.weight: expected the name of a file beside it, found ",),
    ),
    "no index in the index": ("qwen3-tiny-bf16", write(INDEX, "{}"), ("the object 'weight_map' is missing",)),
    "dense weights of another shape": (
        "embeddinggemma-tiny",
        change_tensors(
            lambda held: held.update({"linear.weight": ("F32", [96, 96], held["linear.weight"][2])}),
            "2_Dense/model.safetensors",
        ),
        ("2_Dense/model.safetensors: tensor linear.weight: expected shape [192, 48] from config.json, found [96, 96]",),
    ),
    "no dense weights": (
        "embeddinggemma-tiny",
        remove("3_Dense/model.safetensors"),
        ("3_Dense/model.safetensors: there is no such file",),
    ),
    # The tokenizer
    "no tokenizer": ("bert-tiny", remove("tokenizer.json"), ("tokenizer.json: this file is missing",)),
    "no usable tokenizer": ("bert-tiny", write("tokenizer.json", "{}"), ("tokenizer.json: no usable tokenizer: ",)),
    # Modules, pooling, dense layers
    "no modules": ("bert-tiny", remove("modules.json"), ("modules.json: this file is missing",)),
    "no list of modules": ("bert-tiny", write("modules.json", "{}"), ("modules.json: expected a list of modules",)),
    "a module that is not supported": (
        "bert-tiny",
        set_in("modules.json", "2.type", "sentence_transformers.models.LSTM"),
        ("modules.json: module 2: 'LSTM' is not supported here",),
    ),
    "modules in another order": (
        "bert-tiny",
        set_in("modules.json", "1.type", "sentence_transformers.models.Dense"),
        ("module 1: Dense after Transformer is not supported",),
    ),
    "a module outside the folder": (
        "bert-tiny",
        set_in("modules.json", "1.path", "../1_Pooling"),
        ("module 1: 'path' must name a folder inside the model, found '../1_Pooling'",),
    ),
    "no pooling": (
        "bert-tiny",
        write("modules.json", '[{"type": "sentence_transformers.models.Transformer", "path": ""}]'),
        ("there is no Pooling module",),
    ),
    "a pooling that is not supported": (
        "qwen3-tiny-bf16",
        set_in("1_Pooling/config.json", "pooling_mode", "weightedmean"),
        ("1_Pooling/config.json: pooling 'weightedmean' is not supported; expected mean, cls or lasttoken",),
    ),
    "two poolings": (
        "bert-tiny",
        set_in("1_Pooling/config.json", "pooling_mode_cls_token", True),
        ("several pooling modes at once are not supported: ",),
    ),
    "no pooling switched on": (
        "bert-tiny",
        set_in("1_Pooling/config.json", "pooling_mode_mean_tokens", False),
        ("no pooling mode is switched on",),
    ),
    "an activation after a dense layer": (
        "embeddinggemma-tiny",
        set_in("2_Dense/config.json", "activation_function", "torch.nn.modules.activation.Softplus"),
        ("2_Dense/config.json: activation 'torch.nn.modules.activation.Softplus' is not supported",),
    ),
    "dense layers that do not fit": (
        "embeddinggemma-tiny",
        set_in("2_Dense/config.json", "in_features", 64),
        ("'in_features' is 64, but what comes before is 48 wide",),
    ),
    "another task": (
        "bert-tiny",
        set_in("sentence_bert_config.json", "transformer_task", "fill-mask"),
        ("'transformer_task' \"fill-mask\" is not supported",),
    ),
    "no limit": (
        "bert-tiny",
        set_in("sentence_bert_config.json", "max_seq_length", -1),
        ("'max_seq_length' must be a positive number",),
    ),
    "prompts that are no texts": (
        "bert-tiny",
        set_in("config_sentence_transformers.json", "prompts", {"query": 7}),
        ("'prompts' must map names to texts",),
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_it_is_refused_by_name(kind: str, copied: Copied) -> None:
    name, damage, expected = REFUSED[kind]
    folder = copied(name)
    damage(folder)
    with pytest.raises(EmbeddingError) as caught:
        load_embedder(MODELS[name], folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    for part in expected:
        assert part in message
    assert "internal failure" not in message


def test_a_tokenizer_of_another_model_is_refused(copied: Copied, shared: Path) -> None:
    folder = copied("bert-tiny")
    (folder / "tokenizer.json").write_bytes((shared / "reference" / "qwen3-tiny" / "tokenizer.json").read_bytes())
    with pytest.raises(EmbeddingError, match=r"the tokenizer gives token \d+, the network knows \d+ tokens"):
        load_embedder("bert", folder).embed(["🙂 謎 " + "".join(map(chr, range(32, 500)))])


def test_weights_that_are_no_numbers_are_found_when_they_are_used(copied: Copied) -> None:
    folder = copied("bert-tiny")
    change_tensors(lambda held: held.update({QUERY: ("F32", [48, 48], b"\xff" * 4 * 48 * 48)}))(folder)
    with pytest.raises(EmbeddingError, match="the vector of text 0 is not finite; the model's weights are damaged"):
        load_embedder("bert", folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 49}, "vectors of width 49 were asked for; this model gives 48 at most"),
        ({"dim": 0}, "embedding width 0: expected at least 1"),
        ({"dim": -1}, "embedding width -1: expected at least 1"),
        ({"prompt": "search"}, "the model has no prompt 'search'; expected one of document, query"),
        ({"max_tokens": 2}, "a limit of 2 tokens leaves no room for text: the tokenizer adds 2 tokens of its own"),
        ({"max_tokens": 0}, "token limit 0: expected at least 1"),
        ({"dtype": "float16"}, "unknown embedding dtype 'float16'; expected one of float32, bfloat16, int8"),
        (
            {"dtype": "bfloat16", "device": "cuda"},
            "embedding dtype 'bfloat16' is for the device 'cpu'; use 'float32' with 'cuda'",
        ),
        ({"device": "tpu"}, "unknown device 'tpu'; expected cpu or cuda"),
        ({"device": "cuda"}, "CUDA"),
        ({"revision": "main"}, "a revision has no meaning for a local folder"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str, shared: Path) -> None:
    with pytest.raises(EmbeddingError, match=message):
        load_embedder("bert", shared / "reference" / "bert-tiny", **options)


def test_a_prompt_that_the_model_does_not_have_is_refused_with_those_it_has(shared: Path) -> None:
    with pytest.raises(EmbeddingError, match="no prompt 'Query'; expected one of Classification, document, query"):
        load_embedder("gemma", shared / "reference" / "embeddinggemma-tiny", prompt="Query")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"nowhere: there is no such folder; expected a model in the Sentence"):
        load_embedder("bert", tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddingError, match=r"file: there is no such folder"):
        load_embedder("bert", tmp_path / "file")


def test_a_name_that_is_no_model() -> None:
    with pytest.raises(EmbeddingError, match="unknown embedding model 'gpt'; expected one of qwen3, gemma, bert, hash"):
        load_embedder("gpt")


@pytest.mark.parametrize(
    ("option", "value"), [("path", "x"), ("prompt", "x"), ("revision", "x"), ("dtype", "bfloat16")]
)
def test_what_only_a_model_with_weights_has(option: str, value: str) -> None:
    given: dict[str, Any] = {option: value}
    with pytest.raises(EmbeddingError, match=f"the hash embedder has no {option}"):
        load_embedder("hash", **given)
