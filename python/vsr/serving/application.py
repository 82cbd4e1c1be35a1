"""The paths of the server, and who may use them."""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from vsr.errors import OutputError, VsrError
from vsr.integrations.opentelemetry import trace_answer
from vsr.serving.batches import Batches
from vsr.serving.bodies import BodyOfSession
from vsr.serving.openapi import FEEDBACK_CODES, SESSION_HEADER, openapi_document
from vsr.serving.service import Service
from vsr.serving.settings import ServeSettings

_LOGGER = logging.getLogger(__name__)
_JSON = "application/json"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"
_FREE = frozenset({"/healthz", "/readyz"})
_LONGEST_SESSION = 256
_encode = msgspec.json.Encoder().encode
_Answer = TypeVar("_Answer")

Endpoint = Callable[[Request], Awaitable[Response]]


class _RefusedError(Exception):
    """A request that is not answered as it wishes."""

    def __init__(self, code: int, message: str, **more: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.content = {"error": message, **more}


class Application:
    """The ASGI application of a service.

    Attributes:
        service: what answers.
        settings: whom it answers.
        is_draining: whether the server is about to end; `/readyz` says so.
    """

    def __init__(self, service: Service, settings: ServeSettings) -> None:
        """Lay the paths."""
        self.service = service
        self.settings = settings
        self.is_draining = False
        self._batches = Batches(service.pool, service.answer)
        self._n_in_flight = 0
        self._held_bytes = 0
        self._own_hosts = settings.own_hosts
        self._key = None if settings.key is None else settings.key.encode()
        self._paths: dict[str, tuple[str, Endpoint]] = {
            "/v1/select": ("POST", self._select),
            "/v1/feedback": ("POST", self._feedback),
            "/v1/models": ("GET", self._models),
            "/openapi.json": ("GET", self._openapi),
            "/healthz": ("GET", self._healthz),
            "/readyz": ("GET", self._readyz),
            "/metrics": ("GET", self._metrics),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI asks."""
        request = Request(scope, receive)
        path = scope["path"]
        try:
            response = await self._admit(request, path)(request)
        except _RefusedError as refused:
            response = _json(refused.content, refused.code)
        except ClientDisconnect:
            return
        except Exception as error:  # a bug here must not end in a traceback over there
            _LOGGER.error("%s: %s: %s", path, type(error).__name__, error)  # noqa: TRY400 -- one line
            response = _json({"error": "an error of the server; its log says more"}, 500)
        self.service.metrics.answered(path if path in self._paths else "other", response.status_code)
        await response(scope, receive, send)

    def _admit(self, request: Request, path: str) -> Endpoint:
        """Find what answers a path, and refuse who has no business there."""
        if path not in _FREE:
            self._admit_caller(request)
        found = self._paths.get(path)
        if found is None:
            raise _RefusedError(404, f"there is no such path; expected one of {', '.join(self._paths)}")
        method, endpoint = found
        if request.method != method and (request.method, method) != ("HEAD", "GET"):
            raise _RefusedError(405, f"{request.method} {path}: expected {method}")
        return endpoint

    def _admit_caller(self, request: Request) -> None:
        """Refuse a web page that reaches a local server, and a stranger without the key."""
        if self._own_hosts is not None and _name(request.headers.get("host", "")) not in self._own_hosts:
            raise _RefusedError(
                421, f"the Host header names another machine; expected {', '.join(sorted(self._own_hosts))}"
            )
        if self._key is not None:
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            known = hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), self._key)
            if scheme.lower() != "bearer" or not known:
                raise _RefusedError(401, "expected the key of this server: Authorization: Bearer KEY")

    async def _select(self, request: Request) -> Response:
        session = request.headers.get(SESSION_HEADER) or None
        if session is not None and len(session) > _LONGEST_SESSION:
            raise _RefusedError(
                400, f"{SESSION_HEADER} has {len(session):,} characters; expected at most {_LONGEST_SESSION}"
            )
        content = await self._work(request, lambda body: self._batches.answer(BodyOfSession.of(body, session)))
        trace_answer(content)
        return _response(content)

    async def _feedback(self, request: Request) -> Response:
        feedback = self.service.feedback
        if feedback is None:
            raise _RefusedError(404, "this server keeps no feedback; start it with --log DIR, where that is kept")
        loop = asyncio.get_running_loop()
        receipts, is_list = await self._work(
            request,
            lambda body: loop.run_in_executor(self.service.pool, self.service.take_feedback, feedback, body),
        )
        return _json(receipts) if is_list else _json(receipts[0], FEEDBACK_CODES[receipts[0].outcome])

    async def _work(self, request: Request, work: Callable[[bytes], Awaitable[_Answer]]) -> _Answer:
        """Read the body of a request and work on it, as far as there is room."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            raise _RefusedError(415, f"expected Content-Type: {_JSON}")
        if self._n_in_flight >= self.settings.max_in_flight:
            raise self._overloaded()
        self._n_in_flight += 1
        self.service.metrics.in_flight.set(self._n_in_flight)
        held = _Held(self)
        try:
            body = await self._body(request, held)
            return await work(body)
        except OutputError as error:
            raise _RefusedError(503, str(error)) from error
        except VsrError as error:
            raise _RefusedError(400, str(error)) from error
        finally:
            held.release()
            self._n_in_flight -= 1
            self.service.metrics.in_flight.set(self._n_in_flight)

    async def _body(self, request: Request, held: "_Held") -> bytes:
        """Read a body, and stop where it is too large, too slow, or more than all bodies together may be."""
        most = self.settings.max_body_bytes
        too_large = _RefusedError(
            413, f"the body has more than {most:,} bytes; send fewer requests at once, or less text"
        )
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced[:20]) > most:
            raise too_large
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(self.settings.body_s):
                async for chunk in request.stream():
                    chunks.append(chunk)
                    held.take(len(chunk))
                    if held.n_bytes > most:
                        raise too_large
                    if self._held_bytes > self.settings.max_held_bytes:
                        raise self._overloaded()
        except TimeoutError:
            raise _RefusedError(408, f"the body did not arrive within {self.settings.body_s:g} s") from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _overloaded(self) -> _RefusedError:
        default = self.service.default()
        return _RefusedError(503, "the server is overloaded; ask the default model, or try again", default=default)

    async def _models(self, _request: Request) -> Response:
        router = self.service.router
        run_id = getattr(router, "run_id", None)
        names = sorted(self.service.known(self.service.current))
        return _json({"models": names, "default": self.service.default(), "run_id": run_id})

    async def _openapi(self, _request: Request) -> Response:
        return _json(openapi_document(has_key=self._key is not None))

    async def _healthz(self, _request: Request) -> Response:
        return _json({"status": "ok"})

    async def _readyz(self, _request: Request) -> Response:
        state = self.service.switch.state
        how = {"routing": state.routing, **({} if state.model is None else {"model": state.model})}
        return _json({"status": "draining", **how}, 503) if self.is_draining else _json({"status": "ok", **how})

    async def _metrics(self, _request: Request) -> Response:
        return Response(self.service.metrics.page(), media_type=None, headers={"content-type": _METRICS})


class _Held:
    """Bytes of a body that is being read or worked on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.n_bytes = 0

    def take(self, n_bytes: int) -> None:
        self.n_bytes += n_bytes
        self._application._held_bytes += n_bytes  # noqa: SLF001 -- one count of two halves

    def release(self) -> None:
        self._application._held_bytes -= self.n_bytes  # noqa: SLF001


def _json(content: Any, code: int = 200) -> Response:  # noqa: ANN401 -- whatever becomes JSON
    return _response(_encode(content), code)


def _response(content: bytes, code: int = 200) -> Response:
    headers = {"content-type": _JSON, "cache-control": "no-store", "x-content-type-options": "nosniff"}
    if code == 401:
        headers["www-authenticate"] = "Bearer"
    if code == 503:
        headers["retry-after"] = "1"
    return Response(content, code, headers)


def _name(host: str) -> str:
    """Take the port off a Host header."""
    name, colon, port = host.strip().lower().rpartition(":")
    return name if colon and port.isdigit() and not name.endswith(":") else host.strip().lower()
