"""Everything that a server does wrong, one function a fault: what goes over the wire, and what has to come of it.

A fault gives bytes to send, seconds to wait, or `RESET`; it knows no HTTP library, so that nothing is put right for it.
"""

# ruff: noqa: ARG001 every fault is given the request, though few look at it

import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

RESET = object()
Pieces = Iterator[bytes | float | object]


@dataclass(frozen=True)
class Asked:
    """A request as the fault server read it."""

    path: str
    headers: dict[str, str]
    prompt: str

    @property
    def is_ollama(self) -> bool:
        return self.path == "/api/chat"

    def payload(self, text: object = None, n_input: object = 3, n_output: object = 2, **more: object) -> dict[str, Any]:
        """A right answer in the protocol that was asked; it says the prompt again."""
        text = self.prompt if text is None else text
        if self.is_ollama:
            counts = {"prompt_eval_count": n_input, "eval_count": n_output}
            return (
                {"message": {"role": "assistant", "content": text}, "done": True, "done_reason": "stop"} | counts | more
            )
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {"choices": [choice], "usage": {"prompt_tokens": n_input, "completion_tokens": n_output}} | more

    def body(self, *arguments: object, **fields: object) -> bytes:
        return json.dumps(self.payload(*arguments, **fields)).encode()


@dataclass(frozen=True)
class Fault:
    """A fault and what a call has to become: the kind of failure, or `answer` (which says the prompt again).

    Attributes:
        name: as it stands in a prompt.
        send: what goes over the wire.
        becomes: `answer`, or an `ErrorKind`.
        is_soft: whether a whole run may go through it: it neither stops an endpoint nor makes it wait.
        is_heavy: whether it may become a time-out, where many at once meet a busy machine.
    """

    name: str
    send: Callable[[Asked], Pieces]
    becomes: str
    is_soft: bool = True
    is_heavy: bool = False

    def allows(self, kind: str) -> bool:
        """Whether a call may become this."""
        return kind == self.becomes or (self.is_heavy and kind == "timeout")


FAULTS: dict[str, Fault] = {}


def fault(becomes: str, **fields: bool) -> Callable[[Callable[[Asked], Pieces]], Callable[[Asked], Pieces]]:
    def note(send: Callable[[Asked], Pieces]) -> Callable[[Asked], Pieces]:
        FAULTS[send.__name__] = Fault(send.__name__, send, becomes, **fields)
        return send

    return note


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def encoded(name: str, body: bytes) -> bytes:
    return http(body, f"Content-Encoding: {name}")


def failed(status: str, *headers: str) -> bytes:
    return http(b'{"error": {"message": "slow down"}}', *headers, status=status)


@fault("answer")
def nothing_wrong(asked):
    yield http(asked.body())


# Size


@fault("invalid_answer", is_heavy=True)
def huge_body(asked):
    start, end = asked.body("TEXT").split(b"TEXT")
    yield http(b"", length=len(start) + (200 << 20) + len(end)) + start
    for _ in range(200):
        yield b"x" * (1 << 20)
    yield end


@fault("invalid_answer", is_heavy=True)
def endless_chunks(asked):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(400):
        yield b"80000\r\n" + b"y" * 0x80000 + b"\r\n"


@fault("invalid_answer", is_heavy=True)
def a_flood_of_tiny_chunks(asked):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(10):
        yield b"1\r\n \r\n" * 10_000
    yield b"0\r\n\r\n"


@fault("invalid_answer", is_heavy=True)
def gzip_bomb(asked):
    yield encoded("gzip", _BOMB)


@fault("invalid_answer", is_heavy=True)
def deflate_bomb(asked):
    yield encoded("deflate", _DEFLATED_BOMB)


@fault("invalid_answer")
def nested_gzip(asked):
    yield encoded("gzip, gzip", gzip.compress(_BOMB))


@fault("invalid_answer")
def nested_gzip_that_is_not_named(asked):
    yield encoded("gzip", gzip.compress(gzip.compress(asked.body())))


@fault("invalid_answer")
def an_encoding_nobody_asked_for(asked):
    yield encoded("br", b"\x0b\x02\x80hello\x03")


