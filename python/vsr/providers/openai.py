"""OpenAI, and every server that is configured as one."""

from vsr.providers.chat_completions import ChatCompletions


class OpenAI(ChatCompletions):
    """https://platform.openai.com/docs/api-reference/chat."""

    public_address = "https://api.openai.com"
    key_variables = ("OPENAI_API_KEY",)
