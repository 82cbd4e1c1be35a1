"""OpenAI, and every server that is configured as one."""

from vsr.asking.providers.chat_completions import ChatCompletions


class OpenAI(ChatCompletions):
    """https://platform.openai.com/docs/api-reference/chat."""

    key_variables = ("OPENAI_API_KEY",)
