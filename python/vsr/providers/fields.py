"""Single fields of an answer, in the several forms that servers give them."""

from collections.abc import Iterable
from dataclasses import dataclass

MOST_TOKENS = 10_000_000
"""No prompt and no answer has more; a server that says so says nothing."""

_HIGHEST_COST_USD = 10_000.0
END_OF_STREAM = "[DONE]"
"""What ends a stream of server-sent events."""


@dataclass(frozen=True)
class Content:
    """The content of a message, taken apart.

    Attributes:
        text: the response.
        reasoning: thoughts, where they came as parts of the content.
        refusal: the refusal, where it came as a part of the content.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""


def join_parts(content: object) -> Content | None:
    """Read content that is text, nothing, or a list of parts `{type, text}`; None for anything else."""
    if content is None:
        return Content()
    if isinstance(content, str):
        return Content(content)
    if not isinstance(content, list):
        return None
    text: list[str] = []
    reasoning: list[str] = []
    refusal: list[str] = []
    for part in content:
        if isinstance(part, str):
            text.append(part)
            continue
        if not isinstance(part, dict):
            return None
        kind = part.get("type")
        if kind in ("thinking", "reasoning"):
            inner = join_parts(part.get(kind) or part.get("text"))
            reasoning.append("" if inner is None else inner.text)
        elif kind == "refusal":
            refusal.append(str(part.get("refusal") or ""))
        elif isinstance(part.get("text"), str):
            text.append(part["text"])
    return Content("".join(text), "".join(reasoning), "".join(refusal))


def whole_number(value: object, largest: int = MOST_TOKENS) -> int | None:
    """Return a count that is one and can be true, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        return None
    return int(value) if value == int(value) else None


def amount(value: object) -> float | None:
    """Return a sum of US dollars that one call can have cost, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _HIGHEST_COST_USD:
        return None
    return float(value)


def texts_of(holders: Iterable[object], names: Iterable[str]) -> dict[str, str]:
    """Join what the pieces of a stream hold under each name, in their order; names without a text are absent."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for holder in holders:
        if isinstance(holder, dict):
            for name, parts in found.items():
                if isinstance(holder.get(name), str):
                    parts.append(holder[name])
    return {name: "".join(parts) for name, parts in found.items() if parts}
