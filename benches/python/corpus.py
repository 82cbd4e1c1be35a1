"""How fast is a corpus of queries of mixed length beside sentence-transformers, and how much of it is padding?

    make peers
    .venv-peers/bin/python benches/python/corpus.py [--queries 5000] [--parts 5] [--threads 2]

5,000 different made-up queries, most of them short and some long (median about 30 tokens, up to the limit of 256),
through the real all-MiniLM-L6-v2. The corpus is dealt out into parts of the same mixture; both embed part after part in
turn (A, B, A, B, ...), and the table gives the median of the parts. sentence-transformers sorts by length and pads each
batch to its longest text; ours packs the texts of a batch one after the other, without padding.
"""

import argparse
import os
import statistics
import sys
import time
import warnings

import embedding_models
import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from vsr import _core
from vsr.embedding import load_embedder

_BATCH = 32  # the default of sentence-transformers
_LIMIT = 256
_WORDS = (  # noqa: SIM905 # a list of 56 strings is no easier to read
    "what is the derivative of a function that maps every prime number below one hundred to its square and explain "
    "why energy entropy market law patient history philosophy python list sorted compute integral matrix court tax "
    "gravity enzyme equilibrium who wrote which when how many does not return largest smallest between under given"
).split()


def queries(n: int) -> list[str]:
    """Make up different texts whose numbers of words follow a log-normal distribution."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(mean=3.3, sigma=0.9, size=n), 3, 400).astype(int)
    return [f"{i} {' '.join(rng.choice(_WORDS, length))}?" for i, length in enumerate(lengths)]


def padded(lengths: NDArray[np.int64]) -> float:
    """Padded tokens per real token of batches of `_BATCH` texts, sorted by length, each padded to its longest."""
    ordered = np.sort(lengths)[::-1]
    batches = [ordered[first : first + _BATCH] for first in range(0, len(ordered), _BATCH)]
    return sum(int(batch[0]) * len(batch) for batch in batches) / int(lengths.sum())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Embed a corpus beside sentence-transformers.")
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--parts", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    folder = embedding_models.model_folder("minilm")
    _core.set_n_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    ours = load_embedder("bert", folder, max_tokens=_LIMIT)
    theirs = SentenceTransformer(str(folder), device="cpu")
    theirs.max_seq_length = _LIMIT
    texts = queries(arguments.queries)
    lengths = _core.TextEncoder(folder, max_tokens=_LIMIT).tokenize(texts).lengths.astype(np.int64)
    times: tuple[list[float], list[float]] = ([], [])
    difference = 0.0
    warnings.simplefilter("ignore")  # that a few texts are cut
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    for part in range(arguments.parts):
        own_texts = texts[part :: arguments.parts]
        results = []
        for own_times, embed in (
            (times[0], ours.embed),
            (times[1], lambda texts: theirs.encode(texts, batch_size=_BATCH, normalize_embeddings=True)),
        ):
            start = time.perf_counter()
            results.append(embed(own_texts))
            own_times.append((time.perf_counter() - start) / int(lengths[part :: arguments.parts].sum()))
        difference = max(difference, float(np.abs(results[0] - results[1]).max()))
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    ours_s, theirs_s = (statistics.median(own) for own in times)
    print(
        f"{len(texts):,} queries, {int(lengths.sum()):,} tokens, median {np.median(lengths):.0f}, "
        f"longest {lengths.max()}; largest difference of the vectors {difference:.1e}.\n"
    )
    print("| | tokens per second | padded / real tokens |")
    print("|---|---|---|")
    print(f"| ours, {arguments.threads} threads | {1 / ours_s:,.0f} | 1.00 (packed) |")
    print(f"| sentence-transformers, batches of {_BATCH} | {1 / theirs_s:,.0f} | {padded(lengths):.2f} |")
    print(f"| ours / theirs, time | {ours_s / theirs_s:.2f} | |")


if __name__ == "__main__":
    main()
