"""What `train` and `select` take from a configuration, and the flags that say where artefacts lie."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.options import EmbeddingOptions
from vsr.cli.sections import option

if TYPE_CHECKING:
    from vsr.config import RouterConfig

DEFAULT_OUTPUT_DIR = "trained_models"

_Command = Callable[..., object]  # a command's function before click makes a command of it


def read_config(path: Path) -> "RouterConfig":
    """Read a configuration and print its warnings.

    Raises:
        ConfigError: The file cannot be read, or says something that cannot be.
    """
    from vsr.config import load_config

    config = load_config(path)
    for warning in config.warnings:
        terminal.warn(warning)
    if not config.model_selection.enabled:
        terminal.warn(f"{path}: model_selection.enabled is false: a router answers with its default until it is true")
    return config


def artefact_folder(given: Path | None, config: "RouterConfig | None") -> Path:
    """Say where artefacts go and come from: the flag, else the configuration, else the default."""
    configured = None if config is None else config.model_selection.models_path
    return given or Path(DEFAULT_OUTPUT_DIR if configured is None else configured)


def with_config(embedding: EmbeddingOptions, config: "RouterConfig") -> EmbeddingOptions:
    """Take what the configuration says of the embedding where no flag says otherwise."""
    if embedding.file is not None or embedding.is_weightless:
        return embedding
    section = config.model_selection
    model = embedding.model or section.embedding_model
    path = embedding.path
    if path is None and embedding.model is None and section.embedding_path is not None:
        path = Path(section.embedding_path)
    return replace(embedding, model=model, path=path, dim=embedding.dim or section.embedding_dim)


def config_option(help_text: str) -> Callable[[_Command], _Command]:
    """Add `--config`; the command gets it as `config_path: Path | None`."""
    return option("--config", "config_path", type=click.Path(path_type=Path), metavar="FILE", help=help_text)


def artefacts_option(flag: str, help_text: str) -> Callable[[_Command], _Command]:
    """Add the flag that names the folder of the artefacts."""
    return option(
        flag,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        show_default=f"models_path of the configuration, or {DEFAULT_OUTPUT_DIR}",
        help=help_text,
    )
