"""`train --benchmark`: query file and configuration in, records beside the artefacts, selectors out."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.conftest import Command
from servers.scripted import Scripted, chat, endpoint, error, json_response
from vsr.simulation import generate_queries, write_queries
from vsr.simulation.server import SimulatedPool

ARTEFACTS = [
    *("kmeans_model.json", "knn_model.json", "mf_model.json", "mlp_model.json", "recommended.json"),
    *("stacking_model.json", "svm_model.json", "table_model.json", "training_queries.json"),
]
RECORDS = "benchmark_training_data.jsonl"
OFFERED = {
    "llama-3.2-1b": "sim-small-1b",
    "llama-3.2-3b": "sim-maths-8b",
    "codellama-7b": "sim-scholar-8b",
    "mistral-7b": "sim-large-70b",
}
QUICK = ("--concurrency", 32, "--rate-limit-delay", 0, "--use-fallback", "--embedding-dim", 32, "--holdout", 0.3)
SMALL = ("--mlp-hidden-layers", "8", "--mf-num-factors", 4)


@dataclass(frozen=True)
class Place:
    """A folder with four models, decisions, sixty queries, and simulated LLMs that answer them."""

    folder: Path
    pool: SimulatedPool

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def queries(self) -> Path:
        return self.folder / "training_data_with_category.jsonl"

    @property
    def out(self) -> Path:
        return self.folder / "trained_models"

    @property
    def n_asked(self) -> int:
        return sum(self.pool.n_requests.values())

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.out / RECORDS).read_text().splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    queries = generate_queries(60)
    with SimulatedPool(queries, time_scale=0.0) as pool:
        found = Place(tmp_path, pool)
        found.config.write_text(
            json.dumps(
                {
                    "vllm_endpoints": [endpoint(pool), endpoint(pool, "ollama", "ollama")],
                    "model_config": {
                        "unused": {"preferred_endpoints": ["one"]},
                        **{
                            name: {"preferred_endpoints": [at], "external_model_ids": {"vllm": held, "ollama": held}}
                            for (name, held), at in zip(OFFERED.items(), ("one", "ollama", "one", "one"), strict=True)
                        },
                    },
                    "decisions": [
                        {
                            "name": "math",
                            "algorithm": {"type": "knn", "knn": {"k": 7}},
                            "modelRefs": [
                                {"model": "llama-3.2-1b"},
                                {"model": "llama-3.2-3b"},
                                {"model": "mistral-7b"},
                            ],
                        },
                        {"name": "rest", "modelRefs": [{"model": "codellama-7b"}, {"model": "mistral-7b"}]},
                    ],
                }
            )
        )
        write_queries(found.queries, queries)
        yield found


def test_from_nothing_to_five_artefacts(place: Place, vsr_train: Command) -> None:
    flags = ("--data-file", place.queries, "--output-dir", place.out, "--query-limit", 40)
    result = vsr_train("train", "--benchmark", "--config", place.config, *flags, *QUICK, *SMALL)
    assert result.code == 0
    assert sorted(path.name for path in place.out.iterdir()) == [RECORDS, *ARTEFACTS]
    assert {record["model_name"] for record in place.records()} == set(OFFERED)
    assert len(place.records()) == 160
    # What the training found is the data; how the asking went is said beside it.
    assert result.out.startswith("40 queries, 4 models, 14 categories; held out:")
    assert "failed calls by reason" not in result.out
    assert re.search(r"^mistral-7b +40 +- ", result.err, re.MULTILINE)
    assert "160 calls in " in result.err
    assert json.loads((place.out / "knn_model.json").read_text())["k"] == 7

    n_asked = place.n_asked
    again = vsr_train("train", "--benchmark", "--config", place.config, *flags, *QUICK, *SMALL)
    assert (again.code, place.n_asked) == (0, n_asked)
    assert "0 calls to make (160 are there already)." in again.err


def test_as_json_stdout_is_one_object(place: Place, vsr_train: Command) -> None:
    flags = ("--data-file", place.queries, "--output-dir", place.out, "--query-limit", 30, "--algorithm", "knn")
    result = vsr_train("train", "--benchmark", "--config", place.config, *flags, *QUICK, "--json")
    assert result.code == 0
    assert result.json["evaluation"]["n_queries"] == 30
    assert "120 calls in " in result.err


def test_the_queries_are_in_the_documented_file_by_default(
    place: Place, vsr_train: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.folder)
    flags = ("train", "--benchmark", "--config", place.config, *QUICK, "--query-limit", 20, "--algorithm", "kmeans")
    assert vsr_train(*flags).code == 0
    assert sorted(path.name for path in place.out.iterdir()) == [
        RECORDS,
        "kmeans_model.json",
        "recommended.json",
        "table_model.json",
        "training_queries.json",
    ]
    shutil.move(place.queries, place.folder / "elsewhere.jsonl")
    missing = vsr_train(*flags)
    assert missing.code == 1
    assert "training_data_with_category.jsonl: no such file" in missing.err


def test_with_too_many_failures_it_trains_and_says_so_last(place: Place, vsr_train: Command) -> None:
    config = json.loads(place.config.read_text())
    config["model_config"]["codellama-7b"]["external_model_ids"]["vllm"] = "no-such-model"
    place.config.write_text(json.dumps(config))
    flags = ("--data-file", place.queries, "--output-dir", place.out, "--query-limit", 40, "--algorithm", "knn")
    result = vsr_train("train", "--benchmark", "--config", place.config, *flags, *QUICK)
    assert result.code == 3
    assert (place.out / "knn_model.json").exists()
    assert "codellama-7b was stopped, 40 calls not asked" in result.err
    assert result.err.splitlines()[-1] == "Error: 25% of the calls failed, more than the 20% of --max-failures."
    assert vsr_train("train", "--benchmark", "--config", place.config, *flags, *QUICK, "--max-failures", 0.3).code == 0


def test_failed_calls_are_asked_again_on_request(tmp_path: Path, vsr_train: Command) -> None:
    is_down = [True]

    def reply(seen):
        if is_down[0] and "number 1" in seen.prompt:
            return json_response(error("no"), 422)
        return json_response(chat("4" if seen.model == "a" else "5"))

    queries = tmp_path / "q.jsonl"
    lines = (f'{{"query": "What is 2 + 2? (number {i})", "category": "math", "ground_truth": 4}}' for i in range(20))
    queries.write_text("\n".join(lines))
    with Scripted(reply) as server:
        models = {name: {"preferred_endpoints": ["one"]} for name in "ab"}
        (tmp_path / "c.yaml").write_text(json.dumps({"vllm_endpoints": [endpoint(server)], "model_config": models}))
        asking = ("--benchmark", "--config", tmp_path / "c.yaml", "--data-file", queries)
        flags = ("train", *asking, *QUICK, "--output-dir", tmp_path / "out", "--algorithm", "knn")
        assert vsr_train(*flags).code == 3
        is_down[0] = False
        result = vsr_train(*flags, "--retry-failed")
    assert result.code == 0
    assert "22 calls failed in an earlier run and are asked again." in result.err
    assert len((tmp_path / "out" / RECORDS).read_text().splitlines()) == 40


def test_what_cannot_go_well_is_said_before_anything_is_asked(place: Place, vsr_train: Command) -> None:
    flags = ("train", "--benchmark", "--config", place.config, "--data-file", place.queries, "--output-dir", place.out)
    missing = vsr_train(*flags, "--embedding-model", "bert", "--embedding-path", place.folder / "nowhere")
    assert missing.code == 1
    assert "nowhere" in missing.err
    unpriced = vsr_train(*flags, "--use-fallback", "--max-cost", 1)
    assert unpriced.code == 2
    assert "--max-cost has no effect: no model in the configuration has prices" in unpriced.err
    assert place.n_asked == 0


def test_ctrl_c_while_asking_trains_nothing_and_loses_nothing(place: Place) -> None:
    environment = os.environ | {"VSR_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    flags = ("--config", place.config, "--data-file", place.queries, "--output-dir", place.out)
    slowly = ("--use-fallback", "--concurrency", "2", "--rate-limit-delay", "50")
    command = [sys.executable, "-m", "vsr", "train", "--benchmark", *map(str, flags), *slowly]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while place.n_asked < 12:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "calls are missing: the same command goes on from here." in err
    assert [path.name for path in place.out.iterdir()] == [RECORDS]
    assert len(place.records()) >= 4
