"""How fast, and in how much memory, a large KNN artefact loads, beside Python's own `json.load` of the same file.

    python benches/python/artefact_loading.py [--rows 50000] [--rounds 3]

Each load runs in a process of its own, in turn; memory is what the process's peak grows by, beside the array's size.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from made_up import DIM, N_CATEGORIES, features, outcomes

import vsr
from vsr.data.categories import CATEGORIES
from vsr.embedding import Fingerprint

# VmHWM, not ru_maxrss: that one begins with the peak of the process that forked this one.
_LOAD = """
import json, sys, time
from pathlib import Path
import numpy, vsr
from vsr.persistence import load_selector

def peak_kib():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

load = (lambda: load_selector(Path(sys.argv[2]).parent, "knn")) if sys.argv[1] == "ours" else (
    lambda: json.loads(Path(sys.argv[2]).read_text()))
before, started = peak_kib(), time.perf_counter()
content = load()
print(time.perf_counter() - started, (peak_kib() - before) * 1024)
"""


def main() -> None:
    """Print one Markdown row."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = features(arguments.rows, 0)
    measured = vsr.Outcomes(
        queries=[f"query {number}" for number in range(arguments.rows)],
        categories=[CATEGORIES[column] for column in rows[:, -N_CATEGORIES:].argmax(axis=1)],
        models=[f"model-{number}" for number in range(8)],
        quality=outcomes(rows, 8),
    )
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        path = vsr.save_selector(
            vsr.train_selector("knn", rows, measured, k=100), folder, embedder=Fingerprint.external(DIM)
        )
        found: dict[str, list[tuple[float, float]]] = {"ours": [], "json": []}
        for _ in range(arguments.rounds):
            for name, runs in found.items():
                command = [sys.executable, "-c", _LOAD, name, str(path)]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                runs.append((float(output[0]), float(output[1])))
        size = Path(path).stat().st_size
    ours_s, json_s = (statistics.median(run[0] for run in found[name]) for name in ("ours", "json"))
    memory = max(run[1] for run in found["ours"])
    print("| KNN artefact | file | load | json.load | ratio (goal <= 0.2) | memory / array (goal <= 2) |")
    print("|---|---|---|---|---|---|")
    print(
        f"| {arguments.rows:,} x {rows.shape[1]} | {size / 1e6:.0f} MB | {ours_s:.2f} s | {json_s:.2f} s | "
        f"{ours_s / json_s:.3f} | {memory / rows.nbytes:.2f} |"
    )
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
