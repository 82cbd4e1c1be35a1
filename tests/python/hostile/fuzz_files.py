"""Damage configurations, JSON Lines and artefacts and read them: a quick error with the file's name, or a result.

    python tests/python/hostile/fuzz_files.py [--minutes 10] [--seed 0] [--kind yaml|lines|artefact]
    python tests/python/hostile/fuzz_files.py --kind yaml --case 1234      # one case again

A case is a number: it chooses an original of its kind and what happens to it.
"""

import argparse
import contextlib
import json
import random
import resource
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from pools import planted_pool
from vsr.config import load_config
from vsr.data.outcomes import Outcomes
from vsr.data.preferences import read_preferences
from vsr.data.records import read_objects, read_prompts, read_queries, read_records
from vsr.errors import VsrError
from vsr.persistence import load_artefact, save_selector
from vsr.training.trainer import train_selector

CASE_S = 3.0
"""How long a case may take on a busy machine: a second on a machine of its own."""
MEMORY_BYTES = 4 << 30
CONFIGS = Path(__file__).parents[3] / "configs"

_NUMBERS = [b"9" * 5_000, b"-0", b"1e999", b"1e-999", b"0." + b"3" * 400, b"1" + b"0" * 400, b"00", b"0x" + b"f" * 99]
_WORDS = [b"NaN", b"-Infinity", b"null", b"true", b'""', b'"\\ud800"', b'"\\u0000"', b"\xff", b"\x00", b"\xef\xbb\xbf"]
_SIGNS = [
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b'"',
    b"\n",
    b"\\",
    b"'",
    b"#",
    b" ",
    b"\t",
    b"\r",
    b"\xc3",
    b"\xe2\x80\xa8",
]
_DEEP = [b"[" * 70, b"[" * 5_000, b'{"a":' * 300, b"[" * 200 + b"]" * 200, b'{"a":' * 2_000 + b"1" + b"}" * 2_000]
_YAML = [
    b"&a ", b"*a", b"<<: *a", b"<<: [*a, *a]", b"!!python/name:os.system ", b"!!binary ", b"- - - - ", b"? ", b"| ",
    b">-\n", b"---\n", b"...\n", b"%YAML 1.2\n", b"${HOME}", b"${A:-b}", b"${", b"&a [*a]", b"{a: *a}", b"~", b"0o17",
    b".inf", b".nan", b"2024-01-01", b"!x!y ", b"- " * 500, b"a: " * 50,
]  # fmt: skip


class _TooSlowError(Exception):
    """A case took longer than it may."""


