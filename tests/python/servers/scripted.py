"""A server on a real socket whose answers a test writes down."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from vsr.config import parse_config
from vsr.simulation.server.http import LoopbackServer, Request, Response


def json_response(value: object, status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): held for name, held in headers.items()}
    return Response(status, json.dumps(value).encode(), named)


def chat(
    text: object = "The answer is (B).", n_input: int = 10, n_output: int = 5, **message: object
) -> dict[str, object]:
    return {
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": n_input, "completion_tokens": n_output, "total_tokens": n_input + n_output},
    }


def error(message: str, code: str | None = None) -> dict[str, object]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


@dataclass(frozen=True)
class Seen:
    path: str
    headers: dict[str, str]
    body: dict[str, object]
    at: float

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])  # type: ignore[index]

    @property
    def model(self) -> str:
        return str(self.body["model"])


@dataclass
class Scripted:
    """Answers by a function of the request; waits first, where it says so."""

    reply: Callable[[Seen], Response | tuple[float, Response]]
    seen: list[Seen] = field(default_factory=list)
    n_open: int = 0
    most_open: int = 0

    def __enter__(self):
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._respond).__enter__()
        return self

    def __exit__(self, *error):
        self._server.__exit__(*error)

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return self._server.url

    def asked(self, *, warm_up: bool = False) -> list[Seen]:
        """The requests, without those that only warm a model up."""
        return [seen for seen in self.seen if warm_up or not is_warm_up(seen)]

    async def _respond(self, request: Request) -> Response:
        seen = Seen(request.path, dict(request.headers), json.loads(request.body), time.monotonic())
        with self._lock:
            self.seen.append(seen)
            self.n_open += 1
            self.most_open = max(self.most_open, self.n_open)
        try:
            response = self.reply(seen)
            if isinstance(response, tuple):
                await asyncio.sleep(response[0])
                response = response[1]
        finally:
            with self._lock:
                self.n_open -= 1
        return response


def is_warm_up(seen: Seen) -> bool:
    return seen.prompt == "Reply with the word ready."


def always(text: str = "The answer is (B).", wait_s: float = 0.0) -> Callable[[Seen], tuple[float, Response]]:
    return lambda _seen: (wait_s, json_response(chat(text)))


def config_for(endpoints: object, models: object, **sections: object):
    """A configuration of endpoints and models that are given as plain values."""
    return parse_config(
        json.dumps({"vllm_endpoints": endpoints, "model_config": models, **sections}), "test.yaml", environment={}
    )


def endpoint(server: object, name: str = "one", kind: str = "vllm", **fields: object) -> dict[str, object]:
    return {"name": name, "address": "127.0.0.1", "port": server.port, "type": kind, **fields}  # type: ignore[attr-defined]
