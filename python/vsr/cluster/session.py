"""A connection to a cluster, or one of this machine alone; Ray's own chatter stays out of the way."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vsr.errors import ClusterError, install

_PATIENCE_S = 10.0  # for a connection to the head of a cluster


@dataclass(frozen=True)
class Node:
    """What a living node offers.

    Attributes:
        n_cores: cores that Ray may use there.
        n_gpus: graphics processors, likewise.
    """

    n_cores: int
    n_gpus: int


def require_ray() -> Any:  # noqa: ANN401 (a module that has types where it is installed)
    """Import Ray, which nothing else does; nothing is sent to its makers.

    Raises:
        ClusterError: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # else it warns that this will be the default
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "CRITICAL")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise ClusterError(f"--engine ray needs the extra `ray`: {install('ray')}") from error
    return ray


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Be connected to a cluster inside the block.

    Args:
        address: of the cluster, `auto` for the one that this machine belongs to; None starts one of this machine alone,
            which ends with the block.

    Raises:
        ClusterError: Ray is not installed, or there is no such cluster.
    """
    ray = require_ray()
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    settings: dict[str, object] = {} if address is not None else {"include_dashboard": False}
    try:
        _require_listener(address)
        with _silenced():
            ray.init(address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **settings)
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise ClusterError(
            f"--ray-address {address or 'local'}: no cluster to work on ({reason}); start one with `ray start --head`, "
            "or leave the address out"
        ) from error
    # What befalls nodes Ray prints to standard output, which is for data.
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        try:
            yield
        finally:
            ray.shutdown()


def _require_listener(address: str | None) -> None:
    """Knock at `host:port`, where Ray itself would go on trying for minutes.

    Raises:
        OSError: Nobody answers.
    """
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal():
        with socket.create_connection((host, int(port)), timeout=_PATIENCE_S):
            pass


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep what Ray's own library writes to standard error, past Python, out of it; failures are raised."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def failure_of(error: Exception) -> str:
    """Give what an error of Ray says, without the traces in front of it."""
    return str(error).strip().rpartition("\n")[2][:200] or type(error).__name__


def living_nodes() -> list[Node]:
    """Tell what the nodes of the connected cluster offer."""
    import ray  # noqa: PLC0415 -- an extra

    offered = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(int(each.get("CPU", 0)), int(each.get("GPU", 0))) for each in offered]
