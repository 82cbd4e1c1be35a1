"""Damage the files of tiny models and load them: an EmbeddingError or unit vectors, never a crash, a hang or a flood.

    python tests/python/embedding/fuzz.py [--minutes 10] [--seed 0]
    python tests/python/embedding/fuzz.py --case 1234          # one case again, in this process

A case is a number: it chooses one of the tiny models, one or two of its files and what happens to them. Cases run one
after the other in a worker process under a limit of memory; when it dies or takes too long for a case, that case is
reported and a new worker goes on behind it.
"""

import argparse
import json
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embedding import tiny_models
from vsr.embedding import load_embedder
from vsr.errors import EmbeddingError

CASE_S = 20.0
"""How long one case may take on a busy machine; they usually take milliseconds."""
MEMORY_BYTES = 3 << 30
"""Address space of a worker. The interpreter, the threads' stacks and a tiny model reserve less than one GiB."""

_TEXTS = ["w1 w2 w3", "", "w5", " ".join(f"w{i % 60}" for i in range(90)), "Unknown words \u00e9\U0001f600 w3"]
_ODD_VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        2,
        3,
        7,
        0.5,
        -0.0,
        1e-300,
        1e300,
        2**16,
        2**31,
        2**32 + 1,
        2**53,
        2**63,
        2**64,
        10**30,
    ),
    *(
        "",
        "w1",
        "gelu",
        "relu",
        "silu",
        "gelu_pytorch_tanh",
        "bert",
        "qwen3",
        "gemma3_text",
        "mean",
        "lasttoken",
        "\u0000",
    ),
    *(
        "../x",
        "/",
        "x" * 5_000,
        "(a+)+$",
        "\\p{L}",
        "[",
        "\u00e9",
        [],
        {},
        [[]],
        [None],
        {"a": 1},
        {"type": "ByteLevel"},
    ),
    *({"type": "Regex", "Regex": "(a|a)*b"}, {"Regex": "("}, {"String": ""}, {"type": "Sequence", "normalizers": []}),
]


