"""NVIDIA NIM, hosted and self-hosted."""

from vsr.asking.providers.vllm import Vllm


class Nvidia(Vllm):
    """https://docs.nvidia.com/nim/large-language-models/latest/api-reference.html; vLLM's way to switch thinking."""

    key_variables = ("NVIDIA_API_KEY",)
