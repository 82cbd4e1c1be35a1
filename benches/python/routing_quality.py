"""How much better than the best single model do the selectors choose? On real outcomes, held out, with standard errors.

    python benches/python/routing_quality.py [--data FOLDER] [--part main|hash|int8|predicted|shuffled|missing] ...

Five folds by unique query text, stratified by category, three split seeds; every parameter on `auto` is chosen inside
the training folds; the best single model is chosen on the training folds. Points are hundredths of utility. The mean
over the split seeds is taken per query first, then the standard error over queries. A plain kNN (k = 100, L = 20,
category L = 30) stands beside the selectors, and "chosen inside" is the one among them, stacking aside, that gains most
out of fold inside each training part; the last line of a pool compares stacking with it on the same queries.

The data folder (default: `shared/data` beside the checkout, or VSR_SHARED) holds per-query outcomes of 9 and of 29 LLMs
with MiniLM vectors; where it measures no latency, the latency is derived from the length of the answers.
"""

import argparse
import gzip
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import embedding_models
import numpy as np
import numpy.typing as npt

from vsr._core import hash_embed, squared_distances
from vsr.choice.chooser import Chooser
from vsr.choice.objective import EfficiencyScale, Objective, measured_utilities
from vsr.data.categories import CATEGORIES, MISSING, category_codes
from vsr.data.outcomes import Outcomes
from vsr.data.prompts import unique_key
from vsr.embedding import load_embedder
from vsr.embedding.vectors import unit_rows
from vsr.features import join_features, resolve_categories, split_features
from vsr.prior.category_means import MeanTable
from vsr.selectors import registry
from vsr.training.folds import stratified_folds
from vsr.training.trainer import Trainer

if TYPE_CHECKING:
    from vsr.selectors.base import TrainedSelector

Float = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

REFERENCE = "kNN k=100 L=20"
TABLE = "category table"
NESTED = "chosen inside"
STACKING = "stacking"


@dataclass(frozen=True, eq=False)
class Pool:
    """Real outcomes: (n_queries, n_models) quality and derived latency, vectors, categories."""

    name: str
    outcomes: Outcomes
    vectors: Vectors

    def take(self, rows: npt.NDArray[np.intp]) -> "Pool":
        """Keep some queries."""
        return replace(self, outcomes=self.outcomes.take(rows), vectors=self.vectors[rows])


def default_folder() -> Path:
    """Where the data lies unless said otherwise."""
    shared = os.environ.get("VSR_SHARED")
    return (Path(shared) if shared else Path(__file__).parents[3] / "shared") / "data"


def read_pools(folder: Path) -> list[Pool]:
    """Read the three pools: 9 LLMs on LLMRouter, the 28 complete and the 16 middle LLMs on MMLU-Pro."""
    llmrouter = _read(folder, "llmrouter", "LLMRouter 9")
    mmlu = _read(folder, "mmlu_pro", "MMLU-Pro 28")
    quality = mmlu.outcomes.quality
    n_complete = 28
    complete = np.sort(np.argsort(np.isnan(quality).mean(axis=0), kind="stable")[:n_complete])
    all_28 = _complete(mmlu, complete, "MMLU-Pro 28")
    by_accuracy = np.argsort(-all_28.outcomes.quality.mean(axis=0), kind="stable")
    skip = (n_complete - 16) // 2
    return [llmrouter, all_28, _complete(all_28, by_accuracy[skip : skip + 16], "MMLU-Pro 16")]


def _complete(pool: Pool, columns: npt.NDArray[np.intp], name: str) -> Pool:
    """Keep some models, and the queries that all of them answered."""
    outcomes = pool.outcomes.with_models([pool.outcomes.models[column] for column in columns])
    rows = np.flatnonzero(outcomes.observed.all(axis=1))
    return replace(pool, name=name, outcomes=outcomes).take(rows)


def _read(folder: Path, stem: str, name: str) -> Pool:
    with gzip.open(folder / f"{stem}_outcomes.jsonl.gz", "rt", encoding="utf-8") as lines:
        models = json.loads(next(lines))["models"]
        rows = [json.loads(line) for line in lines]
    first: dict[str, int] = {}
    for number, row in enumerate(rows):
        first.setdefault(unique_key(row["query"]), number)
    kept = list(first.values())
    quality = np.array([[np.nan if q is None else q for q in rows[i]["performance"]] for i in kept], dtype=np.float64)
    seconds_per_character = np.array([seconds_per_token(model) / 4 for model in models])
    unknown = [None] * len(models)
    characters = np.array(
        [[np.nan if n is None else n for n in rows[i].get("output_chars") or unknown] for i in kept], dtype=np.float64
    )
    vectors = unit_rows(np.load(folder / f"{stem}_minilm.npy")[kept].astype(np.float32))
    outcomes = Outcomes(
        queries=[rows[i]["query"] for i in kept],
        categories=[rows[i].get("category", "other") for i in kept],
        models=models,
        quality=quality,
        latency_s=np.where(np.isnan(characters), 400.0, characters) * seconds_per_character + 0.2,
    )
    return Pool(name, outcomes, vectors)


