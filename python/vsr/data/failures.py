"""Failed calls: what the text of an error says about the model, and what only about the way to it."""

import enum
import functools
import re


class Failure(enum.Enum):
    """Why a call failed. The value is the word with which the benchmark begins the record's `error`."""

    TIMEOUT = "timeout"
    REFUSAL = "refusal"
    CONTEXT_OVERFLOW = "context_overflow"
    UNAVAILABLE = "unavailable"
    OTHER = "other"

    @property
    def counts(self) -> bool:
        """Whether the model is to blame, so that the call counts as quality 0; otherwise it says nothing about it."""
        return self is not Failure.UNAVAILABLE


# Words of such messages, in this order: "connection timed out" is about the endpoint, "read timed out" about the model.
_STATUS = r"(?:^\s*|\b(?:http|status|status_code|code|error)\W{0,3}(?:[a-z]+ )?)"
_WORDS = {
    Failure.CONTEXT_OVERFLOW: (
        r"context.{0,20}(overflow|length|window|size|limit)",
        r"maximum.{0,20}(context|token)",
        r"too many (input )?tokens",
        r"(prompt|input).{0,20}too long",
        r"exceeds? .{0,40}tokens",
    ),
    Failure.UNAVAILABLE: (
        r"connect(ion|_)?.{0,40}(timed? ?-?out|refused|reset|error|failed|aborted|closed)",
        r"(cannot|failed to|could not) connect|unreachable|no route|server disconnected|broken pipe|protocol ?error",
        r"name or service|name resolution|getaddrinfo|\bdns\b|\bssl\b|certificate",
        r"endpoint (is )?down|service unavailable|bad gateway|internal server error|overloaded",
        r"unauthori[sz]ed|authentication|forbidden|permission denied|(api|access)[ _-]?key|no key|invalid token",
        r"model.{0,80}(not exist|unknown|unavailable|not available)|(no such|unknown) model|not found",
        r"rate.?limit|too many requests|quota|billing|payment|insufficient|interrupted|cancell?ed",
        _STATUS + r"(40[1-4]|429|50[0-35-9]|5[1-9]\d)\b",
    ),
    Failure.TIMEOUT: (r"timed? ?-?out|deadline|took too long", _STATUS + r"(408|504)\b"),
    Failure.REFUSAL: (r"refus|content.?(filter|policy|management)|moderation|safety|blocked|guardrail|flagged",),
}
_PATTERNS = {failure: re.compile("|".join(words), re.IGNORECASE) for failure, words in _WORDS.items()}


@functools.lru_cache(maxsize=4096)
def failure_of(error: str) -> Failure:
    """Tell what a record's `error` says.

    An error that begins with one of our own words and a colon is what that word says. Errors from elsewhere are told by
    what such messages usually contain; one that fits nothing is `OTHER` and counts against the model.

    Args:
        error: the text, not blank.
    """
    word = error.partition(":")[0].strip().lower()
    for failure in Failure:
        if word == failure.value:
            return failure
    for failure, pattern in _PATTERNS.items():
        if pattern.search(error):
            return failure
    return Failure.OTHER
