"""Simulated LLMs and a router that was trained on their answers: what the examples have in place of real ones."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from vsr.simulation import DemoQuery, generate_queries, simulate, write_queries, write_records

N_TRAINING = 420
_ARTEFACTS = "trained_models"


def train(folder: Path, n_fresh: int) -> tuple[Sequence[DemoQuery], Sequence[DemoQuery], Path]:
    """Train a router as on the command line: records in, artefacts out.

    Args:
        folder: gets queries, records and artefacts.
        n_fresh: how many queries are drawn beyond those of the training.

    Returns:
        All queries, those that are new to the router, and the folder of the artefacts.
    """
    queries = generate_queries(N_TRAINING + n_fresh, seed=0)
    records = folder / "records.jsonl"
    write_queries(folder / "queries.jsonl", queries[N_TRAINING:])
    write_records(records, simulate(queries[:N_TRAINING]))
    command = [sys.executable, "-m", "vsr", "train", "--data-file", str(records)]
    command += ["--output-dir", str(folder / _ARTEFACTS)]
    command += ["--embedding-model", "hash", "--algorithm", "matrix_factorization", "--splits", "1"]
    subprocess.run(command, check=True, capture_output=True)
    return queries, queries[N_TRAINING:], folder / _ARTEFACTS
