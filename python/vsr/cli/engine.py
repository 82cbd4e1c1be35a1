"""Where the computing is done, this process or a Ray cluster: flags of the commands that outgrow one machine."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click

from vsr.cli.options import collected
from vsr.cli.sections import option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vsr.evaluation.fold_work import FoldEngine

_ENGINE = "Engine"


@dataclass(frozen=True)
class EngineOptions:
    """Where the computing is done, as the flags say."""

    name: Literal["local", "ray"] = "local"
    ray_address: str | None = None

    def __post_init__(self) -> None:
        """Refuse an address that nothing reads.

        Raises:
            click.UsageError: An address without a cluster.
        """
        if self.ray_address is not None and not self.is_ray:
            raise click.UsageError("--ray-address has no effect without --engine ray.")

    @property
    def is_ray(self) -> bool:
        """Whether a cluster computes."""
        return self.name == "ray"

    def require(self) -> None:
        """Make sure that Ray is there if it is to compute, before hours of other work.

        Raises:
            ClusterError: It is not.
        """
        if self.is_ray:
            from vsr.cluster.session import require_ray

            require_ray()

    @contextmanager
    def folds(self) -> "Iterator[FoldEngine]":
        """Give what works on the folds of a comparison, connected to the cluster inside the block.

        Raises:
            ClusterError: There is no such cluster.
        """
        if not self.is_ray:
            from vsr.evaluation.fold_work import in_this_process

            yield in_this_process
            return
        from vsr.cluster.folds import on_the_cluster
        from vsr.cluster.session import connected

        with connected(self.ray_address):
            yield on_the_cluster


def engine_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add `--engine` and `--ray-address`; the command gets them as `engine: EngineOptions`."""
    declarations = (
        option(
            "--engine",
            "engine_name",
            section=_ENGINE,
            type=click.Choice(("local", "ray")),
            default="local",
            show_default=True,
            help="This process, or a Ray cluster (extra ray; trusted networks only).",
        ),
        option(
            "--ray-address",
            "engine_ray_address",
            section=_ENGINE,
            metavar="ADDRESS",
            show_default="a cluster of this machine alone",
            help="The cluster: auto for the one that this machine belongs to.",
        ),
    )
    return collected(command, "engine", "engine_", EngineOptions, declarations)
