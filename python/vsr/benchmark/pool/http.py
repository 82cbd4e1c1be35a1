"""Just enough of an HTTP/1.1 server for the pool: h11 does the protocol, asyncio the sockets."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import h11

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


async def serve_connection(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    respond: Callable[[Request], Awaitable[Response]],
) -> None:
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
