"""A chat server that costs next to nothing: it answers every request with the same bytes, after a fixed wait.

    python benches/python/instant_server.py [--wait-ms 200] [--fail-every 3]

It prints its port and serves until it is killed. Every request whose number is divisible by `--fail-every` gets a 503
at once.
"""

import argparse
import asyncio
import json

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Let me think. 17 + 25 is 42.\n\nThe answer is (B)."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 40, "completion_tokens": 18, "total_tokens": 58},
    }
).encode()
ERROR = b'{"error": {"message": "overloaded"}}'


def response(status: str, body: bytes) -> bytes:
    """Return a whole HTTP response."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Instant(asyncio.Protocol):
    """One connection; requests come one after the other and with a Content-Length."""

    n_requests = 0
    wait_s = 0.0
    fail_every = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head[head.find(b"content-length:") + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            Instant.n_requests += 1
            if self.fail_every and Instant.n_requests % self.fail_every == 0:
                self._transport.write(response("503 Service Unavailable", ERROR))
            elif self.wait_s:
                loop = asyncio.get_running_loop()
                loop.call_later(self.wait_s, self._transport.write, response("200 OK", ANSWER))
            else:
                self._transport.write(response("200 OK", ANSWER))


async def serve() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wait-ms", type=float, default=0.0)
    parser.add_argument("--fail-every", type=int, default=0)
    options = parser.parse_args()
    Instant.wait_s, Instant.fail_every = options.wait_ms / 1000, options.fail_every
    asyncio.run(serve())
