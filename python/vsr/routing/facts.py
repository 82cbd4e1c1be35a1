"""What a configuration says of its models that limits of requests ask for."""

from vsr.choice.expectations import ModelFacts
from vsr.config import ModelEntry, RouterConfig


def facts_of(config: RouterConfig) -> dict[str, ModelFacts]:
    """Give capabilities, context and prices of the models of a configuration, by name."""
    return {name: _facts(entry) for name, entry in config.models.items()}


def _facts(entry: ModelEntry) -> ModelFacts:
    pricing = entry.pricing
    return ModelFacts(
        capabilities=frozenset(entry.capabilities),
        context_tokens=entry.context_tokens or entry.context_window_size,
        prompt_usd=None if pricing is None else pricing.prompt_per_1m / 1e6,
        completion_usd=None if pricing is None else pricing.completion_per_1m / 1e6,
        cached_prompt_usd=(
            None if pricing is None or pricing.cached_prompt_per_1m is None else pricing.cached_prompt_per_1m / 1e6
        ),
    )
