"""How each provider is asked and how its answers read: one small class each, all behind `Provider`."""

from vsr.benchmark.providers.huggingface import HuggingFace
from vsr.benchmark.providers.nvidia import Nvidia
from vsr.benchmark.providers.ollama import Ollama
from vsr.benchmark.providers.openai import OpenAI
from vsr.benchmark.providers.openrouter import OpenRouter
from vsr.benchmark.providers.protocol import Provider
from vsr.benchmark.providers.vllm import Vllm
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
