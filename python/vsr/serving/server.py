"""The process of a server: its signals, the thread that looks for new trainings and other orders."""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

from vsr.routing.reloading import ReloadingRouter
from vsr.serving.application import Application
from vsr.serving.service import Service
from vsr.serving.settings import ServeSettings
from vsr.serving.workers import Worker

_LOGGER = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.5
_KEEP_ALIVE_S = 30


def serve(
    service: Service,
    settings: ServeSettings,
    listening: socket.socket,
    announce: Callable[[], None] = lambda: None,
    worker: Worker | None = None,
) -> None:
    """Answer requests until SIGTERM or SIGINT, then end what is under way and write the log out.

    SIGHUP lets it look at once whether there is a new training, or another order in the file of the switch.

    Args:
        service: what answers.
        settings: whom, and how long.
        listening: socket to accept from; it is closed at the end.
        announce: called when requests are about to be answered.
        worker: what this process is, where it is one of several.

    Raises:
        KeyboardInterrupt: SIGINT came; everything is tidied up as after SIGTERM.
    """
    server = _Server(Application(service, settings), settings)
    watcher = threading.Thread(target=server.watch, args=(service, worker), name="orders", daemon=True)
    try:
        with server.signals():
            watcher.start()
            announce()
            server.run(sockets=[listening])
    finally:
        server.wake(for_good=True)
        watcher.join()
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
        self._woken = threading.Event()
        self._woken.set()  # an order may have come while the artefacts were read
        self._has_ended = False
        self.signal_number: int | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn would take them later than `signals`, and raise them again at the end."""
        yield

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the server in peace, and SIGHUP wake whoever looks for orders."""
        handlers = {signal.SIGTERM: self._end, signal.SIGINT: self._end, signal.SIGHUP: self._wake}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wake(self, *, for_good: bool = False) -> None:
        """Let `watch` look at once, or end."""
        self._has_ended = self._has_ended or for_good
        self._woken.set()

    def watch(self, service: Service, worker: Worker | None) -> None:
        """Look again and again for a new training, for what `/metrics` shows, and whether anybody is left to obey."""
        while not self._has_ended:
            if self._woken.wait(_LOOK_EVERY_S):
                self._woken.clear()
                service.switch.read_again()
            if worker is not None and worker.is_orphan and not self.should_exit:
                _LOGGER.warning("the process that kept this one up has gone; it ends")
                self._begin_to_end()
            try:
                if isinstance(service.router, ReloadingRouter):
                    service.router.reload_if_changed()
                service.metrics.refresh()
            except Exception as error:
                _LOGGER.error("looking for a new training: %s: %s", type(error).__name__, error)  # noqa: TRY400

    def _wake(self, _number: int, _frame: FrameType | None) -> None:
        self.wake()

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self.force_exit = self.should_exit and number == signal.SIGINT
        self.signal_number = number
        self._begin_to_end()

    def _begin_to_end(self) -> None:
        self._application.is_draining = True
        self.should_exit = True
