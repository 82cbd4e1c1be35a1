"""What an error response means: which kind of failure, whether to try again, and whether there is any hope."""

import datetime as dt
import email.utils
import re
from collections.abc import Mapping

from vsr.providers.call import ErrorKind, FailedCall

LONGEST_WAIT_S = 600.0
"""No server is waited for longer, whatever it asks."""

# Far more than people read: keys are taken out first, and of one that a limit cuts in two a part would stay.
_LONGEST_TEXT = 100_000

_RETRYABLE = frozenset({408, 409, 425, 429})
_DECIMAL = re.compile(r"[0-9]{1,300}(\.[0-9]*)?", re.ASCII)

_OVERFLOW = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context (?:window|length|size)"
    r"|prompt is too long|input is too long|too many (?:input )?tokens|max_model_len"
    r"|(?:inputs?|prompt|tokens).{0,80}must(?: have less|n't exceed| be less| be <=)|longer than the maximum",
    re.IGNORECASE,
)
_NO_SUCH_MODEL = re.compile(
    r"model_not_found|model_not_supported|no endpoints found|not a valid model"
    r"|model\b.{0,120}?(?:does not exist|not found|isn't valid|is not supported|not exist)"
    r"|(?:unknown|invalid|no such) model",
    re.IGNORECASE | re.DOTALL,
)
_FILTERED = re.compile(
    r"content_filter|content_policy|content management policy|flagged|moderation|safety system", re.IGNORECASE
)
_NO_QUOTA = re.compile(r"insufficient_quota|insufficient (?:credits|balance)|billing", re.IGNORECASE)
_TOO_LARGE = re.compile(r"requires more system memory", re.IGNORECASE)
_NO_SCHEMA = re.compile(
    r"response_format|json_schema|structured[ _-]?outputs?|guided_json|(?:invalid|unsupported) format", re.IGNORECASE
)
_BAD_KEY = re.compile(r"invalid_api_key|api[ _-]?key.{0,20}(?:not valid|invalid|missing|required)", re.IGNORECASE)


def failure_of_status(status: int, payload: object, headers: Mapping[str, str] | None = None) -> FailedCall:
    """Read an error response.

    Args:
        status: HTTP status, anything but 2xx.
        payload: the decoded body, or its text where it is no JSON.
        headers: the response's headers; `Retry-After` is read from them.
    """
    message = _message_of(payload) or "the server gave no reason"
    said = f"HTTP {status}: {message}"
    searched = f"{message} {_codes_of(payload)}"
    failure = _by_text(status, said, searched) or _by_status(status, said)
    return failure.after(retry_after_s(headers or {})) if failure.is_retryable else failure


def _by_text(status: int, said: str, searched: str) -> FailedCall | None:
    """Judge by what the error says, where the status alone does not tell."""
    if _OVERFLOW.search(searched) and status not in (401, 402, 403, 404, 429):
        return FailedCall(ErrorKind.CONTEXT_OVERFLOW, said)
    if status == 429 and _NO_QUOTA.search(searched):
        return FailedCall(ErrorKind.PAYMENT, said, hopeless="endpoint")
    if status == 500 and _TOO_LARGE.search(searched):
        return FailedCall(ErrorKind.ENDPOINT_DOWN, said, hopeless="model")
    if status in (400, 403) and _FILTERED.search(searched):
        return FailedCall(ErrorKind.REFUSAL, said)
    if status in (400, 422):
        if "max_completion_tokens" in searched and "max_tokens" in searched:
            return FailedCall(ErrorKind.BAD_REQUEST, said, wants_completion_tokens=True)
        if _NO_SCHEMA.search(searched):
            return FailedCall(ErrorKind.BAD_REQUEST, said, refuses_schema=True)
        if _NO_SUCH_MODEL.search(searched):
            return FailedCall(ErrorKind.MODEL_NOT_FOUND, said, hopeless="model")
        if _BAD_KEY.search(searched):
            return FailedCall(ErrorKind.AUTHENTICATION, said, hopeless="endpoint")
    return None


def _by_status(status: int, said: str) -> FailedCall:
    if status in (401, 403):
        return FailedCall(ErrorKind.AUTHENTICATION, said, hopeless="endpoint")
    if status == 402:
        return FailedCall(ErrorKind.PAYMENT, said, hopeless="endpoint")
    if status == 404:
        return FailedCall(ErrorKind.MODEL_NOT_FOUND, said, hopeless="model")
    if status < 400 or status in (405, 410):
        return FailedCall(ErrorKind.ENDPOINT_DOWN, said, hopeless="endpoint")
    if status == 429:
        return FailedCall(ErrorKind.RATE_LIMITED, said, is_retryable=True)
    if status >= 500 or status in _RETRYABLE:
        return FailedCall(ErrorKind.ENDPOINT_DOWN, said, is_retryable=True)
    return FailedCall(ErrorKind.BAD_REQUEST, said)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read how long the server asks to wait: seconds, milliseconds, or a date, which is read against its own `Date`.

    Returns:
        Seconds from now, from 0 to `LONGEST_WAIT_S`; None where nothing readable is said.
    """
    milliseconds, text = (headers.get(name, "").strip() for name in ("retry-after-ms", "retry-after"))
    for said, seconds in ((milliseconds, 0.001), (text, 1.0)):
        if _DECIMAL.fullmatch(said):
            return min(LONGEST_WAIT_S, float(said) * seconds)
    until = _moment(text)
    if until is None:
        return None
    wait = until - (_moment(headers.get("date", "")) or dt.datetime.now(dt.UTC))
    return min(LONGEST_WAIT_S, max(0.0, wait.total_seconds()))


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text[:100])
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment


def _message_of(payload: object) -> str:
    """Find the text of an error in the forms that servers use; whitespace collapsed."""
    found: object = payload
    if isinstance(payload, dict):
        found = next((payload[name] for name in ("error", "message", "detail", "title") if payload.get(name)), "")
        if isinstance(found, dict):
            # Gateways put the words of the provider behind them into `metadata`.
            metadata = found.get("metadata")
            raw = metadata.get("raw") if isinstance(metadata, dict) else None
            found = " ".join(str(part) for part in (found.get("message") or found.get("type"), raw) if part)
        elif isinstance(found, list):
            found = "; ".join(str(item.get("msg", item)) if isinstance(item, dict) else str(item) for item in found)
    text = str(found)[:_LONGEST_TEXT]
    return " ".join((re.sub(r"<[^<>]{1,200}>", " ", text) if isinstance(found, str) else text).split())


def _codes_of(payload: object) -> str:
    """Gather the machine-readable words of an error."""
    if not isinstance(payload, dict):
        return ""
    holders = [payload, payload.get("error")]
    return " ".join(
        str(holder[name])
        for holder in holders
        if isinstance(holder, dict)
        for name in ("code", "type", "param")
        if isinstance(holder.get(name), str)
    )
