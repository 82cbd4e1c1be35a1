"""What the program really writes: a small training on simulated records, and a server that is asked once."""

import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tables import code, table

from vsr.data.categories import CATEGORIES
from vsr.persistence.manifest import MANIFEST_NAME
from vsr.selectors import registry
from vsr.simulation import SIMULATED_MODELS, generate_queries, simulate, write_records

_N_QUERIES, _DIM = 91, 19  # numbers that nothing else has, so that a length says what it counts
_N_NAMED = {
    _N_QUERIES: "queries",
    _DIM + len(CATEGORIES): "width",
    len(SIMULATED_MODELS): "models",
    len(CATEGORIES): "categories",
}


@dataclass(frozen=True)
class Served:
    """What a server left behind.

    Attributes:
        line: the decision in its log.
        metrics: its page of metrics.
    """

    line: dict[str, Any]
    metrics: str


def of_algorithms() -> str:
    """Make a table of the fields of every algorithm's artefact, but for the common block."""
    parts = []
    for name in registry.names():
        file_name = registry.algorithm(name).file_names[0]
        document = _trained()[file_name]
        own = document["vsr"]["predictor"]
        rows = [(code(field), _holds(value)) for field, value in document.items() if field != "vsr"]
        rows += [(code(f"vsr.predictor.{field}"), _holds(value)) for field, value in own.items()]
        parts += [f"### {name}: `{file_name}`\n", table(("field", "holds"), rows)]
    return "\n".join(parts)


def of_header() -> str:
    """Make the table of the block that all artefacts have."""
    header = _trained()[registry.algorithm("knn").file_names[0]]["vsr"]
    return table(("field of `vsr`", "holds"), ((code(field), _holds(value)) for field, value in header.items()))


def manifest() -> dict[str, str]:
    """Say what the fields of a manifest hold."""
    return {field: _holds(value) for field, value in _trained()[MANIFEST_NAME].items()}


def decision_log() -> str:
    """Show a line of the log, spread over lines."""
    return f"```json\n{json.dumps(served().line, indent=2)}\n```\n"


@cache
def served() -> Served:
    """Ask a server once, and read what it logged and counted."""
    with tempfile.TemporaryDirectory(prefix="vsr-docs-") as name:
        folder = Path(name)
        for file_name, document in _trained().items():
            (folder / file_name).write_text(json.dumps(document), encoding="utf-8")
        arguments = ["serve", "--models-dir", str(folder), "--algorithm", "knn", "--port", "0", "--log", str(folder)]
        server = subprocess.Popen(
            [sys.executable, "-m", "vsr", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            url = next(line.split()[-1] for line in lines if line.startswith("Listening"))
            body = json.dumps({"query": "What is the derivative of sin(x)?", "request_id": "42"}).encode()
            request = urllib.request.Request(f"{url}/v1/select", body, {"Content-Type": "application/json"})
            _read(request)
            metrics = _read(f"{url}/metrics")
        finally:
            server.terminate()
            server.communicate(timeout=30)
        line = json.loads((folder / "decisions.jsonl").read_text(encoding="utf-8"))
    return Served(line, metrics)


@cache
def _trained() -> dict[str, Any]:
    """Train on simulated records, and read every file that has been written."""
    with tempfile.TemporaryDirectory(prefix="vsr-docs-") as name:
        folder = Path(name)
        write_records(folder / "records.jsonl", simulate(generate_queries(_N_QUERIES, seed=0)))
        arguments = ["train", "--data-file", str(folder / "records.jsonl"), "--output-dir", str(folder / "trained")]
        arguments += ["--use-fallback", "--embedding-dim", str(_DIM), "--holdout", "0.3"]
        subprocess.run([sys.executable, "-m", "vsr", *arguments], check=True, capture_output=True)
        return {path.name: json.loads(path.read_bytes()) for path in (folder / "trained").glob("*.json")}


def _read(request: str | urllib.request.Request) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def _holds(value: object) -> str:
    """Say what a JSON value is, arrays with what their lengths count."""
    if isinstance(value, dict):
        if not value:
            return "object"
        if _is_of_fields(value):
            return f"object: {', '.join(code(str(key)) for key in value)}"
        return f"by {'index' if '0' in value else 'name'} of the model: {_holds(next(iter(value.values())))}"
    if isinstance(value, list):
        lengths = code("".join(f"[{length}]" for length in _lengths(value)))
        inner: object = value
        while isinstance(inner, list) and inner:
            inner = inner[0]
        return lengths if inner == [] else f"{lengths} of {_holds(inner)}"
    return (
        "null"
        if value is None
        else {bool: "true or false", int: "whole number", float: "number", str: "text"}[type(value)]
    )


def _is_of_fields(value: dict[str, Any]) -> bool:
    names = {model.name for model in SIMULATED_MODELS}
    return not (value and (set(value) <= names or all(key.isdigit() for key in value)))


def _lengths(value: object) -> Iterator[str]:
    while isinstance(value, list):
        yield _N_NAMED.get(len(value), "n")
        if not value:
            return
        value = value[0]
