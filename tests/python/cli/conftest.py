"""Records of a small pool, the command line, and artefacts that it made."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from vsr.cli import main

TOPICS = {
    "math": ("integral", "equation", "triangle", "prime"),
    "law": ("contract", "court", "statute", "plaintiff"),
    "biology": ("cell", "enzyme", "protein", "membrane"),
}
MODELS = ("newton", "cicero", "darwin")


@dataclass(frozen=True)
class Result:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Result]


@pytest.fixture
def vsr_train(capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run `vsr-train` in this process."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    with threadpool_limits(limits=1, user_api="blas"):
        yield run


def write_records(path: Path, n_queries: int = 90) -> Path:
    """Questions about three subjects; each model knows one of them, and they differ in speed."""
    generator = np.random.default_rng(0)
    names = list(TOPICS)
    with path.open("w") as file:
        for number in range(n_queries):
            topic = number % 3
            words = " ".join(generator.permutation(TOPICS[names[topic]])[:3])
            for column, model in enumerate(MODELS):
                line = {
                    "query": f"What is the {words} number {number}?",
                    "category": names[topic],
                    "model_name": model,
                    "performance": float(generator.random() < (0.9 if topic == column else 0.2)),
                    "response_time": 0.5 * (column + 1),
                }
                file.write(json.dumps(line) + "\n")
    return path


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(tmp_path_factory.mktemp("records") / "records.jsonl")


@pytest.fixture(scope="session")
def trained(records: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with artefacts of all five, small ones."""
    folder = tmp_path_factory.mktemp("trained") / "models"
    arguments = ["-q", "train", "--data-file", str(records), "--output-dir", str(folder)]
    arguments += ["--use-fallback", "--embedding-dim", "32", "--mlp-hidden-layers", "8", "--mf-num-factors", "4"]
    with threadpool_limits(limits=1, user_api="blas"):
        assert main([*arguments, "--holdout", "0.3", "--json"]) == 0
    return folder
