"""Single fields of an answer, in the several forms that servers give them."""

from dataclasses import dataclass


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


def whole_number(value: object) -> int | None:
    """Return a count that is one, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value != int(value):
        return None
    return int(value)
