"""Does the embedding network give the same vectors on a GPU, how fast is it beside torch there, does `train` use it?

    make bench-cuda    # on a machine with an NVIDIA GPU and its toolkit
    .venv-peers/bin/python benches/python/embedding_cuda.py --device cpu --quick    # the same steps anywhere

First the reference models of `VSR_SHARED` in float32 and bfloat16, against the vectors of their own libraries; then
tokens per second, everybody on the same device in turn, medians; then a whole `vsr-train train --device`. The exit code
is 1 if a vector is not the reference's or the training fails; what a device does not offer is said.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import embedding_models
import numpy as np

import embedding
from vsr.embedding import load_embedder
from vsr.errors import EmbeddingError
from vsr.simulation import generate_queries, simulate, write_records

SHARED = Path(os.environ.get("VSR_SHARED", Path(__file__).parents[3] / "shared"))
# By how the names of the reference models begin.
_ARCHITECTURES = {"bert": "bert", "embeddinggemma": "gemma", "minilm": "bert", "qwen3": "qwen3"}
_LEAST_COSINE = {"float32": 0.99999, "bfloat16": 0.999}
_SHAPES = ((32, 64), (256, 64), (64, 512))
_QUICK_SHAPES = ((2, 16),)


def vectors_hold(device: str) -> bool:
    """Print how near the vectors of every reference are to ours, and say whether all are near enough."""
    print("| reference | dtype | texts | smallest cosine | at least | |\n|---|---|---|---|---|---|")
    all_hold = True
    for file in sorted(SHARED.glob("reference/*/expected.json")):
        for dtype, least in _LEAST_COSINE.items():
            try:
                cosines = list(_cosines(file, dtype, device))
            except EmbeddingError as error:
                if dtype == "float32":
                    raise
                print(f"| {file.parent.name} | {dtype} | - | - | {least} | not offered: {error} |")
                continue
            holds = min(cosines) >= least
            all_hold &= holds
            row = (file.parent.name, dtype, len(cosines), f"{min(cosines):.7f}", least, "holds" if holds else "DIFFERS")
            print(f"| {' | '.join(map(str, row))} |", flush=True)
    return all_hold


def _cosines(file: Path, dtype: str, device: str) -> Iterator[float]:
    content = json.loads(file.read_text(encoding="utf-8"))
    name = file.parent.name
    folder = embedding_models.model_folder("minilm") if name == "minilm" else file.parent
    architecture = next(own for start, own in _ARCHITECTURES.items() if name.startswith(start))
    for prompt in dict.fromkeys(case["prompt_name"] for case in content["cases"]):
        cases = [case for case in content["cases"] if case["prompt_name"] == prompt]
        embedder = load_embedder(
            architecture, folder, prompt=prompt, dtype=dtype, device=device, max_tokens=content["max_seq_length"]
        )
        found = embedder.embed([case["text"] for case in cases])
        expected = np.array([case["embedding"] for case in cases])
        yield from (found * expected).sum(axis=1) / np.linalg.norm(expected, axis=1)


def speeds(device: str, models: list[str], shapes: tuple[tuple[int, int], ...], n_rounds: int) -> None:
    """Print tokens per second of ours, torch and sentence-transformers."""
    print("| model | texts x tokens | ours, tokens/s | torch | sentence-transformers | ours / torch, time |")
    print("|---|---|---|---|---|---|")
    n_threads = os.cpu_count() or 1
    for model in models:
        folder = embedding_models.model_folder(model)
        contestants: dict[str, embedding.Contestant] = {
            "ours": embedding.Ours(folder, n_threads, device=device),
            "torch": embedding.Torch(folder, n_threads, device),
            "sentence-transformers": embedding.SentenceTransformers(folder, n_threads, device),
        }
        for n_texts, n_tokens in shapes:
            took_ms = embedding.compare(contestants, n_texts, n_tokens, n_rounds)
            rates = " | ".join(f"{1e3 * n_texts * n_tokens / own_ms:,.0f}" for own_ms in took_ms.values())
            print(
                f"| {model} | {n_texts}x{n_tokens} | {rates} | {took_ms['ours'] / took_ms['torch']:.2f} |", flush=True
            )


def trains(device: str, n_queries: int) -> bool:
    """Train on simulated records with MiniLM on the device, and say whether that worked."""
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.jsonl"
        write_records(records, simulate(generate_queries(n_queries, seed=0)))
        command = [
            sys.executable,
            "-m",
            "vsr",
            "train",
            "--data-file",
            records,
            "--output-dir",
            Path(folder) / "models",
        ]
        command += ["--embedding-model", "bert", "--embedding-path", embedding_models.model_folder("minilm")]
        start = time.perf_counter()
        ended = subprocess.run([*command, "--device", device], capture_output=True, text=True, check=False)
        if ended.returncode:
            print(f"vsr-train train --device {device} failed:\n{ended.stderr}", file=sys.stderr)
            return False
        n_files = len(list((Path(folder) / "models").glob("*.json")))
        took_s = time.perf_counter() - start
        print(f"`vsr-train train --device {device}`: {n_queries} queries, {n_files} files, {took_s:.1f} s.")
        return True


def main() -> None:
    """Take the three steps one after the other, whatever the ones before said."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--models", nargs="+", choices=embedding_models.MODELS, default=["minilm", "qwen3-0.6b"])
    parser.add_argument("--quick", action="store_true", help="MiniLM alone, one small shape, once")
    arguments = parser.parse_args()
    if not list(SHARED.glob("reference/*/expected.json")):
        parser.error(f"no reference models in {SHARED}; VSR_SHARED says where they are")
    warnings.simplefilter("ignore")  # that a few texts are cut
    try:
        held = vectors_hold(arguments.device)
    except EmbeddingError as error:
        sys.exit(f"{arguments.device}: {error}")
    print()
    models, shapes, n_rounds = arguments.models, _SHAPES, 5
    if arguments.quick:
        models, shapes, n_rounds = ["minilm"], _QUICK_SHAPES, 1
    speeds(arguments.device, models, shapes, n_rounds)
    print()
    trained = trains(arguments.device, 60 if arguments.quick else 500)
    sys.exit(0 if held and trained else 1)


if __name__ == "__main__":
    main()
