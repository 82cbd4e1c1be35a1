"""From the name of an embedding model to an embedder: nothing falls back to another one silently."""

from importlib import import_module
from pathlib import Path

from vsr._checks import require_kind, require_path, require_whole_number
from vsr.embedding.embedder import Embedder
from vsr.embedding.fingerprint import EXTERNAL, Fingerprint
from vsr.embedding.models import (
    DEFAULT_DIM,
    DEFAULT_MAX_TOKENS,
    DTYPES,
    EMBEDDING_MODELS,
    WeightlessModel,
    is_weightless,
)
from vsr.embedding.transformer import TransformerEmbedder
from vsr.errors import EmbeddingError

_COUNT = "a whole number of 1 or more"


def load_embedder(
    name: str,
    path: str | Path | None = None,
    dim: int | None = None,
    prompt: str | None = None,
    *,
    dtype: str = "float32",
    max_tokens: int = DEFAULT_MAX_TOKENS,
    cache_dir: str | Path | None = None,
    device: str = "cpu",
    revision: str | None = None,
) -> Embedder:
    """Load an embedder by name.

    Args:
        name: `qwen3`, `gemma`, `bert` or `hash`.
        path: Folder of the model in the Sentence Transformers layout; None takes it from the Hugging Face cache or hub.
        dim: Width of the vectors: their prefix, normalised again. None is the smaller of 768 and the model's own width;
            for `hash` any width is the number of buckets.
        prompt: Name of one of the model's own prompts, put before every text; None for none.
        dtype: What the network multiplies: `float32`; `bfloat16`, which is faster on processors with avx512_bf16 and
            not to be had on others (vectors within cosine 0.999 of those in float32); or `int8`, bytes with a scale for
            each column of weights and each token, which is the fastest (within cosine 0.99).
        max_tokens: Longer texts are cut, also where the model could take more.
        cache_dir: Folder in which vectors are kept between runs; None keeps none.
        device: `cpu`, or `cuda` in a build with that feature.
        revision: Branch, tag or commit of the hub's repository.

    Raises:
        EmbeddingError: The model is unknown, not to be had, damaged or not supported; `dim` is wider than the model;
            there is no such prompt; the machine does not multiply `dtype`; or an option has no meaning for this model.
        OutputError: `cache_dir` cannot be made or written to.
    """
    require_kind(name, str, "embedding model", f"one of {', '.join(EMBEDDING_MODELS)}", EmbeddingError)
    require_whole_number(DEFAULT_DIM if dim is None else dim, "embedding width", _COUNT, EmbeddingError)
    require_whole_number(max_tokens, "token limit", _COUNT, EmbeddingError)
    for noun, word in (("prompt", prompt), ("device", device), ("revision", revision)):
        if word is not None:
            require_kind(word, str, noun, "its name", EmbeddingError)
    for noun, given_path in (("path of the model", path), ("folder of the cache", cache_dir)):
        if given_path is not None:
            require_path(given_path, noun, EmbeddingError)
    if dim is not None and dim < 1:
        raise EmbeddingError(f"embedding width {dim}: expected at least 1")
    if max_tokens < 1:
        raise EmbeddingError(f"token limit {max_tokens}: expected at least 1")
    if dtype not in DTYPES:
        raise EmbeddingError(f"unknown embedding dtype '{dtype}'; expected one of {', '.join(DTYPES)}")
    if dtype != DTYPES[0] and device != "cpu":
        raise EmbeddingError(f"embedding dtype '{dtype}' is for the device 'cpu'; use '{DTYPES[0]}' with '{device}'")
    model = EMBEDDING_MODELS.get(name)
    if model is None:
        raise EmbeddingError(f"unknown embedding model '{name}'; expected one of {', '.join(EMBEDDING_MODELS)}")
    if isinstance(model, WeightlessModel):
        weights_only = {"path": path, "prompt": prompt, "revision": revision, "cache": cache_dir}
        if dtype != DTYPES[0]:
            weights_only["dtype"] = dtype
        for option, given in weights_only.items():
            if given is not None:
                raise EmbeddingError(f"the {name} embedder has no {option}; leave it out or choose another model")
        embedder: Embedder = getattr(import_module(model.module), model.embedder)(DEFAULT_DIM if dim is None else dim)
        return embedder
    if path is not None:
        if revision is not None:
            raise EmbeddingError("a revision has no meaning for a local folder; leave it out or leave the path out")
        folder = Path(path)
    else:
        from vsr.embedding.hub import find_model  # noqa: PLC0415 (its client takes half a second to import)

        found = find_model(model.repository, name, revision)
        folder, revision = found.folder, found.revision
    return TransformerEmbedder.load(
        name,
        folder,
        model.architecture,
        dim=dim,
        prompt=prompt,
        dtype=dtype,
        max_tokens=max_tokens,
        cache_dir=None if cache_dir is None else Path(cache_dir),
        device=device,
        revision=revision,
    )


def load_from_fingerprint(
    fingerprint: Fingerprint,
    path: str | Path | None = None,
    *,
    max_tokens: int | None = None,
    cache_dir: str | Path | None = None,
    device: str = "cpu",
) -> Embedder:
    """Load the embedder that a fingerprint describes, and make sure that it is the same one.

    Args:
        fingerprint: As an artefact records it.
        path: Folder of the model, where it lies elsewhere than when the fingerprint was made.
        max_tokens: Where texts should be cut; it must come to the limit of the fingerprint, which None takes.
        cache_dir: Folder in which vectors are kept between runs; None keeps none.
        device: `cpu`, or `cuda` in a build with that feature.

    Raises:
        EmbeddingError: The vectors came from outside, the model is not to be had, or it differs: the fields that differ
            are named with both values.
        OutputError: `cache_dir` cannot be made or written to.
    """
    if fingerprint.name == EXTERNAL:
        raise EmbeddingError(
            f"these features were made from vectors that came from outside ({fingerprint.width} wide): "
            "there is no embedder to load; give the vector of each query, or an embedder of your own"
        )
    if is_weightless(fingerprint.name):
        embedder = load_embedder(fingerprint.name, path, dim=fingerprint.width, cache_dir=cache_dir)
    else:
        folder = path if path is not None else fingerprint.path
        if path is None and folder is not None and not Path(folder).is_dir():
            raise EmbeddingError(
                f"the embedding model '{fingerprint.name}' was loaded from {folder}, which is not here; "
                "say where the same model is (--embedding-path)"
            )
        embedder = load_embedder(
            fingerprint.name,
            folder,
            fingerprint.width,
            fingerprint.prompt_name,
            dtype=fingerprint.dtype,
            max_tokens=max_tokens or fingerprint.token_limit or DEFAULT_MAX_TOKENS,
            cache_dir=cache_dir,
            device=device,
            revision=fingerprint.revision if folder is None else None,
        )
    differences = fingerprint.differences(embedder.fingerprint)
    if differences:
        listed = "; ".join(map(str, differences))
        where = embedder.fingerprint.path or f"revision {embedder.fingerprint.revision}"
        raise EmbeddingError(
            f"the embedding model at {where} is not the one that was used for training ({listed}); "
            "point --embedding-path at that one, or train again with this one"
        )
    return embedder
