"""What does `vsr-train serve` carry, with new trainings coming meanwhile?

    python benches/python/serve_load.py [--seconds 15] [--connections 64] [--runs 3] [--reload-every-s 5]

Needs `wrk`. Hash embedder (768 wide) and KMeans on made-up texts, 16 models; every request has a text of its own, so
that none comes from the cache, and every choice is logged. Two trainings take turns in the folder, manifest last. A
client of its own asks four questions over and over, and compares the scores with those of the two trainings: anything
else is a wrong answer. Server, wrk and that client share the machine.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np

from vsr.choice.objective import Objective
from vsr.data.outcomes import Outcomes
from vsr.embedding import load_embedder
from vsr.features import build_features
from vsr.persistence import MANIFEST_NAME, save_selectors, write_manifest
from vsr.routing import Router
from vsr.training.trainer import train_selector

_N_MODELS = 16
_ARTEFACT = "kmeans_model.json"
TOPICS = {
    "math": ["integral", "equation", "triangle", "prime", "matrix", "limit", "series", "graph"],
    "law": ["contract", "court", "statute", "plaintiff", "appeal", "verdict", "tort", "clause"],
    "biology": ["cell", "enzyme", "protein", "membrane", "gene", "tissue", "virus", "organ"],
    "history": ["empire", "treaty", "revolution", "dynasty", "siege", "colony", "reform", "crown"],
}
LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n, thread = 0, 0
local words = {"integral", "court", "enzyme", "treaty", "matrix", "verdict", "tissue", "siege"}
function setup(t) thread = thread + 1; t:set("own", thread) end
function request()
  n = n + 1
  local first, second = words[n % 8 + 1], words[math.floor(n / 8) % 8 + 1]
  local text = string.format("What does the %s say of the %s in case %d of %d, and why?", first, second, n, own)
  return wrk.format(nil, "/v1/select", nil, '{"query": "' .. text .. '"}')
end
"""


@dataclass(eq=False)
class Checked:
    """What the comparing client saw."""

    n_right: int = 0
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    """Print one Markdown row per run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--reload-every-s", type=float, default=5.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        trainings = [train(folder / f"training{seed}", seed) for seed in range(2)]
        served = folder / "served"
        served.mkdir()
        put(trainings[0], served)
        command = [sys.executable, "-m", "vsr", "serve", "--models-dir", str(served), "--port", "0"]
        command += ["--log", str(folder / "log")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            url = next(line.split()[-1] for line in server.stderr if line.startswith("Listening"))
            threading.Thread(target=server.stderr.read, daemon=True).start()
            try:
                print("| requests/s | p50 | p99 | failed | reloads | refused | compared | wrong | memory | load |")
                print("|---|---|---|---|---|---|---|---|---|---|")
                for _ in range(arguments.runs):
                    _run(url, server.pid, trainings, served, folder / "load.lua", arguments)
            finally:
                server.terminate()
            ended = server.wait()
        n_lines = sum(1 for path in (folder / "log").glob("decisions*.jsonl") for _ in path.open("rb"))
        print(f"exit code {ended}, {n_lines:,} lines logged", file=sys.stderr)


def _run(
    url: str, pid: int, trainings: Sequence[Path], served: Path, script: Path, arguments: argparse.Namespace
) -> None:
    script.write_text(LUA)
    ended, checked = threading.Event(), Checked()
    beside = [
        threading.Thread(target=_reload, args=(trainings, served, ended, arguments.reload_every_s)),
        threading.Thread(target=_compare, args=(url, trainings, ended, checked)),
    ]
    before = _state(url)
    load = os.getloadavg()[0]
    for each in beside:
        each.start()
    command = [
        "wrk",
        "-t2",
        f"-c{arguments.connections}",
        f"-d{arguments.seconds}",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ended.set()
    for each in beside:
        each.join()
    after = _state(url)
    failed = sum(map(int, re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", said)))
    rate, p50, p99 = (_found(pattern, said) for pattern in (r"Requests/sec: +(\S+)", r"50% +(\S+)", r"99% +(\S+)"))
    row = [rate, p50, p99, failed, after[0] - before[0], after[1] - before[1], checked.n_right, len(checked.wrong)]
    print(f"| {' | '.join(map(str, row))} | {_memory_mib(pid)} MiB | {load:.1f} |", flush=True)
    for wrong in checked.wrong[:3]:
        print(wrong, file=sys.stderr)


def train(folder: Path, seed: int) -> Path:
    """Write a training of made-up outcomes: hash embedder and KMeans."""
    generator = np.random.default_rng(seed)
    subjects = [number % len(TOPICS) for number in range(2000)]
    names = list(TOPICS)
    queries = [
        f"What is the {' '.join(generator.choice(TOPICS[names[subject]], 4))} number {number}?"
        for number, subject in enumerate(subjects)
    ]
    expected = generator.random((len(names), _N_MODELS))[subjects]
    outcomes = Outcomes(
        queries=queries,
        categories=[names[subject] for subject in subjects],
        models=tuple(f"model-{number}" for number in range(_N_MODELS)),
        quality=(generator.random(expected.shape) < expected).astype(float),
        latency_s=np.tile(np.linspace(0.5, 3.0, _N_MODELS), (len(queries), 1)),
    )
    embedder = load_embedder("hash", dim=768)
    selector = train_selector(
        "kmeans", build_features(embedder.embed(queries), outcomes.categories), outcomes, num_clusters=16
    )
    [path] = save_selectors([selector], folder, embedder.fingerprint, objective=Objective())
    write_manifest(folder, {"kmeans": path}, "kmeans", Objective())
    return folder


def put(training: Path, served: Path) -> None:
    """Copy a training into the folder that is served, manifest last."""
    for name in (_ARTEFACT, MANIFEST_NAME):
        temporary = served / f".{name}.new"
        temporary.write_bytes((training / name).read_bytes())
        temporary.replace(served / name)


def _reload(trainings: Sequence[Path], served: Path, ended: threading.Event, every_s: float) -> None:
    number = 0
    while not ended.wait(every_s):
        number += 1
        put(trainings[number % 2], served)


def _compare(url: str, trainings: Sequence[Path], ended: threading.Event, checked: Checked) -> None:
    texts = [f"What is the {' '.join(words[:3])} worth to {name}?" for name, words in TOPICS.items()]
    right = [[choice.scores for choice in Router.load(training).select_many(texts)] for training in trainings]
    with httpx.Client(base_url=url, timeout=30.0) as client:
        while not ended.is_set():
            answer = client.post("/v1/select", json=[{"query": text} for text in texts])
            scores = [each["scores"] for each in answer.json()] if answer.status_code == 200 else None
            if scores in right:
                checked.n_right += 1
            else:
                checked.wrong.append(f"{answer.status_code}: {answer.text[:300]}")
            time.sleep(0.02)


def _state(url: str) -> tuple[int, int]:
    """Trainings served and refused so far."""
    page = httpx.get(f"{url}/metrics", timeout=30.0).text
    served, refused = (
        _found(rf'vsr_reloads_total{{result="{result}"}} (\S+)', page) for result in ("served", "refused")
    )
    return int(float(served)), int(float(refused))


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"{pattern} is not in: {text}")
    return found[1]


def _memory_mib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(_found(r"VmRSS:\s+(\d+) kB", status)) >> 10


if __name__ == "__main__":
    main()
