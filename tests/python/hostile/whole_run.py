"""A whole run through every fault that a run may go through, in a process of its own: its memory is measured.

    python whole_run.py PORT OUTPUT N_CALLS CONCURRENCY

It prints one JSON object.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from hostile.attack import peak_mib
from hostile.faults import FAULTS, Fault
from vsr.asking.client import ChatClient, Timed
from vsr.asking.models import Target
from vsr.asking.queue import RetryPolicy
from vsr.benchmark.plan import make_plan
from vsr.benchmark.runner import RunSettings, run_benchmark
from vsr.config import parse_config
from vsr.data.records import Query
from vsr.providers.call import ChatRequest

TIMEOUT_S = 5.0
PROTOCOLS = {"a": "openai", "b": "ollama"}
SOFT = [fault for fault in FAULTS.values() if fault.is_soft]


def queries(n: int) -> list[Query]:
    """Return so many queries, each kind of fault as often as any other, in a mixed order."""
    found = [Query(f"fault {SOFT[i % len(SOFT)].name}, {i}", "math", "4") for i in range(n)]
    Random(0).shuffle(found)
    return found


def time_calls() -> list[float]:
    """Note how long the longest attempt takes, reading and all."""
    longest, ask = [0.0], ChatClient.ask

    async def timed(self: ChatClient, target: Target, request: ChatRequest) -> Timed:
        started = time.monotonic()
        try:
            return await ask(self, target, request)
        finally:
            longest[0] = max(longest[0], time.monotonic() - started)

    ChatClient.ask = timed  # type: ignore[method-assign]
    return longest


def main(port: int, output: Path, n_calls: int, concurrency: int) -> dict[str, object]:
    """Run, and say what is in the output."""
    endpoints = [
        {
            "name": kind,
            "address": "127.0.0.1",
            "port": port,
            "type": kind,
            "timeout_s": TIMEOUT_S,
            "api_key": "the-key-of-all",
        }
        for kind in PROTOCOLS.values()
    ]
    models = {name: {"preferred_endpoints": [kind]} for name, kind in PROTOCOLS.items()}
    config = parse_config(json.dumps({"vllm_endpoints": endpoints, "model_config": models}), environment={})
    plan = make_plan(queries(n_calls // len(PROTOCOLS)), config, environment={})
    pace = RetryPolicy(
        concurrency=concurrency, n_attempts=1, backoff_s=0.001, longest_backoff_s=0.01, n_timeouts_in_row=1_000_000
    )
    longest = time_calls()
    started = time.monotonic()
    summary = run_benchmark(plan, output, RunSettings(pace))
    seconds = time.monotonic() - started
    records = [json.loads(line) for line in output.read_text().splitlines()]
    found = Counter((fault_of(record["query"]).name, outcome(record)) for record in records)
    return {
        "records": len(records),
        "different": len({(record["query"], record["model_name"]) for record in records}),
        "answers": sum(model.n_answers for model in summary.models),
        "wrong": sorted(f"{name}: {kind}" for name, kind in found if not FAULTS[name].allows(kind)),
        "elsewhere": sum(record["response"] != record["query"] for record in records if not record.get("error")),
        "kinds": Counter(map(outcome, records)),
        "failures": sum((Counter(model.failures) for model in summary.models), Counter()),
        "longest_s": round(longest[0], 2),
        "peak_mib": peak_mib(),
        "seconds": round(seconds, 1),
    }


def fault_of(prompt: str) -> Fault:
    """Return the fault that a prompt asks for."""
    return FAULTS[prompt.partition(",")[0].removeprefix("fault ")]


def outcome(record: dict[str, object]) -> str:
    """Return what became of a call, in the words of a fault."""
    return str(record["error_kind"]) if record.get("error") else "answer"


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