class Damage:
    """Changes files, as one random generator says."""

    def __init__(self, rng: random.Random) -> None:
        """Take the generator of the case."""
        self._rng = rng

    def file(self, path: Path) -> None:
        """Damage one file in one of the ways that fit its kind."""
        content = path.read_bytes()
        way = self._rng.random()
        if way < 0.15:
            path.write_bytes(self._bytes(content))
        elif path.suffix == ".json":
            path.write_text(self._json_text(json.loads(content)), encoding="utf-8", errors="surrogatepass")
        else:
            path.write_bytes(self._safetensors(content))

    def _bytes(self, content: bytes) -> bytes:
        rng = self._rng
        way = rng.randrange(5)
        place = rng.randrange(len(content))
        if way == 0:
            return content[:place]
        if way == 1:
            return content[:place] + rng.randbytes(rng.randrange(1, 40)) + content[place:]
        if way == 2:
            return content[:place] + content[place + rng.randrange(1, 200) :]
        if way == 3:
            return content + content[:place]
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 1, 2, 5, 50])):
            damaged[rng.randrange(len(damaged))] = rng.choice(
                [0, 255, rng.randrange(256), ord("9"), ord('"'), ord("[")]
            )
        return bytes(damaged)

    def _json_text(self, content: object) -> str:
        rng = self._rng
        way = rng.random()
        if way < 0.03:
            return "[" * rng.choice([100, 100_000]) + "]" * rng.choice([0, 100])
        if way < 0.06:
            return json.dumps(rng.choice(_ODD_VALUES))
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            content = self._json(content)
        return json.dumps(content)

    def _json(self, content: object) -> object:
        """Change one place of a JSON value: replaced, removed, doubled, moved, or a number moved a little."""
        rng = self._rng
        places = list(_places(content))
        if not places:
            return rng.choice(_ODD_VALUES)
        holder, key = rng.choice(places)
        way = rng.randrange(6)
        if way == 0:
            del holder[key]
        elif way == 1:
            other_holder, other_key = rng.choice(places)
            holder[key] = json.loads(json.dumps(other_holder[other_key]))
        elif way == 2 and isinstance(holder, list):
            holder.extend([holder[key]] * rng.choice([1, 100]))
        elif way == 2:
            holder[rng.choice(["x", "", "type", f"{key}_", "\u0000"])] = holder.pop(key)
        elif way == 3 and isinstance(holder[key], int | float):
            holder[key] += rng.choice([-1, 1, 16, -1_000, 1_000_000])
        else:
            holder[key] = json.loads(json.dumps(rng.choice(_ODD_VALUES)))
        return content

    def _safetensors(self, content: bytes) -> bytes:
        rng = self._rng
        length = int.from_bytes(content[:8], "little")
        header, data = content[8 : 8 + length], content[8 + length :]
        way = rng.randrange(6)
        if way == 0:
            odd = [0, 1, 7, length - 1, length + 1, len(content), 2**31, 2**62, 2**63, 2**64 - 1]
            return struct.pack("<Q", rng.choice(odd)) + header + data
        if way == 1:
            return content[: 8 + length] + self._bytes(data)
        if way == 2:
            numbers = np.frombuffer(data, np.float32).copy()
            odd_numbers = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0]
            for _ in range(rng.choice([1, 10, 1_000])):
                numbers[rng.randrange(len(numbers))] = rng.choice(odd_numbers)
            return content[: 8 + length] + numbers.tobytes()
        if way == 3:
            tensors = json.loads(header)
            name = rng.choice(list(tensors))
            tensors[name]["dtype"] = rng.choice(
                ["F16", "BF16", "F64", "I8", "I64", "BOOL", "F8_E4M3", "F4", "C64", "x", ""]
            )
            return _packed(json.dumps(tensors).encode(), data)
        if way == 4:
            tensors = json.loads(header)
            name = rng.choice(list(tensors))
            shape = tensors[name]["shape"]
            rng.shuffle(shape)
            shape.insert(rng.randrange(len(shape) + 1), rng.choice([0, 1, 2, 2**32, 2**63, 2**64 - 1, -1]))
            return _packed(json.dumps(tensors).encode(), data)
        return _packed(self._json_text(json.loads(header)).encode(), data)


def _packed(header: bytes, data: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def _places(content: object) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    pairs: Iterator[tuple[Any, Any]]
    if isinstance(content, dict):
        pairs = iter(content.items())
    elif isinstance(content, list):
        pairs = iter(enumerate(content))
    else:
        return
    for key, value in pairs:
        yield content, key
        yield from _places(value)


def run_case(number: int, originals: Path) -> str:
    """Damage a copy of a model and use it; gives how it ended: `refused` or `embedded`.

    Raises:
        AssertionError: The vectors are none.
    """
    rng = random.Random(number)
    source = rng.choice(sorted(originals.iterdir()))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "model"
        shutil.copytree(source, folder)
        damage = Damage(rng)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        # As often as there are ways to break it.
        weights = [6 if path.name in {"config.json", "tokenizer.json"} else 3 for path in files]
        for path in set(rng.choices(files, weights, k=rng.choice([1, 1, 2]))):
            damage.file(path)
        name = source.name.partition("-")[0]
        try:
            embedder = load_embedder(name, folder, prompt=rng.choice([None, None, "query"]))
            together = embedder.embed(_TEXTS)
            alone = np.concatenate([embedder.embed([text]) for text in _TEXTS])
        except EmbeddingError as error:
            assert str(error).strip(), "an error without a message"
            return "refused"
        assert together.shape == (len(_TEXTS), embedder.dim)
        assert together.dtype == np.float32
        assert np.isfinite(together).all()
        assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-4), np.linalg.norm(together, axis=1)
        assert np.abs(together - alone).max() < 1e-4, np.abs(together - alone).max()
        return "embedded"


@dataclass(frozen=True)
class Failure:
    """A case that did not end as it must.

    Attributes:
        case: Its number.
        what: What happened.
    """

    case: int
    what: str


