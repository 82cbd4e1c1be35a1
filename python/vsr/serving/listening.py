"""The address of a server."""

import socket
import sys

from vsr.errors import ConfigError
from vsr.serving.settings import ServeSettings

_BACKLOG = 1024
_SHARES_PORTS = sys.platform == "linux"  # others let one of the sockets have everything


def bind(settings: ServeSettings) -> socket.socket:
    """Take the address for one process, without listening yet.

    Raises:
        ConfigError: It is not to be had.
    """
    return _bind(settings, settings.port, is_shared=False)


class SharedAddress:
    """An address on which several processes listen.

    Linux gives each its share of the connections. With one socket for all of them, whoever wakes first takes all that
    come at once: sixteen connections of a gateway then stay with one worker.
    """

    def __init__(self, settings: ServeSettings) -> None:
        """Take it.

        Raises:
            ConfigError: It is not to be had.
        """
        self._settings = settings
        with bind(settings) as alone:  # fails where anybody listens; the sockets below would not
            self.port: int = alone.getsockname()[1]
        self._held = self._bound()

    def another(self) -> socket.socket:
        """Give a socket that a further process is to listen on.

        Raises:
            ConfigError: The address has gone.
        """
        return self._bound() if _SHARES_PORTS else self._held.dup()

    def close(self) -> None:
        """Give the address up."""
        self._held.close()

    def _bound(self) -> socket.socket:
        return _bind(self._settings, self.port, is_shared=_SHARES_PORTS)


def _bind(settings: ServeSettings, port: int, *, is_shared: bool) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # What is accepted inherits it; asyncio itself would set it only where it knows the protocol to be TCP. Without
        # it the body of an answer waits 40 ms for the other side to confirm the head.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setblocking(False)
        bound.bind((settings.host, port))
    except (OSError, UnicodeError) as error:
        raise _taken(settings, error) from error
    return bound


def listen(bound: socket.socket, settings: ServeSettings) -> str:
    """Let callers in, and give the address under which they reach the server.

    Raises:
        ConfigError: Somebody else listens there by now.
    """
    try:
        bound.listen(_BACKLOG)
    except OSError as error:
        raise _taken(settings, error) from error
    return settings.url(bound.getsockname()[1])


def _taken(settings: ServeSettings, error: Exception) -> ConfigError:
    why = getattr(error, "strerror", None) or str(error)
    return ConfigError(
        f"--host {settings.host} --port {settings.port}: cannot be listened on ({why}); name another, --port 0 "
        "takes a free one"
    )
