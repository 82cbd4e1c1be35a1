"""How fast records become outcomes, and in how much memory, without and with long responses.

    python benches/python/reading.py records.jsonl [--response-bytes 2000] [--rounds 5]

The file is read as it is, then with a response of that many bytes in every record, then packed by gzip.
"""

import argparse
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vsr.data.outcomes import Outcomes
from vsr.data.records import read_records

# VmHWM, not ru_maxrss: that one begins with the peak of the process that forked this one.
_PEAK = """
import sys
from pathlib import Path
from vsr.data.outcomes import Outcomes
from vsr.data.records import read_records

def peak_kib():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

before = peak_kib()
Outcomes.from_records(read_records(sys.argv[1]))
print((peak_kib() - before) // 1024)
"""


def measure(name: str, path: Path, rounds: int) -> None:
    """Print the median speed of reading a file into outcomes, and the memory that it adds."""
    seconds = []
    n_records = 0
    for _ in range(rounds):
        start = time.perf_counter()
        report = Outcomes.from_records(read_records(path)).report
        seconds.append(time.perf_counter() - start)
        n_records = report.n_records if report is not None else 0
    added = subprocess.run(
        [sys.executable, "-c", _PEAK, path], check=True, capture_output=True, text=True
    ).stdout.strip()
    speed, best = n_records / statistics.median(seconds), n_records / min(seconds)
    size = path.stat().st_size / 1e6
    print(f"{name:24} {n_records:>9,} records {size:8.1f} MB {speed:>9,.0f} records/s (best {best:,.0f})  +{added} MiB")


def main() -> None:
    """Measure the three forms of one file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("records", type=Path)
    parser.add_argument("--response-bytes", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    measure("as it is", args.records, args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        answer = "The answer is (B), because of what follows. "
        answer = (answer * (args.response_bytes // len(answer) + 1))[: args.response_bytes]
        long = Path(folder) / "long.jsonl"
        with args.records.open(encoding="utf-8") as lines, long.open("w", encoding="utf-8") as out:
            for line in lines:
                out.write(json.dumps(json.loads(line) | {"response": answer}, ensure_ascii=False) + "\n")
        measure(f"responses of {args.response_bytes:,} bytes", long, args.rounds)
        packed = Path(folder) / "packed.jsonl.gz"
        packed.write_bytes(gzip.compress(args.records.read_bytes()))
        measure("packed", packed, args.rounds)


if __name__ == "__main__":
    main()
