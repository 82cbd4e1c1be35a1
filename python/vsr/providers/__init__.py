"""How each provider is asked and how its answers read: one small class each, all behind `Provider`.

This table is all that knows them by name: an endpoint's types, public addresses and variables of keys are read from it.
"""

from vsr.providers.huggingface import HuggingFace
from vsr.providers.nvidia import Nvidia
from vsr.providers.ollama import Ollama
from vsr.providers.openai import OpenAI
from vsr.providers.openrouter import OpenRouter
from vsr.providers.protocol import Provider
from vsr.providers.vllm import Vllm

PROVIDERS: dict[str, Provider] = {
    "ollama": Ollama(),
    "vllm": Vllm(),
    "openai": OpenAI(),
    "huggingface": HuggingFace(),
    "nvidia": Nvidia(),
    "openrouter": OpenRouter(),
}

__all__ = ["PROVIDERS", "Provider"]
