"""Hugging Face: the public router over its inference providers, and one's own inference endpoints."""

from vsr.asking.providers.chat_completions import ChatCompletions


class HuggingFace(ChatCompletions):
    """https://huggingface.co/docs/inference-providers/tasks/chat-completion."""

    key_variables = ("HF_TOKEN", "HUGGINGFACE_API_KEY")