@fault("invalid_answer")
def damaged_gzip(asked):
    body = bytearray(gzip.compress(asked.body()))
    body[len(body) // 2] ^= 0xFF
    body[-6] ^= 0xFF
    yield encoded("gzip", bytes(body))


@fault("invalid_answer")
def gzip_that_breaks_off(asked):
    yield encoded("gzip", gzip.compress(asked.body())[:-12])


@fault("invalid_answer")
def more_after_the_gzip(asked):
    yield encoded("gzip", gzip.compress(asked.body()) + b"\0" * 100_000)


@fault("invalid_answer")
def plain_that_says_gzip(asked):
    yield encoded("gzip", asked.body())


@fault("answer")
def good_gzip(asked):
    yield encoded("gzip", gzip.compress(asked.body()))


@fault("answer")
def good_deflate(asked):
    yield encoded("deflate", zlib.compress(asked.body()))


@fault("answer")
def deflate_without_its_wrapping(asked):
    yield encoded("deflate", zlib.compress(asked.body(), wbits=-15))


@fault("invalid_answer")
def a_header_of_90_kb(asked):
    yield http(asked.body(), f"X-Long: {'h' * 90_000}")


@fault("invalid_answer")
def three_thousand_headers(asked):
    yield http(asked.body(), *[f"X-Number-{n}: {'h' * 16}" for n in range(3000)])


@fault("invalid_answer")
def a_header_without_end(asked):
    yield b"HTTP/1.1 200 OK\r\nX-Long: "
    for _ in range(100):
        yield b"h" * 10_000


@fault("invalid_answer")
def early_hints_without_end(asked):
    for _ in range(3000):
        yield b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"


@fault("answer")
def a_hundred_early_hints(asked):
    yield b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n" * 100 + http(asked.body())


# JSON


@fault("invalid_answer")
def json_of_depth_1000(asked):
    yield http(asked.body(more=0)[:-2] + b"[" * 1000 + b"]" * 1000 + b"}")


@fault("invalid_answer", is_heavy=True)
def json_of_depth_4_million(asked):
    yield http(b"[" * 4_000_000)


@fault("invalid_answer")
def json_of_depth_65(asked):
    yield http(asked.body(more=0)[:-2] + b"[" * 64 + b"]" * 64 + b"}")


@fault("answer")
def json_of_depth_64(asked):
    yield http(asked.body(more=0)[:-2] + b"[" * 63 + b"]" * 63 + b"}")


@fault("answer")
def many_brackets_inside_a_text(asked):
    yield http(asked.body(unread='[[[{"' * 50_000))


@fault("invalid_answer", is_heavy=True)
def two_million_lists(asked):
    yield http(b'{"x": [' + b"[]," * 2_000_000 + b"0]}")


@fault("invalid_answer", is_heavy=True)
def half_a_million_keys(asked):
    yield http(_MANY_KEYS)


@fault("invalid_answer", is_heavy=True)
def an_unclosed_text_full_of_escapes(asked):
    yield http(b'{"x": [[' + b"[" * 70 + b'"' + b'\\"' * 2_000_000)


@fault("invalid_answer", is_heavy=True)
def five_million_lines(asked):
    yield http(b"data: {}\n" + b"\n" * 5_000_000)


@fault("answer")
def numbers_of_5000_digits(asked):
    yield http(asked.body(unread="N").replace(b'"N"', b"9" * 5000))


@fault("answer")
def nan_and_infinity(asked):
    yield http(asked.body(a=float("nan"), b=float("inf"), c=float("-inf")))


@fault("answer")
def a_byte_order_mark(asked):
    yield http(b"\xef\xbb\xbf" + asked.body())


@fault("answer")
def utf_16(asked):
    yield http(json.dumps(asked.payload()).encode("utf-16"))


@fault("answer")
def bytes_that_are_no_utf_8(asked):
    yield http(asked.body(unread="?").replace(b'"?"', b'"\xff\xfe\x80"'))


@fault("answer")
def half_a_surrogate(asked):
    yield http(asked.body(unread="?").replace(b'"?"', rb'"\ud83d and \ude00"'))


@fault("answer")
def raw_line_breaks_in_a_text(asked):
    yield http(asked.body(unread="?").replace(b'"?"', b'"a\nb\tc\x00"'))


@fault("answer")
def a_key_given_twice(asked):
    yield http(b'{"id": 1, "id": {"x": [2]}, ' + asked.body()[1:])


@fault("invalid_answer")
def an_empty_body(asked):
    yield http(b"")


@fault("invalid_answer")
def no_content(asked):
    yield b"HTTP/1.1 204 No Content\r\n\r\n"


@fault("invalid_answer")
def a_page(asked):
    yield http(b"<html><body>Please log in</body></html>", "Content-Type: text/html")


def _wrong(place: str, name: str, value: object) -> None:
    def send(asked: Asked) -> Pieces:
        payload: Any = asked.payload()
        holder = payload if asked.is_ollama else payload["choices"][0]
        if place == "content":
            holder["message"]["content"] = value
        elif place == "message":
            holder["message"] = value
        else:
            payload = value
        yield http(json.dumps(payload).encode())

    FAULTS[f"{place}_is_{name}"] = Fault(f"{place}_is_{name}", send, "invalid_answer")


_ODD = {"a_number": 3, "true": True, "an_object": {"text": "x"}, "nested_lists": [[1]]}
for _name, _odd in _ODD.items():
    _wrong("content", _name, _odd)
for _name, _odd in {"null": None, "a_list": [], "a_text": "x", **_ODD, "an_object": [{}]}.items():
    _wrong("message", _name, _odd)
    _wrong("payload", _name, _odd)
_wrong("payload", "of_wrong_types", {"choices": {}, "message": 1})
_wrong("payload", "of_empty_lists", {"choices": [[]], "message": []})


@fault("answer")
def odd_types_beside_the_answer(asked):
    payload = asked.payload(n_input=[1], n_output={"x": 1})
    odd = {"finish_reason": [1], "done_reason": {}, "logprobs": "x"}
    if asked.is_ollama:
        payload |= odd | {"load_duration": "long", "total_duration": [None]}
        payload["message"] |= {"thinking": [1], "tool_calls": 3}
    else:
        payload["choices"][0] |= odd
        payload["choices"][0]["message"] |= {"reasoning": {"x": 1}, "refusal": 0, "tool_calls": 3}
    yield http(json.dumps(payload).encode())


# Counts


def _counts(name: str, written: str) -> None:
    def send(asked: Asked) -> Pieces:
        yield http(asked.body(None, "N", "N", load_duration="N").replace(b'"N"', written.encode()))

    FAULTS[name] = Fault(name, send, "answer")


COUNTS = {
    "tokens_10_to_the_300": "1" + "0" * 300,
    "tokens_1e300": "1e300",
    "tokens_1e400": "1e400",
    "tokens_negative": "-5",
    "tokens_a_fraction": "2.5",
    "tokens_nan": "NaN",
    "tokens_infinity": "Infinity",
    "tokens_text": '"12"',
    "tokens_true": "true",
    "tokens_10_million_and_1": "10000001",
}
for _name, _written in COUNTS.items():
    _counts(_name, _written)


# Waiting

RETRY_AFTER = {
    "retry_after_absurd": "99999999999999999999",
    "retry_after_400_digits": "9" * 400,
    "retry_after_year_10_to_the_20": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT",
    "retry_after_year_9999": "Fri, 31 Dec 9999 23:59:59 -2359",
    "retry_after_negative": "-1",
    "retry_after_nan": "nan",
    "retry_after_words": "in a while",
    "retry_after_zero": "0",
}


def _retry_after(name: str, said: str) -> None:
    def send(asked: Asked) -> Pieces:
        yield failed("429 Too Many Requests", f"Retry-After: {said}")

    FAULTS[name] = Fault(name, send, "rate_limited", is_soft=False)


for _name, _said in RETRY_AFTER.items():
    _retry_after(_name, _said)


@fault("timeout")
def silence(asked):
    yield 60.0


@fault("timeout")
def a_slow_drip(asked):
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    for _ in range(1000):
        yield b" "
        yield 0.05


@fault("timeout")
def a_slow_header(asked):
    for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"s" * 1000:
        yield bytes([letter])
        yield 0.05


@fault("timeout")
def a_slow_gzip(asked):
    body = gzip.compress(asked.body())
    yield http(b"", "Content-Encoding: gzip", length=len(body))
    for letter in body:
        yield bytes([letter])
        yield 0.05


@fault("timeout")
def a_whole_text_and_no_end(asked):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(asked.body()), asked.body())
    yield 60.0


