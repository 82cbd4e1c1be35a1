"""Connections for many requests at a time, without the cost that one large pool has in httpcore."""

import urllib.request
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpcore
import httpx

from vsr.asking.transport import TimedBackend
from vsr.config.servers import is_loopback

if TYPE_CHECKING:
    from ssl import SSLContext

_KEEPALIVE_S = 30.0
_TROUBLE = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)


class SmallPools(httpx.AsyncBaseTransport):
    """A transport that gives every request in flight a pool of its own and takes it back afterwards.

    httpcore walks all connections of a pool several times per request: at 32 requests in flight that is half of the
    time a client spends (measured: `benches/python/benchmark_overhead.py`). A pool that serves one request at a time
    holds one connection per host; the last one used is used first, so that few stay open. There is no limit here:
    whoever asks has its own, and waiting inside a pool would count as latency.
    """

    def __init__(self) -> None:
        self._backend = TimedBackend()
        self._tls: SSLContext | None = None
        self._idle: dict[str | None, list[httpcore.AsyncConnectionPool]] = {}
        self._all: list[httpcore.AsyncConnectionPool] = []
        self._proxies: dict[str, str | None] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request through a pool that is free."""
        proxy = self._proxy_of(request.url)
        if self._tls is None and request.url.scheme == "https":
            # Loading the certificates takes 0.1 s: only if something is encrypted, and once.
            self._tls = httpx.create_ssl_context()
        idle = self._idle.setdefault(f"{request.url.scheme} {proxy}", [])
        pool = idle.pop() if idle else self._new_pool(proxy)
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        sent = httpcore.Request(
            request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        try:
            response = await pool.handle_async_request(sent)
        except BaseException as error:
            idle.append(pool)
            if isinstance(error, _TROUBLE):
                raise _as_httpx(error, request) from error
            raise
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Returning(response, request, pool, idle),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._all:
            await pool.aclose()

    def _new_pool(self, proxy: str | None) -> httpcore.AsyncConnectionPool:
        through = None
        if proxy is not None:
            parsed = httpx.Proxy(proxy)
            address = parsed.url
            through = httpcore.Proxy(
                httpcore.URL(scheme=address.raw_scheme, host=address.raw_host, port=address.port, target=b""),
                auth=parsed.raw_auth,
            )
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            proxy=through,
            max_connections=None,
            keepalive_expiry=_KEEPALIVE_S,
            network_backend=self._backend,
        )
        self._all.append(pool)
        return pool

    def _proxy_of(self, url: httpx.URL) -> str | None:
        """Return the proxy that the environment names for a host; never one for this machine."""
        key = f"{url.scheme}://{url.host}"
        if key not in self._proxies:
            found = urllib.request.getproxies()
            is_direct = is_loopback(key) or urllib.request.proxy_bypass(url.host)
            self._proxies[key] = None if is_direct else found.get(url.scheme)
        return self._proxies[key]


class _Returning(httpx.AsyncByteStream):
    """A response's stream that gives its pool back when it is closed."""

    def __init__(
        self,
        response: httpcore.Response,
        request: httpx.Request,
        pool: httpcore.AsyncConnectionPool,
        idle: list[httpcore.AsyncConnectionPool],
    ) -> None:
        self._response = response
        self._request = request
        self._pool: httpcore.AsyncConnectionPool | None = pool
        self._idle = idle

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._response.aiter_stream():
                yield chunk
        except _TROUBLE as error:
            raise _as_httpx(error, self._request) from error

    async def aclose(self) -> None:
        try:
            await self._response.aclose()
        finally:
            if self._pool is not None:
                self._idle.append(self._pool)
                self._pool = None


def _as_httpx(error: Exception, request: httpx.Request) -> httpx.TransportError:
    """Return httpx's error of the same name, so that whoever uses the client knows one family of errors."""
    family: type[httpx.TransportError] = getattr(httpx, type(error).__name__, httpx.TransportError)
    return family(str(error), request=request)
