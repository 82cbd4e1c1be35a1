"""What do callers notice while trainings come and workers are killed?

    python benches/python/serving_chaos.py [--seconds 600] [--reload-every-s 5] [--kill-every-s 30] [--connections 8]

Three workers with hash embedder and KMeans. Two trainings take turns in the folder, and one of the first two workers is
killed with SIGKILL again and again; the third shows whether memory grows. Clients with a connection each ask questions
whose choices are known beforehand from both trainings: any other answer is wrong. A request may fail where its
connection led to a worker that was just killed, so at most one a client and kill. Where `wrk` is installed it loads the
server as well. Ends with exit code 1 where any of that does not hold.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from serve_load import LUA, TOPICS, put, train

from vsr.routing import Router

_N_WORKERS = 3
_N_TEXTS = 64
_N_TRAININGS = 2
_GRACE_S = 2.0  # between a kill and the last request that may fail for it


@dataclass(eq=False)
class Seen:
    """What the clients saw, and when workers were killed."""

    n_right: int = 0
    by_training: list[int] = field(default_factory=lambda: [0] * _N_TRAININGS)
    wrong: list[str] = field(default_factory=list)
    failed: list[tuple[float, str]] = field(default_factory=list)
    kills_s: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def n_unexplained(self, n_clients: int) -> int:
        """Count failures that no kill explains."""
        left = dict.fromkeys(self.kills_s, n_clients)
        n_unexplained = 0
        for failed_s, _ in sorted(self.failed):
            kill_s = max((each for each in self.kills_s if each <= failed_s <= each + _GRACE_S), default=None)
            if kill_s is None or not left[kill_s]:
                n_unexplained += 1
            else:
                left[kill_s] -= 1
        return n_unexplained


def main() -> None:
    """Print one Markdown row, and end with 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--reload-every-s", type=float, default=5.0)
    parser.add_argument("--kill-every-s", type=float, default=30.0)
    parser.add_argument("--connections", type=int, default=8, help="Of wrk, beside the clients.")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument(
        "--most-growth-mib", type=float, default=8.0, help="After the first fifth, when caches are full."
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        trainings = [train(folder / f"training{seed}", seed) for seed in range(_N_TRAININGS)]
        served = folder / "served"
        served.mkdir()
        put(trainings[0], served)
        command = [sys.executable, "-m", "vsr", "serve", "--models-dir", str(served), "--port", "0"]
        command += ["--workers", str(_N_WORKERS), "--log", str(folder / "log")]
        said: list[str] = []
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            url = next(line.split()[-1] for line in server.stderr if line.startswith("Listening"))
            reading = threading.Thread(target=lambda: said.extend(server.stderr or ()), daemon=True)
            reading.start()
            try:
                is_sound = _run(url, server.pid, trainings, served, folder / "load.lua", arguments)
            finally:
                server.terminate()
            code = server.wait()
        if code or not is_sound:
            print(f"exit code {code}", *said[-10:], sep="\n", file=sys.stderr)
            raise SystemExit(1)


def _run(
    url: str, parent: int, trainings: Sequence[Path], served: Path, script: Path, arguments: argparse.Namespace
) -> bool:
    texts = [
        f"What is the {' '.join(words[:3])} worth to {name} in case {n}?"
        for n in range(_N_TEXTS // len(TOPICS))
        for name, words in TOPICS.items()
    ]
    right = [
        [_core_of(choice.model, choice.scores) for choice in Router.load(each).select_many(texts)] for each in trainings
    ]
    seen, ended = Seen(), threading.Event()
    load = os.getloadavg()[0]
    clients = [
        threading.Thread(target=_ask, args=(url, texts, right, ended, seen, seed)) for seed in range(arguments.clients)
    ]
    for client in clients:
        client.start()
    generator = _generator(url, script, arguments)
    started_s = time.monotonic()
    n_reloads, memory = 0, []
    reload_s, kill_s, look_s = started_s + arguments.reload_every_s, started_s + arguments.kill_every_s, started_s
    survivor = _workers(parent)[_N_WORKERS]
    while (now_s := time.monotonic()) < started_s + arguments.seconds:
        if now_s >= look_s:
            memory.append((_memory_mib(survivor), _memory_mib(parent)))
            look_s += max(1.0, arguments.seconds / 60)
        if now_s >= reload_s:
            n_reloads += 1
            put(trainings[n_reloads % _N_TRAININGS], served)
            reload_s += arguments.reload_every_s
        if now_s >= kill_s:
            kill_s += arguments.kill_every_s
            pid = _workers(parent).get(len(seen.kills_s) % (_N_WORKERS - 1) + 1)
            if pid is not None:
                seen.kills_s.append(time.monotonic())
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    survives = _workers(parent).get(_N_WORKERS) == survivor
    memory.append((_memory_mib(survivor), _memory_mib(parent)))
    ended.set()
    for client in clients:
        client.join()
    wrk_said = "" if generator is None else generator.communicate(timeout=60)[0]
    n_bad = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", wrk_said)))
    n_broken = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", wrk_said)))
    rate, p99 = (
        (match[1] if (match := re.search(pattern, wrk_said)) else "-")
        for pattern in (r"Requests/sec: +(\S+)", r"99% +(\S+)")
    )
    settled = memory[len(memory) // 5]  # caches are full by then
    growth = [last - first for first, last in zip(settled, memory[-1], strict=True)]
    n_unexplained = seen.n_unexplained(arguments.clients)
    print(
        "| seconds | reloads | kills | checked | of each training | wrong | failed | without a kill "
        "| wrk/s | wrk p99 | wrk broken | wrk not 200 | memory of the survivor | of the parent | load before |"
    )
    print("|" + "---|" * 15)
    row: list[object] = [f"{arguments.seconds:.0f}", n_reloads, len(seen.kills_s), f"{seen.n_right:,}"]
    row += [" and ".join(f"{each:,}" for each in seen.by_training), len(seen.wrong), len(seen.failed), n_unexplained]
    row += [rate, p99, n_broken, n_bad]
    row += [f"{first:.1f} -> {last:.1f} MiB" for first, last in zip(settled, memory[-1], strict=True)]
    print("| " + " | ".join(map(str, [*row, f"{load:.1f}"])) + " |", flush=True)
    for line in [*seen.wrong[:3], *(why for _, why in seen.failed[:3])]:
        print(line, file=sys.stderr)
    is_busy = min(seen.by_training) > 0 and bool(seen.kills_s)
    return (
        survives
        and is_busy
        and not seen.wrong
        and not n_unexplained
        and not n_bad
        and n_broken <= len(seen.kills_s) * 2 * arguments.connections
        and max(growth) <= arguments.most_growth_mib
    )  # wrk notes a broken connection once or twice


def _ask(
    url: str, texts: Sequence[str], right: Sequence[Sequence[Any]], ended: threading.Event, seen: Seen, seed: int
) -> None:
    """Ask over one connection, and compare."""
    order = random.Random(seed)
    with httpx.Client(base_url=url, timeout=30.0, limits=httpx.Limits(max_connections=1)) as client:
        while not ended.is_set():
            number = order.randrange(len(texts))
            try:
                answer = client.post("/v1/select", json={"query": texts[number]})
            except httpx.HTTPError as error:
                with seen.lock:
                    seen.failed.append((time.monotonic(), f"{type(error).__name__}: {error}"))
                continue
            found = None
            if answer.status_code == 200:
                document = answer.json()
                found = _core_of(document["model"], document["scores"])
            with seen.lock:
                for training, choices in enumerate(right):
                    if found == choices[number]:
                        seen.n_right += 1
                        seen.by_training[training] += 1
                        break
                else:
                    seen.wrong.append(f"{answer.status_code}: {answer.text[:300]}")
            time.sleep(0.01)


def _core_of(model: str, scores: Mapping[str, float]) -> tuple[str, tuple[tuple[str, float], ...]]:
    """Give what must agree; scores of a batch may differ in their last bits from those of a single query."""
    return model, tuple((name, round(score, 9)) for name, score in sorted(scores.items()))


def _generator(url: str, script: Path, arguments: argparse.Namespace) -> "subprocess.Popen[str] | None":
    if shutil.which("wrk") is None:
        return None
    script.write_text(LUA)
    command = ["wrk", "-t1", f"-c{arguments.connections}", f"-d{max(1, int(arguments.seconds))}", "--latency"]
    return subprocess.Popen([*command, "-s", str(script), url], stdout=subprocess.PIPE, text=True)


def _workers(parent: int) -> dict[int, int]:
    """Find the workers: number -> process."""
    found = {}
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split():
        try:
            environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for each in environment:
            name, _, value = each.partition(b"=")
            if name == b"VSR_SERVE_WORKER":
                found[json.loads(value)["number"]] = int(child)
    return found


def _memory_mib(pid: int) -> float:
    """Memory that is the process's own."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return sum(int(kib) for kib in re.findall(r"Private_(?:Clean|Dirty): +(\d+) kB", rollup)) / 1024


if __name__ == "__main__":
    main()
