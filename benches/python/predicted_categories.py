"""What is a predicted category worth to a choice: as probabilities, as one category, as `other` for every query?

    python benches/python/predicted_categories.py [--data FOLDER] [--sizes 100,300,1000,3000] [--repeats 20,14,8,4]

Trains the table and kNN on a sample of MMLU-Pro with given categories and chooses for 4,000 other queries whose
category is not known. Points are hundredths of quality over the sample's best single model, ± standard error over the
repeats, which draw other samples. "As trained" is what the classifier found best for itself, probabilities as a rule;
the last column compares it with the most probable category alone on the same repeats.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from routing_quality import Pool, default_folder, read_pools

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import MISSING, Categories, category_codes, most_probable
from vsr.features import join_features, resolve_categories
from vsr.training.trainer import Trainer

N_DEPLOYED = 4000
QUALITY = Objective(quality_weight=1.0)
WAYS = ("given", "as `other`", "one category", "as trained")


def gains(pool: Pool, n_queries: int, seed: int) -> tuple[dict[tuple[str, str], float], float]:
    """Points over the best single model by selector and way, and the share of categories that are right."""
    order = np.random.default_rng(seed).permutation(pool.outcomes.n_queries)
    train, test = np.sort(order[:n_queries]), order[n_queries : n_queries + N_DEPLOYED]
    codes = category_codes(pool.outcomes.categories)
    features = join_features(pool.vectors[train], codes[train], 1.0)
    table = Trainer.prepare(features, pool.outcomes.take(train), 0, QUALITY)
    selectors = [table.train("table"), table.train("knn")]
    chooser = Chooser.prepare(table.statistics, QUALITY)
    quality = pool.outcomes.quality[test]
    rows = np.arange(len(test))
    single = chooser.best(table.data.prior.overall[None], np.array([MISSING]))[0]
    unknown = np.full(len(test), MISSING)
    classifier = table.classifier
    one = None if classifier is None else replace(classifier, temperature=0.0)
    ways: dict[str, Categories] = {
        "given": codes[test],
        "as `other`": resolve_categories(pool.vectors[test], unknown, None).categories,
        "one category": resolve_categories(pool.vectors[test], unknown, one).categories,
        "as trained": resolve_categories(pool.vectors[test], unknown, classifier).categories,
    }
    accuracy = float((most_probable(ways["as trained"]) == codes[test]).mean())
    found = {}
    for selector in selectors:
        for way, categories in ways.items():
            scores = selector.scores(join_features(pool.vectors[test], categories, 1.0))
            chosen = quality[rows, chooser.best(scores, categories)]
            found[selector.name, way] = 100.0 * float(np.mean(chosen - quality[:, single]))
    return found, accuracy


def main() -> None:
    """Print a row per size, pool and selector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--sizes", default="100,300,1000,3000")
    parser.add_argument("--repeats", default="20,14,8,4")
    arguments = parser.parse_args()
    sizes, repeats = ([int(each) for each in text.split(",")] for text in (arguments.sizes, arguments.repeats))
    pools = [pool for pool in read_pools(arguments.data) if len(set(pool.outcomes.categories)) > 1]
    print(f"| data | queries | repeats | right | selector | {' | '.join(WAYS)} | as trained less one category |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for n_queries, n_repeats in zip(sizes, repeats, strict=True):
        for pool in pools:
            results = [gains(pool, n_queries, seed) for seed in range(n_repeats)]
            right = np.mean([accuracy for _, accuracy in results])
            for name in ("table", "knn"):
                values = {way: np.array([found[name, way] for found, _ in results]) for way in WAYS}
                values["difference"] = values["as trained"] - values["one category"]
                cells = [f"{np.mean(v):+.2f} ± {np.std(v) / np.sqrt(n_repeats):.2f}" for v in values.values()]
                row = [pool.name, f"{n_queries:,}", str(n_repeats), f"{right:.0%}", name, *cells]
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
