"""The two protocols that the pool speaks, from the server's side."""

import itertools
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

_numbers = itertools.count(1)


@dataclass(frozen=True)
class ChatCall:
    """A chat request, whatever its protocol.

    Attributes:
        model: which model is asked.
        prompt: the text of the last message of the user.
        max_tokens: longest answer; None for no limit.
        is_streamed: whether the answer is wanted piece by piece.
        temperature: above 0, asking again gives another answer.
        has_schema: whether the answer is wanted in the form of a JSON schema.
    """

    model: str
    prompt: str
    max_tokens: int | None
    is_streamed: bool = False
    temperature: float = 0.0
    has_schema: bool = False


class Spoken(Protocol):
    """A protocol as the server sees it."""

    stream_type: str
    """The content type of an answer in pieces."""

    def read(self, payload: object) -> ChatCall:
        """Read a request.

        Raises:
            ValueError: Something is missing; the message says what.
        """
        ...

    def answer(
        self, call: ChatCall, text: str, n_input: int, n_output: int, is_long: bool, latency_s: float
    ) -> dict[str, object]:
        """Write an answer."""
        ...

    def pieces(self, answer: dict[str, object]) -> bytes:
        """Write the same answer piece by piece, as it is streamed."""
        ...

    def error(self, message: str, code: str) -> dict[str, object]:
        """Write an error."""
        ...


def spoken_at(path: str) -> Spoken | None:
    """Return the protocol that is spoken at a path."""
    if path in ("/v1/chat/completions", "/api/v1/chat/completions"):
        return _OpenAI()
    return _Ollama() if path == "/api/chat" else None


def _read(
    payload: object,
    max_tokens: object,
    temperature: object = None,
    *,
    is_streamed: bool,
    has_schema: bool = False,
) -> ChatCall:
    if not isinstance(payload, dict) or not isinstance(payload.get("model"), str):
        raise ValueError("`model` is missing")  # noqa: TRY004 one error for all that can be wrong
    messages = payload.get("messages")
    texts = [
        _text(message.get("content"))
        for message in (messages if isinstance(messages, list) else [])
        if isinstance(message, dict) and message.get("role") == "user"
    ]
    if not texts:
        raise ValueError("`messages` holds no message of the user")
    is_limit = isinstance(max_tokens, int) and not isinstance(max_tokens, bool) and max_tokens > 0
    longest = int(str(max_tokens)) if is_limit else None
    heat = float(temperature) if isinstance(temperature, int | float) else 0.0
    return ChatCall(payload["model"], texts[-1], longest, is_streamed, heat, has_schema)


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _words(text: str) -> Iterator[str]:
    """Split a text into pieces that make it up again."""
    return iter(re.findall(r"\S+\s*|\s+", text))


class _OpenAI:
    """https://platform.openai.com/docs/api-reference/chat."""

    stream_type = "text/event-stream"

    def read(self, payload: object) -> ChatCall:
        """Read a request to `/v1/chat/completions`."""
        if not isinstance(payload, dict):
            return _read(payload, None, is_streamed=False)
        limit = payload.get("max_completion_tokens", payload.get("max_tokens"))
        temperature, has_schema = payload.get("temperature"), bool(payload.get("response_format"))
        return _read(payload, limit, temperature, is_streamed=bool(payload.get("stream")), has_schema=has_schema)

    def answer(
        self, call: ChatCall, text: str, n_input: int, n_output: int, is_long: bool, _latency_s: float
    ) -> dict[str, object]:
        """Write a chat completion."""
        return {
            "id": f"chatcmpl-simulated-{next(_numbers)}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": call.model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "logprobs": None,
                    "finish_reason": "length" if is_long else "stop",
                }
            ],
            "usage": {"prompt_tokens": n_input, "completion_tokens": n_output, "total_tokens": n_input + n_output},
        }

    def pieces(self, answer: dict[str, object]) -> bytes:
        """Write server-sent events: chunks with a `delta` each, the usage, and `[DONE]`."""
        chunk = {**answer, "object": "chat.completion.chunk", "usage": None}
        choice = answer["choices"][0]  # type: ignore[index]
        deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
        deltas += [({"content": word}, None) for word in _words(choice["message"]["content"])]
        deltas.append(({}, choice["finish_reason"]))
        chunks: list[dict[str, object]] = [
            {**chunk, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
            for delta, reason in deltas
        ]
        chunks.append({**chunk, "choices": [], "usage": answer["usage"]})
        return b"".join(b"data: %s\n\n" % msgspec.json.encode(each) for each in chunks) + b"data: [DONE]\n\n"

    def error(self, message: str, code: str) -> dict[str, object]:
        """Write an error object."""
        kind = "invalid_request_error" if code != "server_error" else code
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}


class _Ollama:
    """https://github.com/ollama/ollama/blob/main/docs/api.md."""

    stream_type = "application/x-ndjson"

    def read(self, payload: object) -> ChatCall:
        """Read a request to `/api/chat`; this protocol streams unless it is told not to."""
        if not isinstance(payload, dict):
            return _read(payload, None, is_streamed=False)
        options = payload.get("options")
        wishes = options if isinstance(options, dict) else {}
        limit, temperature = wishes.get("num_predict"), wishes.get("temperature")
        is_streamed, has_schema = bool(payload.get("stream", True)), bool(payload.get("format"))
        return _read(payload, limit, temperature, is_streamed=is_streamed, has_schema=has_schema)

    def answer(
        self, call: ChatCall, text: str, n_input: int, n_output: int, is_long: bool, latency_s: float
    ) -> dict[str, object]:
        """Write an answer with its durations in nanoseconds."""
        total = int(latency_s * 1e9)
        return {
            "model": call.model,
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "message": {"role": "assistant", "content": text},
            "done_reason": "length" if is_long else "stop",
            "done": True,
            "total_duration": total,
            "load_duration": 0,
            "prompt_eval_count": n_input,
            "prompt_eval_duration": total // 10,
            "eval_count": n_output,
            "eval_duration": total - total // 10,
        }

    def pieces(self, answer: dict[str, object]) -> bytes:
        """Write a line a piece; the last one has the counts and no text."""
        message: dict[str, str] = answer["message"]  # type: ignore[assignment]
        common = {"model": answer["model"], "created_at": answer["created_at"]}
        lines: list[dict[str, object]] = [
            {**common, "message": {**message, "content": word}, "done": False} for word in _words(message["content"])
        ]
        lines.append({**answer, "message": {**message, "content": ""}})
        return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)

    def error(self, message: str, _code: str) -> dict[str, object]:
        """Write an error text."""
        return {"error": message}


def openai_model(name: str) -> dict[str, object]:
    """Write one model as OpenAI does."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "simulated"}


def openai_models(names: Sequence[str]) -> dict[str, object]:
    """Write the list of models as OpenAI does."""
    return {"object": "list", "data": [openai_model(name) for name in names]}


def ollama_tags(names: Sequence[str]) -> dict[str, object]:
    """Write the list of models as Ollama does."""
    details = {"format": "simulated", "family": "simulated", "parameter_size": "0", "quantization_level": "none"}
    return {
        "models": [
            {"name": name, "model": name, "modified_at": "1970-01-01T00:00:00Z", "size": 0, "details": details}
            for name in names
        ]
    }
