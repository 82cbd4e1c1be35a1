"""One attempt at one call over HTTP: timed from the first byte sent to the last byte received."""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

import httpx
import msgspec

from vsr.asking.call import Answer, ChatRequest, ErrorKind, FailedCall
from vsr.asking.connections import SmallPools
from vsr.asking.models import Target
from vsr.asking.providers.errors import failure_of_status
from vsr.asking.transport import TimedStream

# An answer of this size is no answer; reading on would fill the memory.
_LARGEST_BODY = 64 << 20
_LONGEST_CONNECT_S = 15.0

_LONE_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)

_encode = msgspec.json.encode
_decode = msgspec.json.decode


@dataclass(frozen=True)
class Timed:
    """What one attempt brought.

    Attributes:
        outcome: the answer, or why there is none.
        latency_s: from sending the request to the last byte of the answer, without the time that the server says it
            spent on loading weights; for a time-out the limit; None where nothing came back.
    """

    outcome: Answer | FailedCall
    latency_s: float | None


class ChatClient:
    """The one HTTP client of a run; use it as an asynchronous context."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        """Prepare the client.

        Args:
            secrets: texts that no message of a failure may hold, though a server says them.
        """
        self._secrets = tuple(secrets)
        self._client = httpx.AsyncClient(
            # A key is bound to its host: nothing follows a redirect.
            follow_redirects=False,
            transport=SmallPools(),
            timeout=None,  # noqa: S113 every attempt has a limit on the whole, below
            headers={"User-Agent": "vsr-train", "Content-Type": "application/json", "Accept": "application/json"},
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
        if isinstance(timed.outcome, FailedCall):
            return replace(timed, outcome=timed.outcome.without(self._secrets))
        return timed

    async def _attempt(self, target: Target, request: ChatRequest) -> Timed:
        content = _encode(target.provider.body(request))
        try:
            async with asyncio.timeout(target.timeout_s):
                response, body, latency_s = await self._exchange(target, content)
        except TimeoutError:
            message = f"no whole answer within {target.timeout_s:g} s"
            return Timed(FailedCall(ErrorKind.TIMEOUT, message, is_retryable=True), target.timeout_s)
        except httpx.ConnectTimeout:
            message = f"no connection within {_LONGEST_CONNECT_S:g} s"
            return Timed(FailedCall(ErrorKind.ENDPOINT_DOWN, message, is_retryable=True), None)
        except httpx.TransportError as error:
            return Timed(FailedCall(ErrorKind.ENDPOINT_DOWN, _connection_problem(error), is_retryable=True), None)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            message = f"the request could not be sent: {type(error).__name__}: {error}"
            return Timed(FailedCall(ErrorKind.ENDPOINT_DOWN, message, hopeless="endpoint"), None)
        outcome = _read(target, response, body)
        if isinstance(outcome, Answer):
            latency_s = max(0.0, latency_s - outcome.load_s)
        return Timed(outcome, latency_s)

    async def _exchange(self, target: Target, content: bytes) -> tuple[httpx.Response, bytes, float]:
        # Shorter than the limit on the whole, so that a host that does not answer the door is no slow model.
        connect_s = min(_LONGEST_CONNECT_S, 0.9 * target.timeout_s)
        request = self._client.build_request(
            "POST",
            target.url,
            content=content,
            headers=target.headers,
            timeout=httpx.Timeout(None, connect=connect_s),
        )
        response = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LARGEST_BODY:
                    break
            stream = response.extensions["network_stream"]
            assert isinstance(stream, TimedStream)
            latency_s = stream.exchange_s
        finally:
            await response.aclose()
        return response, bytes(body), latency_s


def _read(target: Target, response: httpx.Response, body: bytes) -> Answer | FailedCall:
    payload, is_json = _decoded(body)
    if response.is_redirect:
        elsewhere = response.headers.get("location", "elsewhere")
        message = (
            f"{target.url} redirects to {elsewhere}: not followed, since a key belongs to its host; correct `address`"
        )
        return FailedCall(ErrorKind.ENDPOINT_DOWN, message, hopeless="endpoint")
    if not response.is_success:
        return failure_of_status(response.status_code, payload, response.headers)
    if len(body) > _LARGEST_BODY:
        return FailedCall(ErrorKind.INVALID_ANSWER, f"the answer is larger than {_LARGEST_BODY >> 20} MiB")
    if not is_json:
        return FailedCall(ErrorKind.INVALID_ANSWER, "the answer cannot be understood: it is no JSON")
    return target.provider.answer(payload)


def _decoded(body: bytes) -> tuple[object, bool]:
    """Return the decoded JSON, or the text of what is none.

    Half a character (an emoji that the limit cut in two, written as one surrogate) does not spoil an answer.
    """
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        return _decode(body), True
    text = body.decode("utf-8", "replace")
    with contextlib.suppress(msgspec.DecodeError):
        return _decode(_LONE_SURROGATE.sub(r"\\ufffd", text)), True
    return text[:4000], False


def _connection_problem(error: httpx.TransportError) -> str:
    """Say in plain words what went wrong with a connection."""
    said = str(error).strip() or str(error.__cause__ or "").strip()
    if isinstance(error, httpx.ConnectError):
        return f"no connection: {said or 'refused'}"
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return f"the connection was cut: {said or type(error).__name__}"
    return f"{type(error).__name__}: {said}"
