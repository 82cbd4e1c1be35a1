"""OpenRouter."""

from collections.abc import Mapping

from vsr.providers.chat_completions import ChatCompletions
from vsr.providers.fields import amount


class OpenRouter(ChatCompletions):
    """https://openrouter.ai/docs/api-reference/overview."""

    public_address = "https://openrouter.ai"
    key_variables = ("OPENROUTER_API_KEY",)
    states_cost = True
    path = "/api/v1/chat/completions"

    def headers(self) -> Mapping[str, str]:
        """Name the application, as OpenRouter asks for."""
        return {"HTTP-Referer": "https://github.com/vllm-project/semantic-router", "X-Title": "vsr-train"}

    def reasoning(self, use_reasoning: bool) -> dict[str, object]:
        """Use the one form that OpenRouter translates for every model."""
        return {"reasoning": {"enabled": use_reasoning}}

    def cost_usd(self, usage: Mapping[str, object]) -> float | None:
        """Return the credits that the call cost; a credit is a US dollar."""
        return amount(usage.get("cost"))
