"""vLLM's OpenAI-compatible server."""

from vsr.providers.chat_completions import ChatCompletions


class Vllm(ChatCompletions):
    """https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html."""

    def reasoning(self, use_reasoning: bool) -> dict[str, object]:
        """Switch thinking on or off in the model's chat template."""
        return {"chat_template_kwargs": {"enable_thinking": use_reasoning}}
