"""Where the computing is done, this process or a Ray cluster: flags of the commands that outgrow one machine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import click

from vsr.cli.options import collected
from vsr.cli.sections import option

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
