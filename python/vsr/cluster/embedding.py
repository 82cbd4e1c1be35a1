"""Texts to vectors on Ray Data: a pool of actors, each with an embedder of its own, each writing whole shards.

Texts come as they are to be embedded, in shards whose names say what is in them (`vsr.embedding.vector_folder`). What
was lost with its node is computed again, and whoever of two is late replaces a file by an equal one.
"""

import contextlib
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from vsr._threads import set_n_threads
from vsr.cluster.session import Node, connected, failure_of, living_nodes
from vsr.embedding import Embedder, EmbeddingProgress, Fingerprint, load_from_fingerprint
from vsr.embedding.embedder import check_texts
from vsr.embedding.vector_folder import Shard, VectorFolder, shards_of
from vsr.errors import ClusterError, EmbeddingError, VsrError

_MOST_THREADS = 4  # of an actor, unless somebody says otherwise: more cores take more actors


@dataclass(frozen=True)
class EmbeddingJob:
    """What every actor has to know.

    Attributes:
        output: address of the folder, the same on all nodes.
        fingerprint: of the embedder; one that differs on a node is refused there.
        path: folder of the model, on every node; None for the hub's.
        device: `cpu`, or `cuda`, of which every actor takes one.
        n_threads: of each actor; None chooses.
    """

    output: str
    fingerprint: Fingerprint
    path: str | None = None
    device: str = "cpu"
    n_threads: int | None = None


@dataclass(frozen=True)
class EmbeddedFolder:
    """What a run did.

    Attributes:
        n_shards: that the folder has.
        n_kept: texts of shards that earlier runs had finished.
        n_truncated: texts that were cut to the token limit, of all shards.
        n_tokens: computed in this run.
    """

    n_shards: int
    n_kept: int
    n_truncated: int
    n_tokens: int


@dataclass(frozen=True)
class PoolSize:
    """How the work is laid over the nodes.

    Attributes:
        n_actors: at most; as long as a node is missing there are fewer.
        n_threads: of each.
        n_gpus: of each.
    """

    n_actors: int
    n_threads: int
    n_gpus: int


def embed_on_ray(
    texts: Sequence[str],
    job: EmbeddingJob,
    address: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EmbeddedFolder:
    """Embed texts into a folder of shards; those that are finished are kept.

    Args:
        texts: one a `query_id`, in order.
        job: how, and where to.
        address: of the cluster; None starts one of this machine alone.
        progress: told how many texts are done, and of how many.

    Raises:
        ClusterError: No cluster, none that can do it, or it failed.
        EmbeddingError: The model is not to be had on a node, or is another one there; or a text cannot be embedded.
        OutputError: The folder cannot be written.
    """
    check_texts(texts)
    folder = VectorFolder(job.output)
    folder.require_writable()
    shards = list(shards_of(texts, job.fingerprint))
    there = folder.names()
    kept = [shard for shard in shards if shard.name in there]
    n_done = n_kept = sum(len(shard.texts) for shard in kept)
    n_truncated = sum(folder.n_truncated(shard.name) for shard in kept)
    n_tokens = 0
    if len(kept) < len(shards):
        missing = [shard for shard in shards if shard.name not in there]
        with connected(address), contextlib.closing(_embedded(missing, job)) as results:
            for result in results:
                if result.failure:
                    raise EmbeddingError(result.failure)
                n_done += result.n_texts
                n_truncated += result.n_truncated
                n_tokens += result.n_tokens
                if progress is not None:
                    progress(n_done, len(texts))
    folder.finish([shard.name for shard in shards], len(texts), job.fingerprint)
    return EmbeddedFolder(len(shards), n_kept, n_truncated, n_tokens)


@dataclass(frozen=True)
class _Result:
    """What an actor says of a shard; `failure` is empty for one that is written."""

    n_texts: int = 0
    n_truncated: int = 0
    n_tokens: int = 0
    failure: str = ""


class ShardEmbedder:
    """An actor: it loads its embedder when the first shard comes, and writes what it computes itself."""

    def __init__(self, job: EmbeddingJob, n_threads: int) -> None:
        """Take as many cores as were given to the actor."""
        set_n_threads(n_threads)
        self._job = job
        self._folder = VectorFolder(job.output)
        self._embedder: Embedder | None = None

    def __call__(self, row: Mapping[str, object]) -> dict[str, object]:
        """Embed a shard and write it; what fails is said, so that the driver can say it in one line."""
        try:
            result = self._write(msgspec.json.decode(str(row["shard"]), type=Shard))
        except VsrError as error:
            result = _Result(failure=f"{socket.gethostname()}: {error}")
        return {"result": msgspec.json.encode(result).decode()}

    def _write(self, shard: Shard) -> _Result:
        if self._embedder is None:
            # Another model under the same path on some node would go unnoticed otherwise.
            self._embedder = load_from_fingerprint(self._job.fingerprint, self._job.path, device=self._job.device)
        states: list[EmbeddingProgress] = []
        vectors = self._embedder.embed(shard.texts, progress=states.append)
        last = states[-1]
        self._folder.write(shard, vectors, last.n_truncated)
        return _Result(len(shard.texts), last.n_truncated, last.n_tokens)


def pool_size(nodes: Sequence[Node], n_threads: int | None, device: str) -> PoolSize:
    """Fill the nodes with actors, so that actors and threads are no more than cores; an actor lies on one node.

    Raises:
        ClusterError: No node has what one actor needs.
    """
    if device != "cpu":
        nodes = [node for node in nodes if node.n_gpus]
        n_actors = sum(min(node.n_gpus, node.n_cores // (n_threads or 1)) for node in nodes)
        chosen = PoolSize(n_actors, n_threads or 1, n_gpus=1)
    else:
        smallest = min((node.n_cores for node in nodes if node.n_cores), default=1)
        threads = n_threads or min(smallest, _MOST_THREADS)
        chosen = PoolSize(sum(node.n_cores // threads for node in nodes), threads, n_gpus=0)
    if chosen.n_actors < 1:
        needed = f"{chosen.n_threads} cores (--threads)" + (" and a GPU (--device)" if chosen.n_gpus else "")
        most = max((node.n_cores for node in nodes), default=0)
        raise ClusterError(f"no node of the cluster has {needed} for an actor; the largest has {most} cores")
    return chosen


def _embedded(shards: Sequence[Shard], job: EmbeddingJob) -> Generator[_Result]:
    """Send shards to the actors, and give what they say as it comes."""
    import ray.data  # noqa: PLC0415 -- an extra
    from ray.exceptions import RayError  # noqa: PLC0415

    size = pool_size(living_nodes(), job.n_threads, job.device)
    n_actors = min(size.n_actors, len(shards))
    ray.data.DataContext.get_current().enable_progress_bars = False
    # As JSON: arrays of texts would lose zeros at their ends.
    rows = [{"shard": msgspec.json.encode(shard).decode()} for shard in shards]
    # From one actor on: one that waits for a node that is gone must not keep the others from ending.
    pool = ray.data.ActorPoolStrategy(min_size=1, max_size=n_actors, initial_size=n_actors)
    results = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        ShardEmbedder,
        fn_constructor_args=(job, size.n_threads),
        compute=pool,
        num_cpus=size.n_threads,
        num_gpus=size.n_gpus,
    )
    try:
        for row in results.iter_rows():
            yield msgspec.json.decode(row["result"], type=_Result)
    except RayError as error:
        raise ClusterError(
            f"the cluster failed ({failure_of(error)}); finished shards are kept: run it again, it goes on "
            "where it stopped"
        ) from error