def seconds_per_token(model: str) -> float:
    """Made-up speed of a model, by its size."""
    return 0.004 + 0.0004 * model_billions(model)


def model_billions(model: str) -> float:
    """Parameters in the model's name, else 10."""
    found = re.search(r"(\d+(?:\.\d+)?)[bB]\b", model)
    return float(found[1]) if found else 10.0


@dataclass(eq=False)
class Tally:
    """Per method: sums over split seeds of what the chosen models scored on every query."""

    utility: dict[str, Float]
    quality: dict[str, Float]
    latency_s: dict[str, Float]
    seconds: dict[str, float]
    n_seeds: int

    def add(self, method: str, rows: npt.NDArray[np.intp], values: tuple[Float, Float, Float], n_queries: int) -> None:
        """Add what a method's choices scored on some queries."""
        for sums, value in zip((self.utility, self.quality, self.latency_s), values, strict=True):
            sums.setdefault(method, np.zeros(n_queries))[rows] += value

    def lines(self, name: str) -> Iterator[str]:
        """One Markdown row per method."""
        base = self.utility["best single"] / self.n_seeds
        reference, table = self.utility.get(REFERENCE), self.utility[TABLE]
        for method, total in self.utility.items():
            utility = total / self.n_seeds
            gain = utility - base
            measured = np.isfinite(gain)
            points = f"{100 * np.mean(gain[measured]):+.2f} ± {100 * _standard_error(gain[measured]):.2f}"
            paired = ""
            if reference is not None and method not in ("best single", REFERENCE):
                ahead = utility - reference / self.n_seeds
                ahead = ahead[np.isfinite(ahead)]
                paired = f"{100 * np.mean(ahead):+.2f} ± {100 * _standard_error(ahead):.2f}"
            over_table = "" if method in ("best single", TABLE) else _with_limits((total - table) / self.n_seeds)
            quality = np.nanmean(self.quality[method]) / self.n_seeds
            latency = np.nanmean(self.latency_s[method]) / self.n_seeds
            seconds = self.seconds.get(method)
            time_text = "" if seconds is None else f"{seconds / self.n_seeds:.0f} s"
            yield (
                f"| {name} | {method} | {np.nanmean(utility):.4f} | {points} | {paired} | {over_table} | "
                f"{quality:.4f} | {latency:.2f} s | {time_text} |"
            )
        if STACKING in self.utility and NESTED in self.utility:
            ahead = (self.utility[STACKING] - self.utility[NESTED]) / self.n_seeds
            yield f"| {name} | stacking less {NESTED} | | {_with_limits(ahead)} | | | | | |"


