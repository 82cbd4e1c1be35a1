"""`vsr-train serve`: the choice over HTTP."""

import os
from collections.abc import Callable
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
    from vsr.serving.workers import Worker

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
    help="Keep every choice in DIR/decisions.jsonl, texts as hashes under VSR_LOG_KEY, and feedback in feedback.jsonl.",
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
    "--fixed-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The same switch while the server runs: FILE holds MODEL, or nothing; SIGHUP lets it be read again.",
)
@option(
    "--shadow",
    is_flag=True,
    help="Log the choices (--log) and answer with the model of --fixed, else the default one.",
)
@option(
    "--workers",
    type=click.IntRange(1, 256),
    metavar="N",
    default=1,
    show_default=True,
    help="Processes that answer; each loads the encoder, and logs to decisions-1.jsonl and so on.",
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
    fixed_file: Path | None,
    shadow: bool,
    workers: int,
    max_body_mib: float,
    embedding: EmbeddingOptions,
) -> None:
    """Answer over HTTP which model to ask.

    POST /v1/select takes {"query": "..."} or {"messages": [...]}, or a list of such requests; POST /v1/feedback what an
    answer was worth; GET /v1/models, /openapi.json, /healthz, /readyz, /metrics. SIGTERM ends what is under way, then
    the server. A new training in the folder is served within two seconds; one that is not sound is refused, and the
    old one goes on. With several workers a process keeps them up, /metrics adds up over them, and signals go to it.
    """
    if fixed is not None and fixed_file is not None:
        raise click.UsageError("--fixed and --fixed-file are two ways to say the same; give one of them.")
    if shadow and log_dir is None:
        raise click.UsageError("--shadow has no effect without --log: the choices would be lost.")
    if log_text and log_dir is None:
        raise click.UsageError("--log-text has no effect without --log.")
    if explore is not None or explore_margin is not None:
        flag = "--explore" if explore_margin is None else "--explore-margin"
        if fixed is not None or shadow:
            raise click.UsageError(f"{flag} has no effect with {'--shadow' if shadow else '--fixed'}.")
    if embedding.file is not None:
        raise click.UsageError("--embedding-file has no effect here: requests bring texts, or vectors of their own.")
    _require_extra()
    from vsr.choice.exploration import DEFAULT_EXPLORE_MARGIN, Exploration
    from vsr.cli.log_lines import show_log
    from vsr.serving.listening import SharedAddress, bind, listen
    from vsr.serving.settings import KEY_VARIABLE, ServeSettings, read_key
    from vsr.serving.workers import Supervisor, Worker

    key = read_key(key_file) if key_file is not None else os.environ.get(KEY_VARIABLE) or None
    settings = ServeSettings(host, port, key, int(max_body_mib * _MIB))
    worker = Worker.from_environment()
    show_log(None if worker is None else f"worker {worker.number}")
    if worker is None and workers > 1:
        address = SharedAddress(settings)
        code = Supervisor(workers, address, settings.drain_s).run(
            lambda: terminal.say(f"Listening on {settings.url(address.port)}")
        )
        click.get_current_context().exit(code)
    bound = bind(settings) if worker is None else worker.socket()

    def announce() -> None:
        url = listen(bound, settings)
        if worker is None:
            terminal.say(f"Listening on {url}")
        else:
            worker.tell_ready()

    warn: Callable[[str], None] = terminal.warn if worker is None or worker.is_first else _ignore
    if worker is not None:
        from vsr.serving.metrics import share_metrics

        share_metrics(worker.folder, worker.number)
    from vsr.routing import DisabledRouter
    from vsr.routing.conversations import Conversations
    from vsr.routing.decision_log import KEY_VARIABLE as LOG_KEY_VARIABLE
    from vsr.serving.feedback import FeedbackLog
    from vsr.serving.server import serve as run
    from vsr.serving.service import Service
    from vsr.serving.switch import FixedRouter, Switch

    config = None if config_path is None else read_config(config_path)
    names = () if config is None else tuple(config.models)
    if fixed is not None and names and fixed not in names:
        raise click.UsageError(f"--fixed {fixed} is no model of the configuration: {', '.join(names)}.")
    switch = Switch(is_shadow=shadow, fixed=fixed, file=fixed_file, known=names)
    if switch.state.routing != "on":
        warn(str(switch.state))
    router = (
        FixedRouter(fixed)
        if fixed is not None and not shadow
        else _router(models_dir, config, algorithm, embedding, warn)
    )
    if isinstance(router, DisabledRouter):
        flags = {"--shadow": shadow, "--explore": explore is not None, "--explore-margin": explore_margin is not None}
        useless = [flag for flag, is_given in flags.items() if is_given]
        if useless:
            raise click.UsageError(f"{useless[0]} has no effect where the configuration says enabled: false.")
    log = None if log_dir is None else _open_log(log_dir, log_text, worker, warn)
    if explore and log is None:
        warn("--explore without --log: how probable a choice was stands in the answers alone")
    feedback = None if log_dir is None else FeedbackLog(log_dir, os.environ.get(LOG_KEY_VARIABLE) or None)
    conversations = None
    if not isinstance(router, DisabledRouter):
        conversations = Conversations.shared(config_path or artefact_folder(models_dir, config))
    service = Service(
        router,
        log,
        feedback,
        conversations,
        key,
        exploration=Exploration(explore or 0.0, DEFAULT_EXPLORE_MARGIN if explore_margin is None else explore_margin),
        switch=switch,
        metrics_folder=None if worker is None else worker.folder,
    )
    run(service, settings, bound, announce, worker)


def _ignore(_text: str) -> None:
    """Say nothing: another worker has said it."""


def _router(
    models_dir: Path | None,
    config: "RouterConfig | None",
    algorithm: str,
    embedding: EmbeddingOptions,
    warn: Callable[[str], None],
) -> "ModelRouter":
    """Load what answers."""
    from vsr.cli.embedding import load_decision_router, load_router
    from vsr.persistence.finding import said_without_manifest
    from vsr.routing import DisabledRouter
    from vsr.routing.reloading import ReloadingRouter

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
        warn(said)
    return ReloadingRouter(router, folder, algorithm)


def _open_log(folder: Path, with_text: bool, worker: "Worker | None", warn: Callable[[str], None]) -> "DecisionLog":
    """Open the log of this process; workers have one each, whose texts are hashed alike."""
    from vsr.routing.decision_log import KEY_VARIABLE, LOG_NAME, DecisionLog

    path, key = folder / LOG_NAME, os.environ.get(KEY_VARIABLE) or None
    if worker is not None:
        path = path.with_name(f"{path.stem}-{worker.number}{path.suffix}")
    if key is None and not with_text:
        warn(f"{path}: hashes of texts cannot be compared with those of another start; set {KEY_VARIABLE} for that")
    return DecisionLog(path, key=worker.log_key if key is None and worker is not None else key, with_text=with_text)


def _require_extra() -> None:
    """Say what to install where the extra is missing.

    Raises:
        click.ClickException: It is.
    """
    from importlib.util import find_spec

    from vsr.errors import install

    missing = [name for name in ("prometheus_client", "starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        listed = ", ".join(missing)
        raise click.ClickException(f"serve needs {listed}: install the extra with {install('serve')}")
