"""One attempt at one call: what the network can do to it."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time

import pytest
import trustme

from servers.scripted import Scripted, always, chat, json_response
from vsr.asking.client import ChatClient
from vsr.asking.models import Target
from vsr.providers import PROVIDERS
from vsr.providers.call import LONGEST_MESSAGE, Answer, ChatRequest, ErrorKind
from vsr.simulation.server.http import LoopbackServer, Response


def target(url, timeout_s=5.0, fields=None, **headers):
    provider = PROVIDERS["vllm"]
    return Target("a", "one", provider, provider.url(url), "a", headers, "", timeout_s, **(fields or {}))


def ask(*targets, prompt="Question?", at_once=False):
    """Ask one after the other with one client, or all at once."""

    async def go():
        async with ChatClient() as client:
            calls = [client.ask(each, ChatRequest("a", prompt, 10, 0.0)) for each in targets]
            return await asyncio.gather(*calls) if at_once else [await call for call in calls]

    return asyncio.run(go())


class Raw:
    """A server that sends bytes as they are, piece by piece, whatever is asked."""

    def __init__(self, *pieces, pause_s=0.0):
        self.pieces, self.pause_s, self.n_connections = pieces, pause_s, 0

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._listener.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.n_connections += 1
            with connection, contextlib.suppress(ConnectionError):  # the client may hang up
                connection.recv(65536)
                for piece in self.pieces:
                    connection.sendall(piece)
                    time.sleep(self.pause_s)


def test_a_connection_in_the_open_serves_one_request():
    with Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as server:
        ask(*[target(server.url)] * 3)
        assert server.n_connections == 3


def test_many_requests_at_once_each_have_their_own_answer():
    with Scripted(lambda seen: (0.5, json_response(chat(f"to {seen.headers['x-number']}")))) as server:
        targets = [target(server.url, **{"X-Number": str(n)}) for n in range(50)]
        found = ask(*targets, at_once=True)
        assert [timed.outcome.text for timed in found] == [f"to {n}" for n in range(50)]
        assert server.most_open > 30


def test_latency_lasts_to_the_last_byte_and_not_beyond():
    body = b'{"choices": [{"message": {"content": "hi"}}]}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with Raw(head, body[:10], body[10:], pause_s=0.1) as server:
        (timed,) = ask(target(server.url))
    assert isinstance(timed.outcome, Answer)
    assert 0.2 <= timed.latency_s < 0.29


def test_a_busy_client_does_not_look_like_a_slow_server():
    async def go(url):
        async with ChatClient() as client:
            calls = [asyncio.create_task(client.ask(target(url), ChatRequest("a", "p", 10, 0.0))) for _ in range(8)]
            for call in calls:
                call.add_done_callback(lambda _call: time.sleep(0.05))  # whoever handles an answer takes his time
            return await asyncio.gather(*calls)

    with Scripted(always(wait_s=0.2)) as server:
        found = asyncio.run(go(server.url))
    latencies = sorted(timed.latency_s for timed in found)
    assert latencies[4] < 0.36  # read when an answer's turn comes, the clock would show 0.4


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([], "the connection was cut"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"], "the connection was cut"),
        ([b"HTTP/1.1 200 OK\r\nContent-Le"], "the connection was cut"),
        ([b"SSH-2.0-OpenSSH_9.6\r\n"], "the connection was cut"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], "the connection was cut"),
    ],
)
def test_broken_answers_are_tried_again(pieces, said):
    with Raw(*pieces) as server:
        (timed,) = ask(target(server.url))
    assert timed.outcome.kind is ErrorKind.ENDPOINT_DOWN
    assert timed.outcome.is_retryable
    assert said in timed.outcome.message


def test_a_slow_drip_meets_the_limit_on_the_whole():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    with Raw(head, *[b"x"] * 100, pause_s=0.05) as server:
        started = time.monotonic()
        (timed,) = ask(target(server.url, timeout_s=0.3))
    assert time.monotonic() - started < 2.0
    assert (timed.outcome.kind, timed.latency_s) == (ErrorKind.TIMEOUT, 0.3)
    assert timed.outcome.message == "no whole answer within 0.3 s"


def test_an_answer_without_end_does_not_fill_the_memory():
    with Raw(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 60_000] * 50) as server:
        (timed,) = ask(target(server.url, fields={"largest_response": 100_000}))
    assert timed.outcome.kind is ErrorKind.INVALID_ANSWER
    assert "larger than" in timed.outcome.message


def test_nobody_listens_and_no_such_host():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    refused, unknown = ask(target(f"http://127.0.0.1:{port}"), target("http://no-such-host.invalid"))
    for timed in (refused, unknown):
        assert timed.outcome.kind is ErrorKind.ENDPOINT_DOWN
        assert timed.outcome.is_retryable
        assert timed.outcome.message.startswith("no connection: ")


def test_a_door_that_nobody_opens():
    # A full queue of connections: the handshake of the next one is never answered.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        (timed,) = ask(target(f"http://127.0.0.1:{port}", timeout_s=0.5))
        for each in waiting:
            each.close()
    assert timed.outcome.kind in (ErrorKind.ENDPOINT_DOWN, ErrorKind.TIMEOUT)
    assert timed.outcome.is_retryable


def test_answers_may_be_compressed_and_chunked():
    body = b"10\r\n" + b'{"choices": [{"m' + b"\r\n1e\r\n" + b'essage": {"content": "piece"}}]}'[:30] + b"\r\n"
    rest = b'essage": {"content": "piece"}}]}'[30:]
    body += b"%x\r\n" % len(rest) + rest + b"\r\n0\r\n\r\n"
    with Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body) as server:
        (timed,) = ask(target(server.url))
    assert timed.outcome.text == "piece"


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\ude00 cut", "\ufffd cut"),
        (rb"whole \ud83d\ude00 and \ud83d", "whole \U0001f600 and \ufffd"),
        (b"half \xf0\x9f\x98", "half \ufffd"),
    ],
)
def test_half_a_character_does_not_spoil_an_answer(written, text):
    body = b'{"choices": [{"message": {"content": "%s"}}]}' % written
    with Scripted(lambda _seen: Response(200, body)) as server:
        (timed,) = ask(target(server.url))
    assert timed.outcome.text == text


def test_long_prompts_go_through():
    with Scripted(lambda seen: json_response(chat(str(len(seen.prompt))))) as server:
        (timed,) = ask(target(server.url), prompt="x" * 5_000_000)
    assert timed.outcome.text == "5000000"


def test_odd_texts_go_through():
    odd = 'Ünïcödé \u202e right-to-left, emoji 🙂, control \x00\x1f, quotes "\\" and \u2028'
    with Scripted(lambda seen: json_response(chat(seen.prompt))) as server:
        (timed,) = ask(target(server.url), prompt=odd)
    assert timed.outcome.text == odd


def test_shaking_hands_does_not_count(tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def respond(_request):
        await asyncio.sleep(0.1)
        return json_response(chat("safe"))

    with LoopbackServer(respond, tls=context) as server:
        first, second = ask(*[target(server.url)] * 2)
        (plain,) = ask(target(server.url.replace("https", "http")))
    assert (first.outcome.text, second.outcome.text) == ("safe", "safe")
    assert 0.1 <= first.latency_s < 0.2
    assert plain.outcome.kind is ErrorKind.ENDPOINT_DOWN


def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch):
    with Scripted(always("through the proxy")) as proxy, Scripted(always("direct")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        near, far = ask(target(server.url), target("http://far.example.com"))
    assert (near.outcome.text, far.outcome.text) == ("direct", "through the proxy")


@pytest.mark.parametrize("n_before", range(LONGEST_MESSAGE - 40, LONGEST_MESSAGE + 10, 7))
def test_no_part_of_a_key_is_left_where_a_message_is_cut(n_before):
    secret = "sk-0123456789-abcdefghijklmnopqrstuvwxyz"

    async def go(url):
        async with ChatClient([secret]) as client:
            return await client.ask(target(url), ChatRequest("a", "p", 10, 0.0))

    said = {"error": {"message": f"{'x' * n_before} {secret} is no key"}}
    with Scripted(lambda _seen: json_response(said, 401)) as server:
        timed = asyncio.run(go(server.url))
    assert "sk-" not in timed.outcome.message
    assert len(timed.outcome.message) <= LONGEST_MESSAGE


def test_a_dropped_connection_is_replaced():
    n_dropped = [2]

    def reply(_seen):
        if n_dropped[0]:
            n_dropped[0] -= 1
            return Response(200, is_dropped=True)
        return json_response(chat("here"))

    with Scripted(reply) as server:
        found = ask(*[target(server.url)] * 4)
    assert [isinstance(timed.outcome, Answer) for timed in found] == [False, False, True, True]
