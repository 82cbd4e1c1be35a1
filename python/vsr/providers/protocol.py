"""What every provider can do; to add one, write a class like this and name it in `providers/__init__.py`."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from vsr.providers.call import Answer, ChatRequest, FailedCall


class Provider(Protocol):
    """A kind of server that answers chat requests."""

    @property
    def public_address(self) -> str | None:
        """URL of the public service: asked where an endpoint names no address, and all that gets the key below."""
        ...

    @property
    def key_variables(self) -> tuple[str, ...]:
        """Environment variables that hold the key of the provider's public service, the first one set counts."""
        ...

    @property
    def loads_on_demand(self) -> bool:
        """Whether changing from one model to another makes the server load weights."""
        ...

    @property
    def states_cost(self) -> bool:
        """Whether its answers say what they cost."""
        ...

    def url(self, server: str) -> str:
        """Return the URL that takes chat requests at a server (`scheme://host[:port][/path]`)."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Return the headers that the provider wants besides content type and key."""
        ...

    def body(self, request: ChatRequest) -> dict[str, object]:
        """Write a request in the provider's form."""
        ...

    def answer(self, payload: object) -> Answer | FailedCall:
        """Read the decoded body of a response with status 200."""
        ...

    def joined(self, pieces: Sequence[object]) -> object:
        """Put an answer together that was streamed though nobody asked for it; None where its end is missing."""
        ...
