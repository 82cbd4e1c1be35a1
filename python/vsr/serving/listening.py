"""The address of a server."""

import socket

from vsr.errors import ConfigError
from vsr.serving.settings import ServeSettings

_BACKLOG = 1024


def bind(settings: ServeSettings) -> socket.socket:
    """Take the address, without listening yet.

    Raises:
        ConfigError: It is not to be had.
    """
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What is accepted inherits it; asyncio itself would set it only where it knows the protocol to be TCP. Without
        # it the body of an answer waits 40 ms for the other side to confirm the head.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setblocking(False)
        bound.bind((settings.host, settings.port))
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
