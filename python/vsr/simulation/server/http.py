"""Just enough of an HTTP/1.1 server for the pool: h11 does the protocol, asyncio the sockets."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import h11

from vsr.errors import BenchmarkError

_LARGEST_REQUEST = 16 << 20
_READ_SIZE = 1 << 16


@dataclass(frozen=True)
class Request:
    """A request, complete.

    Attributes:
        method: in capitals.
        path: without the query string.
        headers: names in lower case.
        body: as it came.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Response:
    """What goes back.

    Attributes:
        status: HTTP status.
        body: JSON, or what pretends to be.
        headers: besides length and type.
        is_cut: close the connection in the middle of the body.
        is_dropped: close the connection without a word.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    is_dropped: bool = False


Respond = Callable[[Request], Awaitable[Response]]


class LoopbackServer:
    """A server on the loopback interface, in a thread of its own; use it as a context."""

    address = "127.0.0.1"

    def __init__(self, respond: Respond, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Prepare the server; entering the context starts it.

        Args:
            respond: answers a request; runs in the server's own event loop.
            port: where it listens; 0 takes one that is free.
            tls: its certificate and key; None for plain http.
        """
        self._tls = tls
        self.port = port
        self._respond = respond
        self._thread = threading.Thread(target=self._run, name="vsr-server", daemon=True)
        self._started = threading.Event()
        self._problem: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{'http' if self._tls is None else 'https'}://{self.address}:{self.port}"

    def __enter__(self) -> Self:
        """Start to listen.

        Raises:
            BenchmarkError: The port is taken or may not be used.
        """
        self._thread.start()
        self._started.wait()
        if self._problem is not None:
            self._thread.join()
            raise BenchmarkError(
                f"nothing can listen on {self.address}:{self.port} ({self._problem.strerror}); name another port."
            ) from self._problem
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._problem = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            connections.add(task)
            task.add_done_callback(connections.discard)
            with contextlib.suppress(asyncio.CancelledError):
                await serve_connection(reader, writer, self._respond)

        server = await asyncio.start_server(connected, self.address, self.port, backlog=512, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._loop = asyncio.get_running_loop()
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def serve_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, respond: Respond) -> None:
    """Answer the requests of one connection, one after the other."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=64 << 10)
    try:
        while True:
            request = await _next_request(connection, reader)
            if request is None:
                return
            response = await respond(request)
            if response.is_dropped:
                return
            _send(connection, writer, response)
            await writer.drain()
            if response.is_cut or connection.our_state is not h11.DONE:
                return
            connection.start_next_cycle()
    except (h11.ProtocolError, ConnectionError):
        return
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, TimeoutError):
            await writer.wait_closed()


async def _next_request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ_SIZE))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _LARGEST_REQUEST:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            path = head.target.decode("latin-1").partition("?")[0]
            return Request(head.method.decode("latin-1"), path, headers, bytes(body))
        else:
            return None


def _send(connection: h11.Connection, writer: asyncio.StreamWriter, response: Response) -> None:
    headers = {"content-type": "application/json", "content-length": str(len(response.body)), **response.headers}
    head = h11.Response(status_code=response.status, headers=list(headers.items()))
    parts = [connection.send(head)]
    if response.is_cut:
        parts.append(connection.send(h11.Data(data=response.body[: len(response.body) // 2])))
    else:
        parts += [connection.send(h11.Data(data=response.body)), connection.send(h11.EndOfMessage())]
    # One write: the answer arrives as a whole, as most servers send it.
    writer.write(b"".join(part for part in parts if part))
