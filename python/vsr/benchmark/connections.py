"""Connections for many requests at a time, without the cost that one large pool has in httpcore."""

import ssl
import urllib.request
from collections.abc import AsyncIterator

import httpx

from vsr.config.servers import is_loopback

_KEEPALIVE_S = 30.0


class SmallPools(httpx.AsyncBaseTransport):
    """A transport that gives every request in flight a pool of its own and takes it back afterwards.

    httpcore walks all connections of a pool several times per request: at 32 requests in flight that is half of the
    time a client spends (measured: `benches/python/benchmark_overhead.py`). A pool that serves one request at a time
    holds one connection per host; the last one used is used first, so that few stay open. There is no limit here:
    whoever asks has its own, and waiting inside a pool would count as latency.
    """

    def __init__(self) -> None:
        self._tls: dict[str, ssl.SSLContext] = {}
        self._idle: dict[tuple[str, str | None], list[httpx.AsyncHTTPTransport]] = {}
        self._all: list[httpx.AsyncHTTPTransport] = []
        self._proxies: dict[str, str | None] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request through a pool that is free."""
        proxy = self._proxy_of(request.url)
        idle = self._idle.setdefault((request.url.scheme, proxy), [])
        pool = idle.pop() if idle else self._new_pool(request.url.scheme, proxy)
        try:
            response = await pool.handle_async_request(request)
        except BaseException:
            idle.append(pool)
            raise
        if not isinstance(response.stream, httpx.AsyncByteStream):
            raise TypeError("an asynchronous transport answered with a synchronous stream")
        response.stream = _Returning(response.stream, pool, idle)
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._all:
            await pool.aclose()

    def _new_pool(self, scheme: str, proxy: str | None) -> httpx.AsyncHTTPTransport:
        if scheme not in self._tls:
            # Loading the certificates takes 0.1 s: once a run, and only if something is encrypted. A context without
            # any trusts nobody.
            is_needed = scheme == "https"
            self._tls[scheme] = httpx.create_ssl_context() if is_needed else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_KEEPALIVE_S)
        pool = httpx.AsyncHTTPTransport(verify=self._tls[scheme], limits=limits, proxy=proxy, trust_env=False)
        self._all.append(pool)
        return pool

    def _proxy_of(self, url: httpx.URL) -> str | None:
        """Return the proxy that the environment names for a host; never one for this machine."""
        key = f"{url.scheme}://{url.host}"
        if key not in self._proxies:
            found = urllib.request.getproxies()
            proxy = None if is_loopback(key) or urllib.request.proxy_bypass(url.host) else found.get(url.scheme)
            self._proxies[key] = proxy or None
        return self._proxies[key]


class _Returning(httpx.AsyncByteStream):
    """A response's stream that gives its pool back when it is closed."""

    def __init__(
        self, stream: httpx.AsyncByteStream, pool: httpx.AsyncHTTPTransport, idle: list[httpx.AsyncHTTPTransport]
    ) -> None:
        self._stream = stream
        self._pool: httpx.AsyncHTTPTransport | None = pool
        self._idle = idle

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._stream)

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if self._pool is not None:
                self._idle.append(self._pool)
                self._pool = None
