"""The router of a configuration that switches model selection off."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vsr.choice.candidates import Candidate
from vsr.choice.chooser import Choice
from vsr.choice.objective import Objective
from vsr.errors import SelectionError
from vsr.routing.protocol import ModelRouter, count_queries


class DisabledRouter(ModelRouter):
    """Answers every query with one model: what a configuration with `enabled: false` asks for.

    Attributes:
        default: the model to answer with unless a request names another; None leaves that to the requests.
    """

    def __init__(self, default: str | None = None) -> None:
        """Take the default."""
        self.default = default

    def select_many(
        self,
        queries: Sequence[str] | None = None,
        categories: Sequence[str | None] | None = None,  # noqa: ARG002 -- a request need not know which router it meets
        *,
        embeddings: npt.ArrayLike | None = None,
        candidates: Sequence[Candidate] | None = None,  # noqa: ARG002
        default: str | None = None,
        objective: Objective | None = None,  # noqa: ARG002
    ) -> list[Choice]:
        """Give the default for every query, with reason `default`; arguments as those of any router.

        Raises:
            SelectionError: There is no default, or no query.
        """
        model = self.default if default is None else default
        if model is None:
            raise SelectionError(
                "model selection is disabled (model_selection.enabled: false) and there is no default to answer with; "
                "pass default=..., or enable it"
            )
        n_queries = count_queries(queries, None if embeddings is None else np.atleast_1d(np.asarray(embeddings)))
        return [Choice(model=model, quality=None, utility=None, margin=None, reason="default")] * n_queries
