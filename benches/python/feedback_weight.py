"""What should a grade from production count beside a measured answer? On real outcomes, with noisy thumbs.

    python benches/python/feedback_weight.py [--data FOLDER] [--repeats 10] [--algorithm knn] [--flipped 0.2] ...

A selector is trained on a few measured queries and serves others: on each of these it chooses one model (exploring: a
random one with probability `--explore`), and a thumb says whether the answer was right, flipped with probability
`--flipped`. A second selector learns from records and thumbs with every weight. Printed is its mean quality on queries
that nobody saw, in points above the first selector, mean over the repeats with the standard error over them.

"towards the mean" moves labels instead: the mean of the model in its category, moved to the grade by the weight, as a
row that counts like a measured one.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from routing_quality import Pool, default_folder, read_pools

from vsr.features import build_features, split_features
from vsr.selectors.training_data import Grades, Preferences
from vsr.training.trainer import Trainer

Float = npt.NDArray[np.float64]

WEIGHTS = (0.1, 0.25, 0.5, 1.0)
MOVED = (0.25, 0.5)
_N_HELD_OUT = 3_000


def main() -> None:
    """Serve, grade, train again, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--algorithm", action="append", help="May be repeated; knn and kmeans without it.")
    parser.add_argument("--pool", action="append", help="Part of a name; all three without it.")
    parser.add_argument("--measured", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--graded", type=int, nargs="+", default=[500, 2_000])
    parser.add_argument("--flipped", type=float, nargs="+", default=[0.2])
    parser.add_argument("--explore", type=float, default=0.1)
    options = parser.parse_args()
    names = [*(f"{weight:g}" for weight in WEIGHTS), *(f"towards the mean {weight:g}" for weight in MOVED)]
    print(f"| pool | algorithm | measured | graded | flipped | without | {' | '.join(names)} |")
    print("|---" * (6 + len(names)) + "|")
    for pool in read_pools(options.data):
        if options.pool and not any(each in pool.name for each in options.pool):
            continue
        for algorithm in options.algorithm or ["knn", "kmeans"]:
            for n_measured in options.measured:
                for n_graded in options.graded:
                    for flipped in options.flipped:
                        gains = [
                            _repeat(pool, algorithm, n_measured, n_graded, flipped, options.explore, seed)
                            for seed in range(options.repeats)
                        ]
                        print(_row([pool.name, algorithm, n_measured, n_graded, flipped], np.array(gains)), flush=True)


def _row(cells: list[object], values: Float) -> str:
    """Quality without feedback, and the gain in points of each weight."""
    gains = 100.0 * (values[:, 1:] - values[:, :1])
    errors = gains.std(axis=0, ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.full(gains.shape[1], np.nan)
    said = [f"{gain:+.1f} ± {error:.1f}" for gain, error in zip(gains.mean(axis=0), errors, strict=True)]
    return f"| {' | '.join([*map(str, cells), f'{values[:, 0].mean():.3f}', *said])} |"


def _repeat(
    pool: Pool, algorithm: str, n_measured: int, n_graded: int, flipped: float, explore: float, seed: int
) -> list[float]:
    """Mean quality of the choices without feedback and with every weight."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(pool.vectors))
    measured, graded = order[:n_measured], order[n_measured : n_measured + n_graded]
    held_out = order[n_measured + n_graded :][:_N_HELD_OUT]
    features = build_features(pool.vectors, pool.outcomes.categories)
    outcomes = pool.outcomes.take(measured)
    trainer = Trainer.prepare(features[measured], outcomes, seed)
    served = trainer.train(algorithm)
    truth = pool.outcomes.quality[graded]
    taken = served.scores(features[graded]).argmax(axis=1)
    drawn = generator.integers(0, truth.shape[1], n_graded)
    taken = np.where(generator.random(n_graded) < explore, drawn, taken)
    rows = np.arange(n_graded)
    is_up = generator.random(n_graded) < truth[rows, taken]
    thumbs = np.where(generator.random(n_graded) < flipped, ~is_up, is_up).astype(np.float64)
    quality = np.full(truth.shape, np.nan)
    quality[rows, taken] = thumbs
    queries = tuple(pool.outcomes.queries[row] for row in graded.tolist())
    grades = Grades(features[graded], split_features(features[graded]).codes, quality, 1.0, queries)
    mean = trainer.data.prior.rows(grades.codes)
    tried = [replace(grades, weight=weight) for weight in WEIGHTS]
    tried += [replace(grades, quality=mean + weight * (quality - mean)) for weight in MOVED]
    selectors = [served]
    for each in tried:
        riding = Preferences(features[:0], _NONE, _NONE, np.zeros(0), each)
        selectors.append(Trainer.prepare(features[measured], outcomes, seed, preferences=riding).train(algorithm))
    found = pool.outcomes.quality[held_out]
    places = np.arange(len(held_out))
    return [float(found[places, each.scores(features[held_out]).argmax(axis=1)].mean()) for each in selectors]


_NONE = np.zeros(0, dtype=np.int64)


if __name__ == "__main__":
    main()
