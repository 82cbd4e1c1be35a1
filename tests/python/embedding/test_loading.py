"""The forms in which model folders are published: each gives the vectors of the reference."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from embedding.conftest import MODELS, Reference, assert_same_vectors
from embedding.folders import REMOVED, Held, Tensors, change_tensors, remove, set_in, write
from vsr.embedding import Embedder, EmbeddingProgress, Fingerprint, load_embedder
from vsr.embedding.loading import load_from_fingerprint
from vsr.errors import EmbeddingError

Copied = Callable[[str], Path]
References = Callable[[str], Reference]
OLD_TYPES = "sentence_transformers.models."


def ignore(_state: EmbeddingProgress) -> None:
    """Follow the progress, so that texts which are cut are no warning."""


def prefixed(prefix: str) -> Callable[[Path], None]:
    def change(held: Held) -> None:
        for name in list(held):
            held[prefix + name] = held.pop(name)

    return change_tensors(change)


def with_heads(held: Held) -> None:
    """Tensors for other tasks, which an embedding does not need."""
    for name in ("pooler.dense.weight", "cls.predictions.bias", "embeddings.position_ids"):
        held[name] = ("F32", [2], bytes(8))


def without_gamma(held: Held) -> None:
    """Names of today; the reference has those of the first BERT files."""
    for name in [name for name in held if name.endswith(("LayerNorm.gamma", "LayerNorm.beta"))]:
        held[name.replace(".gamma", ".weight").replace(".beta", ".bias")] = held.pop(name)
    assert "embeddings.LayerNorm.weight" in held


def sharded(folder: Path) -> None:
    """Three files with an index instead of one."""
    whole = Tensors.read(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = [f"model-{i:05d}-of-00003.safetensors" for i in (1, 2, 3)]
    weight_map = {name: files[i % 3] for i, name in enumerate(whole.held)}
    for file in files:
        Tensors(folder / file, {name: whole.held[name] for name in whole.held if weight_map[name] == file}).write()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def nested_rotation(folder: Path) -> None:
    """As transformers 5 writes what stood in three fields before."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("rope_scaling", None)
    config["rope_parameters"] = {
        "full_attention": {"rope_type": "default", "rope_theta": config.pop("rope_theta")},
        "sliding_attention": {"rope_type": "default", "rope_theta": config.pop("rope_local_base_freq")},
    }
    path.write_text(json.dumps(config))


