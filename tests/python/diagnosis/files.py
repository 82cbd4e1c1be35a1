"""Healthy queries and records, to be spoilt by the tests in one respect each."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from vsr.diagnosis import Finding

Line = dict[str, Any]
CATEGORIES = ("math", "law")
MODELS = ("a", "b", "c")


def queries(n: int = 60) -> list[Line]:
    """Queries with nothing to find."""
    return [
        {
            "query": f"How much is {number} and {number}?",
            "category": CATEGORIES[number % 2],
            "ground_truth": str(2 * number),
            "metric": "numeric",
        }
        for number in range(n)
    ]


def records(n: int = 60) -> list[Line]:
    """Records of three models with nothing to find: each is the only one that is right on a third of the queries."""
    return [
        {
            **query,
            "model_name": model,
            "response": f"It is {number} for {model}.",
            "performance": float(number % 3 == column),
            "response_time": 0.5 + 0.01 * number + 0.1 * column,
            "cost": 0.001 * (1 + column + number % 5),
            "input_tokens": 7,
            "error": None,
        }
        for number, query in enumerate(queries(n))
        for column, model in enumerate(MODELS)
    ]


def write(path: Path, lines: Iterable[Line]) -> Path:
    """Write JSON Lines."""
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def changed(lines: list[Line], change: Callable[[int, Line], Line | None]) -> list[Line]:
    """Change every line, or leave it out."""
    new = (change(number, dict(line)) for number, line in enumerate(lines))
    return [line for line in new if line is not None]


def by_check(findings: Iterable[Finding]) -> dict[str, Finding]:
    """The first finding of every check."""
    found: dict[str, Finding] = {}
    for finding in findings:
        found.setdefault(finding.check, finding)
    return found
