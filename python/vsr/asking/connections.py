"""The connections of a run behind httpx: opened directly or through a proxy, and used again where that is safe."""

import asyncio
import base64
import functools
import os
import ssl
import time
import urllib.request
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

import h11
import httpx

from vsr.asking.transport import Connection
from vsr.config.servers import is_loopback

_KEEPALIVE_S = 30.0
# A second answer to one request comes close behind the first: a connection that has rested has shown it.
_REST_S = 0.25
_LONGEST_CLOSE_S = 1.0
_HIGHEST_PORT = 65535


class _Route(NamedTuple):
    """Where a connection leads, and by which way: requests with the same may share one."""

    scheme: str
    host: str
    port: int
    proxy: str | None
    ca_file: str | None


class UnusableRouteError(httpx.TransportError):
    """There is no way to a server, and trying again changes nothing."""


class Connections(httpx.AsyncBaseTransport):
    """A transport for `httpx.AsyncClient` in place of its own.

    An answer belongs to the request that it answers. Where a server sends two answers to one request, the second waits
    on the connection for the next request: with httpx's own pool 182 of 1,000 answers stood under a wrong query where
    12 % were sent twice, and 16 of 1,000 with connections that were dropped once bytes were left over, since the second
    answer may come late. So a connection in the open, which costs next to nothing, serves one request. One that took
    a TLS handshake is used again after a rest, unless bytes were left over, and none to its place from then on.

    There is no limit on connections: waiting for one would count as latency.

    Of a request's time-outs the one on connecting counts here; whoever asks sets one on the whole.
    A request's extension `ca_file` names a file of certificates that are trusted for it; the extension
    `network_stream` of a response is its `Connection`.
    """

    def __init__(self) -> None:
        self._idle: dict[_Route, deque[tuple[float, Connection]]] = {}
        self._open: set[Connection] = set()
        self._untrusted: set[_Route] = set()
        self._proxies: dict[tuple[str, str], str | None] = {}
        self._contexts: dict[str | None, ssl.SSLContext] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request over a connection that is free, or a new one.

        Raises:
            httpx.TransportError: There is no connection, or no answer.
        """
        url = request.url
        if url.scheme not in ("http", "https") or not url.host:
            raise UnusableRouteError(f"'{url}' has to be an http or https URL with a host")
        ca_file = request.extensions.get("ca_file")
        port = url.port or (443 if url.scheme == "https" else 80)
        route = _Route(url.scheme, url.host, port, self._proxy_of(url.scheme, url.host), ca_file)
        connection = self._rested(route)
        if connection is None:
            timeout = request.extensions.get("timeout", {}).get("connect")
            connection = await self._connect(route, timeout)
        headers, target = request.headers.raw, url.raw_path
        if route.scheme == "http":
            headers = [(name, value) for name, value in headers if name.lower() != b"connection"]
            headers.append((b"Connection", b"close"))
            if route.proxy is not None:
                headers, target = [*headers, *_credentials(httpx.URL(route.proxy))], str(url).encode()
        try:
            sent = h11.Request(method=request.method, target=target, headers=headers)
            head = await connection.ask(sent, request.content)
        except BaseException as error:
            connection.abort()
            if isinstance(error, OSError | h11.ProtocolError):
                raise _as_httpx(error) from error
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=_Body(connection, functools.partial(self._take_back, route, connection)),
            extensions={"network_stream": connection},
        )

    async def aclose(self) -> None:
        """Close every connection, and see it closed: a loop that ends before would leave sockets open."""
        for connection in self._open:
            connection.abort()
        deadline = time.monotonic() + _LONGEST_CLOSE_S
        while self._open and time.monotonic() < deadline:
            await asyncio.sleep(0)

    def _rested(self, route: _Route) -> Connection | None:
        """Return the connection that has been idle the longest, if it can be used."""
        idle = self._idle.get(route)
        now = time.monotonic()
        while idle and now - idle[0][0] >= _REST_S:
            since, connection = idle.popleft()
            if connection.is_quiet and now - since < _KEEPALIVE_S and route not in self._untrusted:
                return connection
            if connection.has_leftover:
                self._untrusted.add(route)
            connection.abort()
        return None

    def _take_back(self, route: _Route, connection: Connection) -> None:
        """Keep a connection for another request, unless it is broken, or holds what no request asked for."""
        if connection.has_leftover:
            self._untrusted.add(route)
        if connection.is_quiet and route not in self._untrusted:
            self._idle.setdefault(route, deque()).append((time.monotonic(), connection))
        else:
            connection.abort()

    async def _connect(self, route: _Route, timeout: float | None) -> Connection:
        try:
            async with asyncio.timeout(timeout):
                return await (self._direct(route) if route.proxy is None else self._through_proxy(route, route.proxy))
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection within {timeout:g} s") from error
        except ssl.SSLCertVerificationError as error:
            raise UnusableRouteError(
                f"the certificate of {route.host} is not trusted ({error.verify_message}): name the file of its "
                "authority in `ca_file` of the endpoint, or in the variable SSL_CERT_FILE"
            ) from error
        except OSError as error:
            raise httpx.ConnectError(str(error)) from error

    async def _direct(self, route: _Route) -> Connection:
        return await self._dial(route.host, route.port, self._trust(route.ca_file) if route.scheme == "https" else None)

    async def _dial(self, host: str, port: int, context: ssl.SSLContext | None) -> Connection:
        def made() -> Connection:
            return Connection(self._open.discard)

        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(made, host, port, ssl=context, happy_eyeballs_delay=0.25)
        self._open.add(connection)
        return connection

    async def _through_proxy(self, route: _Route, address: str) -> Connection:
        """Open a connection to a proxy, and for https a tunnel through it."""
        shown = _without_credentials(address)
        try:
            proxy = httpx.URL(address)
        except httpx.InvalidURL:
            proxy = httpx.URL()
        port = proxy.port or (443 if proxy.scheme == "https" else 80)
        if proxy.scheme not in ("http", "https") or not proxy.host or port > _HIGHEST_PORT:
            raise UnusableRouteError(
                f"the proxy of the environment, {shown}, cannot be used: expected http://HOST:PORT; correct or unset "
                "its variable (ALL_PROXY, HTTPS_PROXY, HTTP_PROXY), or name the host in NO_PROXY"
            )
        try:
            connection = await self._dial(proxy.host, port, self._trust(None) if proxy.scheme == "https" else None)
        except OSError as error:
            raise httpx.ConnectError(f"none to the proxy {shown}: {error}") from error
        if route.scheme == "http":
            return connection
        place = f"[{route.host}]:{route.port}" if ":" in route.host else f"{route.host}:{route.port}"
        headers = [(b"Host", place.encode()), *_credentials(proxy)]
        try:
            head = await connection.ask(h11.Request(method="CONNECT", target=place, headers=headers), b"")
            if not 200 <= head.status_code < 300:
                raise httpx.ProxyError(f"the proxy {shown} answered HTTP {head.status_code}")  # noqa: TRY301
            await connection.encrypt(self._trust(route.ca_file), route.host)
        except BaseException as error:
            connection.abort()
            if isinstance(error, h11.ProtocolError):
                raise httpx.ProxyError(f"the proxy {shown} does not speak HTTP: {error}") from error
            raise
        return connection

    def _proxy_of(self, scheme: str, host: str) -> str | None:
        """Return the proxy that the environment names for a host; never one for this machine."""
        if (scheme, host) not in self._proxies:
            found = urllib.request.getproxies()
            is_direct = is_loopback(f"{scheme}://[{host}]" if ":" in host else f"{scheme}://{host}")
            named = None if is_direct or urllib.request.proxy_bypass(host) else found.get(scheme) or found.get("all")
            self._proxies[scheme, host] = named
        return self._proxies[scheme, host]

    def _trust(self, ca_file: str | None) -> ssl.SSLContext:
        """Return what decides about certificates: a file, else SSL_CERT_FILE and SSL_CERT_DIR, else the usual roots.

        Loading them takes 0.1 s: only if something is encrypted, and once.
        """
        if ca_file not in self._contexts:
            try:
                self._contexts[ca_file] = trusted(ca_file)
            except OSError as error:
                raise UnusableRouteError(str(error)) from error
        return self._contexts[ca_file]


def trusted(ca_file: str | None) -> ssl.SSLContext:
    """Return what trusts the certificates in a PEM file, and no others; without one what the environment says.

    Raises:
        OSError: The file cannot be read, or holds none.
    """
    try:
        return httpx.create_ssl_context() if ca_file is None else ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        named = f"SSL_CERT_FILE {os.environ.get('SSL_CERT_FILE')}" if ca_file is None else f"ca_file {ca_file}"
        raise OSError(f"{named} holds no certificates that can be read ({error}); expected a PEM file") from error


class _Body(httpx.AsyncByteStream):
    """The body of an answer; when it is closed, its connection goes back or is dropped."""

    def __init__(self, connection: Connection, give_back: functools.partial[None]) -> None:
        self._connection = connection
        self._give_back: functools.partial[None] | None = give_back

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._connection.body():
                yield piece
        except (OSError, h11.ProtocolError) as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        if self._give_back is not None:
            self._give_back()
            self._give_back = None


def _as_httpx(error: OSError | h11.ProtocolError) -> httpx.TransportError:
    """Return the error in the words of httpx, so that whoever uses the client knows one family of errors."""
    if isinstance(error, h11.LocalProtocolError):
        return httpx.LocalProtocolError(str(error))
    family = httpx.RemoteProtocolError if isinstance(error, h11.RemoteProtocolError) else httpx.ReadError
    return family(str(error))


def _credentials(proxy: httpx.URL) -> list[tuple[bytes, bytes]]:
    """Return the header that opens a proxy, where its URL holds a name and a password."""
    if not proxy.userinfo:
        return []
    opening = base64.b64encode(f"{proxy.username}:{proxy.password}".encode())
    return [(b"Proxy-Authorization", b"Basic " + opening)]


def _without_credentials(address: str) -> str:
    scheme, mark, rest = address.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