def damaged(content: bytes, rng: random.Random, words: list[bytes]) -> bytes:
    """Change a text in one to a few places, in ways that its readers may not expect."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        place = rng.randrange(len(content) + 1)
        end = min(len(content), place + rng.choice([0, 0, 1, 2, 8, 40, 400]))
        way = rng.randrange(8)
        if way == 0:
            put = b""
        elif way == 1:
            other = rng.randrange(len(content) + 1)
            put = content[other : other + rng.choice([1, 10, 100, 1_000])]
        elif way == 2:
            put = content[place:end] * rng.choice([2, 3, 50])
        elif way == 3:
            put = rng.randbytes(rng.choice([1, 2, 9]))
        else:
            put = rng.choice(words)
        if way == 7:  # in place of a whole value
            place = content.rfind(b":", 0, place) + 1
            end = min((at for at in (content.find(b",", place), content.find(b"\n", place)) if at >= 0), default=end)
        content = content[:place] + put + content[end:]
    return content[: rng.randrange(len(content) + 1)] if rng.random() < 0.03 else content


def read_yaml(path: Path) -> None:
    """Load a configuration and do with it what commands do."""
    loaded = load_config(path, environment={"HOME": "/h"})
    loaded.offered_models()
    with contextlib.suppress(VsrError):
        loaded.algorithm_parameters()


def read_lines(path: Path) -> None:
    """Read a file in every way in which a JSON Lines file is read."""
    for skip in (False, True):
        for read in (
            lambda: Outcomes.from_records(read_records(path, skip_bad_lines=skip), scorer=lambda _: 0.5),  # noqa: B023
            lambda: read_queries(path, skip_bad_lines=skip),  # noqa: B023
            lambda: list(read_prompts(path, skip_bad_lines=skip)),  # noqa: B023
            lambda: list(read_objects(path, noun="objects", skip_bad_lines=skip)),  # noqa: B023
            lambda: read_preferences(path, ("a", "b"), skip_bad_lines=skip),  # noqa: B023
        ):
            try:
                read()
            except VsrError as error:
                assert str(error).startswith(str(path)), f"no file in: {error}"


def read_artefact(path: Path) -> None:
    """Load an artefact and ask it."""
    selector = load_artefact(path).selector
    selector.scores(planted_pool(2).features[:, : selector.n_features])


def originals(kind: str, folder: Path) -> list[bytes]:
    """Give whole files of a kind."""
    if kind == "yaml":
        return [path.read_bytes() for path in sorted(CONFIGS.glob("*.yaml"))]
    if kind == "lines":
        record = {
            "query": "Which?", "category": "math", "model_name": "a", "performance": 0.5, "response_time": 1.5,
            "cost": 0.1, "response": "The answer is (B).", "ground_truth": "B", "choices": ["x", "y"],
            "embedding_id": 3, "error": None, "unscored": False, "metric": None, "task_name": "t",
        }  # fmt: skip
        rows = [record, record | {"model_name": "b", "performance": None}, record | {"error": "timeout: x"}]
        pair = {"query": "q", "preferred": "a", "other": "b", "confidence": 2.0}
        return [
            "".join(json.dumps(row, indent=indent) + "\n" for row in these).encode()
            for these in (
                rows,
                [pair, pair],
                [{"query": "a"}, {"query": "b", "choices": {"text": ["x"], "labels": ["A"]}}],
            )
            for indent in (None, 1)
        ]
    pool = planted_pool(40)
    return [
        save_selector(train_selector(name, pool.features, pool.outcomes), folder).read_bytes()
        for name in ("knn", "kmeans", "svm", "mlp", "matrix_factorization")
    ]


READERS: dict[str, Callable[[Path], None]] = {"yaml": read_yaml, "lines": read_lines, "artefact": read_artefact}
SUFFIXES = {"yaml": "c.yaml", "lines": "r.jsonl", "artefact": "knn_model.json"}


def run_case(kind: str, case: int, files: list[bytes], folder: Path) -> str:
    """Damage a file and read it; gives `refused`, `read`, or what went wrong."""
    rng = random.Random(case)
    words = [*_NUMBERS, *_WORDS, *_SIGNS, *_DEEP, *(_YAML if kind == "yaml" else [])]
    path = folder / SUFFIXES[kind]
    path.write_bytes(damaged(rng.choice(files), rng, words))
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, CASE_S)
    try:
        READERS[kind](path)
    except VsrError as error:
        return "refused" if str(path) in str(error) else f"no file in the error: {error}"
    except Exception as error:  # whatever it is, it is the finding
        return f"{type(error).__name__}: {str(error)[:300]}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "read" if time.process_time() - started < CASE_S else "slow"


def cases(kind: str, first: int, deadline_s: float) -> Iterator[tuple[int, str]]:
    """Run cases one after the other until a point of `time.monotonic()`."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _TooSlowError(f"more than {CASE_S} s")

    signal.signal(signal.SIGPROF, stop)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = originals(kind, folder)
        case = first
        while time.monotonic() < deadline_s:
            yield case, run_case(kind, case, files, folder)
            case += 1


def main() -> int:
    """Fuzz for some minutes, or run one case again."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="number of the first case, in millions")
    parser.add_argument("--kind", choices=list(READERS))
    parser.add_argument("--case", type=int, help="run one case alone")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")
    kinds = [arguments.kind] if arguments.kind else list(READERS)
    n_failed = 0
    for kind in kinds:
        counts = {"refused": 0, "read": 0}
        first = arguments.seed * 1_000_000 if arguments.case is None else arguments.case
        seconds = 60.0 * arguments.minutes / len(kinds)
        for case, outcome in cases(kind, first, time.monotonic() + seconds):
            if outcome in counts:
                counts[outcome] += 1
            else:
                n_failed += 1
                print(f"{kind} case {case}: {outcome}", flush=True)
            if arguments.case is not None:
                break
        print(f"{kind}: {counts['refused']:,} refused, {counts['read']:,} read")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