# Answers and requests


@fault("answer")
def two_answers_at_once(asked):
    yield http(asked.body()) * 2


@fault("answer")
def a_second_answer_right_behind(asked):
    yield http(asked.body())
    yield http(asked.body())


@fault("answer")
def a_second_answer_much_later(asked):
    yield http(asked.body())
    yield 0.05
    yield http(asked.body())


@fault("answer")
def half_a_second_answer(asked):
    yield http(asked.body()) + http(asked.body("another"))[:70]


@fault("answer")
def a_cookie(asked):
    # A client that keeps cookies is told so: its answer is not the prompt.
    text = "a cookie came back" if "cookie" in asked.headers else asked.prompt
    yield http(asked.body(text), "Set-Cookie: session=1; Path=/", "Set-Cookie: other=2; Domain=127.0.0.1")


@fault("endpoint_down", is_soft=False)
def a_redirect(asked):
    yield http(asked.body(), "Location: /v1/chat/completions", status="307 Temporary Redirect")


@fault("endpoint_down", is_soft=False)
def a_redirect_to_nowhere(asked):
    yield http(b"", "Location: http://[::1", status="302 Found")


# Streams that nobody asked for


def events(*values: object, end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(value).encode() for value in values) + end


def pieces_of(asked: Asked) -> list[object]:
    half = len(asked.prompt) // 2
    parts = (asked.prompt[:half], asked.prompt[half:])
    if asked.is_ollama:
        last = asked.payload("")
        return [*({"message": {"role": "assistant", "content": part}, "done": False} for part in parts), last]
    chunks = [{"choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]} for part in parts]
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return [{"choices": [{"index": 0, "delta": {"role": "assistant"}}]}, *chunks, end, {"choices": [], "usage": usage}]


@fault("answer")
def server_sent_events(asked):
    yield http(events(*pieces_of(asked)), "Content-Type: text/event-stream")


@fault("answer")
def server_sent_events_with_comments_and_without_done(asked):
    body = b": ping\r\n\r\nevent: chunk\r\nid: 7\r\n" + events(*pieces_of(asked), end=b"").replace(b"\n", b"\r\n")
    yield http(body)


@fault("answer")
def a_json_value_a_line(asked):
    yield http(b"\n".join(json.dumps(piece).encode() for piece in pieces_of(asked)) + b"\n")


@fault("invalid_answer")
def server_sent_events_that_break_off(asked):
    yield http(events(*pieces_of(asked)[:2], end=b""), "Content-Type: text/event-stream")


@fault("invalid_answer")
def server_sent_events_that_break_off_inside(asked):
    yield http(events(*pieces_of(asked))[:-60])


@fault("endpoint_down")
def server_sent_events_with_an_error(asked):
    yield http(events(*pieces_of(asked)[:2], {"error": {"message": "lost", "code": 502}}))


# Broken HTTP


@fault("endpoint_down")
def a_body_that_breaks_off(asked):
    yield http(asked.body()[:20], length=5000)


@fault("endpoint_down")
def a_connection_reset_inside_the_body(asked):
    yield http(asked.body()[:20], length=5000)
    yield 0.05
    yield RESET


@fault("endpoint_down")
def a_connection_reset_before_the_answer(asked):
    yield RESET


@fault("endpoint_down")
def a_closed_door(asked):
    return
    yield


@fault("invalid_answer")
def a_length_that_is_too_short(asked):
    yield http(asked.body(), length=len(asked.body()) - 5)


@fault("endpoint_down")
def a_negative_length(asked):
    yield http(asked.body(), length=-1)


@fault("endpoint_down")
def a_length_that_is_no_number(asked):
    yield http(b"", "Content-Length: many")


@fault("endpoint_down")
def two_lengths(asked):
    yield http(asked.body(), "Content-Length: 7")


@fault("endpoint_down")
def chunks_that_are_none(asked):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + asked.body()


@fault("endpoint_down")
def a_garbage_status_line(asked):
    yield b"HTTP/1.1 TWO HUNDRED\r\nContent-Length: 2\r\n\r\n{}"


@fault("endpoint_down")
def another_protocol(asked):
    yield b"SSH-2.0-OpenSSH_9.6\r\n"


@fault("endpoint_down")
def bare_json(asked):
    yield asked.body()


@fault("endpoint_down")
def binary_garbage(asked):
    yield bytes(itertools.islice(itertools.cycle(range(256)), 5000))


@fault("endpoint_down")
def a_header_without_a_colon(asked):
    yield http(asked.body(), "no colon here")


@fault("endpoint_down")
def an_upgrade(asked):
    yield b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"


@fault("endpoint_down")
def status_999(asked):
    yield failed("999 Odd")


@fault("endpoint_down", is_heavy=True)
def an_error_of_7_mb(asked):
    yield http(b'{"error": {"message": "%s"}}' % (b"<b>no</b> " * 700_000), status="500 Internal Server Error")


@fault("endpoint_down")
def an_error_of_odd_types(asked):
    yield http(json.dumps({"error": {"message": [{"x": 1}], "code": {}, "metadata": 3}}).encode(), status="503 Busy")


@fault("answer")
def http_1_0(asked):
    yield b"HTTP/1.0 200 OK\r\n\r\n" + asked.body()


@fault("answer")
def header_values_of_odd_bytes(asked):
    yield http(asked.body(), "X-Odd: \xff\xfe", "Content-Type: \xe4")


_BOMB = gzip.compress(bytes(64 << 20))
_DEFLATED_BOMB = zlib.compress(bytes(64 << 20))
_MANY_KEYS = b"{" + b",".join(b'"%x":{}' % n for n in range(500_000)) + b"}"
