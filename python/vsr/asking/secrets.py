"""Keys and header values, taken out of whatever a server says, in all the forms in which it may say them."""

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import overload
from urllib.parse import quote, quote_plus

from vsr.providers.call import LONGEST_MESSAGE, Answer, FailedCall

REMOVED = "[key removed]"

# A "key" of a few letters (vLLM's EMPTY) is no secret, and taking it out would spoil the answers; errors can spare it.
_SHORTEST_IN_ANSWER = 8
_SHORTEST_IN_ERROR = 4


class Secrets:
    """Texts that nothing may hold that is written or shown, though a server says them.

    Only what servers say goes through here, never a query: the key of a call is made from that.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Prepare for the texts, and for each of them as part of a URL, of base64 and of JSON.

        Args:
            texts: keys and header values; `Bearer x` and `Basic x` stand for x, too.
        """
        stripped = {text.strip() for text in texts}
        self.texts = frozenset(stripped | {text.partition(" ")[2] for text in stripped if _SCHEME.match(text)})
        self._in_answer = _pattern(self.texts, _SHORTEST_IN_ANSWER)
        self._in_error = _pattern(self.texts, _SHORTEST_IN_ERROR)

    def __repr__(self) -> str:
        return f"Secrets({len(self.texts)} texts)"

    @overload
    def without(self, outcome: Answer) -> Answer: ...
    @overload
    def without(self, outcome: FailedCall) -> FailedCall: ...
    def without(self, outcome: Answer | FailedCall) -> Answer | FailedCall:
        """Return the same outcome with the secrets taken out, and no message longer than people read.

        Secrets go first: of one that the limit cut in two, a part would stay.
        """
        if isinstance(outcome, FailedCall):
            return replace(outcome, message=_removed(self._in_error, outcome.message)[:LONGEST_MESSAGE])
        said = (outcome.text, outcome.reasoning, outcome.finish_reason)
        if self._in_answer is None or not any(text and self._in_answer.search(text) for text in said):
            return outcome
        text, reasoning, reason = (None if text is None else _removed(self._in_answer, text) for text in said)
        return replace(outcome, text=text or "", reasoning=reasoning, finish_reason=reason)


_SCHEME = re.compile(r"(?:bearer|basic|token) +\S", re.IGNORECASE)


def _removed(pattern: re.Pattern[str] | None, text: str) -> str:
    return text if pattern is None else pattern.sub(REMOVED, text)


def _pattern(texts: Iterable[str], shortest: int) -> re.Pattern[str] | None:
    found = {form for text in texts if len(text) >= shortest for form in _forms(text) if len(form) >= shortest}
    if not found:
        return None
    # The longest first: a key may be part of another.
    return re.compile("|".join(re.escape(form) for form in sorted(found, key=lambda form: (-len(form), form))))


def _forms(text: str) -> set[str]:
    """Return the ways in which a text may be written."""
    quoted = {quote(text, safe=""), quote(text), quote_plus(text)}
    forms = {text, " ".join(text.split()), *quoted}
    forms |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in quoted}
    for each in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        forms |= {each, each.replace("/", r"\/")}
    raw = text.encode("utf-8", "surrogatepass")
    for n_before in range(3):
        # What base64 makes of it in the middle of something else: characters that mix it with its neighbours left out.
        whole = base64.b64encode(b"\0" * n_before + raw).decode().rstrip("=")
        first, last = (0, 2, 3)[n_before], len(whole) - bool((n_before + len(raw)) % 3)
        forms |= {whole[first:last], whole[first:last].translate(_URL_SAFE)}
    return forms


_URL_SAFE = str.maketrans("+/", "-_")
