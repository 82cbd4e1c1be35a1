"""One connection: a request goes out, its answer comes back, timed when the operating system hands the bytes over."""

import asyncio
import select
import ssl
import time
from collections.abc import AsyncIterator, Callable

import h11

LARGEST_HEADER = 64 << 10
"""Bytes of status line and headers, everything that comes before the answer proper included."""

# So much is looked at before others have their turn: a flood of tiny chunks takes 1 ms for each 1 KiB.
_PIECE = 4 << 10
_MOST_CHUNKS = 50_000
# More than this waits in the kernel until somebody reads.
_LARGEST_BUFFER = 1 << 20


class OversizedAnswerError(Exception):
    """An answer has more of something than any that means well; the text says what."""


class Connection(asyncio.Protocol):
    """An open connection: h11 knows HTTP/1.1, asyncio the socket.

    With many answers arriving at once, an event loop takes them one after the other: a clock that is read when an
    answer's turn comes shows the queue in the client as latency of the server (measured with 16 at a time: several
    milliseconds). Here the clock is read when the loop hands the bytes over, before any of them is looked at.
    """

    transport: asyncio.Transport

    def __init__(self, on_lost: Callable[["Connection"], None]) -> None:
        """Prepare a connection that asyncio opens.

        Args:
            on_lost: told when it is closed, by either side.
        """
        self._on_lost = on_lost
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=2 * LARGEST_HEADER)
        self._buffer = bytearray()
        self._is_over = False
        self._problem: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._sent_s = 0.0
        self._received_s = 0.0

    @property
    def exchange_s(self) -> float:
        """Seconds from the first byte of the last request to the last byte that has arrived since."""
        return max(0.0, self._received_s - self._sent_s)

    @property
    def has_leftover(self) -> bool:
        """Whether bytes have come that belong to no request: whatever is read from here on may be another's answer."""
        return bool(self._buffer) or bool(self._http.trailing_data[0])

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, the last exchange is complete on both sides, and nothing has come since."""
        is_done = self._http.our_state in (h11.IDLE, h11.DONE) and self._http.their_state in (h11.IDLE, h11.DONE)
        return (
            is_done
            and not self._is_over
            and not self.has_leftover
            and not self.transport.get_write_buffer_size()
            and not self._is_readable()
        )

    def _is_readable(self) -> bool:
        """Whether bytes, or the end, wait in the kernel that the loop has not seen yet."""
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket"), select.POLLIN)
        return bool(poll.poll(0))

    async def ask(self, request: h11.Request, content: bytes) -> h11.Response:
        """Send a request and return the head of its answer.

        Raises:
            OSError: The connection broke.
            OversizedAnswerError: The head is too large.
            h11.ProtocolError: What came is no HTTP.
        """
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        sent = (request, h11.Data(content), h11.EndOfMessage()) if content else (request, h11.EndOfMessage())
        data = b"".join(self._http.send(event) or b"" for event in sent)
        self._sent_s = time.perf_counter()
        # Not waiting for the other side to take it: it may answer before it has read everything.
        self.transport.write(data)
        n_fed = 0
        while not isinstance(event := self._http.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                _check_header(n_fed)
                n_fed += await self._feed()
        _check_header(n_fed - len(self._http.trailing_data[0]))
        return event

    async def body(self) -> AsyncIterator[bytes]:
        """Give the body of the answer as it comes.

        Raises:
            OSError: The connection broke.
            OversizedAnswerError: It comes in too many chunks.
            h11.ProtocolError: What came is no HTTP, or breaks off.
        """
        n_chunks = 0
        while True:
            piece = bytearray()
            while isinstance(event := self._http.next_event(), h11.Data):
                piece += event.data
                n_chunks += 1
            if n_chunks > _MOST_CHUNKS:
                raise OversizedAnswerError(f"it comes in more than {_MOST_CHUNKS:,} chunks")
            if piece:
                yield bytes(piece)
            if event is not h11.NEED_DATA:
                return
            await self._feed()

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on, through a proxy that has opened a tunnel."""
        loop = asyncio.get_running_loop()
        encrypted = await loop.start_tls(self.transport, self, context, server_hostname=host)
        if encrypted is None:
            raise ConnectionResetError("the connection was closed before it was encrypted")
        self.transport = encrypted
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=2 * LARGEST_HEADER)

    async def _feed(self) -> int:
        """Hand the next piece of what has arrived to h11; return its length."""
        if self._buffer:
            await asyncio.sleep(0)  # a flood of tiny chunks must not keep the loop from its clocks
        while not self._buffer and not self._is_over:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if not self._buffer and self._problem is not None:
            raise ConnectionResetError(str(self._problem)) from self._problem
        found = bytes(self._buffer[:_PIECE])
        del self._buffer[:_PIECE]
        if not self._is_over and len(self._buffer) < _LARGEST_BUFFER:
            self.transport.resume_reading()
        self._http.receive_data(found)
        return len(found)

    def abort(self) -> None:
        """Close it, not politely: over TLS that would wait for the other side's goodbye."""
        self._is_over = True
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Note the moment and keep the bytes."""
        self._received_s = time.perf_counter()
        self._buffer += data
        if len(self._buffer) >= _LARGEST_BUFFER:
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """Take the end of the stream as the end of the connection."""
        self._is_over = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake whoever waits; whatever has arrived can still be read."""
        self._is_over = True
        self._problem = exc
        self._wake()
        self._on_lost(self)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


def _check_header(n_bytes: int) -> None:
    if n_bytes > LARGEST_HEADER:
        raise OversizedAnswerError(f"its header is larger than {LARGEST_HEADER >> 10} KiB")
