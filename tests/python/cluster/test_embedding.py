"""Embedding on a real cluster: the local vectors bit by bit, and nodes that die."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.conftest import Command, vsr_train  # noqa: F401 (a fixture)
from vsr.cluster.embedding import EmbeddingJob, PoolSize, embed_on_ray, pool_size
from vsr.cluster.session import Node
from vsr.embedding import load_embedder
from vsr.embedding.vector_folder import ROWS_PER_SHARD, VectorFolder
from vsr.errors import ClusterError, EmbeddingError

# Ray warns of defaults of its own, and leaves sockets open for the end of the process.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray", "ignore::ResourceWarning")


def some_texts(count: int) -> list[str]:
    return [f"Question {i}: {'why do cells and courts and primes ' * (i % 3)}?" for i in range(count)]


def test_minilm_gives_the_local_vectors(two_nodes: Any, minilm: Path, tmp_path: Path) -> None:
    embedder = load_embedder("bert", minilm)
    texts = some_texts(ROWS_PER_SHARD + 60)
    job = EmbeddingJob(str(tmp_path / "v"), embedder.fingerprint, str(minilm), n_threads=1)
    embed_on_ray(texts, job, two_nodes.address)
    np.testing.assert_array_equal(VectorFolder(tmp_path / "v").read(texts), embedder.embed(texts))


def test_the_command_writes_what_training_takes(two_nodes: Any, tmp_path: Path, vsr_train: Command) -> None:  # noqa: F811
    queries = tmp_path / "q.jsonl"
    texts = some_texts(ROWS_PER_SHARD + 5)
    queries.write_text("".join(json.dumps({"query": text}) + "\n" for text in [*texts, texts[0]]))
    ray = ("--engine", "ray", "--ray-address", two_nodes.address, "--use-fallback", "--embedding-dim", "16", "--json")
    source = f"file://{queries}"
    first = vsr_train("-q", "embed", "--input", source, "--output", tmp_path / "v", *ray)
    assert (first.code, first.err) == (0, "")
    assert first.json["n_queries"] == len(texts)
    assert (first.json["n_files"], first.json["n_kept"]) == (2, 0)
    # A shard that is lost is computed again, the other one is kept.
    names = sorted(path.name for path in (tmp_path / "v").glob("vectors-*"))
    (tmp_path / "v" / names[1]).unlink()
    again = vsr_train("-q", "embed", "--input", queries, "--output", tmp_path / "v", *ray)
    assert again.json["n_kept"] == ROWS_PER_SHARD
    assert sorted(path.name for path in (tmp_path / "v").glob("vectors-*")) == names
    vectors = VectorFolder(tmp_path / "v").read(texts)
    np.testing.assert_array_equal(vectors, load_embedder("hash", dim=16).embed(texts))


def test_a_model_that_is_another_one_on_a_node_is_refused(two_nodes: Any, shared: Path, tmp_path: Path) -> None:
    fingerprint = load_embedder("bert", shared / "reference" / "bert-tiny").fingerprint
    job = EmbeddingJob(str(tmp_path / "v"), fingerprint, str(shared / "reference" / "minilm"))
    with pytest.raises(EmbeddingError, match="minilm"):
        embed_on_ray(["a"], job, two_nodes.address)
    assert not list((tmp_path / "v").iterdir())


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:1"])
def test_no_cluster_is_said(address: str, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed (the extra `ray`)")
    job = EmbeddingJob(str(tmp_path / "v"), load_embedder("hash", dim=4).fingerprint)
    with pytest.raises(ClusterError, match=rf"--ray-address {address}: no cluster to work on .*ray start --head"):
        embed_on_ray(["a"], job, address)


@pytest.mark.parametrize(
    ("nodes", "n_threads", "device", "expected"),
    [
        ([Node(64, 0), Node(2, 0)], None, "cpu", PoolSize(33, 2, 0)),
        ([Node(64, 0), Node(8, 0)], None, "cpu", PoolSize(18, 4, 0)),
        ([Node(0, 0), Node(7, 0)], 3, "cpu", PoolSize(2, 3, 0)),
        ([Node(16, 2), Node(64, 0)], None, "cuda", PoolSize(2, 1, 1)),
    ],
)
def test_actors_fill_the_cores(nodes: list[Node], n_threads: int | None, device: str, expected: PoolSize) -> None:
    assert pool_size(nodes, n_threads, device) == expected


def test_an_actor_that_fits_nowhere_is_said() -> None:
    with pytest.raises(ClusterError, match="no node of the cluster has 4 cores"):
        pool_size([Node(2, 0), Node(3, 0)], 4, "cpu")


# Last: a connection that is made while the dead node still counts as alive may be made to that one, since both have the
# address of this machine, and end the process.
def test_a_node_that_dies_half_way_costs_no_row(
    two_nodes: Any, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shared / "reference" / "bert-tiny"
    embedder = load_embedder("bert", folder)
    texts = some_texts(24 * ROWS_PER_SHARD + 17)
    done: list[int] = []

    def kill_when_some_are_done(n_done: int, _n_texts: int) -> None:
        if len(done) == 4:
            two_nodes.remove_node(next(iter(two_nodes.worker_nodes)), allow_graceful=False)
        done.append(n_done)

    job = EmbeddingJob(str(tmp_path / "v"), embedder.fingerprint, str(folder))
    result = embed_on_ray(texts, job, two_nodes.address, kill_when_some_are_done)
    assert len(done) == result.n_shards == 25
    assert done[-1] == len(texts)
    vectors = VectorFolder(tmp_path / "v").read(texts)  # which refuses rows that are missing or there twice
    np.testing.assert_array_equal(vectors, embedder.embed(texts))
    assert (result.n_kept, result.n_truncated) == (0, 0)
    assert result.n_tokens > len(texts)
    assert capsys.readouterr().out == ""
