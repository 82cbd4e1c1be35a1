"""From the bytes of an answer to plain values, within limits: decompressed, decoded, a stream put together."""

import asyncio
import contextlib
import json
import re
import zlib
from collections.abc import Callable, Mapping

import httpx
import msgspec

from vsr.providers.fields import END_OF_STREAM

LARGEST_DEPTH = 64
"""How deep the values of an answer may be nested."""

_LARGE = 1 << 20
_MOST_MARKS = 200_000
_MOST_MARKS_AND_TEXT = 1_000_000
_MARKS = (b"[", b"]", b"{", b"}", b",", b"\n")
_LONGEST_NUMBER = 20
_ACCEPTED = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}

# A string, closed or not, so that one pass over any text comes to its end.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_LONE_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


class UnreadableAnswerError(Exception):
    """An answer that is over a limit or cannot be understood; the text says why."""


# What a model says, thoughts included, in the pieces of the protocols that are known here.
_SAID = ("content", "reasoning_content", "reasoning", "thinking")


class NoJsonError(UnreadableAnswerError):
    """An answer that is no JSON, though it may be a stream of it."""

    def __init__(self) -> None:
        super().__init__("it is no JSON")


async def read_response(
    response: httpx.Response,
    limit: int,
    few: asyncio.Semaphore,
    arrived: Callable[[int], None] | None = None,
) -> bytes:
    """Read the body of a response and decompress it as it comes.

    Args:
        response: its head, from a request that was sent with `stream=True`.
        limit: most bytes that it may have, decompressed.
        few: how many large bodies may be read at a time: the memory of all of them together has a limit, too.
        arrived: told after every piece how many bytes of the body are there, decompressed.

    Raises:
        UnreadableAnswerError: It is larger, damaged, or compressed in a way that was not asked for.
    """
    encoding = response.headers.get("content-encoding", "")
    layers = [layer for layer in re.split(r"[,\s]+", encoding.lower()) if layer not in ("", "identity")]
    if len(layers) > 1 or any(layer not in _ACCEPTED for layer in layers):
        raise UnreadableAnswerError(f"its encoding, '{encoding[:80]}', was not asked for; gzip or deflate, once, was")
    body = bytearray()
    inflate = zlib.decompressobj(_ACCEPTED[layers[0]]) if layers else None
    is_first = True
    async with contextlib.AsyncExitStack() as held:
        is_large = False
        async for piece in response.aiter_raw():
            if inflate is None:
                body += piece
            else:
                if is_first and layers == ["deflate"] and piece[:1] and piece[0] & 0x0F != zlib.DEFLATED:
                    inflate = zlib.decompressobj(-zlib.MAX_WBITS)  # many servers leave out the wrapping
                is_first = False
                body += _inflated(inflate, piece, limit + 1 - len(body))
            if arrived is not None:
                arrived(len(body))
            if len(body) > limit:
                raise UnreadableAnswerError(
                    f"it is larger than {limit / (1 << 20):g} MiB; `max_response_mib` of the endpoint allows more"
                )
            if len(body) > _LARGE and not is_large:
                is_large = True
                await held.enter_async_context(few)
        if inflate is not None and not inflate.eof:
            raise UnreadableAnswerError("its compression breaks off")
        return bytes(body)


def _inflated(inflate: "zlib._Decompress", piece: bytes, limit: int) -> bytes:
    try:
        found = inflate.decompress(piece, limit)
    except zlib.error as error:
        raise UnreadableAnswerError(f"its compression is damaged: {error}") from error
    if inflate.unused_data:
        raise UnreadableAnswerError("more bytes follow the end of its compression")
    return found


def decode_json(body: bytes) -> object:
    """Decode JSON as servers write it: with a byte-order mark, NaN and Infinity, half a character, control characters.

    Raises:
        UnreadableAnswerError: It is no JSON, too deep, or more than fits into memory.
    """
    _check_extent(body)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body.decode(json.detect_encoding(body), "replace")
    try:
        return json.loads(_LONE_SURROGATE.sub(r"\\ufffd", text), strict=False, parse_int=_whole)
    except ValueError as error:
        raise NoJsonError from error


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


def _check_extent(body: bytes) -> None:
    """Refuse what would take the decoder's stack or the memory; strings are looked at only where it matters."""
    n_marks = sum(map(body.count, _MARKS))
    if n_marks <= LARGEST_DEPTH:
        return
    # Texts hold marks, too; taking them out of so many strings takes longer than an answer is worth.
    bare = _STRING.sub(b"", body) if n_marks <= _MOST_MARKS_AND_TEXT else body
    n_marks = sum(map(bare.count, _MARKS))
    if n_marks > _MOST_MARKS:
        raise UnreadableAnswerError(f"it has {n_marks:,} brackets, commas and lines; at most {_MOST_MARKS:,} are read")
    depth = 0
    for bracket in _BRACKET.finditer(bare):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > LARGEST_DEPTH:
            raise UnreadableAnswerError(f"it is nested deeper than {LARGEST_DEPTH} levels")


def stream_of(body: bytes) -> list[object] | None:
    """Return the pieces of an answer that was streamed though nobody asked for it; None where it is no stream.

    Server-sent events (`data: {...}`) and one JSON value a line are read.

    Raises:
        UnreadableAnswerError: A piece cannot be understood.
    """
    _check_extent(body)
    lines = [line.strip() for line in body.removeprefix(b"\xef\xbb\xbf").splitlines()]
    filled = [line for line in lines if line]
    if filled and re.match(rb"(?:data|event|id|retry)?:", filled[0]):
        # The lines of one event belong together; an empty line ends it.
        events: list[bytes] = [b""]
        for line in lines:
            if not line:
                events.append(b"")
            elif line.startswith(b"data:"):
                events[-1] += line.removeprefix(b"data:").strip() + b"\n"
        pieces = [event.strip() for event in events if event.strip()]
    elif len(filled) > 1 and filled[0].startswith(b"{") and filled[0].endswith(b"}"):
        pieces = filled
    else:
        return None
    return [END_OF_STREAM if piece == b"[DONE]" else decode_json(piece) for piece in pieces]


def end_of_first_token(body: bytes) -> int | None:
    """Return how many bytes of a streamed answer have come when its first text is there; None where there is none.

    Pieces without text do not count: many servers say who speaks before the model has read the prompt.
    """
    end = 0
    for line in body.splitlines(keepends=True):
        end += len(line)
        text = line.strip().removeprefix(b"data:").strip()
        if not text.startswith(b"{"):
            continue
        try:
            piece = decode_json(text)
        except UnreadableAnswerError:
            return None
        if isinstance(piece, dict) and _has_text(piece):
            return end
    return None


def _has_text(piece: Mapping[str, object]) -> bool:
    choices = piece.get("choices")
    holders = [piece, *(choices if isinstance(choices, list) else [])]
    for holder in holders:
        for name in ("delta", "message"):
            said = holder.get(name) if isinstance(holder, dict) else None
            if isinstance(said, dict) and any(said.get(kind) for kind in _SAID):
                return True
    return False
