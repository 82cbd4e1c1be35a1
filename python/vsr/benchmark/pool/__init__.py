"""Simulated LLMs behind real HTTP on the loopback interface: they speak OpenAI's and Ollama's protocols."""

from vsr.benchmark.pool.faults import FAULTS, Faults
from vsr.benchmark.pool.server import SimulatedPool

__all__ = ["FAULTS", "Faults", "SimulatedPool"]
