"""When a streamed answer begins, over real sockets with servers that take their time."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from servers.scripted import config_for
from vsr.asking.answers import end_of_first_token
from vsr.asking.queue import RetryPolicy
from vsr.benchmark.plan import make_plan
from vsr.benchmark.runner import RunSettings, run_benchmark
from vsr.data.outcomes import Outcomes
from vsr.data.records import Query, read_records

PAUSE_S = 0.3


def event(delta: dict[str, Any] | None, **more: Any) -> bytes:
    choice = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": more.pop("finish_reason", None)}]
    return b"data: " + json.dumps({"choices": choice, **more}).encode() + b"\n\n"


OPENAI = (
    event({"role": "assistant", "content": ""}),
    None,
    event({"content": "The answer"}),
    None,
    event({"content": " is 4."})
    + event({}, finish_reason="stop")
    + event(None, usage={"prompt_tokens": 7, "completion_tokens": 5})
    + b"data: [DONE]\n\n",
)
THINKING = (
    event({"role": "assistant", "content": None}),
    None,
    event({"reasoning_content": "Hm."}),
    None,
    event({"content": "The answer is 4."}, finish_reason="stop") + b"data: [DONE]\n\n",
)
OLLAMA = tuple(
    None if piece is None else (json.dumps(piece) + "\n").encode()
    for piece in (
        {"message": {"role": "assistant", "content": ""}, "done": False},
        None,
        {"message": {"role": "assistant", "content": "The answer is 4."}, "done": False},
        None,
        {
            "message": {"role": "assistant", "content": ""},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 7,
            "eval_count": 5,
            "load_duration": 100_000_000,
        },
    )
)


@contextmanager
def streaming(script: tuple[bytes | None, ...]) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """A server that answers every request with the pieces of a script; None is a pause."""
    asked: list[dict[str, Any]] = []
    loop = asyncio.new_event_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        body = json.loads(await reader.readexactly(length))
        asked.append(body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for piece in script:
            if piece is None:
                await asyncio.sleep(PAUSE_S)
            else:
                writer.write(piece)
                await writer.drain()
        writer.close()

    listening = socket.create_server(("127.0.0.1", 0))

    async def serve() -> None:
        async with await asyncio.start_server(answer, sock=listening):
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield listening.getsockname()[1], asked
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def run(script: tuple[bytes | None, ...], kind: str, out: Path, *, measure: bool = True) -> tuple[Any, Any]:
    with streaming(script) as (port, asked):
        endpoints = [{"name": "one", "address": "127.0.0.1", "port": port, "type": kind}]
        config = config_for(endpoints, {"a": {"preferred_endpoints": ["one"]}})
        plan = make_plan([Query("2 + 2?", "math", "4")], config, environment={})
        run_benchmark(plan, out, RunSettings(RetryPolicy(), measure_first_token=measure))
    (line,) = out.read_text().splitlines()
    return json.loads(line), asked


@pytest.mark.parametrize(
    ("kind", "script", "asked_for"),
    [
        ("vllm", OPENAI, {"stream": True, "stream_options": {"include_usage": True}}),
        ("vllm", THINKING, {"stream": True}),
        ("ollama", OLLAMA, {"stream": True}),
    ],
)
def test_the_time_to_the_first_text_is_measured(
    kind: str, script: tuple[bytes | None, ...], asked_for: dict[str, Any], tmp_path: Path
) -> None:
    record, asked = run(script, kind, tmp_path / "r.jsonl")
    assert all(body.items() >= asked_for.items() for body in asked)
    load_s = 0.1 if kind == "ollama" else 0.0
    first_s, all_s = record["time_to_first_token"], record["response_time"]
    assert PAUSE_S - load_s <= first_s < 2 * PAUSE_S - load_s
    assert all_s - first_s >= PAUSE_S * 0.9
    assert record["response"] == "The answer is 4."
    assert record["performance"] == 1.0
    if script is not THINKING:
        assert (record["input_tokens"], record["output_tokens"]) == (7, 5)
    held = Outcomes.from_records(read_records(tmp_path / "r.jsonl")).tokens
    assert held is not None
    assert held.first_token_s.tolist() == [[first_s]]


def test_nothing_is_streamed_or_measured_unasked(tmp_path: Path) -> None:
    record, asked = run(OPENAI, "vllm", tmp_path / "r.jsonl", measure=False)
    assert "time_to_first_token" not in record
    assert not any("stream" in body for body in asked)


def test_a_server_that_does_not_stream_is_not_measured(tmp_path: Path) -> None:
    whole = {"choices": [{"message": {"content": "The answer is 4."}, "finish_reason": "stop"}]}
    record, _ = run((None, json.dumps(whole).encode()), "vllm", tmp_path / "r.jsonl")
    assert record["response"] == "The answer is 4."
    assert record["response_time"] >= PAUSE_S


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (b"", None),
        (b'data: {"choices": []}\n\n', None),
        (b': ping\n\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n', 54),
        (b'data: {broken\n\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\n', None),
        (b'{"message":{"content":""}}\n{"message":{"thinking":"a"}}\n', 56),
    ],
)
def test_where_the_first_text_ends(body: bytes, end: int | None) -> None:
    assert end_of_first_token(body) == end