def flat_rotation(folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    path.write_text(json.dumps(config))


def without_normalisation(folder: Path) -> None:
    path = folder / "modules.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:-1]))


SAME = {
    "every name with model.": ("qwen3-tiny", prefixed("model.")),
    "every name with bert.": ("bert-tiny", prefixed("bert.")),
    "heads for other tasks": ("bert-tiny", change_tensors(with_heads)),
    "no gamma and beta": ("bert-tiny", change_tensors(without_gamma)),
    "shards": ("bert-tiny", sharded),
    "rotation as transformers 5 has it": ("embeddinggemma-tiny", nested_rotation),
    "rotation as before": ("qwen3-tiny-bf16", flat_rotation),
    "modules by their older names": ("qwen3-tiny-bf16", set_in("modules.json", "1.type", OLD_TYPES + "Pooling")),
    "pooling in one field": (
        "bert-tiny",
        write("1_Pooling/config.json", '{"embedding_dimension": 48, "pooling_mode": "mean"}'),
    ),
    "no module that normalises": ("bert-tiny", without_normalisation),
    "no file of prompts": ("bert-tiny", remove("config_sentence_transformers.json")),
    "a dense layer without its newer fields": (
        "embeddinggemma-tiny",
        set_in("2_Dense/config.json", "module_input_name", "sentence_embedding"),
    ),
}


@pytest.mark.parametrize("form", SAME)
def test_every_published_form_gives_the_same_vectors(form: str, copied: Copied, references: References) -> None:
    name, change = SAME[form]
    reference, folder = references(name), copied(name)
    change(folder)
    vectors = load_embedder(reference.model, folder).embed(reference.texts, progress=ignore)
    assert_same_vectors(vectors, reference.vectors[None])


def test_weights_of_half_precision_are_read(copied: Copied, references: References) -> None:
    def halved(held: Held) -> None:
        for name, (_, shape, content) in held.items():
            held[name] = ("F16", shape, np.frombuffer(content, "<f4").astype("<f2").tobytes())

    for name in ("bert-tiny", "embeddinggemma-tiny", "qwen3-tiny"):
        folder, reference = copied(name), references(name)
        change_tensors(halved)(folder)
        vectors = load_embedder(reference.model, folder).embed(reference.texts, progress=ignore)
        assert_same_vectors(vectors, reference.vectors[None], cosine=0.999)
        assert np.abs(vectors - reference.vectors[None]).max() > 1e-6


def test_the_limit_is_the_smallest_of_the_files_and_the_option(copied: Copied) -> None:
    folder = copied("bert-tiny")

    def limit(max_tokens: int = 2048) -> int | None:
        return load_embedder("bert", folder, max_tokens=max_tokens).fingerprint.token_limit

    assert (limit(), limit(63), limit(65)) == (64, 63, 64)
    set_in("sentence_bert_config.json", "max_seq_length", 1000)(folder)
    assert limit() == 128  # positions of the network
    remove("sentence_bert_config.json")(folder)
    set_in("tokenizer_config.json", "model_max_length", 100)(folder)
    assert limit() == 100
    set_in("tokenizer_config.json", "model_max_length", 1000000000000000019884624838656)(folder)
    assert limit() == 128
    set_in("tokenizer_config.json", "model_max_length", REMOVED)(folder)
    assert limit() == 128


def test_a_limit_cuts_texts_and_nothing_else(references: References) -> None:
    reference = references("qwen3-tiny")
    short = reference.load(max_tokens=13)
    states: list[EmbeddingProgress] = []
    vectors = short.embed(reference.texts, progress=states.append)
    fits = np.array(reference.n_tokens[None]) <= 13
    assert states[-1].n_truncated == np.count_nonzero(~fits) > 0
    assert_same_vectors(vectors[fits], reference.vectors[None][fits])
    cosines = (vectors[~fits] * reference.vectors[None][~fits]).sum(axis=1)
    assert cosines.max() < 0.999


def test_first_token_pooling_is_another_vector(copied: Copied, references: References) -> None:
    folder = copied("bert-tiny")
    (folder / "1_Pooling" / "config.json").write_text('{"embedding_dimension": 48, "pooling_mode": "cls"}')
    embedder, reference = load_embedder("bert", folder), references("bert-tiny")
    assert embedder.fingerprint.pooling == "cls"
    together = embedder.embed(reference.texts, progress=ignore)
    alone = [embedder.embed([text], progress=ignore)[0] for text in reference.texts]
    np.testing.assert_allclose(together, alone, atol=2e-6)
    assert np.abs(together - reference.vectors[None]).max() > 0.1


def test_texts_are_lowered_where_the_files_say_so(copied: Copied) -> None:
    folder = copied("qwen3-tiny")
    plain = load_embedder("qwen3", folder)
    set_in("sentence_bert_config.json", "do_lower_case", True)(folder)
    lowered = load_embedder("qwen3", folder)
    np.testing.assert_allclose(lowered.embed(["WHAT is It"]), plain.embed(["what is it"]), atol=2e-6)
    assert np.abs(plain.embed(["WHAT is It"]) - plain.embed(["what is it"])).max() > 1e-3


# Width


@pytest.mark.parametrize("name", [*MODELS, "minilm"])
def test_a_cut_keeps_the_prefix_and_normalises_again(
    name: str, references: References, loaded: Callable[..., Embedder]
) -> None:
    texts = references(name).texts[:9]
    whole = loaded(name).embed(texts)
    for dim in (1, 7, 32):
        cut = references(name).load(dim=dim)
        assert (cut.dim, cut.fingerprint.width) == (dim, dim)
        prefix = whole[:, :dim] / np.linalg.norm(whole[:, :dim], axis=1, keepdims=True)
        np.testing.assert_allclose(cut.embed(texts), prefix, atol=3e-6)


def test_the_default_width_is_that_of_the_model_or_768(references: References, loaded: Callable[..., Embedder]) -> None:
    widths = {name: loaded(name).dim for name in (*MODELS, "minilm", "hash")}
    assert widths == {
        "bert-tiny": 48,
        "embeddinggemma-tiny": 48,
        "qwen3-tiny": 64,
        "qwen3-tiny-bf16": 64,
        "minilm": 384,
        "hash": 768,
    }
    with pytest.raises(EmbeddingError, match="vectors of width 385 were asked for; this model gives 384 at most"):
        references("minilm").load(dim=385)


# Fingerprints


def test_the_fingerprint_says_what_was_loaded(references: References) -> None:
    reference = references("embeddinggemma-tiny")
    fingerprint = reference.load(prompt="query", dim=20, max_tokens=50).fingerprint
    assert fingerprint == Fingerprint(
        name="gemma",
        width=20,
        digest=fingerprint.digest,
        pooling="mean",
        prompt="task: search result | query: ",
        normalisation="l2",
        dtype="float32",
        token_limit=50,
        prompt_name="query",
        path=str(reference.folder),
        revision=None,
    )


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({"dim": 20}, ["width"]),
        ({"prompt": "query"}, ["prompt"]),
        ({"max_tokens": 50}, ["token_limit"]),
        ({"dim": 20, "prompt": "document", "max_tokens": 9}, ["width", "prompt", "token_limit"]),
    ],
)
def test_every_option_that_changes_vectors_shows_in_the_fingerprint(
    given: dict[str, int | str], fields: list[str], references: References, loaded: Callable[..., Embedder]
) -> None:
    plain, other = loaded("embeddinggemma-tiny").fingerprint, references("embeddinggemma-tiny").load(**given)
    assert [difference.field for difference in plain.differences(other.fingerprint)] == fields
    assert plain.key() != other.fingerprint.key()


