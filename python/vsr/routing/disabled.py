"""The router of a configuration that switches model selection off."""

from collections.abc import Sequence

import numpy.typing as npt

from vsr.choice.chooser import Choice
from vsr.errors import SelectionError
from vsr.routing.protocol import ModelRouter
from vsr.routing.request import Request


class DisabledRouter(ModelRouter):
    """Answers every query with one model: what a configuration with `enabled: false` asks for.

    Attributes:
        default: the model to answer with unless a request names another; None leaves that to the requests.
    """

    def __init__(self, default: str | None = None) -> None:
        """Take the default."""
        self.default = default

    def route(self, requests: Sequence[Request], embeddings: npt.ArrayLike | None = None) -> list[Choice]:
        """Give the default for every request, with reason `default`; arguments as those of any router.

        Raises:
            SelectionError: There is no default, or no query.
        """
        return [self._choice(request, has_vector=embeddings is not None) for request in requests]

    def _choice(self, request: Request, *, has_vector: bool) -> Choice:
        model = self.default if request.default is None else request.default
        if model is None:
            raise SelectionError(
                "model selection is disabled (model_selection.enabled: false) and there is no default to answer with; "
                "pass default=..., or enable it"
            )
        if request.query is None and not has_vector:
            raise SelectionError("neither a query nor an embedding was given; expected one of them")
        return Choice(model=model, quality=None, utility=None, margin=None, reason="default")
