"""Models by name: from a stand-in for the hub over real HTTP into a cache, pinned, offline, and not to be had."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from embedding.folders import change_tensors, remove
from embedding.hub import Hub, serving
from vsr.embedding.models import EMBEDDING_MODELS, PretrainedModel

REPOSITORIES = {
    name: model.repository for name, model in EMBEDDING_MODELS.items() if isinstance(model, PretrainedModel)
}
REPOSITORY = REPOSITORIES["bert"]
OLD, NEW = "a" * 40, "b" * 40
WAYS_OUT = (
    "Three ways out: download it where there is a network (hf download {repository}) and copy the cache; point "
    "--embedding-path at a folder that holds it; or use --use-fallback, which needs no model (instead of "
    "--embedding-model {name})"
)

# huggingface_hub reads its variables when it is imported, so every use is a process.
LOAD = """
import json, sys
from vsr.embedding import Fingerprint, load_embedder
from vsr.embedding.loading import load_from_fingerprint
from vsr.errors import EmbeddingError
given = json.loads(sys.argv[1])
try:
    if "fingerprint" in given:
        embedder = load_from_fingerprint(Fingerprint.from_json(given["fingerprint"]))
    else:
        embedder = load_embedder(**given)
except EmbeddingError as error:
    print(json.dumps({"error": str(error)}))
else:
    print(json.dumps({"fingerprint": embedder.fingerprint.to_json(), "vector": embedder.embed(["a"])[0].tolist()}))
