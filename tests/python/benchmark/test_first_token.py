"""The time to the first token, over real sockets whose answers come piece by piece."""

import asyncio
import gzip
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from servers.scripted import Scripted, always, config_for, endpoint
from vsr.asking.answers import end_of_first_text
from vsr.benchmark.plan import make_plan
from vsr.benchmark.runner import RunSettings, run_benchmark
from vsr.data.outcomes import Outcomes
from vsr.data.records import Query, read_records
from vsr.providers import PROVIDERS

BEFORE_S, AFTER_S = 0.15, 0.25


def event(delta, finish_reason=None):
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}\n\ndata: [DONE]\n\n'
OPENAI = ([event({"role": "assistant", "content": ""})], [event({"content": "The answer "})],
          [event({"content": "is (B)."}), event({}, "stop"), USAGE])  # fmt: skip


def line(content, **more):
    return json.dumps({"message": {"role": "assistant", "content": content}, "done": False} | more).encode() + b"\n"


END = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 4}
OLLAMA = ([], [line("The answer ")], [line("is (B)."), line("", **END, load_duration=100_000_000)])


@dataclass
class Streaming:
    """Sends the head and the first part at once, the second after a wait, the third after another."""

    parts: tuple[list[bytes], list[bytes], list[bytes]]
    is_packed: bool = False

    def __post_init__(self):
        self.bodies = []

    async def respond(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(row[15:]) for row in head.decode().lower().split("\r\n") if row.startswith("content-length:"))
        self.bodies.append(json.loads(await reader.readexactly(length)))
        packed = b"content-encoding: gzip\r\n" if self.is_packed else b""
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n" + packed + b"\r\n")
        for wait_s, part in zip((0.0, BEFORE_S, AFTER_S), self.parts, strict=True):
            await asyncio.sleep(wait_s)
            piece = b"".join(part)
            if self.is_packed:
                piece = b""  # all at the end
            if piece:
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
        if self.is_packed:
            piece = gzip.compress(b"".join(b"".join(part) for part in self.parts))
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()


@contextmanager
def serving(streaming):
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(streaming.respond, "127.0.0.1", 0), loop).result()
    try:
        yield SimpleNamespace(port=server.sockets[0].getsockname()[1])
    finally:

        async def stop():
            server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def measured(server, out, kind="vllm", *, is_measured=True):
    config = config_for([endpoint(server, kind=kind)], {"a": {"preferred_endpoints": ["one"]}})
    plan = make_plan([Query("Which?", "law", "B", metric="em_mc")], config, environment={})
    run_benchmark(plan, out, RunSettings(measures_first_token=is_measured))
    (record,) = [json.loads(row) for row in out.read_text().splitlines()]
    return record


@pytest.mark.parametrize(
    ("kind", "parts", "loading_s", "wish"),
    [
        ("vllm", OPENAI, 0.0, {"stream": True, "stream_options": {"include_usage": True}}),
        ("ollama", OLLAMA, 0.1, {"stream": True}),
    ],
)
def test_the_first_text_is_timed_and_not_the_first_byte(tmp_path, kind, parts, loading_s, wish):
    streaming = Streaming(parts)
    with serving(streaming) as server:
        record = measured(server, tmp_path / "out.jsonl", kind)
    assert wish.items() <= streaming.bodies[-1].items()
    assert (record["response"], record["performance"]) == ("The answer is (B).", 1.0)
    assert (record["input_tokens"], record["output_tokens"]) == (9, 4)
    first = record["time_to_first_token"]
    assert BEFORE_S - loading_s <= first < BEFORE_S - loading_s + 0.2
    assert record["response_time"] - first >= AFTER_S - 0.01
    outcomes = Outcomes.from_records(read_records(tmp_path / "out.jsonl"))
    assert outcomes.tokens is not None
    assert outcomes.tokens.first_token_s.tolist() == [[first]]


def test_a_packed_stream_is_timed_when_it_can_be_read(tmp_path):
    with serving(Streaming(OPENAI, is_packed=True)) as server:
        record = measured(server, tmp_path / "out.jsonl")
    assert BEFORE_S + AFTER_S <= record["time_to_first_token"] <= record["response_time"]


def test_without_the_wish_nothing_is_streamed_and_nothing_timed(tmp_path):
    with Scripted(always("The answer is (B).")) as server:
        record = measured(server, tmp_path / "out.jsonl", is_measured=False)
        assert all("stream" not in seen.body for seen in server.seen)
    assert "time_to_first_token" not in record


def test_a_server_that_answers_in_one_piece_all_the_same_is_not_timed(tmp_path):
    with Scripted(always("The answer is (B).")) as server:
        record = measured(server, tmp_path / "out.jsonl")
        assert all(seen.body["stream"] is True for seen in server.seen)
    assert record["response"] == "The answer is (B)."
    assert "time_to_first_token" not in record


def test_thoughts_are_the_beginning_too_and_a_role_is_not():
    openai, ollama = PROVIDERS["openai"], PROVIDERS["ollama"]
    stream = event({"role": "assistant"}) + event({"reasoning_content": "Hm."}) + event({"content": "B"})
    assert (
        end_of_first_text(stream, openai.has_text)
        == len(event({"role": "assistant"})) + stream[len(event({"role": "assistant"})) :].index(b"\n") + 1
    )
    assert end_of_first_text(event({"role": "assistant"}) + USAGE, openai.has_text) is None
    assert end_of_first_text(line("") + line("B") + line("", **END), ollama.has_text) == len(line("") + line("B"))
    assert end_of_first_text(line("B", **END), ollama.has_text) is None
    for odd in (None, [], {"choices": None}, {"choices": [None, {"delta": 5}]}, {"message": 5}):
        assert not openai.has_text(odd)
        assert not ollama.has_text(odd)
