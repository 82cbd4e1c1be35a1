"""Logs of requests and answers in OpenAI's form, of the chat, completion or responses API.

A row has the request and the answer, as `request` and `response` (objects, or JSON in a text), or side by side. How
long the call took is taken from the field that says so with its unit: `latency_ms`, `duration_ms`, `response_time`, ...
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from vsr.importing import chats
from vsr.importing.imported import Imported, ImportedRecord, LeftOut, known_category, quality, seconds, truth, usd
from vsr.importing.imported import text as filled
from vsr.importing.rows import Row, read_rows

_DURATIONS = {
    "latency_ms": 1e-3, "duration_ms": 1e-3, "response_time_ms": 1e-3, "elapsed_ms": 1e-3,
    "latency_s": 1.0, "duration_s": 1.0, "response_time_s": 1.0, "elapsed_s": 1.0, "response_time": 1.0,
}  # fmt: skip
_COSTS = ("cost", "cost_usd", "total_cost")


def read(path: Path, _score: str | None) -> Iterator[Imported]:
    """Read a file of logged calls."""
    for place, row in read_rows(path):
        yield row if isinstance(row, LeftOut) else _record(row, place)


def _record(row: Row, place: str) -> Imported:
    request = _body(row.get("request")) or row
    answer = _body(row.get("response")) or ({} if "request" in row else row)
    asked = next(
        (found for name in ("messages", "input", "prompt") if (found := chats.asked(request.get(name))) is not None),
        None,
    )
    model = filled(request.get("model")) or filled(answer.get("model"))
    if model is None:
        return LeftOut("rows without a model", place)
    if asked is None:
        if "custom_id" in row:
            return LeftOut("answers of a batch without their requests (join the two files by custom_id)", place)
        return LeftOut("rows without a prompt", place)
    error = _error(row, answer)
    said = row.get("response")
    given = chats.answered(answer if answer else said) if error is None else None
    return ImportedRecord(
        model_name=model,
        query=asked.query,
        messages=asked.messages,
        category=known_category(row.get("category")),
        response=None if given is None else given.response,
        ground_truth=truth(row.get("ground_truth")),
        performance=quality(row.get("performance")),
        response_time=None
        if error
        else next((took for name, unit in _DURATIONS.items() if (took := seconds(row.get(name), unit))), None),
        input_tokens=None if given is None else given.input_tokens,
        output_tokens=None if given is None else given.output_tokens,
        cost=next((cost for name in _COSTS if (cost := usd(row.get(name)))), None),
        error=error,
        group=filled(row.get("conversation_id")) or filled(row.get("session_id")),
    )


def _body(value: object) -> Mapping[str, object]:
    """Open a logged request or answer, which may lie in a `body`."""
    value = chats.unpacked(value)
    if not isinstance(value, Mapping):
        return {}
    inner = chats.unpacked(value.get("body"))
    return {**value, **inner} if isinstance(inner, Mapping) else value


def _error(row: Row, answer: Mapping[str, object]) -> str | None:
    held = answer.get("error") or row.get("error")
    if isinstance(held, Mapping):
        held = held.get("message") or held.get("code") or str(held)
    status = answer.get("status_code", row.get("status_code", row.get("status")))
    has_failed = isinstance(status, int) and status >= 400
    if not held and not has_failed:
        return None
    return ": ".join(str(each) for each in (status if has_failed else None, held) if each)[:1000]
