"""What the benchmark runner costs beside a bare httpx loop, how true its latencies are, and whether its memory grows.

    python benches/python/benchmark_overhead.py [--calls 5000] [--rounds 3] [--latency-calls 200] [--records 100000]

Overhead: so many calls at concurrency 32 against a server that answers at once, the runner (scoring, journal and all)
and a bare httpx loop with the best limits for it in turn. Latency: a server that waits exactly 200 ms, at concurrency 1
and 16, with and without a delay between requests, and with every third request failing first. Memory: peak of a process
that takes up an output of so many records.
"""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from vsr.asking.queue import RetryPolicy
from vsr.benchmark.plan import Plan, make_plan
from vsr.benchmark.runner import RunSettings, run_benchmark
from vsr.config import parse_config
from vsr.data.prompts import parse_choices
from vsr.data.records import Query

CONCURRENCY = 32
WAIT_MS = 200.0


@contextmanager
def server(*flags: str) -> Iterator[int]:
    """Run the server in a process of its own; give its port."""
    command = [sys.executable, str(Path(__file__).with_name("instant_server.py")), *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def plan_for(port: int, n: int, first: int = 0) -> Plan:
    """Return a plan of one model and n queries."""
    config = parse_config(
        json.dumps(
            {
                "vllm_endpoints": [{"name": "one", "address": "127.0.0.1", "port": port}],
                "model_config": {"m": {"preferred_endpoints": ["one"]}},
            }
        )
    )
    choices = parse_choices(["41", "42", "43", "44"])
    queries = (Query(f"What is 17 + 25? (number {i})", "math", "B", choices=choices) for i in range(first, first + n))
    return make_plan(queries, config, environment={})


def runner_rate(port: int, n: int, folder: Path) -> float:
    """Return the runner's calls per second."""
    plan = plan_for(port, n)
    started = time.perf_counter()
    summary = run_benchmark(plan, folder / "out.jsonl", RunSettings(RetryPolicy(concurrency=CONCURRENCY)))
    seconds = time.perf_counter() - started
    assert summary.models[0].n_answers == n
    assert summary.models[0].quality == 1.0
    (folder / "out.jsonl").unlink()
    return n / seconds


def bare_rate(port: int, n: int) -> float:
    """Return the calls per second of a loop that only sends and decodes."""
    bodies = iter([plan_for(port, 1).questions[0].prompt] * n)

    async def go() -> float:
        limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
        async with httpx.AsyncClient(limits=limits, timeout=60) as client:

            async def work() -> None:
                for prompt in bodies:
                    body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "max_tokens": 1024}
                    response = await client.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body)
                    assert response.json()["choices"]

            started = time.perf_counter()
            await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
            return n / (time.perf_counter() - started)

    return asyncio.run(go())


def measure_overhead(n: int, rounds: int) -> None:
    """Print calls per second of both."""
    with server() as port, tempfile.TemporaryDirectory() as folder:
        runs = [(bare_rate(port, n), runner_rate(port, n, Path(folder))) for _ in range(rounds)]
    bare, ours = (statistics.median(column) for column in zip(*runs, strict=True))
    ratio = statistics.median(mine / theirs for theirs, mine in runs)
    print(f"overhead: {n:,} calls, concurrency {CONCURRENCY}, median of {rounds}")
    print(f"  bare httpx {bare:8.0f} calls/s   runner {ours:8.0f} calls/s   ratio {ratio:.2f}")


def floor_ms(n: int) -> list[float]:
    """Return what a blocking socket measures of the same server: the machine's own share of every latency."""
    request = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
    found = []
    with server("--wait-ms", str(WAIT_MS)) as port, socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(n):
            started = time.perf_counter()
            connection.sendall(request)
            connection.recv(65536)
            found.append((time.perf_counter() - started) * 1000)
    return sorted(found)


def measure_latency(n: int) -> None:
    """Print the latencies that the runner records of a server that waits exactly 200 ms."""
    print(f"latency: a server that waits {WAIT_MS:g} ms, {n} calls; recorded p50 and p95")
    floor = floor_ms(max(n // 8, 10))
    p50, p95 = statistics.median(floor), floor[int(0.95 * (len(floor) - 1))]
    print(f"  concurrency  1, {'a blocking socket, no runner':32} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms")
    for concurrency in (1, 16):
        for name, delay_s, flags in (
            ("no delay", 0.0, ()),
            ("delay 20 ms", 0.02, ()),
            ("every third request fails first", 0.0, ("--fail-every", "3")),
        ):
            n_calls = n if concurrency > 1 else max(n // 8, 10)
            with server("--wait-ms", str(WAIT_MS), *flags) as port, tempfile.TemporaryDirectory() as folder:
                output = Path(folder) / "out.jsonl"
                policy = RetryPolicy(concurrency=concurrency, delay_s=delay_s, n_attempts=20, patience_s=600.0)
                run_benchmark(plan_for(port, n_calls), output, RunSettings(policy))
                records = [json.loads(line) for line in output.read_text().splitlines()]
            found = sorted(record["response_time"] * 1000 for record in records)
            retried = sorted(record["response_time"] * 1000 for record in records if record["attempts"] > 1)
            more = f"   retried calls p50 {statistics.median(retried):6.1f} ms" if retried else ""
            p95 = found[int(0.95 * (len(found) - 1))]
            p50 = statistics.median(found)
            print(f"  concurrency {concurrency:2}, {name:32} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms{more}")


_PEAK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from benchmark_overhead import plan_for
from vsr.asking.queue import RetryPolicy
from vsr.benchmark.runner import RunSettings, run_benchmark
import time

def peak_kib():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

plan = plan_for(int(sys.argv[2]), int(sys.argv[4]))
before = peak_kib()
started = time.perf_counter()
summary = run_benchmark(plan, sys.argv[3], RunSettings(RetryPolicy(concurrency=32)))
print(summary.n_asked, round(time.perf_counter() - started, 2), (peak_kib() - before) // 1024, peak_kib() // 1024)
"""


def measure_memory(n_records: int) -> None:
    """Print what a run of 1,000 calls takes on an empty output and on a long one."""
    print(f"memory: 1,000 calls on an output that is empty, and on one of {n_records:,} records of 2 kB")
    with server() as port, tempfile.TemporaryDirectory() as folder:
        for n_there in (0, n_records):
            output = Path(folder) / f"{n_there}.jsonl"
            plan = plan_for(port, n_there) if n_there else None
            if plan is not None:
                fields = {"model_name": "m", "response": "x" * 2000, "performance": 1.0, "response_time": 0.2}
                with output.open("w") as stream:
                    for question in plan.questions:
                        record = {
                            "query": question.query.query,
                            "choices": ["41", "42", "43", "44"],
                            "call_id": plan.call_id(plan.models[0], question),
                            "embedding_id": question.place,
                            **fields,
                        }
                        stream.write(json.dumps(record) + "\n")
            arguments = [str(Path(__file__).parent), str(port), str(output), str(n_there + 1000)]
            run = subprocess.run([sys.executable, "-c", _PEAK, *arguments], capture_output=True, text=True, check=True)
            n_asked, seconds, added, peak = run.stdout.split()
            print(
                f"  {n_there:8,} there: {n_asked} asked in {seconds} s, peak {peak} MiB, {added} MiB above the plan's"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-calls", type=int, default=200)
    parser.add_argument("--records", type=int, default=100_000)
    options = parser.parse_args()
    measure_overhead(options.calls, options.rounds)
    measure_latency(options.latency_calls)
    measure_memory(options.records)
