"""OpenRouter."""

from collections.abc import Mapping

from vsr.asking.providers.chat_completions import ChatCompletions


class OpenRouter(ChatCompletions):
    """https://openrouter.ai/docs/api-reference/overview."""

    key_variables = ("OPENROUTER_API_KEY",)
    path = "/api/v1/chat/completions"

    def headers(self) -> Mapping[str, str]:
        """Name the application, as OpenRouter asks for."""
        return {"HTTP-Referer": "https://github.com/vllm-project/semantic-router", "X-Title": "vsr-train"}

    def reasoning(self, use_reasoning: bool) -> dict[str, object]:
        """Use the one form that OpenRouter translates for every model."""
        return {"reasoning": {"enabled": use_reasoning}}

    def cost_usd(self, usage: Mapping[str, object]) -> float | None:
        """Return the credits that the call cost; a credit is a US dollar."""
        cost = usage.get("cost")
        return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0 else None