def test_vectors_of_another_dtype_are_not_mixed(
    loaded: Callable[..., Embedder], rounded_dtype: str, tmp_path: Path
) -> None:
    plain, rounded = (loaded("qwen3-tiny", dtype=dtype) for dtype in ("float32", rounded_dtype))
    assert rounded.fingerprint == dataclasses.replace(plain.fingerprint, dtype=rounded_dtype)
    (difference,) = plain.fingerprint.differences(rounded.fingerprint)
    assert str(difference) == f"dtype: 'float32' against '{rounded_dtype}'"
    again = load_from_fingerprint(rounded.fingerprint, cache_dir=tmp_path)
    assert again.fingerprint == rounded.fingerprint
    np.testing.assert_array_equal(again.embed(["a b"]), rounded.embed(["a b"]))
    # One cache for both.
    np.testing.assert_array_equal(
        load_from_fingerprint(plain.fingerprint, cache_dir=tmp_path).embed(["a b"]), plain.embed(["a b"])
    )
    assert (plain.embed(["a b"]) != rounded.embed(["a b"])).any()


CHANGES = {
    "a weight": change_tensors(
        lambda held: held.update({"norm.weight": ("F32", held["norm.weight"][1], b"\x01" + held["norm.weight"][2][1:])})
    ),
    "a dense layer": change_tensors(
        lambda held: held.update({"linear.weight": ("F32", [48, 192], bytes(4) + held["linear.weight"][2][4:])}),
        "3_Dense/model.safetensors",
    ),
    "the configuration": set_in("config.json", "rms_norm_eps", 1e-5),
    "the tokenizer": lambda folder: (folder / "tokenizer.json").write_text(
        (folder / "tokenizer.json").read_text().replace('"merges"', ' "merges"')
    ),
    "an activation": set_in("2_Dense/config.json", "activation_function", "torch.nn.modules.activation.Tanh"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_file_of_the_network_is_in_the_digest(
    change: str, copied: Copied, loaded: Callable[..., Embedder]
) -> None:
    folder = copied("embeddinggemma-tiny")
    same = load_embedder("gemma", folder).fingerprint
    assert loaded("embeddinggemma-tiny").fingerprint.differences(same) == []
    CHANGES[change](folder)
    changed = load_embedder("gemma", folder).fingerprint
    assert [difference.field for difference in same.differences(changed)] == ["digest"]


def test_an_embedder_is_loaded_again_from_its_fingerprint(references: References, copied: Copied) -> None:
    embedder = references("qwen3-tiny").load(prompt="query", dim=32, max_tokens=100)
    again = load_from_fingerprint(embedder.fingerprint)
    assert again.fingerprint == embedder.fingerprint
    np.testing.assert_array_equal(again.embed(["a b"]), embedder.embed(["a b"]))
    elsewhere = load_from_fingerprint(embedder.fingerprint, copied("qwen3-tiny"))
    assert embedder.fingerprint.differences(elsewhere.fingerprint) == []
    hashed = load_embedder("hash", dim=40)
    assert load_from_fingerprint(hashed.fingerprint).fingerprint == hashed.fingerprint


def test_a_model_that_changed_is_refused_with_the_field(references: References, copied: Copied) -> None:
    fingerprint = references("qwen3-tiny").load().fingerprint
    folder = copied("qwen3-tiny")
    set_in("config.json", "rms_norm_eps", 1e-5)(folder)
    with pytest.raises(EmbeddingError, match=r"is not the one that was used for training \(digest: .* against .*\)"):
        load_from_fingerprint(fingerprint, folder)
    with pytest.raises(EmbeddingError, match="these features were made from vectors that came from outside"):
        load_from_fingerprint(Fingerprint.external(64))