HEAD = (
    "| data | method | utility | points over best single | over plain kNN | over the table (95 %) | "
    "quality | latency | training per seed |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def _with_limits(ahead: Float) -> str:
    """Mean of paired differences in points, with its 95 % limits."""
    ahead = ahead[np.isfinite(ahead)]
    mean, half = 100 * float(np.mean(ahead)), 196 * _standard_error(ahead)
    return f"{mean:+.2f} ({mean - half:+.2f} .. {mean + half:+.2f})"


def _standard_error(values: Float) -> float:
    return float(np.std(values) / np.sqrt(max(len(values), 1)))


def measure(
    pool: Pool,
    *,
    n_seeds: int,
    objective: Objective,
    algorithms: list[str],
    predicted: bool = False,
    masked: npt.NDArray[np.bool_] | None = None,
) -> Tally:
    """Cross-validate on one pool.

    Args:
        pool: the outcomes.
        n_seeds: split seeds.
        objective: what choices maximise.
        algorithms: registry names.
        predicted: predict the categories of the held-out queries.
        masked: (n_queries, n_models) cells that training does not see; testing sees all.
    """
    outcomes = pool.outcomes
    codes = category_codes(outcomes.categories)
    features = join_features(pool.vectors, codes, 1.0)
    training = outcomes
    if masked is not None:
        quality = np.where(masked, np.nan, outcomes.quality)
        training = Outcomes(
            queries=outcomes.queries,
            categories=outcomes.categories,
            models=outcomes.models,
            quality=quality,
            latency_s=np.where(masked, np.nan, outcomes.latency_s),
        )
    scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)
    utility = measured_utilities(outcomes.quality, outcomes.latency_s, outcomes.cost_usd, scale, objective)
    tally = Tally({}, {}, {}, {}, n_seeds)
    for seed in range(n_seeds):
        folds = stratified_folds(codes, 5, np.random.default_rng(seed))
        for fold in range(5):
            train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            table = Trainer.prepare(features[train], training.take(train), seed)
            chooser = Chooser.prepare(table.statistics, objective)
            known = np.full(len(test), MISSING) if predicted else codes[test]
            categories = resolve_categories(pool.vectors[test], known, table.classifier).categories
            test_features = join_features(pool.vectors[test], categories, 1.0)

            def add(
                method: str,
                columns: npt.NDArray[np.int64],
                test: npt.NDArray[np.intp] = test,
            ) -> None:
                values = tuple(each[test, columns] for each in (utility, outcomes.quality, outcomes.latency_s))
                tally.add(method, test, (values[0], values[1], values[2]), outcomes.n_queries)

            prior = table.data.prior
            single = int(chooser.best(prior.overall[None], np.array([-1]))[0])
            add("best single", np.full(len(test), single))
            add(TABLE, chooser.best(prior.rows(categories), categories))
            add(REFERENCE, chooser.best(plain_knn(table, test_features), categories))
            trained: list[TrainedSelector] = []
            for name in registry.parts_first(algorithms):
                started = time.perf_counter()
                trained.append(table.train(name, trained))
                tally.seconds[name] = tally.seconds.get(name, 0.0) + time.perf_counter() - started
                add(name, chooser.best(trained[-1].scores(test_features), categories))
            nested = max((each for each in trained if each.name != STACKING), key=lambda each: each.gain, default=None)
            if nested is not None:
                add(NESTED, chooser.best(nested.scores(test_features), categories))
    return tally


def plain_knn(table: Trainer, features: Vectors, k: int = 100, shrinkage: float = 20.0) -> Float:
    """Similarity-weighted mean of the k nearest, shrunk to category means: fixed parameters, nothing chosen."""
    data = table.data
    prior = MeanTable.fit(data.quality, data.codes, len(CATEGORIES), 30.0)
    filled = np.where(np.isfinite(data.quality), data.quality, 0.0)
    observed = np.isfinite(data.quality)
    scores = prior.rows(split_features(features).categories)
    for start in range(0, len(features), 512):
        block = slice(start, start + 512)
        squared = squared_distances(features[block], data.features)
        nearest = np.argpartition(squared, min(k, squared.shape[1] - 1), axis=1)[:, :k]
        weights = np.maximum(1.0 - np.take_along_axis(squared, nearest, axis=1) / 4.0, 0.0)[:, None, :]
        sums = (weights @ filled[nearest])[:, 0]
        masses = (weights @ observed[nearest])[:, 0]
        scores[block] = (sums + shrinkage * scores[block]) / (masses + shrinkage)
    return scores


