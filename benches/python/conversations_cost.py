"""What does it cost a server to remember which model answered last?

    python benches/python/conversations_cost.py [--requests 2000] [--rounds 15]

Hash embedder (768 wide) and KMeans on made-up texts, 16 models: the cheapest choice that there is, from the bytes of
the body to the choice, without HTTP. With the shared table and without take turns; the ratio is that of their times
within a round, and holds what staying itself costs.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from serve_load import train

from vsr.routing import Router
from vsr.routing.conversations import Conversations
from vsr.serving.bodies import read_requests


def bodies(kind: str, n_requests: int) -> list[bytes]:
    """Write requests of one kind, every text its own."""
    made: list[bytes] = []
    for number in range(n_requests):
        text = f"What does the court say of the enzyme in case {number}, and why?"
        if kind == "query with session_id":
            made.append(json.dumps({"query": text, "session_id": str(number % 500)}).encode())
            continue
        system = "Be brief. " * (1_000 if "10 kB" in kind else 2)
        said = [("system", f"{system}{number % 500}"), ("user", "Hello?"), ("assistant", "Yes."), ("user", text)]
        made.append(json.dumps({"messages": [{"role": role, "content": each} for role, each in said]}).encode())
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--requests", type=int, default=2_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=15, metavar="N")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        router = Router.load(train(Path(folder) / "models", 0), query_cache=0)
        held = Conversations(Path(folder) / "table")
        for kind in ("query with session_id", "four messages", "four messages, the first of 10 kB"):
            asked = bodies(kind, options.requests)
            seconds = np.array([[_time(router, asked, each) for each in (None, held)] for _ in range(options.rounds)])
            ratio = np.median(seconds[:, 1] / seconds[:, 0])
            best_us = 1e6 * seconds.min(axis=0) / options.requests
            print(f"| {kind} | {best_us[0]:.0f} µs | {best_us[1]:.0f} µs | {ratio:.3f} |")


def _time(router: Router, asked: list[bytes], held: Conversations | None) -> float:
    started_s = time.perf_counter()
    for body in asked:
        read = read_requests(body)
        [request], [session], [messages] = read.requests, read.sessions, read.messages
        if held is None:
            router.route([request])
            continue
        key = held.key(messages or (), session, "key")
        last = held.find(key)
        [choice] = router.route([request if last is None else replace(request, previous=last)])
        held.remember(key, choice.model)
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