@dataclass(frozen=True)
class Report:
    """What a run found.

    Attributes:
        n_refused: Cases that ended with an EmbeddingError.
        n_embedded: Cases whose damage did not matter, or not to the shape of the result.
        failures: All others.
    """

    n_refused: int
    n_embedded: int
    failures: list[Failure]


def work(first: int, n_cases: int, originals: Path) -> None:
    """Run cases in this process, a line before and after each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")  # texts that are cut are no news here
    for case in range(first, first + n_cases):
        print(f"begin {case}", flush=True)
        try:
            outcome = run_case(case, originals)
        except Exception as error:  # whatever it is, it is the finding
            outcome = f"failed {type(error).__name__}: {str(error)[:300]!r}"
        print(f"end {outcome}", flush=True)


def fuzz(
    first: int,
    n_cases: int,
    originals: Path,
    deadline_s: float = float("inf"),
    *,
    case_s: float = CASE_S,
    program: Path = Path(__file__),
) -> Report:
    """Run cases in workers, one after the other.

    Args:
        first: The number of the first case.
        n_cases: How many follow one another.
        originals: The folders that `tiny_models.write_all` wrote.
        deadline_s: No case begins after this point of `time.monotonic()`.
        case_s: How long one case may take.
        program: What the workers run.
    """
    n_refused = n_embedded = 0
    failures: list[Failure] = []
    case = first
    while case < first + n_cases and time.monotonic() < deadline_s:
        command = [sys.executable, str(program), "--work", str(case), str(first + n_cases - case), str(originals)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        environment["VSR_NUM_THREADS"] = environment["RAYON_NUM_THREADS"] = environment["OPENBLAS_NUM_THREADS"] = "2"
        worker = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        assert worker.stdout is not None
        is_begun = False
        timed_out = threading.Event()

        def stop(worker: subprocess.Popen[str] = worker, timed_out: threading.Event = timed_out) -> None:
            timed_out.set()
            worker.kill()

        timer = threading.Timer(case_s, stop)
        timer.start()
        for line in worker.stdout:
            timer.cancel()
            kind, _, rest = line.strip().partition(" ")
            is_begun = kind == "begin"
            if kind == "end":
                n_refused += rest == "refused"
                n_embedded += rest == "embedded"
                if rest.startswith("failed"):
                    failures.append(Failure(case, rest))
                case += 1
                if time.monotonic() >= deadline_s:
                    worker.kill()
                    break
            timer = threading.Timer(case_s, stop)
            timer.start()
        timer.cancel()
        code = worker.wait()
        worker.stdout.close()
        if is_begun:
            took_too_long = f"did not end within {case_s:.0f} s"
            failures.append(Failure(case, took_too_long if timed_out.is_set() else f"the process ended with {code}"))
            case += 1
        elif code != 0 and time.monotonic() < deadline_s:
            raise RuntimeError(f"the worker ended with {code} before its first case")
    return Report(n_refused, n_embedded, failures)


def main() -> None:
    """Fuzz for some minutes, or run one case again."""
    parser = argparse.ArgumentParser(description="Damage model folders and load them.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="number of the first case, in millions")
    parser.add_argument("--case", type=int, help="run one case in this process")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(int(arguments.work[0]), int(arguments.work[1]), Path(arguments.work[2]))
        return
    with tempfile.TemporaryDirectory() as place:
        originals = Path(place)
        tiny_models.write_all(originals)
        if arguments.case is not None:
            print(run_case(arguments.case, originals))
            return
        deadline_s = time.monotonic() + 60.0 * arguments.minutes
        report = fuzz(arguments.seed * 1_000_000, 1_000_000, originals, deadline_s)
    for failure in report.failures:
        print(f"case {failure.case}: {failure.what}")
    print(f"{report.n_refused:,} refused, {report.n_embedded:,} embedded, {len(report.failures):,} failed")
    sys.exit(1 if report.failures else 0)


if __name__ == "__main__":
    main()
