"""Models by name: from the Hugging Face cache, else from the hub; never replaced by anything else."""

import json
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from vsr.errors import EmbeddingError

# What an embedding needs of a repository; others hold the same weights in further formats, gigabytes of them.
_FILES = (
    "config.json",
    "config_sentence_transformers.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "[0-9]_*/config.json",
    "[0-9]_*/model.safetensors",
)


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model of the hub on this machine.

    Attributes:
        folder: Where its files are.
        revision: The commit that they are from.
    """

    folder: Path
    revision: str


def find_model(repository: str, name: str, revision: str | None) -> HubModel:
    """Find a model in the Hugging Face cache, or load it into there from the hub.

    HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean to `huggingface_hub`, which shows its own
    progress. What the cache holds completely is used as it is: no request is made, and a model does not change under
    its artefacts.

    Args:
        repository: As in `Qwen/Qwen3-Embedding-0.6B`.
        name: Registry name, for the message.
        revision: Branch, tag or commit; None for the main branch.

    Raises:
        EmbeddingError: The model is neither in the cache nor to be had; the message says what can be done.
    """
    try:
        folder = Path(
            huggingface_hub.snapshot_download(
                repository, revision=revision, allow_patterns=list(_FILES), local_files_only=True
            )
        )
        if _is_complete(folder):
            return HubModel(folder, folder.name)
    except LocalEntryNotFoundError:
        pass
    try:
        folder = Path(huggingface_hub.snapshot_download(repository, revision=revision, allow_patterns=list(_FILES)))
    except KeyboardInterrupt:
        raise
    except Exception as error:  # the hub's client passes on whatever its network library raises
        raise EmbeddingError(_not_to_be_had(repository, name, error)) from error
    return HubModel(folder, folder.name)


def _is_complete(folder: Path) -> bool:
    """Whether an earlier download came to its end."""
    needed = {"config.json", "tokenizer.json"}
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        for module in modules:
            kind = module["type"].rsplit(".", 1)[-1]
            if kind in {"Pooling", "Dense"}:
                needed.add(f"{module['path']}/config.json")
            if kind == "Dense":
                needed.add(f"{module['path']}/model.safetensors")
        index = folder / "model.safetensors.index.json"
        if index.is_file():
            needed.update(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        else:
            needed.add("model.safetensors")
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return all((folder / name).is_file() for name in needed)


def _not_to_be_had(repository: str, name: str, error: Exception) -> str:
    match error:
        case GatedRepoError():
            reason = "its owner asks you to accept a licence on its page first; then set HF_TOKEN"
        case RevisionNotFoundError():
            reason = "the hub does not know this revision"
        case RepositoryNotFoundError():
            reason = "the hub does not know it, or HF_TOKEN is needed"
        case _ if constants.HF_HUB_OFFLINE:
            reason = "HF_HUB_OFFLINE is set"
        case _:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
    return (
        f"the embedding model {repository} is not in the Hugging Face cache ({constants.HF_HUB_CACHE}) "
        f"and could not be loaded from {constants.ENDPOINT}: {reason}. "
        "Three ways out: download it where there is a network "
        f"(hf download {repository}) and copy the cache; point --embedding-path at a folder that holds it; "
        f"or use --use-fallback, which needs no model (instead of --embedding-model {name})"
    )
