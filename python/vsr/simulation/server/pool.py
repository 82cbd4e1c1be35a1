"""The pool itself: simulated LLMs that answer the demo's queries over HTTP, right or wrong by their skills."""

import asyncio
import datetime as dt
import email.utils
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import msgspec

from vsr.data.prompts import unique_key
from vsr.errors import ConfigError
from vsr.simulation import SIMULATED_MODELS, DemoQuery, SimulatedJudge, SimulatedModel, answer
from vsr.simulation.judges import Courtroom
from vsr.simulation.models import n_tokens
from vsr.simulation.server import protocols
from vsr.simulation.server.faults import FAULTS_HEADER, Faults, parse_faults
from vsr.simulation.server.http import LoopbackServer, Request, Response
from vsr.simulation.server.protocols import ChatCall, Spoken

_REFUSED_KEY = "wrong-key"
_DRAW_STEP = 1_000_003  # between the seeds of two answers to one query


class SimulatedPool:
    """A server of simulated LLMs on the loopback interface, in a thread of its own; use it as a context.

    It knows the right answers to the queries it is given and answers each as the model's skill has it: the same seed,
    model and query give the same answer, at a temperature above 0 the first time alone. Prompts that it does not know
    get a short greeting. Any key is right but one that begins with `wrong-key`.

        with SimulatedPool(generate_queries(100)) as pool:
            print(pool.address, pool.port)

    Attributes:
        n_requests: how often each path was asked.
        n_faults: how often each fault was made.
        n_asked: how often each model was asked each prompt, by (model, prompt).
    """

    def __init__(
        self,
        queries: Iterable[DemoQuery],
        models: Iterable[SimulatedModel] = SIMULATED_MODELS,
        *,
        judges: Iterable[SimulatedJudge] = (),
        seed: int = 0,
        port: int = 0,
        time_scale: float = 1.0,
        faults: Faults | None = None,
    ) -> None:
        """Prepare the pool; entering the context starts it.

        Args:
            queries: what it can answer.
            models: who answers.
            judges: who says what answers of these models to these queries are worth.
            seed: decides who is right where.
            port: where it listens; 0 takes one that is free.
            time_scale: factor on all latencies.
            faults: what goes wrong how often; nothing by default.
        """
        self.n_requests: Counter[str] = Counter()
        self.n_faults: Counter[str] = Counter()
        self._queries = {unique_key(query.prompt): query for query in queries}
        self._models: dict[str, SimulatedModel | SimulatedJudge] = {model.name: model for model in models}
        answering = [model for model in self._models.values() if isinstance(model, SimulatedModel)]
        self._courtroom = Courtroom(self._queries, answering, seed)
        self._models |= {judge.name: judge for judge in judges}
        self._seed = seed
        self._time_scale = time_scale
        self._faults = faults or Faults()
        self.n_asked: Counter[tuple[str, str]] = Counter()
        self._server = LoopbackServer(self._respond, port)

    @property
    def address(self) -> str:
        """The host that the pool listens on."""
        return self._server.address

    @property
    def port(self) -> int:
        """The port that the pool listens on."""
        return self._server.port

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return self._server.url

    def __enter__(self) -> Self:
        """Start to listen.

        Raises:
            BenchmarkError: The port is taken or may not be used.
        """
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    async def _respond(self, request: Request) -> Response:
        self.n_requests[request.path] += 1
        if request.method == "GET":
            return self._listing(request.path)
        spoken = protocols.spoken_at(request.path)
        if spoken is None or request.method != "POST":
            return _no_such_path(request.path)
        if request.headers.get("authorization", "").removeprefix("Bearer ").startswith(_REFUSED_KEY):
            return _json(401, spoken.error("Incorrect API key provided.", "invalid_api_key"))
        try:
            call = spoken.read(msgspec.json.decode(request.body))
        except (msgspec.DecodeError, ValueError) as error:
            return _json(400, spoken.error(f"the request cannot be read: {error}", "invalid_request_error"))
        model = self._models.get(call.model)
        if model is None:
            return _json(404, spoken.error(f"The model `{call.model}` does not exist.", "model_not_found"))
        return await self._answer(spoken, call, model, request)

    async def _answer(
        self, spoken: Spoken, call: ChatCall, model: SimulatedModel | SimulatedJudge, request: Request
    ) -> Response:
        try:
            wished = request.headers.get(FAULTS_HEADER.lower())
            faults = self._faults if wished is None else parse_faults(wished, self._faults)
        except ConfigError as error:
            return _json(400, spoken.error(str(error), "invalid_request_error"))
        self.n_asked[model.name, call.prompt] += 1
        fault = faults.draw(self._seed, model.name, call.prompt, self.n_asked[model.name, call.prompt])
        if call.has_schema and isinstance(model, SimulatedJudge) and not model.takes_schema:
            return _json(400, spoken.error("response_format is not supported here.", "invalid_request_error"))
        draw = self.n_asked[model.name, call.prompt] - 1 if call.temperature > 0 else 0
        text, latency_s, n_input, n_output = self._said(model, call, draw)
        if call.max_tokens is not None and n_output > call.max_tokens:
            words = text.split()
            text, n_output = " ".join(words[: call.max_tokens]), call.max_tokens
        if fault is not None:
            self.n_faults[fault] += 1
        if fault == "rate_limited":
            return self._rate_limited(spoken, faults)
        if fault == "unauthorized":
            return _json(401, spoken.error("Incorrect API key provided.", "invalid_api_key"))
        if fault == "hang":
            await asyncio.sleep(faults.hang_s)
            return Response(200, is_dropped=True)
        await asyncio.sleep(latency_s * self._time_scale)
        if fault == "server_error":
            return _json(500, spoken.error("The server had an error while processing your request.", "server_error"))
        is_long = call.max_tokens is not None and n_output >= call.max_tokens
        said = spoken.answer(call, text, n_input, n_output, is_long, latency_s)
        body = spoken.pieces(said) if call.is_streamed else msgspec.json.encode(said)
        headers = {"content-type": spoken.stream_type} if call.is_streamed else {}
        if fault == "malformed":
            return Response(200, body[: len(body) // 2], headers)
        return Response(200, body, headers, is_cut=fault == "cut")

    def _said(self, model: SimulatedModel | SimulatedJudge, call: ChatCall, draw: int) -> tuple[str, float, int, int]:
        prompt = call.prompt
        if isinstance(model, SimulatedJudge):
            text = self._courtroom.verdict(model, prompt, as_json=call.has_schema) or "Ready."
            return text, model.latency_s, n_tokens(prompt), n_tokens(text)
        query = self._queries.get(unique_key(prompt))
        if query is None:
            # A wish for the bare answer may stand in a line of its own at the end.
            query = self._queries.get(unique_key(prompt.rpartition("\n\n")[0]))
        if query is None:
            return "Ready.", model.first_token_s, n_tokens(prompt), 1
        said = answer(model, query, self._seed + _DRAW_STEP * draw)
        return said.text, said.latency_s, said.input_tokens, said.output_tokens

    def _rate_limited(self, spoken: Spoken, faults: Faults) -> Response:
        wait = str(faults.retry_after_s)
        if faults.as_date:
            moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=faults.retry_after_s)
            wait = email.utils.format_datetime(moment, usegmt=True)
        body = msgspec.json.encode(spoken.error("Rate limit reached, please slow down.", "rate_limit_exceeded"))
        return Response(429, body, {"retry-after": wait})

    def _listing(self, path: str) -> Response:
        names = list(self._models)
        if path in ("/v1/models", "/api/v1/models"):
            return _json(200, protocols.openai_models(names))
        if path.startswith("/v1/models/") and path.removeprefix("/v1/models/") in self._models:
            return _json(200, protocols.openai_model(path.removeprefix("/v1/models/")))
        if path == "/api/tags":
            return _json(200, protocols.ollama_tags(names))
        if path == "/api/version":
            return _json(200, {"version": "0.0.0"})
        if path in ("/", "/health"):
            return _json(200, {"status": "ok"})
        return _no_such_path(path)


def _no_such_path(path: str) -> Response:
    said = f"no such path: {path}"
    # Ollama's own paths have its form of errors; everybody else reads OpenAI's.
    is_ollamas = path.startswith("/api/") and not path.startswith("/api/v1/")
    return _json(404, {"error": said if is_ollamas else {"message": said, "type": "not_found_error"}})


def _json(status: int, value: object) -> Response:
    return Response(status, msgspec.json.encode(value))
