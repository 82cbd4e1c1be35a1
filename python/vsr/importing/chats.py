"""What chat APIs are sent and answer, in OpenAI's forms, as parts of a record."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vsr.data.messages import Conversation
from vsr.errors import RecordError
from vsr.importing.imported import n_tokens, text

Messages = Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Asked:
    """What a model was asked: a query, or a conversation in its place."""

    query: str = ""
    messages: Messages | None = None


@dataclass(frozen=True)
class Answered:
    """What a model answered, and how long both were."""

    response: str | None
    input_tokens: int | None = None
    output_tokens: int | None = None


def asked(value: object) -> Asked | None:
    """Read a prompt, a list of messages, or either written as JSON; None where nothing is asked.

    A conversation that is one message of the user is its text.
    """
    if isinstance(value, str):
        parsed = unpacked(value)
        if not isinstance(parsed, list):
            return None if text(value) is None else Asked(value)
        return asked(parsed) or Asked(value)
    try:
        conversation = Conversation.parse(value)
    except RecordError:
        return None
    if not conversation.text("users"):
        return None
    if conversation.roles == ("user",) and not conversation.images:
        return Asked(conversation.texts[0])
    kept = ("role", "content", "name", "tool_calls", "tool_call_id")
    messages = [{name: each[name] for name in kept if each.get(name) is not None} for each in conversation.messages]
    return Asked(messages=messages)


def answered(value: object) -> Answered | None:
    """Read an answer: an object of the chat, completion or responses API, such an object as JSON, or a text."""
    value = unpacked(value)
    if isinstance(value, str):
        return Answered(value)
    if not isinstance(value, Mapping):
        return None
    usage = value.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    return Answered(
        _said(value),
        n_tokens(counts.get("prompt_tokens", counts.get("input_tokens"))),
        n_tokens(counts.get("completion_tokens", counts.get("output_tokens"))),
    )


def unpacked(value: object) -> object:
    """Decode an object or array that was written as text; everything else stays."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _said(answer: Mapping[str, object]) -> str | None:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(first, Mapping):
        message = first.get("message")
        content = message.get("content") if isinstance(message, Mapping) else first.get("text")
        return _joined(content)
    output = answer.get("output")
    if isinstance(output, list):
        parts = [
            part
            for item in output
            if isinstance(item, Mapping) and isinstance(parts := item.get("content"), list)
            for part in parts
        ]
        return _joined(parts)
    return _joined(answer.get("output_text", answer.get("content")))


def _joined(content: object) -> str | None:
    """Join the texts of a content that may be a list of parts."""
    if isinstance(content, list):
        said = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(each for each in said if isinstance(each, str)) or None
    return content if isinstance(content, str) else None
