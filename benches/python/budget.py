"""What do a part of the calls lose? Hide cells of real outcomes until they are asked for, train, deploy held out.

    python benches/python/budget.py [--data FOLDER] [--part cells|probe] [--pool NAME] [--seeds 3] [--first-seed 10]

Five folds, several split seeds, MiniLM vectors, quality alone; KNN and KMeans. `cells`: training on 20 and 40 % of the
cells of the training folds, chosen at random, as whole queries at random, and as `vsr-train benchmark --budget`
chooses; points lost against training on all cells are paired over held-out queries (mean over the seeds per query
first, then intervals over queries), and "kept" is the share of the full gain over the best single model. `probe`: one
of the four best models is new and is asked 50, 100 or 200 queries, as `--only-model --probe` chooses; all others have
all cells. Seeds below 10 were used while the rules were made.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from routing_quality import Pool, default_folder, read_pools

from vsr.benchmark.allocation import Allocation, clusters_of, probe
from vsr.data.categories import category_codes
from vsr.data.outcomes import Outcomes
from vsr.features import join_features
from vsr.training.folds import stratified_folds
from vsr.training.trainer import Trainer

Float = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ALGORITHMS = ("knn", "kmeans")
SHARES = (0.2, 0.4)
PROBES = (50, 100, 200)
N_NEW = 4


def at_random(quality: Float, share: float, seed: int) -> Mask:
    """Any cells."""
    order = np.random.default_rng(seed).permutation(quality.size)
    return np.isin(np.arange(quality.size), order[: round(share * quality.size)]).reshape(quality.shape)


def whole_queries(quality: Float, share: float, seed: int) -> Mask:
    """Any queries, all models."""
    order = np.random.default_rng(seed).permutation(len(quality))
    rows = np.isin(np.arange(len(quality)), order[: round(share * len(quality))])
    return np.repeat(rows[:, None], quality.shape[1], axis=1)


def in_rounds(
    quality: Float, vectors: npt.NDArray[np.float32], codes: npt.NDArray[np.int64], share: float, seed: int
) -> Mask:
    """As `--budget` asks: a core, then rounds."""
    allocation = Allocation.make(vectors, codes, quality.shape[1], round(share * quality.size), seed)
    asked = np.zeros(quality.shape, dtype=bool)
    for number, own in enumerate(allocation.rounds):
        probabilities = allocation.probabilities(number, np.where(asked, quality, np.nan))
        asked[own.rows] = allocation.draw(number, probabilities)
    return asked


def splits(pool: Pool, seeds: range, n_folds: int) -> Iterator[tuple[int, npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """The first folds of every seed: seed, training rows, held-out rows."""
    codes = category_codes(pool.outcomes.categories)
    for seed in seeds:
        folds = stratified_folds(codes, 5, np.random.default_rng(seed))
        for fold in range(n_folds):
            yield seed, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


class Deployment:
    """Trains on the asked cells of some queries, and says what is chosen for others."""

    def __init__(self, pool: Pool) -> None:
        """Take the outcomes of which cells are hidden."""
        self.outcomes = pool.outcomes
        self.codes = category_codes(pool.outcomes.categories)
        self.vectors = pool.vectors
        self.features = join_features(pool.vectors, self.codes, 1.0)

    def quality(self, train: npt.NDArray[np.intp], test: npt.NDArray[np.intp], asked: Mask, seed: int) -> Float:
        """Quality of the choices on held-out queries, (n_algorithms + 1, n_test); best single model last."""
        outcomes = self.outcomes
        own = Outcomes(
            queries=[outcomes.queries[row] for row in train],
            categories=[outcomes.categories[row] for row in train],
            models=outcomes.models,
            quality=np.where(asked, outcomes.quality[train], np.nan),
        )
        table = Trainer.prepare(self.features[train], own, seed)
        columns = [table.train(name).scores(self.features[test]).argmax(axis=1) for name in ALGORITHMS]
        columns.append(np.full(len(test), table.data.prior.overall.argmax()))
        return np.stack([outcomes.quality[test, column] for column in columns])


def cells(pool: Pool, seeds: range, n_folds: int) -> None:
    """Print what is lost by every way to choose."""
    deployment, quality = Deployment(pool), pool.outcomes.quality
    found: dict[tuple[str, float], Float] = {}
    n_held_out = np.zeros(len(quality))
    for seed, train, test in splits(pool, seeds, n_folds):
        own = quality[train]
        n_held_out[test] += 1.0
        masks = {("all cells", 1.0): np.ones(own.shape, dtype=bool)}
        for share in SHARES:
            masks["random cells", share] = at_random(own, share, seed)
            masks["random whole queries", share] = whole_queries(own, share, seed)
            masks["--budget", share] = in_rounds(own, deployment.vectors[train], deployment.codes[train], share, seed)
        for key, asked in masks.items():
            sums = found.setdefault(key, np.zeros((len(ALGORITHMS) + 1, len(quality))))
            sums[:, test] += deployment.quality(train, test, asked, seed)
    held_out = n_held_out > 0.0
    found = {key: sums[:, held_out] / n_held_out[held_out] for key, sums in found.items()}
    full = found["all cells", 1.0]
    for (way, share), reached in found.items():
        for place, name in enumerate((*ALGORITHMS, "mean of both")):
            pick = slice(0, len(ALGORITHMS)) if place == len(ALGORITHMS) else slice(place, place + 1)
            gain = full[pick].mean(axis=0) - full[-1]
            lost = full[pick].mean(axis=0) - reached[pick].mean(axis=0)
            kept = f"{1.0 - lost.mean() / gain.mean():.0%}" if gain.mean() > 4.0 * _error(gain) else "-"
            print(
                f"| {pool.name} | {share:.0%} | {way} | {name} | {100 * gain.mean():+.2f} ± {100 * _error(gain):.2f} | "
                f"{100 * lost.mean():+.2f} ({_limits(lost)}) | {kept} |",
                flush=True,
            )


def probes(pool: Pool, seeds: range, n_folds: int) -> None:
    """Print what a new model loses that was asked few queries."""
    deployment, quality = Deployment(pool), pool.outcomes.quality
    lost: dict[tuple[str, int], list[Float]] = {}
    for seed, train, test in splits(pool, seeds, n_folds):
        own = quality[train]
        full = deployment.quality(train, test, np.ones(own.shape, dtype=bool), seed)
        new = int(np.argsort(-own.mean(axis=0))[seed % N_NEW])
        for number in PROBES:
            asked = np.ones(own.shape, dtype=bool)
            known = np.delete(own, new, axis=1)
            asked[:, new] = False
            asked[probe(clusters_of(deployment.vectors[train], seed), known, number, seed), new] = True
            reached = deployment.quality(train, test, asked, seed)
            for place, name in enumerate(ALGORITHMS):
                lost.setdefault((name, number), []).append(full[place] - reached[place])
    for (name, number), parts in lost.items():
        each = np.concatenate(parts)
        print(f"| {pool.name} | {name} | {number} | {100 * each.mean():+.2f} ({_limits(each)}) |", flush=True)


def _error(values: Float) -> float:
    return float(values.std() / np.sqrt(len(values)))


def _limits(values: Float) -> str:
    return (
        f"{100 * (values.mean() - 1.96 * _error(values)):+.2f} .. {100 * (values.mean() + 1.96 * _error(values)):+.2f}"
    )


def main() -> None:
    """Print one table per part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--part", action="append", choices=("cells", "probe"))
    parser.add_argument("--pool", action="append", help="data set; may be repeated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=5, help="how many of the five are held out")
    parser.add_argument("--first-seed", type=int, default=10)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    heads = {
        "cells": "| data | cells | asked | selector | full gain | points lost (95 %) | kept |\n" + 7 * "|---" + "|",
        "probe": "| data | selector | queries asked of the new model | points lost (95 %) |\n|---|---|---|---|",
    }
    for part in arguments.part or list(heads):
        print(f"\n### {part}\n\n{heads[part]}", flush=True)
        for pool in read_pools(arguments.data):
            if pool.name in (arguments.pool or ("LLMRouter 9", "MMLU-Pro 28")):
                (cells if part == "cells" else probes)(pool, seeds, arguments.folds)


if __name__ == "__main__":
    main()
