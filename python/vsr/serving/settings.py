"""How a server listens, and what it lets in."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from vsr.errors import ConfigError

KEY_VARIABLE = "VSR_SERVE_KEY"
DEFAULT_PORT = 8790
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SHORTEST_KEY = 16


@dataclass(frozen=True)
class ServeSettings:
    """Where a server listens, and what it lets in.

    Attributes:
        host: address to listen on.
        port: 0 takes a free one.
        key: what callers have to know; None on a local address alone.
        max_body_bytes: of one request.
        max_in_flight: requests that are read, wait or are worked on; further ones are answered with 503.
        max_held_bytes: of the bodies of all of them.
        body_s: how long a body may take to arrive.
        drain_s: how long requests may take after SIGTERM.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    key: str | None = None
    max_body_bytes: int = 8 << 20
    max_in_flight: int = 256
    max_held_bytes: int = 128 << 20
    body_s: float = 30.0
    drain_s: float = 25.0

    def __post_init__(self) -> None:
        """Check that nobody is let in by mistake.

        Raises:
            ConfigError: The address is open to others and there is no key, or one that can be guessed.
        """
        if self.key is None and not self.is_local:
            raise ConfigError(
                f"--host {self.host} lets other machines in, and there is no key; set {KEY_VARIABLE} or give "
                "--key-file, or listen on 127.0.0.1"
            )
        if self.key is not None and (len(self.key) < _SHORTEST_KEY or not self.key.isascii() or " " in self.key):
            raise ConfigError(
                f"the key of the server has {len(self.key)} characters; expected {_SHORTEST_KEY} or more of ASCII, "
                "without spaces. `openssl rand -hex 32` makes one"
            )

    def __repr__(self) -> str:
        return f"ServeSettings(host={self.host!r}, port={self.port}, key={'***' if self.key else None})"

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def own_hosts(self) -> frozenset[str] | None:
        """Names that a Host header may have; None for any, where a key is asked for anyway.

        A web page can let its own name lead to this machine, but not make a browser send another name.
        """
        return None if self.key is not None else _LOCAL_NAMES | {_in_url(self.host)}

    def url(self, port: int) -> str:
        """Give the address under which the server is reached."""
        return f"http://{_in_url(self.host)}:{port}"


def read_key(path: Path) -> str:
    """Read the key of a server: the first line of a file.

    Raises:
        ConfigError: The file cannot be read, or is empty.
    """
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{path}: cannot be read ({why}); expected a file that holds the key") from error
    if not key or len(key.splitlines()) != 1:
        raise ConfigError(f"{path}: holds {len(key.splitlines())} lines; expected one, the key")
    return key


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
