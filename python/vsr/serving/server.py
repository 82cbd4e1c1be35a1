"""The process of a server: its socket, its signals, the thread that looks for new trainings."""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from vsr.errors import ConfigError
from vsr.routing.reloading import ReloadingRouter
from vsr.serving.application import Application
from vsr.serving.service import Service
from vsr.serving.settings import ServeSettings

_LOGGER = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.5
_BACKLOG = 1024
_KEEP_ALIVE_S = 30


def serve(service: Service, settings: ServeSettings, announce: Callable[[str], None] = lambda _url: None) -> None:
    """Answer requests until SIGTERM or SIGINT, then end what is under way and write the log out.

    Args:
        service: what answers.
        settings: where, and whom.
        announce: called with the address when the server listens.

    Raises:
        ConfigError: The address cannot be listened on.
        KeyboardInterrupt: SIGINT came; everything is tidied up as after SIGTERM.
    """
    listening = _listen(settings)
    application = Application(service, settings)
    server = _Server(application, settings)
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(service, ended), name="trainings", daemon=True)
    try:
        watcher.start()
        announce(settings.url(listening.getsockname()[1]))
        server.run(sockets=[listening])
    finally:
        ended.set()
        listening.close()
        service.close()
    if server.signal_number == signal.SIGINT:
        raise KeyboardInterrupt(signal.SIGINT)


class _Server(uvicorn.Server):
    """uvicorn, which lets a signal end the server and nothing else."""

    def __init__(self, application: Application, settings: ServeSettings) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level=logging.ERROR,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=int(settings.drain_s),
            )
        )
        self._application = application
        self.signal_number: int | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the server in peace; uvicorn itself would raise them again afterwards."""
        before = {number: signal.signal(number, self._end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        self._application.is_draining = True
        self.handle_exit(number, frame)


def _listen(settings: ServeSettings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"--host {settings.host} --port {settings.port}: cannot be listened on ({why}); name another, --port 0 "
            "takes a free one"
        ) from error
    listening.setblocking(False)
    return listening


def _watch(service: Service, ended: threading.Event) -> None:
    """Look for a new training again and again."""
    router = service.router
    if not isinstance(router, ReloadingRouter):
        return
    while not ended.wait(_LOOK_EVERY_S):
        try:
            router.reload_if_changed()
        except Exception as error:
            _LOGGER.error("looking for a new training: %s: %s", type(error).__name__, error)  # noqa: TRY400
