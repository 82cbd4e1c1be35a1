"""The router of a configuration that switches model selection off."""

from collections.abc import Sequence

from vsr.choice.chooser import Choice
from vsr.errors import SelectionError
from vsr.routing.protocol import ModelRouter
from vsr.routing.request import NOTHING_ASKED, Request


class DisabledRouter(ModelRouter):
    """Answers every query with one model: what a configuration with `enabled: false` asks for.

    Attributes:
        default: the model to answer with unless a request names another; None leaves that to the requests.
    """

    def __init__(self, default: str | None = None) -> None:
        """Take the default."""
        self.default = default

    def route(self, requests: Sequence[Request]) -> list[Choice]:
        """Give the default for every request, with reason `default`.

        Raises:
            SelectionError: There is no default, or no query.
        """
        return [self._choice(request) for request in requests]

    def _choice(self, request: Request) -> Choice:
        model = self.default if request.default is None else request.default
        if model is None:
            raise SelectionError(
                "model selection is disabled (model_selection.enabled: false) and there is no default to answer with; "
                "pass default=..., or enable it"
            )
        if request.query is None and request.embedding is None and request.messages is None:
            raise SelectionError(NOTHING_ASKED)
        return Choice(model=model, quality=None, utility=None, margin=None, reason="default")
