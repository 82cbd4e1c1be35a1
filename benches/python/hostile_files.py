"""Attack the output of a benchmark run, and count what failed.

    python benches/python/hostile_files.py [--disks 20] [--attacks 5] [--calls 400] [--seed 0]

Every attack is on a run of its own against the pool of simulated LLMs; afterwards every answer that the pool gave has
to stand in the output, in what the run says it rescued, or in `OUTPUT.unscored`. As root, full disks are real ones (a
small tmpfs), else a limit on the size of files.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from vsr.simulation import SIMULATED_MODELS, generate_queries, write_queries
from vsr.simulation.server import SimulatedPool

N_MODELS = len(SIMULATED_MODELS)
WRONG_OUTPUTS = {
    "document": b'{"a": 1}',
    "document over lines": b'{\n  "query": "q",\n  "model_name": "a"\n}\n',
    "binary": bytes(range(256)) * 400,
    "zeros": bytes(65536),
    "text": b"Dear diary",
    "queries": b'{"query": "Which?"}\n',
    "configuration": b"vllm_endpoints: []\n",
}


def command(folder: Path, output: Path, *flags: str) -> list[str]:
    """Return the command line of a run."""
    files = ["--config", str(folder / "c.yaml"), "--data-file", str(folder / "q.jsonl"), "--output", str(output)]
    return [sys.executable, "-m", "vsr", "benchmark", "-q", *files, "--rate-limit-delay", "0", *flags]


def calls_in(*paths: Path) -> list[str]:
    """Return the keys of all calls in files of records, torn lines left out."""
    found = []
    for path in paths:
        data = path.read_bytes() if path.exists() else b""
        found += [json.loads(line)["call_id"] for line in data[: data.rfind(b"\n") + 1].splitlines()]
    return found


def rescued(text: str) -> list[Path]:
    """Return the new files that a message names."""
    return [Path(word.rstrip(".,:")) for word in text.split() if ".rescued" in word]


@contextlib.contextmanager
def small_disk(folder: Path, n_bytes: int) -> Iterator[bool]:
    """Make a folder a disk of so many bytes, where that is allowed; say whether it is one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(folder)]
    is_real = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield is_real
    finally:
        if is_real:
            subprocess.run(["umount", str(folder)], check=True)


def fill_disk(folder: Path, pool: SimulatedPool, rng: random.Random) -> bool:
    """Let the disk of the output be full at a random point; tell whether all answers are kept somewhere."""
    size = rng.randrange(8192, 200_000)
    with small_disk(folder / "disk", size) as is_real:
        output = folder / "disk" / "out.jsonl"
        before = sum(pool.n_requests.values())
        limit = None if is_real else partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
        done = subprocess.run(
            command(folder, output, "--concurrency", "8"), capture_output=True, text=True, check=False, preexec_fn=limit
        )
        n_asked = sum(pool.n_requests.values()) - before - N_MODELS
        new = rescued(done.stderr)
        found = set(calls_in(output, *new, output.with_name("out.jsonl.unscored")))
        for path in new:
            path.unlink(missing_ok=True)
        return done.returncode == 1 and "Traceback" not in done.stderr and len(found) >= n_asked


def take_away(attack: Callable[[Path], object], folder: Path, pool: SimulatedPool, rng: random.Random) -> bool:
    """Do something to the output at a random point; tell whether the run ends within two seconds and all is there."""
    output = folder / "out.jsonl"
    before = sum(pool.n_requests.values())
    process = subprocess.Popen(
        command(folder, output, "--concurrency", "8"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    point = rng.randrange(1000, 60_000)
    while process.poll() is None and (not output.exists() or output.stat().st_size < point):
        time.sleep(0.002)
    attack(output)
    started = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    n_asked = sum(pool.n_requests.values()) - before - N_MODELS
    new = rescued(stderr)
    held = calls_in(*new) if attack is not make_read_only else calls_in(output, *new)
    is_quick = time.monotonic() - started < 2.0
    return process.returncode == 1 and is_quick and "Traceback" not in stderr and len(set(held)) == len(held) >= n_asked


def delete(path: Path) -> None:
    """Delete the output."""
    path.unlink()


def replace(path: Path) -> None:
    """Put a copy in the place of the output, as editors do."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def make_read_only(path: Path) -> None:
    """Take the right to write away."""
    path.chmod(0o444)


def name_wrong_output(content: bytes, flags: tuple[str, ...], folder: Path) -> bool:
    """Name a file as the output that is none; tell whether it was refused and stayed as it is."""
    output = folder / "mine"
    output.write_bytes(content)
    done = subprocess.run(command(folder, output, *flags), capture_output=True, text=True, check=False)
    return done.returncode == 1 and "Traceback" not in done.stderr and output.read_bytes() == content


def main(n_disks: int, n_attacks: int, n_calls: int, seed: int) -> None:
    """Try every case, and print a table."""
    rng = random.Random(seed)
    queries = generate_queries(n_calls // N_MODELS, seed)
    with tempfile.TemporaryDirectory() as name, SimulatedPool(queries, seed=seed, time_scale=0.005) as pool:
        models = {model.name: {"preferred_endpoints": ["one"]} for model in SIMULATED_MODELS}
        endpoints = [{"name": "one", "address": pool.address, "port": pool.port}]
        numbers = iter(range(1_000_000))

        def try_all(attacks: list[Callable[[Path], bool]]) -> tuple[int, int]:
            n_failed = 0
            for attack in attacks:
                folder = Path(name) / str(next(numbers))
                folder.mkdir()
                (folder / "c.yaml").write_text(json.dumps({"vllm_endpoints": endpoints, "model_config": models}))
                write_queries(folder / "q.jsonl", queries)
                n_failed += not attack(folder)
            return len(attacks), n_failed

        wrong = [
            partial(name_wrong_output, content, flags)
            for content in WRONG_OUTPUTS.values()
            for flags in ((), ("--dry-run",))
        ]
        cases: dict[str, list[Callable[[Path], bool]]] = {
            "a file that is no output": list(wrong),
            "disk full": [partial(fill_disk, pool=pool, rng=rng)] * n_disks,
            "output deleted": [partial(take_away, delete, pool=pool, rng=rng)] * n_attacks,
            "output replaced": [partial(take_away, replace, pool=pool, rng=rng)] * n_attacks,
            "output made read-only": [partial(take_away, make_read_only, pool=pool, rng=rng)] * n_attacks,
        }
        print(f"{'case':<26}{'tried':>6}{'failed':>8}")
        for case, attacks in cases.items():
            n_tried, n_failed = try_all(attacks)
            print(f"{case:<26}{n_tried:>6}{n_failed:>8}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=20)
    parser.add_argument("--attacks", type=int, default=5)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.disks, options.attacks, options.calls, options.seed)
