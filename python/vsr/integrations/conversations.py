"""Which model answered last in a conversation: gateways call without memory, and a prompt cache lives at one model."""

import json
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

Messages = Sequence[Mapping[str, object]]


class LastModels:
    """The last model of every conversation; bounded in number and in time. Nobody's text or id is kept, only hashes.

    A conversation is known by its session id, within the key of its caller; without an id by its first messages.
    """

    def __init__(
        self, max_conversations: int = 10_000, keep_s: float = 3600.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Set the bounds.

        Args:
            max_conversations: the one that was silent for longest is forgotten first.
            keep_s: how long after its last request a conversation is forgotten.
            clock: seconds that never go back.
        """
        self._max_conversations = max_conversations
        self._keep_s = keep_s
        self._clock = clock
        self._secret = os.urandom(16)
        self._held: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def __len__(self) -> int:
        """Count the conversations that are held."""
        return len(self._held)

    def find(self, messages: Messages, session: str | None, owner: str | None) -> str | None:
        """Give the model that answered last.

        Args:
            messages: the conversation so far.
            session: its id; without one only a conversation that a model has answered in is looked up.
            owner: who asks: the same id of somebody else is another conversation.
        """
        if session is None and not any(message.get("role") == "assistant" for message in messages):
            return None
        key = self._key(messages, session, owner)
        model, since = self._held.get(key, (None, 0.0))
        if model is not None and self._clock() - since > self._keep_s:
            del self._held[key]
            return None
        return model

    def remember(self, messages: Messages, session: str | None, owner: str | None, model: str) -> None:
        """Keep the model that is asked now; arguments as in `find`."""
        key = self._key(messages, session, owner)
        self._held[key] = (model, self._clock())
        self._held.move_to_end(key)
        while len(self._held) > self._max_conversations:
            self._held.popitem(last=False)

    def _key(self, messages: Messages, session: str | None, owner: str | None) -> bytes:
        said: object = session
        if session is None:
            roles = [message.get("role") for message in messages]
            said = list(messages[: roles.index("user") + 1 if "user" in roles else 1])
        text = json.dumps([owner, said], default=str)
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=16).digest()
