"""Tokens of prompts and answers, and when answers began, by query and model."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from vsr.errors import RecordError


@dataclass(frozen=True, eq=False)
class Tokens:
    """What servers said of the tokens of every call; all (n_queries, n_models) float64, NaN where nothing is known.

    Attributes:
        input_tokens: length of the prompt.
        output_tokens: length of the answer.
        first_token_s: seconds until the answer began.
    """

    input_tokens: NDArray[np.float64]
    output_tokens: NDArray[np.float64]
    first_token_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check the shapes and values.

        Raises:
            RecordError: They differ in shape, or a value is no number of 0 or more.
        """
        for each in fields(self):
            values = getattr(self, each.name)
            if values.ndim != 2 or values.shape != self.input_tokens.shape:
                raise RecordError(f"{each.name} has shape {values.shape}; expected that of input_tokens, a matrix")
            if np.any(values < 0.0) or np.any(np.isinf(values)):
                raise RecordError(
                    f"{each.name} holds a number below 0 or infinity; expected NaN where nothing is known"
                )
            values.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """Number of queries and of models."""
        n_queries, n_models = self.input_tokens.shape
        return n_queries, n_models

    def arrays(self) -> tuple[NDArray[np.float64], ...]:
        """Give the three arrays in their order."""
        return self.input_tokens, self.output_tokens, self.first_token_s

    def take(self, rows: NDArray[np.intp]) -> "Tokens":
        """Give those of some queries."""
        return Tokens(*(values[rows] for values in self.arrays()))

    def with_models(self, columns: list[int]) -> "Tokens":
        """Give those of some models."""
        return Tokens(*(values[:, columns] for values in self.arrays()))
