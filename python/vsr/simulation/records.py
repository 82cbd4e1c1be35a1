"""Simulated LLMs answer the demo's queries without anybody being asked: the quickest way to records."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vsr.data.json_lines import write_json_lines
from vsr.simulation.models import SIMULATED_MODELS, SimulatedAnswer, SimulatedModel, answer
from vsr.simulation.world.questions import DemoQuery


@dataclass(frozen=True)
class SimulatedCall:
    """One simulated LLM's answer to one query.

    Attributes:
        query: what was asked.
        query_number: its place among the queries; groups the calls of one query.
        model: who answered.
        answer: the response and what it took.
    """

    query: DemoQuery
    query_number: int
    model: SimulatedModel
    answer: SimulatedAnswer

    def to_json(self) -> dict[str, object]:
        """Give the fields of a line of a record file."""
        return self.query.to_json() | {
            "model_name": self.model.name,
            "response": self.answer.text,
            "response_time": round(self.answer.latency_s, 4),
            "performance": float(self.answer.is_right),
            "embedding_id": self.query_number,
            "input_tokens": self.answer.input_tokens,
            "output_tokens": self.answer.output_tokens,
            "cost": self.answer.cost_usd,
        }


def simulate(
    queries: Sequence[DemoQuery], models: Iterable[SimulatedModel] = SIMULATED_MODELS, seed: int = 0
) -> Iterator[SimulatedCall]:
    """Let every simulated LLM answer every query, model by model.

    Args:
        queries: what is asked.
        models: who answers.
        seed: the same arguments give the same answers.
    """
    for model in models:
        for number, query in enumerate(queries):
            yield SimulatedCall(query, number, model, answer(model, query, seed))


def write_queries(path: str | os.PathLike[str], queries: Iterable[DemoQuery]) -> None:
    """Write a query file.

    Raises:
        OutputError: The file cannot be written.
    """
    write_json_lines(path, (query.to_json() for query in queries))


def write_records(path: str | os.PathLike[str], calls: Iterable[SimulatedCall]) -> None:
    """Write a record file.

    Raises:
        OutputError: The file cannot be written.
    """
    write_json_lines(path, (call.to_json() for call in calls))
