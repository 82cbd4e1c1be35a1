"""`vsr-train serve`: the choice over HTTP."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsr.cli import terminal
from vsr.cli.algorithm_options import selector_option
from vsr.cli.configured import artefact_folder, artefacts_option, config_option, read_config, with_config
from vsr.cli.options import SHARE, EmbeddingOptions, FiniteRange, embedding_options
from vsr.cli.sections import command, option

if TYPE_CHECKING:
    from vsr.config import RouterConfig
    from vsr.routing import ModelRouter
    from vsr.routing.decision_log import DecisionLog

_MIB = 1 << 20


@command("serve")
@artefacts_option("--models-dir", "Folder of the artefacts; a new training in it is served within seconds.")
@config_option("Route by its decisions, with the folders that its model_selection names.")
@selector_option
@option(
    "--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Where to listen; another needs a key."
)
@option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=8790,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File with the key that callers send (Authorization: Bearer KEY); else VSR_SERVE_KEY.",
)
@option(
    "--log",
    "log_dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep every choice in DIR/decisions.jsonl, texts as hashes under VSR_LOG_KEY.",
)
@option("--log-text", is_flag=True, help="Keep the texts themselves.")
@option(
    "--explore",
    type=SHARE,
    metavar="0..1",
    show_default="0",
    help="So often draw among the models that are nearly as good as the best, so that --log can judge others.",
)
@option(
    "--explore-margin",
    type=FiniteRange(min=0.0),
    metavar="M",
    show_default="0.03",
    help="What nearly as good is: so much less utility.",
)
@option(
    "--fixed",
    metavar="MODEL",
    help="Switch routing off: answer everything with MODEL, whatever else is said, and read no artefact.",
)
@option(
    "--max-body-mib",
    type=FiniteRange(min=0.001, max=1024.0),
    metavar="MIB",
    default=8.0,
    show_default=True,
    help="Largest body of a request.",
)
@embedding_options
def serve(
    models_dir: Path | None,
    config_path: Path | None,
    algorithm: str,
    host: str,
    port: int,
    key_file: Path | None,
    log_dir: Path | None,
    log_text: bool,
    explore: float | None,
    explore_margin: float | None,
    fixed: str | None,
    max_body_mib: float,
    embedding: EmbeddingOptions,
) -> None:
    """Answer over HTTP which model to ask.

    POST /v1/select takes {"query": "..."} or {"messages": [...]}, or a list of such requests; GET /v1/models, /healthz,
    /readyz, /metrics. SIGTERM ends what is under way, then the server. A new training in the folder is served within
    two seconds; one that is not sound is refused, and the old one goes on.
    """
    if log_text and log_dir is None:
        raise click.UsageError("--log-text has no effect without --log.")
    if fixed is not None and (explore is not None or explore_margin is not None):
        raise click.UsageError(f"--explore{'' if explore_margin is None else '-margin'} has no effect with --fixed.")
    if embedding.file is not None:
        raise click.UsageError("--embedding-file has no effect here: requests bring texts, or vectors of their own.")
    _require_extra()
    from vsr.choice.exploration import DEFAULT_EXPLORE_MARGIN, Exploration
    from vsr.cli.log_lines import show_log
    from vsr.serving.server import serve as run
    from vsr.serving.service import Service
    from vsr.serving.settings import KEY_VARIABLE, ServeSettings, read_key

    key = read_key(key_file) if key_file is not None else os.environ.get(KEY_VARIABLE) or None
    settings = ServeSettings(host, port, key, int(max_body_mib * _MIB))
    config = None if config_path is None else read_config(config_path)
    router = _router(models_dir, config, algorithm, fixed, embedding)
    show_log()
    log = None if log_dir is None else _open_log(log_dir, log_text)
    exploration = Exploration(explore or 0.0, DEFAULT_EXPLORE_MARGIN if explore_margin is None else explore_margin)
    if explore and log is None:
        terminal.warn("--explore without --log: how probable a choice was stands in the answers alone")
    run(Service(router, log, exploration), settings, lambda url: terminal.say(f"Listening on {url}"))


def _router(
    models_dir: Path | None,
    config: "RouterConfig | None",
    algorithm: str,
    fixed: str | None,
    embedding: EmbeddingOptions,
) -> "ModelRouter":
    """Load what answers."""
    from vsr.cli.embedding import load_decision_router, load_router
    from vsr.persistence.finding import said_without_manifest
    from vsr.routing import DisabledRouter
    from vsr.routing.reloading import ReloadingRouter
    from vsr.serving.service import FixedRouter

    if fixed is not None:
        if config is not None and config.models and fixed not in config.models:
            raise click.UsageError(f"--fixed {fixed} is no model of the configuration: {', '.join(config.models)}.")
        terminal.warn(f"routing is switched off: every request is answered with {fixed}")
        return FixedRouter(fixed)
    if config is not None and not config.model_selection.enabled:
        return DisabledRouter(config.default_model)
    if config is not None:
        embedding = with_config(embedding, config)
    folder = artefact_folder(models_dir, config)
    if config is not None and config.decisions:
        return ReloadingRouter(load_decision_router(config, folder, algorithm, embedding), folder, algorithm)
    router = load_router(folder, algorithm, embedding, config=config)
    said = said_without_manifest(folder, algorithm, router.artefact.selector.name)
    if said is not None:
        terminal.warn(said)
    return ReloadingRouter(router, folder, algorithm)


def _open_log(folder: Path, with_text: bool) -> "DecisionLog":
    from vsr.routing.decision_log import KEY_VARIABLE, LOG_NAME, DecisionLog

    log = DecisionLog(folder / LOG_NAME, with_text=with_text)
    if log.has_random_key:
        terminal.warn(
            f"{log.path}: hashes of texts cannot be compared with those of another start; set {KEY_VARIABLE} for that"
        )
    return log


def _require_extra() -> None:
    """Say what to install where the extra is missing.

    Raises:
        click.ClickException: It is.
    """
    from importlib.util import find_spec

    missing = [name for name in ("prometheus_client", "starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        listed = ", ".join(missing)
        raise click.ClickException(f"serve needs {listed}: install the extra with `pip install 'vsr-train[serve]'`")
