"""NVIDIA NIM, hosted and self-hosted."""

from vsr.providers.vllm import Vllm


class Nvidia(Vllm):
    """https://docs.nvidia.com/nim/large-language-models/latest/api-reference.html; vLLM's way to switch thinking."""

    public_address = "https://integrate.api.nvidia.com"
    key_variables = ("NVIDIA_API_KEY",)
