"""One attempt at one call over HTTP: timed from the first byte sent to the last byte received."""

import asyncio
import http.cookiejar
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import httpx
import msgspec

from vsr.asking.answers import (
    NoJsonError,
    UnreadableAnswerError,
    decode_json,
    end_of_first_token,
    read_response,
    stream_of,
)
from vsr.asking.connections import Connections, UnusableRouteError
from vsr.asking.models import Target
from vsr.asking.secrets import Secrets
from vsr.asking.transport import Connection, OversizedAnswerError
from vsr.providers.call import Answer, ChatRequest, ErrorKind, FailedCall
from vsr.providers.errors import failure_of_status

_LONGEST_CONNECT_S = 15.0
_MOST_LARGE_BODIES = 8
# What an error response says is for people; its beginning is enough where it is no JSON.
_LONGEST_TEXT = 100_000
_STREAM_OR_JSON = "text/event-stream, application/json, application/x-ndjson"


@dataclass(frozen=True)
class Timed:
    """What one attempt brought.

    Attributes:
        outcome: the answer, or why there is none.
        latency_s: from sending the request to the last byte of the answer, without the time that the server says it
            spent on loading weights; for a time-out the limit; None where nothing came back.
        first_token_s: likewise to the first text of a streamed answer; None where it was not streamed.
    """

    outcome: Answer | FailedCall
    latency_s: float | None
    first_token_s: float | None = None


class ChatClient:
    """The one HTTP client of a run; use it as an asynchronous context."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Prepare the client.

        Args:
            secrets: texts that no answer and no message of a failure may hold, though a server says them.
        """
        self._secrets = Secrets(secrets)
        self._large_bodies = asyncio.Semaphore(_MOST_LARGE_BODIES)
        self._client = httpx.AsyncClient(
            # A key is bound to its host: nothing follows a redirect, and no server is told what another one said.
            follow_redirects=False,
            cookies=http.cookiejar.CookieJar(http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
            transport=Connections(),
            timeout=None,  # noqa: S113 every attempt has a limit on the whole, below
            headers={
                "User-Agent": "vsr-train",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
            },
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def ask(self, target: Target, request: ChatRequest) -> Timed:
        """Send a request once and read what comes back.

        Returns:
            The answer or the failure; nothing is raised for what servers and networks do.
        """
        timed = await self._attempt(target, request)
        return replace(timed, outcome=self._secrets.without(timed.outcome))

    async def _attempt(self, target: Target, request: ChatRequest) -> Timed:
        latency_s: float | None = None
        arrivals: list[tuple[int, float]] = []
        try:
            content = msgspec.json.encode(target.provider.body(request))
            async with asyncio.timeout(target.timeout_s) as limit:
                response, body, latency_s = await self._exchange(
                    target, content, arrivals if request.is_streamed else None
                )
                outcome = _read(target, response, body)
                if (moment := limit.when()) is not None and asyncio.get_running_loop().time() > moment:
                    raise TimeoutError  # noqa: TRY301 reading is part of the call
        except TimeoutError:
            message = f"no whole answer within {target.timeout_s:g} s"
            return Timed(FailedCall(ErrorKind.TIMEOUT, message, is_retryable=True), target.timeout_s)
        except Exception as error:  # whatever one answer does to us costs that call alone
            return Timed(_failure_of(error), latency_s)
        first_token_s = _first_token_s(body, arrivals) if isinstance(outcome, Answer) else None
        if isinstance(outcome, Answer) and latency_s is not None and outcome.load_s <= latency_s:
            latency_s -= outcome.load_s
            first_token_s = None if first_token_s is None else max(first_token_s - outcome.load_s, 0.0)
        return Timed(outcome, latency_s, first_token_s)

    async def _exchange(
        self, target: Target, content: bytes, arrivals: list[tuple[int, float]] | None
    ) -> tuple[httpx.Response, bytes, float]:
        # Shorter than the limit on the whole, so that a host that does not answer the door is no slow model.
        connect_s = min(_LONGEST_CONNECT_S, 0.9 * target.timeout_s)
        request = self._client.build_request(
            "POST",
            target.url,
            content=content,
            headers=target.headers if arrivals is None else {**target.headers, "Accept": _STREAM_OR_JSON},
            timeout=httpx.Timeout(None, connect=connect_s),
            extensions={"ca_file": target.ca_file},
        )
        response = await self._client.send(request, stream=True)
        try:
            connection = response.extensions["network_stream"]
            assert isinstance(connection, Connection)
            body = await read_response(
                response,
                target.largest_response,
                self._large_bodies,
                None if arrivals is None else lambda n: arrivals.append((n, connection.exchange_s)),
            )
        finally:
            await response.aclose()
        return response, body, connection.exchange_s


def _first_token_s(body: bytes, arrivals: list[tuple[int, float]]) -> float | None:
    """Return when the first text of a streamed answer was there; `arrivals` says how much had come when."""
    end = end_of_first_token(body) if arrivals else None
    return None if end is None else next((seconds for n_bytes, seconds in arrivals if n_bytes >= end), None)


def _read(target: Target, response: httpx.Response, body: bytes) -> Answer | FailedCall:
    if response.is_redirect:
        elsewhere = response.headers.get("location", "elsewhere")
        message = (
            f"{target.url} redirects to {elsewhere}: not followed, since a key belongs to its host; correct `address`"
        )
        return FailedCall(ErrorKind.ENDPOINT_DOWN, message, hopeless="endpoint")
    if not response.is_success:
        try:
            said = decode_json(body)
        except UnreadableAnswerError:
            said = body[:_LONGEST_TEXT].decode("utf-8", "replace")
        return failure_of_status(response.status_code, said, response.headers)
    try:
        payload = decode_json(body)
    except NoJsonError:
        pieces = stream_of(body)
        if pieces is None:
            raise
        payload = target.provider.joined(pieces)
        if payload is None:
            raise UnreadableAnswerError("it is a stream without its end") from None
    return target.provider.answer(payload)


def _failure_of(error: Exception) -> FailedCall:
    """Say in plain words what went wrong, and whether it may go better in a moment."""
    said = str(error).strip() or type(error).__name__
    if isinstance(error, UnreadableAnswerError | OversizedAnswerError):
        return FailedCall(ErrorKind.INVALID_ANSWER, f"the answer cannot be understood: {said}")
    if isinstance(error, UnusableRouteError):
        return FailedCall(ErrorKind.ENDPOINT_DOWN, f"no connection: {said}", hopeless="endpoint")
    if isinstance(error, httpx.InvalidURL | httpx.LocalProtocolError | UnicodeEncodeError):
        message = f"the request could not be sent: {type(error).__name__}: {said}"
        return FailedCall(ErrorKind.ENDPOINT_DOWN, message, hopeless="endpoint")
    if isinstance(error, httpx.TransportError):
        is_cut = isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
        what = "the connection was cut" if is_cut else "no connection"
        return FailedCall(ErrorKind.ENDPOINT_DOWN, f"{what}: {said}", is_retryable=True)
    return FailedCall(ErrorKind.INVALID_ANSWER, f"the answer cannot be understood: {type(error).__name__}: {said}")
