"""How each provider is asked and how its answers read: one small class each, all behind `Provider`."""

from vsr.asking.providers.huggingface import HuggingFace
from vsr.asking.providers.nvidia import Nvidia
from vsr.asking.providers.ollama import Ollama
from vsr.asking.providers.openai import OpenAI
from vsr.asking.providers.openrouter import OpenRouter
from vsr.asking.providers.protocol import Provider
from vsr.asking.providers.vllm import Vllm
from vsr.config.sections import ProviderName

PROVIDERS: dict[ProviderName, Provider] = {
    "ollama": Ollama(),
    "vllm": Vllm(),
    "openai": OpenAI(),
    "huggingface": HuggingFace(),
    "nvidia": Nvidia(),
    "openrouter": OpenRouter(),
}

__all__ = ["PROVIDERS", "Provider"]
