"""The embedding models that can be named: an entry here is all that the package has to know of one.

Nothing heavy is imported, so that the command line can list them.
"""

from dataclasses import dataclass

DEFAULT_MODEL = "qwen3"
DEFAULT_DIM = 768
DEFAULT_MAX_TOKENS = 2048
DTYPES = ("float32", "bfloat16", "int8")


@dataclass(frozen=True, slots=True)
class PretrainedModel:
    """A model with weights: where it comes from when no folder is given, and what it must be.

    Attributes:
        repository: on the Hugging Face hub.
        architecture: `qwen3`, `gemma3` or `bert`, as the numerical core names it.
    """

    repository: str
    architecture: str


@dataclass(frozen=True, slots=True)
class WeightlessModel:
    """A model without files.

    Attributes:
        module: where its embedder is; imported when it is loaded.
        embedder: name of the class there, an `Embedder` that is made of the width of its vectors.
    """

    module: str
    embedder: str


EMBEDDING_MODELS: dict[str, PretrainedModel | WeightlessModel] = {
    "qwen3": PretrainedModel("Qwen/Qwen3-Embedding-0.6B", "qwen3"),
    "gemma": PretrainedModel("google/embeddinggemma-300m", "gemma3"),
    "bert": PretrainedModel("sentence-transformers/all-MiniLM-L6-v2", "bert"),
    "hash": WeightlessModel("vsr.embedding.hashing", "HashEmbedder"),
}


def is_weightless(name: str | None) -> bool:
    """Tell whether a name is that of a model without files."""
    return isinstance(EMBEDDING_MODELS.get(name or ""), WeightlessModel)