"""

Load = Callable[..., dict[str, Any]]


@pytest.fixture
def published(shared: Path, tmp_path: Path) -> Path:
    """A repository as it is on the hub: the model, and its weights again in other formats."""
    folder = tmp_path / "published"
    shutil.copytree(shared / "reference" / "bert-tiny", folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for name in ("pytorch_model.bin", "onnx/model.onnx", "openvino/openvino_model.xml", "README.md", "vocab.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"gigabytes")
    return folder


@pytest.fixture
def hub(published: Path) -> Iterator[Hub]:
    with serving(Hub({REPOSITORY: [(OLD, published)]})) as running:
        yield running


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return own | {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def load(environment: dict[str, str]) -> Load:
    """Load an embedder in a process of its own; give its fingerprint and a vector, or the error."""

    def run(variables: dict[str, str] | None = None, **given: object) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-c", LOAD, json.dumps(given)],
            env=environment | (variables or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run


def test_a_model_is_loaded_once_and_then_taken_from_the_cache(hub: Hub, load: Load, tmp_path: Path) -> None:
    first = load(name="bert")
    fingerprint = first["fingerprint"]
    assert (fingerprint["name"], fingerprint["revision"], fingerprint["path"]) == ("bert", OLD, None)
    asked = {request.partition(f"/resolve/{OLD}/")[2] for request in hub.requests if request.startswith("GET /sent")}
    assert asked == {
        *("config.json", "config_sentence_transformers.json", "model.safetensors", "modules.json"),
        *("sentence_bert_config.json", "tokenizer.json", "tokenizer_config.json", "1_Pooling/config.json"),
        "2_Normalize/config.json",
    }
    hub.requests.clear()
    assert load(name="bert") == first
    assert load({"HF_HUB_OFFLINE": "1"}, name="bert") == first
    assert hub.requests == []
    # The vectors are those of the folder.
    local = load(name="bert", path=str(tmp_path / "published"))
    assert local["vector"] == first["vector"]
    assert local["fingerprint"]["digest"] == fingerprint["digest"]


def test_a_revision_is_pinned(hub: Hub, load: Load, published: Path, tmp_path: Path) -> None:
    old = load(name="bert")
    changed = tmp_path / "changed"
    shutil.copytree(published, changed)
    name = "encoder.layer.0.output.dense.weight"
    change_tensors(lambda held: held.update({name: ("F32", held[name][1], bytes(4) + held[name][2][4:])}))(changed)
    hub.repositories[REPOSITORY].append((NEW, changed))
    # What is here does not change because the main branch did.
    assert load(name="bert") == old
    new = load(name="bert", revision=NEW)
    assert new["fingerprint"]["revision"] == NEW
    assert new["fingerprint"]["digest"] != old["fingerprint"]["digest"]
    assert new["vector"] != old["vector"]
    # An artefact gets the commit that it names, on a machine that has nothing as well.
    assert load(fingerprint=old["fingerprint"]) == old
    shutil.rmtree(tmp_path / "home")
    assert load(fingerprint=old["fingerprint"]) == old
    missing = load(name="bert", revision="c" * 40)["error"]
    assert f"could not be loaded from {hub.address}: the hub does not know this revision." in missing


def test_a_download_that_was_cut_off_is_finished(hub: Hub, load: Load, tmp_path: Path) -> None:
    first = load(name="bert")
    (weights,) = (tmp_path / "home").rglob("snapshots/*/model.safetensors")
    weights.resolve().unlink()
    weights.unlink()
    offline = load({"HF_HUB_OFFLINE": "1"}, name="bert")
    assert "HF_HUB_OFFLINE is set" in offline["error"]
    hub.requests.clear()
    assert load(name="bert") == first
    assert [request for request in hub.requests if request.startswith("GET /sent")] == [
        f"GET /{REPOSITORY}/resolve/{OLD}/model.safetensors"
    ]


def test_a_model_that_is_not_to_be_had_is_an_error_with_three_ways_out(hub: Hub, load: Load, tmp_path: Path) -> None:
    cache = tmp_path / "home" / "hub"

    def message(name: str, reason: str) -> str:
        repository = REPOSITORIES[name]
        return (
            f"the embedding model {repository} is not in the Hugging Face cache ({cache}) and could not be loaded from "
            f"{hub.address}: {reason}. " + WAYS_OUT.format(repository=repository, name=name)
        )

    hub.gated = frozenset({REPOSITORIES["gemma"]})
    assert load(name="qwen3")["error"] == message("qwen3", "the hub does not know it, or HF_TOKEN is needed")
    assert load(name="gemma")["error"] == message(
        "gemma", "its owner asks you to accept a licence on its page first; then set HF_TOKEN"
    )
    hub.requests.clear()
    assert load({"HF_HUB_OFFLINE": "1"}, name="bert")["error"] == message("bert", "HF_HUB_OFFLINE is set")
    assert hub.requests == []


def test_a_hub_that_cannot_be_reached_is_an_error_at_once(load: Load) -> None:
    started_at = time.monotonic()
    error = load({"HF_ENDPOINT": "http://127.0.0.1:9"}, name="bert")["error"]
    assert time.monotonic() - started_at < 20
    assert error.startswith(f"the embedding model {REPOSITORY} is not in the Hugging Face cache (")
    assert "could not be loaded from http://127.0.0.1:9: " in error
    assert error.endswith(WAYS_OUT.format(repository=REPOSITORY, name="bert"))


def test_a_repository_that_lacks_a_file_names_it(load: Load, published: Path) -> None:
    remove("tokenizer.json")(published)
    assert "tokenizer.json: this file is missing" in load(name="bert")["error"]


def test_the_command_line_shows_the_error_and_no_bars_into_a_pipe(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "q.jsonl").write_text('{"query": "What is it?"}\n')

    def embed(model: str) -> tuple[int, list[str]]:
        arguments = ["embed", "--input", "q.jsonl", "--output", "v.npy", "--embedding-model", model]
        done = subprocess.run(
            [sys.executable, "-m", "vsr", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr.splitlines()

    code, lines = embed("qwen3")
    assert code == 1
    assert lines[0] == "Looking for qwen3 in the Hugging Face cache, then on the hub."
    assert lines[1].startswith("Error: the embedding model Qwen/Qwen3-Embedding-0.6B is not in the Hugging Face cache")
    assert len(lines) == 2
    code, lines = embed("bert")
    assert code == 0
    assert lines[0] == "Looking for bert in the Hugging Face cache, then on the hub."
    assert lines[1].startswith("1 unique query. Embedding with bert, 48 wide, digest ")
    assert lines[1].endswith(f", revision {OLD[:12]}.")
    assert lines[2].startswith("1 vector of 48 numbers in v.npy, after ")
    assert len(lines) == 3
    assert len(hub.requests) > 10
