"""Run every comparison with peers, and write its table: torch, onnxruntime, llama.cpp, faiss, scikit-learn and others.

    make bench-peers [QUICK=1] [PEERS=folder of an environment]
    .venv-peers/bin/python benches/python/peers.py [--quick] [--only knn minilm] [--readme FILE]

Each part is a run of one script of this folder; what it prints becomes its table in benches/README.md as soon as it
ends, with date, machine, load and versions; tables of other processors stay. A part that fails leaves its old table,
the others go on, and the exit code is 1; one that the processor has no instructions for is skipped. `--quick` runs
small shapes once, to see that everything works, and writes only where `--readme` says so.
"""

import argparse
import datetime as dt
import os
import resource
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import readme_tables

FOLDER = Path(__file__).parent
GOAL_MINUTES = 40
_ENCODERS = ("torch", "transformers", "sentence-transformers", "onnxruntime", "candle-transformers")
# Progress bars and advice that say nothing of the measurement.
_QUIET = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}


@dataclass(frozen=True)
class Part:
    """One run that makes one table.

    Attributes:
        name: Of the table.
        command: Script and arguments.
        quick: The same of the smoke run.
        minutes: How long it should take at most on two quiet cores.
        peers: Distributions and crates whose versions belong to the table.
        needs: The extension of the processor without which there is nothing to measure; empty for none.
    """

    name: str
    command: str
    quick: str
    minutes: float
    peers: tuple[str, ...]
    needs: str = ""


def _encoder(model: str, minutes: float) -> Part:
    command = f"embedding.py --models {model}"
    return Part(model, command, f"{command} --shapes 1x16 --rounds 1", minutes, _ENCODERS)


_BFLOAT16 = "embedding.py --models qwen3-0.6b --dtype bfloat16 --peers ours-float32 torch-bfloat16"
_INT8 = "embedding.py --models qwen3-0.6b --dtype int8 --peers ours-bfloat16 llama.cpp-q8_0"
# Those that take long come last: who stops in the middle has most tables.
PARTS = (
    Part(
        "knn",
        "selection_speed.py --only knn",
        "selection_speed.py --only knn --named ' 1,000 rows' --rounds 1",
        1.5,
        ("faiss-cpu", "numpy"),
    ),
    Part("corpus", "corpus.py", "corpus.py --queries 200 --parts 2", 3, ("sentence-transformers", "torch")),
    Part("memory", "embedding_memory.py", "embedding_memory.py --model minilm", 2, ()),
    _encoder("minilm", 1.5),
    _encoder("bert-base", 4),
    _encoder("embeddinggemma-300m", 4),
    Part("bfloat16", _BFLOAT16, f"{_BFLOAT16} --shapes 1x16 --rounds 1", 3, ("torch", "transformers"), "avx512_bf16"),
    Part("int8", f"{_INT8} --rounds 3", f"{_INT8} --shapes 1x16 --rounds 1", 4, ("llama-cpp-python",)),
    Part(
        "fits",
        "selection_speed.py --only kmeans svm mlp",
        "selection_speed.py --only kmeans svm mlp --named ' 1,000 rows' 'k = 8' 20 --rounds 1",
        8,
        ("scikit-learn", "numpy"),
    ),
    _encoder("qwen3-0.6b", 9),
)


def run(command: str) -> tuple[str, readme_tables.Conditions]:
    """Run a script, show what it prints, and give that with the conditions.

    Raises:
        subprocess.CalledProcessError: If it fails.
    """
    script, *arguments = shlex.split(command)
    started, load = dt.datetime.now(tz=dt.UTC), os.getloadavg()[0]
    start, busy, own = time.perf_counter(), readme_tables.busy_s(), _own_s()
    lines = []
    with subprocess.Popen(
        [sys.executable, FOLDER / script, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ, **_QUIET}
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    took_s, busy_after = time.perf_counter() - start, readme_tables.busy_s()
    others = None
    if busy is not None and busy_after is not None:
        others = max(0.0, busy_after - busy - (_own_s() - own)) / took_s
    return "".join(lines), readme_tables.Conditions(started, load, took_s, others)


def _own_s() -> float:
    """Give the processor time of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run the parts, write their tables, and say what each took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=[part.name for part in PARTS], help="these parts alone")
    parser.add_argument("--quick", action="store_true", help="small shapes, once; writes no table")
    parser.add_argument("--readme", type=Path, help="where the tables are [benches/README.md; with --quick nowhere]")
    arguments = parser.parse_args()
    readme = arguments.readme or (None if arguments.quick else readme_tables.README)
    summary, failed, total_s = [], [], 0.0
    for part in PARTS:
        if arguments.only and part.name not in arguments.only:
            continue
        if part.needs and part.needs not in readme_tables.processor_flags():
            summary.append(f"{part.name:20} skipped: this processor has no {part.needs}")
            continue
        command = part.quick if arguments.quick else part.command
        print(f"\n{part.name}: {command}", file=sys.stderr)
        start = time.perf_counter()
        try:
            output, conditions = run(command)
            if readme is not None:
                readme_tables.put(readme, part.name, readme_tables.described(conditions, part.peers), output)
            said = ""
        except (subprocess.CalledProcessError, LookupError, OSError) as error:
            failed.append(part.name)
            said = f"  FAILED: {error}"
        took_s = time.perf_counter() - start
        total_s += took_s
        planned = "" if arguments.quick else f" of {part.minutes:g}"
        summary.append(f"{part.name:20} {took_s / 60:5.1f}{planned} min{said}")
    goal = "" if arguments.quick or arguments.only else f" (goal: {GOAL_MINUTES})"
    print("\n" + "\n".join([*summary, f"{'all':20} {total_s / 60:5.1f} min{goal}"]), file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
