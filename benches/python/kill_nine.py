"""Kill a run with SIGKILL at random moments, again and again, and see that nothing is lost and nothing stands twice.

    python benches/python/kill_nine.py [--kills 50] [--rewrites 10] [--calls 2000] [--concurrency 16] [--seed 0]

The pool of simulated LLMs answers; after the last kill the run is finished, and its sorted records must equal those of
a run that nobody disturbed, but for times. A killed run's file must keep every line that it showed before. Then a
setting is changed, so that all records go aside, and the run is killed while it moves them: in the end each stands once
in either file.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from vsr.simulation import SIMULATED_MODELS, generate_queries, write_queries
from vsr.simulation.server import SimulatedPool

TIMES = ("timestamp", "response_time", "attempts")


def command(folder: Path, concurrency: int) -> list[str]:
    """Return the command line of a run in a folder."""
    program = "import sys; from vsr.__main__ import main; sys.exit(main())"
    files = ["--config", str(folder / "c.yaml"), "--data-file", str(folder / "q.jsonl")]
    output = ["--output", str(folder / "out.jsonl"), "--rate-limit-delay", "0", "--concurrency", str(concurrency)]
    return [sys.executable, "-c", program, "benchmark", "-q", *files, *output]


def whole_lines(path: Path) -> list[bytes]:
    """Return the complete lines of a file."""
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1].splitlines()


def without_times(path: Path) -> list[str]:
    """Return the records of a file, comparable."""
    records = (json.loads(line) for line in path.read_text().splitlines())
    return sorted(
        json.dumps({name: value for name, value in record.items() if name not in TIMES}, sort_keys=True)
        for record in records
    )


def kill_rewrites(folder: Path, config: dict[str, object], n_kills: int, concurrency: int, rng: random.Random) -> int:
    """Change a setting, kill the run while it moves the old records aside, again and again; return the true hits."""
    out, aside = folder / "out.jsonl", folder / "out.superseded.jsonl"
    n_hits = 0
    old = whole_lines(out)
    for _ in range(n_kills):
        out.write_bytes(b"".join(line + b"\n" for line in old))
        aside.unlink(missing_ok=True)
        for stale in folder.glob(".out*.tmp"):
            stale.unlink()
        models = {model.name: {"preferred_endpoints": ["one"], "temperature": 0.5} for model in SIMULATED_MODELS}
        (folder / "c.yaml").write_text(json.dumps({**config, "model_config": models}))
        process = subprocess.Popen(command(folder, concurrency), stdout=subprocess.DEVNULL)
        while process.poll() is None and not list(folder.glob(".out*.tmp")):
            time.sleep(0.0002)
        time.sleep(rng.random() * 0.06)
        n_hits += bool(list(folder.glob(".out*.tmp")))
        process.kill()
        process.wait()
        subprocess.run(command(folder, concurrency), check=True, stdout=subprocess.DEVNULL)
        assert sorted(whole_lines(aside)) == sorted(old), "a record aside is missing or stands there twice"
        calls = Counter(json.loads(line)["call_id"] for line in whole_lines(out))
        assert set(calls.values()) == {1} and len(calls) == len(old)
        assert not list(folder.glob(".out*.tmp")), "half a file is left behind"
    return n_hits


def main(n_kills: int, n_rewrites: int, n_calls: int, concurrency: int, seed: int) -> None:
    """Run, kill, run, kill, compare."""
    rng = random.Random(seed)
    n_queries = n_calls // len(SIMULATED_MODELS)
    queries = generate_queries(n_queries, seed)
    with (
        tempfile.TemporaryDirectory() as name,
        SimulatedPool(queries, seed=seed, time_scale=0.01) as pool,
    ):
        folders = [Path(name) / which for which in ("undisturbed", "killed")]
        config: dict[str, object] = {
            "vllm_endpoints": [{"name": "one", "address": pool.address, "port": pool.port}],
            "model_config": {model.name: {"preferred_endpoints": ["one"]} for model in SIMULATED_MODELS},
        }
        for folder in folders:
            folder.mkdir()
            (folder / "c.yaml").write_text(json.dumps(config))
            write_queries(folder / "q.jsonl", queries)
        whole, killed = folders
        subprocess.run(command(whole, concurrency), check=True, stdout=subprocess.DEVNULL)

        done = 0
        n_killed_at_work = 0
        for kill in range(n_kills):
            before = whole_lines(killed / "out.jsonl")
            process = subprocess.Popen(command(killed, concurrency), stdout=subprocess.DEVNULL)
            # Kills are spread over the whole run: each has its share of the calls to get through before it strikes.
            target = n_calls * (kill + rng.random()) / n_kills
            while process.poll() is None and len(whole_lines(killed / "out.jsonl")) < target:
                time.sleep(0.002)
            time.sleep(rng.random() * 0.01)
            seen = whole_lines(killed / "out.jsonl")
            n_killed_at_work += process.poll() is None
            process.kill()
            process.wait()
            after = whole_lines(killed / "out.jsonl")
            assert after[: len(seen)] == seen, "a line that was written has changed"
            assert seen[: len(before)] == before, "a line of an earlier run has changed"
            done = len(after)
        subprocess.run(command(killed, concurrency), check=True, stdout=subprocess.DEVNULL)
        calls = Counter(json.loads(line)["call_id"] for line in whole_lines(killed / "out.jsonl"))
        assert set(calls.values()) == {1}, "a call stands in the file twice"
        assert without_times(killed / "out.jsonl") == without_times(whole / "out.jsonl")
        n_requests = sum(pool.n_requests.values())
        leftovers = [path.name for path in killed.iterdir() if path.name not in ("c.yaml", "q.jsonl", "out.jsonl")]
        assert set(leftovers) <= {"out.jsonl.torn"}, f"left behind: {leftovers}"
        n_hits = kill_rewrites(killed, config, n_rewrites, concurrency, rng)
    print(
        f"{n_kills} kills, {n_killed_at_work} of them at work; {done:,} of {len(calls):,} calls were done at the last "
        f"one; in the end {len(calls):,} records, each once, equal to the undisturbed run's; "
        f"{n_requests:,} requests for both runs; {n_rewrites} kills after a changed setting, {n_hits} of them while "
        "records were moved: none lost, none doubled"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--rewrites", type=int, default=10)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.kills, options.rewrites, options.calls, options.concurrency, options.seed)
