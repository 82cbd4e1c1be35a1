"""A Qwen3 of `embedding_models` as a file for llama.cpp: the same weights in Q8_0, 32 bytes with a scale together.

llama.cpp also multiplies every token with the whole table of words, for logits that nobody asked for. The file has the
rows of words that texts have and no others, and no tokenizer: what is compared is what everybody has to do.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import embedding_models
import gguf
import numpy as np
import numpy.typing as npt


def gguf_file(folder: Path) -> Path:
    """Give the file beside the weights, after writing it if it is not there."""
    path = folder / "q8_0.gguf"
    if not path.is_file():
        unfinished = folder / "q8_0.unfinished"
        _write(unfinished, folder)
        unfinished.rename(path)
    return path


def _write(path: Path, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != "qwen3":
        raise NotImplementedError(f"{folder}: a {config['model_type']} is not written as GGUF here, Qwen3 alone")
    n_words = min(config["vocab_size"], embedding_models.N_WORDS)
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_pooling_type(gguf.PoolingType.LAST)
    writer.add_tokenizer_model("none")
    writer.add_vocab_size(n_words)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config["num_hidden_layers"])
    for name, values in _weights(folder / "model.safetensors"):
        kind = gguf.GGMLQuantizationType.Q8_0 if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        kept = values[:n_words] if name == "embed_tokens.weight" else values
        new_name = names.get_name(f"model.{name}", try_suffixes=(".weight",))
        writer.add_tensor(new_name, gguf.quants.quantize(kept, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _weights(path: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Read float32 and bfloat16, which NumPy does not know, from safetensors."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    content = np.memmap(path, mode="r", offset=8 + size)

    def read(dtype: str, shape: list[int], data_offsets: list[int]) -> npt.NDArray[np.float32]:
        raw = content[slice(*data_offsets)]
        if dtype == "BF16":
            return (raw.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(shape)
        return raw.view(np.float32).reshape(shape)

    for name, about in header.items():
        if name != "__metadata__":
            yield name, read(**about)
