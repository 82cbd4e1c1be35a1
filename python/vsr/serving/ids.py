"""Ids of choices: whoever gives feedback names one, and it says itself when it was given and for which model."""

import os
import time
from collections.abc import Callable, Iterable
from hashlib import blake2b
from hmac import compare_digest

_TIME_BYTES = 4
_HEAD_BYTES = 10
_TAG_BYTES = 6
_MOST_KEY_BYTES = 64


class DecisionIds:
    """Makes ids of 32 hexadecimal digits, and knows those again that were made under the same key.

    An id is the second in which it was made, 48 random bits, and a tag of both and the model under the key: nothing has
    to be kept, and another worker, or the same server after a restart, knows it too.
    """

    def __init__(self, key: bytes, clock: Callable[[], float] = time.time) -> None:
        """Take the key.

        Args:
            key: whoever knows it can make ids.
            clock: seconds of Unix time.
        """
        self._key = blake2b(key, digest_size=_MOST_KEY_BYTES, person=b"vsr decision ids").digest()
        self._clock = clock

    def new(self, model: str) -> str:
        """Make the id of a choice of a model."""
        head = int(self._clock()).to_bytes(_TIME_BYTES, "big") + os.urandom(_HEAD_BYTES - _TIME_BYTES)
        return (head + self._tag(head, model)).hex()

    def model_of(self, given: str, candidates: Iterable[str]) -> str | None:
        """Say which of the candidates an id was made for; None where it is of none of them, or not ours."""
        content = _content(given)
        if content is None:
            return None
        head, tag = content[:_HEAD_BYTES], content[_HEAD_BYTES:]
        return next((model for model in candidates if compare_digest(self._tag(head, model), tag)), None)

    def age_s(self, given: str) -> float:
        """Give the age of an id that `model_of` knows."""
        return self._clock() - int.from_bytes(bytes.fromhex(given)[:_TIME_BYTES], "big")

    def _tag(self, head: bytes, model: str) -> bytes:
        text = head + model.encode("utf-8", "surrogatepass")
        return blake2b(text, key=self._key, digest_size=_TAG_BYTES).digest()


def _content(given: str) -> bytes | None:
    try:
        content = bytes.fromhex(given)
    except ValueError:
        return None
    # One id has one form: another spelling must not count a second time.
    return content if len(content) == _HEAD_BYTES + _TAG_BYTES and content.hex() == given else None
