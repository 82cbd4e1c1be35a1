"""How long one whole choice takes a gateway: vector and category in, `Choice` out.

    python benches/python/choice_speed.py [--rows 10000] [--models 8] [--calls 2000]

Every selector is trained on the same made-up queries (768 columns around 40 topics, 14 categories), with documented
parameters rather than chosen ones, saved, and loaded by `Router.load` as a gateway does. One thread; single queries.
"""

import argparse
import os
import sys
import tempfile
import time
from typing import Any

import numpy as np
from made_up import DIM, N_CATEGORIES, features, outcomes

import vsr
from vsr._threads import set_n_threads
from vsr.data.categories import CATEGORIES
from vsr.embedding import Fingerprint
from vsr.training.trainer import Trainer

# Algorithm, its parameters, and the milliseconds that are promised.
SETTINGS: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("knn", {"k": 5}, 0.08),
    ("knn", {"k": 100}, 0.08),
    ("knn", {"k": 200}, 0.08),
    ("kmeans", {"num_clusters": 8}, 0.08),
    ("kmeans", {"num_clusters": 64}, 0.08),
    ("mlp", {"hidden_layers": (256, 128)}, 0.08),
    ("matrix_factorization", {"num_factors": 16}, 0.08),
    ("svm", {"c": 1.0}, 0.4),
)


def main() -> None:
    """Print one Markdown row per selector."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--calls", type=int, default=2_000)
    arguments = parser.parse_args()
    set_n_threads(1)
    rows = features(arguments.rows, 0)
    categories = [CATEGORIES[column] for column in rows[:, -N_CATEGORIES:].argmax(axis=1)]
    measured = vsr.Outcomes(
        queries=[f"query {number}" for number in range(arguments.rows)],
        categories=categories,
        models=[f"model-{number}" for number in range(arguments.models)],
        quality=outcomes(rows, arguments.models),
    )
    table = Trainer.prepare(rows, measured, 0)
    unseen = features(500, 1)
    vectors = np.ascontiguousarray(unseen[:, :DIM])
    given = [CATEGORIES[column] for column in unseen[:, -N_CATEGORIES:].argmax(axis=1)]
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print(f"| selector, {arguments.rows:,} rows, {arguments.models} models | median | 99 % below | goal |")
    print("|---|---|---|---|")
    for name, parameters, goal_ms in SETTINGS:
        with tempfile.TemporaryDirectory() as folder:
            vsr.save_selector(table.train(name, **parameters), folder, embedder=Fingerprint.external(DIM))
            router = vsr.Router.load(folder, algorithm=name)
        times = []
        for call in range(arguments.calls):
            row = call % len(vectors)
            started = time.perf_counter()
            router.select(embedding=vectors[row], category=given[row])
            times.append(1e3 * (time.perf_counter() - started))
        shown = ", ".join(f"{key} = {value}" for key, value in parameters.items())
        median, high = np.percentile(times, (50, 99))
        print(f"| {name}, {shown} | {median:.3f} ms | {high:.3f} ms | <= {goal_ms:g} ms |", flush=True)
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
