"""Simulated LLMs behind real HTTP on the loopback interface: they speak OpenAI's and Ollama's protocols."""

from vsr.simulation.server.faults import FAULTS, Faults
from vsr.simulation.server.pool import SimulatedPool

__all__ = ["FAULTS", "Faults", "SimulatedPool"]
