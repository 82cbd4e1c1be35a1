"""What does a cluster cost? The same texts through one process and through two actors on Ray, start-up included.

    python benches/python/cluster_embedding.py QUERIES [--model-dir DIR] [--texts 4000] [--characters 160] [--repeats 3]

QUERIES is a file of queries. Both are the command line: `embed --threads 2`, and `embed --engine ray --threads 1` on a
cluster of this machine alone, interleaved; the vectors are compared bit by bit. Beside both times stands that of 512
texts, so that what a text takes can be told from what starting takes.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vsr.data.json_lines import write_json_lines
from vsr.data.prompts import unique_prompts
from vsr.data.records import read_prompts
from vsr.embedding.vector_folder import VectorFolder

FEW = 512


def main() -> None:
    """Measure and print a line per way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--model-dir", type=Path, help="folder of a BERT model; the hub's all-MiniLM-L6-v2 without it")
    parser.add_argument("--texts", type=int, default=4000)
    parser.add_argument(
        "--characters", type=int, default=160, help="cut texts to so many: short ones show the overhead"
    )
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    cut = (prompt[: options.characters] for prompt in read_prompts(options.queries))
    texts = unique_prompts(cut)[: options.texts]
    model = ["--embedding-model", "bert"]
    model += [] if options.model_dir is None else ["--embedding-path", str(options.model_dir)]
    took: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for count in (FEW, len(texts)):
            write_json_lines(folder / f"{count}.jsonl", ({"query": text} for text in texts[:count]))
        for turn in range(options.repeats):
            for count in (FEW, len(texts)):
                source = folder / f"{count}.jsonl"
                file, shards = folder / "v.npy", folder / f"v-{turn}-{count}"
                ways = (("one process", file, "2", "local"), ("two actors", shards, "1", "ray"))
                for way, target, threads, engine in ways:
                    arguments = ["embed", "--input", source, "--output", target, *model]
                    arguments += ["--threads", threads, "--engine", engine]
                    started_s = time.perf_counter()
                    subprocess.run([sys.executable, "-m", "vsr", "-q", *map(str, arguments)], check=True)
                    took.setdefault((way, count), []).append(time.perf_counter() - started_s)
                np.testing.assert_array_equal(VectorFolder(shards).read(texts[:count]), np.load(file))
            print(f"load {os.getloadavg()[0]:.1f} after repeat {turn + 1}", file=sys.stderr)
    for way in ("one process", "two actors"):
        few, all_ = (statistics.median(took[way, count]) for count in (FEW, len(texts)))
        rate = (len(texts) - FEW) / (all_ - few)
        print(f"{way:12} {FEW} texts {few:6.1f} s   {len(texts)} texts {all_:6.1f} s   {rate:6.0f} texts/s beyond")


if __name__ == "__main__":
    main()
