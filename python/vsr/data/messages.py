"""Conversations as chat APIs take them: what of them is embedded, what is asked, whether there are images."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Literal, get_args

from vsr.errors import RecordError

Text = Literal["last", "users", "all"]
"""Which text of a conversation is embedded: of the last message of the user, of all of theirs, of all messages."""

TEXTS: tuple[Text, ...] = get_args(Text)

EXPECTED_MESSAGES = (
    'a list of messages such as [{"role": "user", "content": "..."}], content as text or a list of parts'
)

_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
_IMAGE_PARTS = frozenset({"image_url", "input_image", "image"})
_USER = "user"


@dataclass(frozen=True, eq=False, slots=True)
class Conversation:
    """The messages of a request, in order.

    Attributes:
        messages: as they were given.
        roles: who says each.
        texts: what each says; parts that are no text say nothing.
        images: a digest of every image among the parts.
    """

    messages: tuple[Mapping[str, object], ...]
    roles: tuple[str, ...]
    texts: tuple[str, ...]
    images: tuple[str, ...] = ()

    @classmethod
    def parse(cls, value: object) -> "Conversation":
        """Read messages in OpenAI's form.

        Raises:
            RecordError: They are none.
        """
        if isinstance(value, Conversation):
            return value
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or not value:
            raise RecordError(f"messages are {shortened(value)}; expected {EXPECTED_MESSAGES}")
        roles: list[str] = []
        texts: list[str] = []
        images: list[str] = []
        for number, message in enumerate(value):
            role = message.get("role") if isinstance(message, Mapping) else None
            if not isinstance(role, str) or not role:
                raise RecordError(f"message {number} is {shortened(message)}; expected {EXPECTED_MESSAGES}")
            content = message.get("content")
            if content is None:  # a message that calls tools has none
                content = ""
            if not isinstance(content, str):
                if not isinstance(content, Sequence) or not all(isinstance(part, Mapping) for part in content):
                    raise RecordError(
                        f"message {number} has the content {shortened(content)}; expected text or a list of parts"
                    )
                images += [_digest(part) for part in content if part.get("type") in _IMAGE_PARTS]
                said = [part.get("text") for part in content if part.get("type") in _TEXT_PARTS]
                content = "\n".join(text for text in said if isinstance(text, str))
            roles.append(role)
            texts.append(content)
        if _USER not in roles:
            raise RecordError(f"messages have none of the user; expected {EXPECTED_MESSAGES}")
        return cls(tuple(value), tuple(roles), tuple(texts), tuple(images))

    def text(self, which: Text) -> str:
        """Give the text that is embedded; blank where it says nothing.

        The last message of the user is the last of theirs with a text: an image alone is no question.
        """
        if which == "all":
            return "\n\n".join(text for text in self.texts if text.strip())
        of_users = [text for role, text in zip(self.roles, self.texts, strict=True) if role == _USER and text.strip()]
        return "\n\n".join(of_users if which == "users" else of_users[-1:])

    @property
    def n_characters(self) -> int:
        """Length of all texts."""
        return sum(map(len, self.texts))

    @property
    def n_earlier_characters(self) -> int:
        """Length of what was said before the last message of the user: a model that has answered it has read it."""
        last = len(self.roles) - 1 - self.roles[::-1].index(_USER)
        return sum(map(len, self.texts[:last]))

    @property
    def prompt(self) -> str:
        """All of it as one text, under which two conversations are one query; one message of the user is its text."""
        if self.roles == (_USER,) and not self.images:
            return self.texts[0]
        said = [f"{role}: {text}" for role, text in zip(self.roles, self.texts, strict=True)]
        return "\n\n".join(said + [f"[image {digest}]" for digest in self.images])


def _digest(part: Mapping[str, object]) -> str:
    content = json.dumps(part, sort_keys=True, default=str)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class ConversationPrompt(str):
    """The prompt of a conversation: all of it as one text, which tells it from others, and the messages behind it.

    Attributes:
        conversation: the messages.
    """

    __slots__ = ("conversation",)
    conversation: Conversation

    @classmethod
    def of(cls, conversation: Conversation) -> "ConversationPrompt":
        """Make the prompt of a conversation."""
        prompt = cls(conversation.prompt)
        prompt.conversation = conversation
        return prompt


def embedded_text(prompt: str, which: Text) -> str:
    """Give the text of a prompt that is embedded: of a conversation what `which` says, else all of it."""
    return prompt.conversation.text(which) if isinstance(prompt, ConversationPrompt) else prompt
