"""Connections that note when bytes leave and arrive, the moment the operating system hands them over."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Iterable

import httpcore

# More than this waits in the kernel until somebody reads.
_LARGEST_BUFFER = 1 << 20
_LONGEST_CLOSE_S = 1.0


class TimedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore on asyncio's own transports.

    With many answers arriving at once, an event loop takes them one after the other: a clock that is read when an
    answer's turn comes shows the queue in the client as latency of the server (measured with 16 at a time: several
    milliseconds). Here the clock is read when the loop hands the bytes over, before any of them is looked at.
    """

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a connection.

        Raises:
            httpcore.ConnectError: It cannot be opened.
            httpcore.ConnectTimeout: It takes too long.
        """
        loop = asyncio.get_running_loop()
        local = None if local_address is None else (local_address, 0)
        try:
            async with asyncio.timeout(timeout):
                transport, wire = await loop.create_connection(_Wire, host, port, local_addr=local)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        connection = transport.get_extra_info("socket")
        for option in socket_options or ():
            connection.setsockopt(*option)
        return TimedStream(wire)


class TimedStream(httpcore.AsyncNetworkStream):
    """One connection; `exchange_s` is the time of the last request and its answer."""

    def __init__(self, wire: "_Wire") -> None:
        """Wrap a connection that is open."""
        self._wire = wire

    @property
    def exchange_s(self) -> float:
        """Seconds from the first byte of the last request to the last byte that has arrived since."""
        return max(0.0, self._wire.received_s - self._wire.sent_s)

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what has arrived; nothing at the end of the stream.

        Raises:
            httpcore.ReadError: The connection broke.
            httpcore.ReadTimeout: Nothing came in time.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._wire.read(max_bytes)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes.

        Raises:
            httpcore.WriteError: The connection broke.
            httpcore.WriteTimeout: The other side does not take them.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._wire.write(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """Close the connection, and see it closed: a loop that ends before would leave the socket open."""
        await self._wire.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Encrypt from here on.

        Raises:
            httpcore.ConnectError: The other side does not, or its certificate is not trusted.
            httpcore.ConnectTimeout: It takes too long.
        """
        loop = asyncio.get_running_loop()
        wire = self._wire
        try:
            async with asyncio.timeout(timeout):
                encrypted = await loop.start_tls(wire.transport, wire, ssl_context, server_hostname=server_hostname)
        except TimeoutError as error:
            await wire.close()
            raise httpcore.ConnectTimeout(str(error)) from error
        except (OSError, ssl.SSLError) as error:
            await wire.close()
            raise httpcore.ConnectError(str(error)) from error
        if encrypted is None:
            raise httpcore.ConnectError("the connection was closed before it was encrypted")
        wire.transport = encrypted
        return self

    def get_extra_info(self, info: str) -> object:
        """Answer what httpcore asks: the TLS object, and whether an idle connection has been closed."""
        if info == "is_readable":
            return self._wire.is_readable
        return self._wire.transport.get_extra_info(info)


class _Wire(asyncio.Protocol):
    """The end of a connection that asyncio calls."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.sent_s = 0.0
        self.received_s = 0.0
        self._has_answered = True
        self._buffer = bytearray()
        self._is_over = False
        self._problem: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._lost = asyncio.Event()

    @property
    def is_readable(self) -> bool:
        return self._is_over or bool(self._buffer)

    async def read(self, max_bytes: int) -> bytes:
        while not self._buffer and not self._is_over:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if not self._buffer:
            if self._problem is not None:
                raise ConnectionResetError(str(self._problem)) from self._problem
            return b""
        found = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        if len(self._buffer) < _LARGEST_BUFFER and not self._is_over:
            self.transport.resume_reading()
        return found

    async def write(self, data: bytes) -> None:
        if self._is_over:
            raise ConnectionResetError(str(self._problem or "the connection is closed"))
        if self._has_answered:  # the first bytes of the next request
            self._has_answered = False
            self.sent_s = time.perf_counter()
        self.transport.write(data)
        if self._writer is not None:
            await self._writer

    async def close(self) -> None:
        # Not politely: over TLS that would wait for the other side's goodbye.
        self.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_CLOSE_S):
                await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received_s = time.perf_counter()
        self._has_answered = True
        self._buffer += data
        if len(self._buffer) >= _LARGEST_BUFFER:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._is_over = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over = True
        self._problem = self._problem or exc
        self._lost.set()
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writer = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._writer is not None and not self._writer.done():
            self._writer.set_result(None)
        self._writer = None

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
