"""What the training records say of the tokens of every model: what a request will cost and how long it will take."""

from dataclasses import dataclass

import numpy as np

from vsr.data.outcomes import Outcomes
from vsr.prior.category_means import FloatArray, IntArray
from vsr.prior.shrunk_means import shrunk_means


@dataclass(frozen=True, eq=False)
class TokenStatistics:
    """Per-model means of tokens and their speed; NaN where no record says anything.

    Attributes:
        input_tokens: (n_categories + 1, n_models) float64 mean length of a prompt, the last row for unknown categories.
        output_tokens: (n_categories + 1, n_models) float64 mean length of an answer, the last row likewise.
        tokens_per_character: (n_models,) float64 tokens of a prompt for each character of the query, what the server
            adds to a prompt included.
        first_token_s: (n_models,) float64 mean seconds to the first token.
        tokens_per_s: (n_models,) float64 tokens of an answer per second after the first token.
    """

    input_tokens: FloatArray
    output_tokens: FloatArray
    tokens_per_character: FloatArray
    first_token_s: FloatArray
    tokens_per_s: FloatArray

    @classmethod
    def from_outcomes(cls, outcomes: Outcomes, codes: IntArray) -> "TokenStatistics | None":
        """Take the means of outcomes; None where no record has tokens.

        Args:
            outcomes: what was measured.
            codes: (n_queries,) category of each query, -1 where unknown.
        """
        if outcomes.tokens is None:
            return None
        n_input, n_output, first_token_s = outcomes.tokens.arrays()
        lengths = np.array([[float(len(query))] for query in outcomes.queries])
        first = shrunk_means(first_token_s, codes)[-1]
        # Where nobody measured when answers begin, all of their time goes into the rate.
        after_first = np.maximum(outcomes.latency_s - np.where(np.isfinite(first), first, 0.0), 0.0)
        return cls(
            input_tokens=shrunk_means(n_input, codes),
            output_tokens=shrunk_means(n_output, codes),
            tokens_per_character=_ratio(n_input, np.broadcast_to(lengths, n_input.shape)),
            first_token_s=first,
            tokens_per_s=_ratio(n_output, after_first),
        )


def _ratio(numerators: FloatArray, denominators: FloatArray) -> FloatArray:
    """Sum of one by sum of the other for every column, over cells that have both; NaN where there are none."""
    both = np.isfinite(numerators) & np.isfinite(denominators)
    above, below = (np.where(both, values, 0.0).sum(axis=0) for values in (numerators, denominators))
    ratio = np.full(above.shape, np.nan)
    np.divide(above, below, out=ratio, where=(above > 0.0) & (below > 0.0))
    return ratio