def main() -> None:
    """Print one table per part."""
    parts: dict[str, Callable[[list[Pool], argparse.Namespace], None]] = {
        "main": _main_part,
        "weights": _weights_part,
        "hash": _hash_part,
        "int8": _int8_part,
        "predicted": _predicted_part,
        "shuffled": _shuffled_part,
        "missing": _missing_part,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--part", action="append", choices=list(parts))
    parser.add_argument("--pool", action="append", help="Only pools whose name starts with this.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--shuffles", type=int, default=20)
    parser.add_argument("--algorithm", action="append", choices=registry.names())
    arguments = parser.parse_args()
    arguments.algorithm = arguments.algorithm or registry.learning()
    pools = [
        pool
        for pool in read_pools(arguments.data)
        if not arguments.pool or any(pool.name.startswith(start) for start in arguments.pool)
    ]
    for part in arguments.part or list(parts):
        print(f"\n### {part}\n", flush=True)
        parts[part](pools, arguments)


def _print(name: str, tally: Tally) -> None:
    for line in tally.lines(name):
        print(line, flush=True)


def _main_part(pools: list[Pool], arguments: argparse.Namespace) -> None:
    print(HEAD)
    for pool in pools:
        objective = Objective(quality_weight=1.0)
        _print(pool.name, measure(pool, n_seeds=arguments.seeds, objective=objective, algorithms=arguments.algorithm))


def _weights_part(pools: list[Pool], arguments: argparse.Namespace) -> None:
    print(HEAD)
    for weight in (0.9, 0.7):
        for pool in pools:
            objective = Objective(quality_weight=weight)
            tally = measure(pool, n_seeds=arguments.seeds, objective=objective, algorithms=arguments.algorithm)
            _print(f"{pool.name}, weight {weight}", tally)


def _int8_part(pools: list[Pool], arguments: argparse.Namespace) -> None:
    """Vectors of MiniLM in int8 against those in float32 (the data's), paired by query."""
    embedder = load_embedder("bert", embedding_models.model_folder("minilm"), dtype="int8", max_tokens=256)
    print("| data | method | int8 less float32, points (95 %) |\n|---|---|---|")
    for pool in pools:
        rounded = replace(pool, vectors=embedder.embed(pool.outcomes.queries, progress=lambda _state: None))
        cosines = (rounded.vectors * pool.vectors).sum(axis=1)
        least, middle = np.quantile(cosines, (0.01, 0.5))
        print(f"{pool.name}: cosine of all but 1 % at least {least:.4f}, median {middle:.4f}", file=sys.stderr)
        objective = Objective(quality_weight=1.0)
        exact, other = (
            measure(each, n_seeds=arguments.seeds, objective=objective, algorithms=arguments.algorithm)
            for each in (pool, rounded)
        )
        for method in (REFERENCE, *arguments.algorithm):
            ahead = (other.utility[method] - exact.utility[method]) / arguments.seeds
            print(f"| {pool.name} | {method} | {_with_limits(ahead)} |", flush=True)


def _hash_part(pools: list[Pool], arguments: argparse.Namespace) -> None:
    print(HEAD)
    for pool in pools[:2]:
        hashed = replace(pool, vectors=hash_embed(list(pool.outcomes.queries), 768))
        objective = Objective(quality_weight=1.0)
        tally = measure(hashed, n_seeds=arguments.seeds, objective=objective, algorithms=arguments.algorithm)
        _print(f"{pool.name}, hash", tally)


def _predicted_part(pools: list[Pool], arguments: argparse.Namespace) -> None:
    print(HEAD)
    for pool in pools:
        if len(set(pool.outcomes.categories)) > 1:
            tally = measure(
                pool,
                n_seeds=arguments.seeds,
                objective=Objective(quality_weight=1.0),
                algorithms=arguments.algorithm,
                predicted=True,
            )
            _print(f"{pool.name}, predicted", tally)


def _shuffled_part(pools: list[Pool], arguments: argparse.Namespace) -> None:
    """Rows of the quality matrix shuffled against the queries: there is nothing to learn."""
    print("| data | method | mean points over best single | standard error over shuffles | worst shuffle |")
    print("|---|---|---|---|---|")
    for pool in pools:
        gains: dict[str, list[float]] = {}
        for shuffle in range(arguments.shuffles):
            generator = np.random.default_rng(shuffle)
            rows = generator.permutation(pool.outcomes.n_queries)[:2000]
            small = pool.take(rows)
            order = generator.permutation(len(rows))
            outcomes = Outcomes(
                queries=small.outcomes.queries,
                categories=small.outcomes.categories,
                models=small.outcomes.models,
                quality=small.outcomes.quality[order],
                latency_s=small.outcomes.latency_s[order],
            )
            tally = measure(
                replace(small, outcomes=outcomes),
                n_seeds=1,
                objective=Objective(quality_weight=1.0),
                algorithms=arguments.algorithm,
            )
            for method, utility in tally.utility.items():
                gains.setdefault(method, []).append(100 * float(np.mean(utility - tally.utility["best single"])))
        for method, values in gains.items():
            if method != "best single":
                error = np.std(values) / np.sqrt(len(values))
                print(
                    f"| {pool.name} | {method} | {np.mean(values):+.2f} | {error:.2f} | {min(values):+.2f} |",
                    flush=True,
                )


def _missing_part(pools: list[Pool], arguments: argparse.Namespace) -> None:
    """A third of the training cells missing, at random and by category."""
    print(HEAD)
    objective = Objective(quality_weight=1.0)
    for pool in pools:
        outcomes = pool.outcomes
        generator = np.random.default_rng(0)
        at_random = generator.random(outcomes.quality.shape) < 1.0 / 3.0
        codes = category_codes(outcomes.categories)
        # Each model was never asked in a third of the categories, but for a tenth of the queries.
        skipped = np.zeros((len(CATEGORIES), outcomes.n_models), dtype=bool)
        present = np.unique(codes)
        for model in range(outcomes.n_models):
            skipped[generator.permutation(present)[: max(1, round(len(present) / 3))], model] = len(present) > 1
        by_category = skipped[codes] & (generator.random(len(codes)) >= 0.1)[:, None]
        for kind, masked in (("complete", None), ("a third at random", at_random), ("by category", by_category)):
            if masked is not None and not masked.any():
                continue
            tally = measure(pool, n_seeds=1, objective=objective, algorithms=arguments.algorithm, masked=masked)
            _print(f"{pool.name}, {kind}", tally)


if __name__ == "__main__":
    main()
