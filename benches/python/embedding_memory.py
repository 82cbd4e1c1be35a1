"""How much private memory does an encoder need, at its load and while it embeds?

    .venv/bin/python benches/python/embedding_memory.py [--model qwen3-0.6b] [--threads 2]

A new process loads the model and embeds while a thread reads RssAnon from /proc/self/status (Linux only) every few
milliseconds: what the process has for itself, without mapped files, whose pages the system may take back at any time.
The measure is the size of the model's weights in float32; the goal for a load from bfloat16 is at most 1.3 times that.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import embedding_models
import numpy as np

GOAL = 1.3
_SHAPES = ((1, 64), (32, 64), (1, 512), (16, 512))
_INTERVAL_S = 0.002


def resident(kind: str) -> int:
    """Read `RssAnon` or `RssFile` of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(kind + ":"))


def peak(work: Callable[[], object]) -> int:
    """Call `work` and give the most private memory that was seen meanwhile, in bytes."""
    seen = [resident("RssAnon")]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_INTERVAL_S):
            seen.append(resident("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(*seen, resident("RssAnon"))


def measure(folder: Path, n_threads: int) -> list[tuple[str, int]]:
    """Load and embed in this process; each step with its peak in bytes."""
    from vsr import _core  # noqa: PLC0415  # what the import needs is not the model's

    _core.set_n_threads(n_threads)
    before = resident("RssAnon")
    encoders = []
    steps = [("while loading", peak(lambda: encoders.append(_core.TextEncoder(folder))))]
    steps.append(("loaded", resident("RssAnon")))
    for n_texts, n_tokens in _SHAPES:
        tokens = encoders[0].tokenize([embedding_models.text_of(folder, n_tokens)] * n_texts)
        rows = np.arange(n_texts, dtype=np.uint32)
        steps.append(
            (f"embedding {n_texts}x{n_tokens}", peak(lambda tokens=tokens, rows=rows: encoders[0].embed(tokens, rows)))
        )
    steps.append(("mapped pages after all", before + resident("RssFile")))
    return [(name, size - before) for name, size in steps]


def float32_bytes(folder: Path) -> int:
    """How large the weights are, or would be, in float32."""
    with (folder / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shapes = [tensor["shape"] for name, tensor in header.items() if name != "__metadata__"]
    return sum(4 * int(np.prod(shape)) for shape in shapes)


def main() -> None:
    """Start the process that is measured, and print its table."""
    parser = argparse.ArgumentParser(description="Measure the private memory of an encoder.")
    parser.add_argument("--model", choices=embedding_models.MODELS, default="qwen3-0.6b")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = embedding_models.model_folder(arguments.model)
    if arguments.measure:
        print(json.dumps(measure(folder, arguments.threads)))
        return
    command = [sys.executable, __file__, "--measure", "--model", arguments.model, "--threads", str(arguments.threads)]
    steps = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    whole = float32_bytes(folder)
    stored = (folder / "model.safetensors").stat().st_size
    print(f"{arguments.model}: {whole / 1e9:.2f} GB in float32, {stored / 1e9:.2f} GB as it is stored.\n")
    print(f"| | private memory, GB | of float32 (goal while loading: <= {GOAL}) |")
    print("|---|---|---|")
    for name, size in steps:
        print(f"| {name} | {size / 1e9:.2f} | {size / whole:.2f} |")


if __name__ == "__main__":
    main()
