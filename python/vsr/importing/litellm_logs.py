"""LiteLLM: rows of `LiteLLM_SpendLogs`, and the standard logging payload that it sends to S3 and other stores.

Spend logs hold prompts only where `general_settings.store_prompts_in_spend_logs` is set.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path

from vsr.importing import chats
from vsr.importing.imported import Imported, ImportedRecord, LeftOut, n_tokens, seconds, usd
from vsr.importing.imported import text as filled
from vsr.importing.rows import Row, read_rows

_CUT = "litellm_truncated"  # what it writes into a long text that it has shortened
_CHATS = ("completion", "responses")  # of `call_type`: completion, acompletion, text_completion, aresponses, ...


def read(path: Path, _score: str | None) -> Iterator[Imported]:
    """Read a file of logged calls."""
    for place, row in read_rows(path):
        yield row if isinstance(row, LeftOut) else _record(row, place)


def _record(row: Row, place: str) -> Imported:
    call_type = str(row.get("call_type") or "")
    model = filled(row.get("model_group")) or filled(row.get("model"))
    if model is None or "startTime" not in row:
        return LeftOut("rows without model or time (are they logs of LiteLLM?)", place)
    if call_type and not call_type.endswith(_CHATS):
        return LeftOut("calls other than chats", f"{place}: {call_type}")
    request = chats.unpacked(row.get("proxy_server_request"))
    body = request if isinstance(request, Mapping) else {}
    # A spend log holds the prompt in the request, the standard payload in `messages`.
    asked = next(
        (
            found
            for held in (row.get("messages"), body.get("messages"), body.get("input"), body.get("prompt"))
            if held not in ("{}", "[]") and (found := chats.asked(held)) is not None
        ),
        None,
    )
    if asked is None:
        return LeftOut("calls without a prompt (general_settings.store_prompts_in_spend_logs keeps it)", place)
    if _CUT in (asked.query or str(asked.messages)):
        return LeftOut("calls whose prompt LiteLLM has cut", place)
    error = _error(row)
    given = chats.answered(row.get("response")) if error is None else None
    is_cached = str(row.get("cache_hit")).lower() == "true"
    is_measured = error is None and not is_cached
    start, end, first = (_moment(row.get(name)) for name in ("startTime", "endTime", "completionStartTime"))
    took_s = seconds(row.get("response_time")) or seconds(row.get("request_duration_ms"), 1e-3) or _between(start, end)
    return ImportedRecord(
        model_name=model,
        query=asked.query,
        messages=asked.messages,
        response=None if given is None or given.response is None or _CUT in given.response else given.response,
        response_time=took_s if is_measured else None,
        # Without streaming the first token counts as the last one.
        time_to_first_token=_between(start, first) if is_measured and first != end else None,
        input_tokens=n_tokens(row.get("prompt_tokens")),
        output_tokens=n_tokens(row.get("completion_tokens")),
        cost=usd(row.get("response_cost", row.get("spend"))) if is_measured else None,
        error=error,
        group=filled(row.get("session_id")),
    )


def _error(row: Row) -> str | None:
    if row.get("status") != "failure":
        return None
    metadata = chats.unpacked(row.get("metadata"))
    information = row.get("error_information") or (
        metadata.get("error_information") if isinstance(metadata, Mapping) else None
    )
    if isinstance(information, Mapping):
        code, message = information.get("error_code"), information.get("error_message")
        said = ": ".join(str(each) for each in (code, message) if each)
        if said:
            return said[:1000]
    return filled(row.get("error_str")) or "the call failed"


def _moment(value: object) -> float | None:
    """Read a moment: seconds since 1970, or ISO 8601."""
    if isinstance(value, int | float):
        return float(value)
    try:
        moment = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else seconds(end - start)
