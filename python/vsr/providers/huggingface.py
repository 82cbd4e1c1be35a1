"""Hugging Face: the public router over its inference providers, and one's own inference endpoints."""

from vsr.providers.chat_completions import ChatCompletions


class HuggingFace(ChatCompletions):
    """https://huggingface.co/docs/inference-providers/tasks/chat-completion."""

    public_address = "https://router.huggingface.co"
    key_variables = ("HF_TOKEN", "HUGGINGFACE_API_KEY")
