"""What an error response means: which kind of failure, whether to try again, and whether there is any hope."""

import datetime as dt
import email.utils
import re
from collections.abc import Mapping

from vsr.asking.call import ErrorKind, FailedCall

_RETRYABLE = frozenset({408, 409, 425, 429})

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
    """Read how long the server asks to wait: seconds, milliseconds, or a date.

    Returns:
        Seconds from now, never negative; None where nothing readable is said.
    """
    milliseconds = headers.get("retry-after-ms")
    text = (headers.get("retry-after") or "").strip()
    try:
        if milliseconds:
            return max(0.0, float(milliseconds) / 1000)
        if re.fullmatch(r"\d+(\.\d*)?", text):
            return float(text)
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds())


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
    text = re.sub(r"<[^<>]{1,200}>", " ", str(found)) if isinstance(found, str) else str(found)
    return " ".join(text[:4000].split())


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
