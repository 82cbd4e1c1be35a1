"""What a request asks of a model, and what it will cost and how long it will take, as far as records and prices say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vsr.data.categories import Categories, rows_of
from vsr.prior.category_means import FloatArray
from vsr.prior.statistics import Statistics

VISION = "vision"
"""The capability that a request with images needs."""


@dataclass(frozen=True)
class ModelFacts:
    """What a configuration says of a model beyond what was measured.

    Attributes:
        capabilities: what it can do beyond text, for example `vision`.
        context_tokens: how much it can read; None where nothing is said.
        prompt_usd: USD per token of a prompt; None where there is no price.
        completion_usd: USD per token of an answer; None likewise.
        cached_prompt_usd: USD per token of a prompt that the server has in its cache; None where nothing is said.
    """

    capabilities: frozenset[str] = frozenset()
    context_tokens: int | None = None
    prompt_usd: float | None = None
    completion_usd: float | None = None
    cached_prompt_usd: float | None = None


UNKNOWN_FACTS = ModelFacts()


@dataclass(frozen=True)
class Demand:
    """What a request is, apart from what it means.

    Attributes:
        n_characters: of all its text; None where only a vector is there.
        n_cached_characters: of what the last answer's server has read already.
        capabilities: what it needs, because of what is in it.
        n_input_tokens: length of its prompt, where the caller has counted it.
    """

    n_characters: int | None = None
    n_cached_characters: int = 0
    capabilities: frozenset[str] = frozenset()
    n_input_tokens: int | None = None


NO_DEMAND = Demand()


@dataclass(frozen=True, eq=False)
class Expectations:
    """Cost and latency of requests by model.

    Attributes:
        statistics: of the training records.
        facts: by name of a model.
        latency_s: (n_categories + 1, n_models) time to the first token and the tokens of the answer by their rate;
            where that is not known, the mean latency.
    """

    statistics: Statistics
    facts: Mapping[str, ModelFacts] = field(default_factory=dict)
    latency_s: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        """Work out the latencies, which do not depend on the query beyond its category."""
        tokens, latency_s = self.statistics.tokens, self.statistics.latency_s
        if tokens is not None:
            streamed = tokens.first_token_s + tokens.output_tokens / tokens.tokens_per_s
            latency_s = np.where(np.isfinite(streamed), streamed, latency_s)
        object.__setattr__(self, "latency_s", latency_s)

    def cost_usd(
        self, category: Categories, columns: Sequence[int], facts: Sequence[ModelFacts], demand: Demand
    ) -> list[float]:
        """Give what one request costs with each of some models, NaN where nothing is known.

        `input tokens * price + mean output tokens of (model, category) * price`; where records have no tokens or the
        configuration no price, the mean cost of (model, category).

        Args:
            category: of the query, as one code, -1 = unknown, or one row of shares.
            columns: of the models.
            facts: of the same models.
            demand: of the request.
        """
        means = rows_of(self.statistics.cost_usd, category)[0]
        costs = [float(means[column]) for column in columns]
        tokens = self.statistics.tokens
        if tokens is None:
            return costs
        n_prompt, n_answer = (rows_of(table, category)[0] for table in (tokens.input_tokens, tokens.output_tokens))
        for place, (column, fact) in enumerate(zip(columns, facts, strict=True)):
            if fact.prompt_usd is None or fact.completion_usd is None:
                continue
            n_input = np.nan
            if demand.n_input_tokens is not None:
                n_input = float(demand.n_input_tokens)
            elif demand.n_characters is not None:
                n_input = float(tokens.tokens_per_character[column]) * demand.n_characters
            if not np.isfinite(n_input):
                n_input = float(n_prompt[column])
            cost = n_input * fact.prompt_usd + float(n_answer[column]) * fact.completion_usd
            if np.isfinite(cost):
                costs[place] = cost
        return costs

    def saved_usd(self, column: int, fact: ModelFacts, demand: Demand) -> float:
        """Give what staying with a model saves, because its server has the beginning of the prompt in its cache."""
        tokens = self.statistics.tokens
        if tokens is None or fact.prompt_usd is None or fact.cached_prompt_usd is None:
            return 0.0
        n_cached = float(tokens.tokens_per_character[column]) * demand.n_cached_characters
        return max(n_cached * (fact.prompt_usd - fact.cached_prompt_usd), 0.0) if np.isfinite(n_cached) else 0.0
