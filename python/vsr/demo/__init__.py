"""A small world to try everything in: queries of our own with known answers, and simulated LLMs that answer them."""

from vsr.demo.generation import N_QUERIES, generate_queries
from vsr.demo.models import SIMULATED_MODELS, SimulatedAnswer, SimulatedModel, answer
from vsr.demo.questions import DemoQuery, Kind, Question
from vsr.demo.simulation import SimulatedCall, simulate, write_queries, write_records

__all__ = [
    "N_QUERIES",
    "SIMULATED_MODELS",
    "DemoQuery",
    "Kind",
    "Question",
    "SimulatedAnswer",
    "SimulatedCall",
    "SimulatedModel",
    "answer",
    "generate_queries",
    "simulate",
    "write_queries",
    "write_records",
]
