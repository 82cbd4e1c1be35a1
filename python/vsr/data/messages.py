"""Conversations in OpenAI's form: which text of them is embedded, and what else is in them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from vsr.errors import RecordError

TextOf = Literal["last", "users", "all"]
"""Which text of a conversation is embedded: the last message of a user, all of theirs, or all messages."""

TEXTS_OF: tuple[TextOf, ...] = get_args(TextOf)
LAST: TextOf = "last"

Message = Mapping[str, Any]
EXPECTED_MESSAGES = (
    'a list of messages such as [{"role": "user", "content": "..."}], content a text or a list of parts, with text of '
    "a user"
)
_USER = "user"
_IMAGES = frozenset({"image_url", "input_image", "image"})
_BETWEEN = "\n\n"


def text_of(messages: Sequence[Message], which: TextOf = LAST) -> str:
    """Give the text of a conversation that is embedded.

    Args:
        messages: in OpenAI's form: `role`, and `content` as text or a list of parts.
        which: `last` message of a user that has text, all messages of `users`, or `all` messages with system prompts
            and answers; several are joined by an empty line.

    Raises:
        RecordError: They are no messages, or none of a user has text; or `which` is none of the three.
    """
    if which not in TEXTS_OF:
        raise RecordError(f"text is {which!r}; expected one of {', '.join(TEXTS_OF)}")
    texts = [(message["role"], text_in(message.get("content"))) for message in checked_messages(messages)]
    of_users = [text for role, text in texts if role == _USER and text.strip()]
    if not of_users:
        raise RecordError(f"messages hold no text of a user; expected {EXPECTED_MESSAGES}")
    if which == LAST:
        return of_users[-1]
    return _BETWEEN.join(of_users if which == "users" else [text for _, text in texts if text.strip()])


def checked_messages(messages: object) -> Sequence[Message]:
    """Take messages as callers and files have them.

    Raises:
        RecordError: They are none, or have another form.
    """
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Sequence) or not messages:
        raise RecordError(f"messages are {_kind(messages)}; expected {EXPECTED_MESSAGES}")
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise RecordError(f"message {number} has no role; expected {EXPECTED_MESSAGES}")
        content = message.get("content")
        if content is None or isinstance(content, str):
            continue
        if not isinstance(content, list | tuple) or not all(isinstance(part, str | Mapping) for part in content):
            raise RecordError(f"the content of message {number} is {_kind(content)}; expected {EXPECTED_MESSAGES}")
    return messages


def is_conversation(value: object) -> bool:
    """Tell whether a JSON value holds messages with text of a user."""
    try:
        text_of(value)  # type: ignore[arg-type]
    except RecordError:
        return False
    return True


def has_images(messages: Sequence[Message]) -> bool:
    """Tell whether any message shows an image."""
    return bool(image_addresses(messages))


def image_addresses(messages: Sequence[Message]) -> list[str]:
    """Give where each image is, in order: an address, `data:...` for one inside, nothing where it is not said."""
    return [
        address_of(part)
        for message in messages
        if isinstance(message.get("content"), list | tuple)
        for part in message["content"]
        if is_image(part)
    ]


def is_image(part: object) -> bool:
    """Tell whether a part of a message's content is an image."""
    return isinstance(part, Mapping) and part.get("type") in _IMAGES


def address_of(image: Message) -> str:
    """Give where an image is; nothing where its part does not say."""
    held = image.get("image_url")
    address = held.get("url") if isinstance(held, Mapping) else held
    return address if isinstance(address, str) else ""


def n_characters(messages: Sequence[Message]) -> int:
    """Count the characters of all text."""
    return sum(len(text_in(message.get("content"))) for message in messages)


def n_characters_before(messages: Sequence[Message]) -> int:
    """Count the characters before the last message of a user: what the server of the last answer has read."""
    last = max((place for place, message in enumerate(messages) if message.get("role") == _USER), default=0)
    return n_characters(messages[:last])


def with_text(messages: Sequence[Message], addition: str) -> tuple[Message, ...]:
    """Add text to the end of the last message of a user that has text; the others stay as they are."""
    if not addition:
        return tuple(messages)
    place = max(
        place
        for place, message in enumerate(messages)
        if message["role"] == _USER and text_in(message.get("content")).strip()
    )
    content = messages[place]["content"]
    longer = content + addition if isinstance(content, str) else [*content, {"type": "text", "text": addition}]
    return (*messages[:place], {**messages[place], "content": longer}, *messages[place + 1 :])


def identity(messages: Sequence[Message]) -> str:
    """Give a text that two conversations share only if they are the same; one question alone is its text."""
    if len(messages) == 1 and messages[0]["role"] == _USER and isinstance(messages[0].get("content"), str):
        return str(messages[0]["content"])
    return json.dumps(list(map(dict, messages)), sort_keys=True, ensure_ascii=False)


def text_in(content: object) -> str:
    """Join the text of a message's content; other kinds of parts have none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        return ""
    texts = (part if isinstance(part, str) else part.get("text") for part in content)
    return "\n".join(text for text in texts if isinstance(text, str))


def _kind(value: object) -> str:
    if isinstance(value, list | tuple) and not value:
        return "an empty list"
    return "missing" if value is None else f"of kind {type(value).__name__}"
