"""A small world to try everything in: queries of our own with known answers, and simulated LLMs that answer them."""

from vsr.simulation.judges import SIMULATED_JUDGES, SimulatedJudge
from vsr.simulation.models import SIMULATED_MODELS, SimulatedAnswer, SimulatedModel, answer
from vsr.simulation.records import SimulatedCall, simulate, write_queries, write_records
from vsr.simulation.world.generation import N_QUERIES, generate_queries
from vsr.simulation.world.questions import DemoQuery, Kind, Question

__all__ = [
    "N_QUERIES",
    "SIMULATED_JUDGES",
    "SIMULATED_MODELS",
    "DemoQuery",
    "Kind",
    "Question",
    "SimulatedAnswer",
    "SimulatedCall",
    "SimulatedJudge",
    "SimulatedModel",
    "answer",
    "generate_queries",
    "simulate",
    "write_queries",
    "write_records",
]
