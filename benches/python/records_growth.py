"""How time and memory grow from records to outcomes, from 100,000 lines to 10 million.

    python benches/python/records_growth.py [--lines 100000 1000000 10000000] [--rounds 3] [--scattered]

The files are made from a seed: one query for every ten lines, ten models, 630 bytes a line. Every measurement is a
process of its own on one core, which reads the file once.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vsr.data.categories import CATEGORIES

N_MODELS = 10
_WORDS = (  # noqa: SIM905 -- shorter
    "the of and which number rate energy market cell law is found when a system water price force state of following "
    "true about between two first patient treaty équilibre function value company would most likely because"
).split()
_ANSWER = "Let me think about it step by step. \\nThe answer is (B), because of what was said above. "
# VmHWM, not ru_maxrss: that one begins with the peak of the process that forked this one.
_READ = """
import sys, time
from pathlib import Path
from vsr.data.records import read_records
from vsr.training.outcomes import read_outcomes
began = time.process_time()
outcomes = read_outcomes(read_records(sys.argv[1]))
seconds = time.process_time() - began
peak_kib = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
print(seconds, peak_kib / 1024, outcomes.n_queries, outcomes.report.n_records)
"""


def lines_of(n_queries: int, rng: random.Random, n_models: int = N_MODELS) -> Iterator[bytes]:
    """Give the records of some queries, a query after the other, as a benchmark writes them."""
    for query in range(n_queries):
        text = " ".join(rng.choices(_WORDS, k=rng.randint(20, 60)))
        shown = json.dumps(f"{query}: {text}?\nA) yes\nB) no", ensure_ascii=False)
        category = rng.choice(CATEGORIES)
        head = f'{{"task_name":"mmlu","query":{shown},"category":"{category}","model_name":"llm-'
        for model in range(n_models):
            answer = _ANSWER[: rng.randint(20, len(_ANSWER))].rstrip("\\")
            n_tokens = rng.randint(3, 900)
            yield (
                f'{head}{model}","response":"{answer}","ground_truth":"B","response_time":{n_tokens * 0.0123:.4f},'
                f'"performance":{float(rng.random() < 0.5 + model / 25)},"embedding_id":{query},"input_tokens":93,'
                f'"output_tokens":{n_tokens},"cost":{n_tokens * 3e-7:.9f},"error":null,"finish_reason":"stop",'
                '"endpoint":"local","timestamp":"2026-01-31T12:00:00Z"}\n'
            ).encode()


def write_records(path: Path, n_lines: int, *, scattered: bool) -> None:
    """Write that many records; scattered, all of the first model, then all of the second."""
    with path.open("wb") as out:
        if not scattered:
            out.writelines(lines_of(n_lines // N_MODELS, random.Random(7)))
            return
        for model in range(N_MODELS):
            name = f'"model_name":"llm-{model}"'.encode()
            out.writelines(
                line.replace(b'"model_name":"llm-0"', name)
                for line in lines_of(n_lines // N_MODELS, random.Random(7), n_models=1)
            )


def measured(path: Path, rounds: int) -> tuple[float, float]:
    """Give the median processor time in seconds and the highest peak of memory in MiB."""
    runs = []
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", _READ, path], check=True, capture_output=True, text=True)
        runs.append([float(word) for word in done.stdout.split()])
    return statistics.median(run[0] for run in runs), max(run[1] for run in runs)


def main() -> None:
    """Make the files one after the other, and print a line of the table for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scattered", action="store_true", help="the records of a query far apart")
    args = parser.parse_args()
    before: tuple[int, float, float] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for n_lines in args.lines:
            path = Path(folder) / "records.jsonl"
            write_records(path, n_lines, scattered=args.scattered)
            seconds, peak_mib = measured(path, args.rounds)
            grown = ""
            if before is not None:
                decades = math.log(n_lines / before[0])
                exponents = (math.log(seconds / before[1]) / decades, math.log(peak_mib / before[2]) / decades)
                grown = "  grows with n^{:.2f}, n^{:.2f}".format(*exponents)
            size_gb, load = path.stat().st_size / 1e9, os.getloadavg()[0]
            print(
                f"{n_lines:>10,} lines {size_gb:5.2f} GB {seconds:7.2f} s {n_lines / seconds:>9,.0f} lines/s "
                f"{peak_mib:7,.0f} MiB{grown}  load {load:.1f}",
                flush=True,
            )
            before = (n_lines, seconds, peak_mib)


if __name__ == "__main__":
    main()
