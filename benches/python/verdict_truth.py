"""How true is the verdict? Draw a sample of real queries, ask for the verdict, deploy it on all the others.

    python benches/python/verdict_truth.py RESULTS.jsonl [--algorithm knn] [--minutes 10] [--label NAME] ...
    python benches/python/verdict_truth.py RESULTS.jsonl --minutes 0     # print what was pooled so far

A run adds repeats to the JSON Lines file, a few per cell and in turn, until its time is over, and prints the table of
all that stand there. One selector (`--algorithm knn`) makes a repeat ten times as cheap as all five. A cell is a data
set, a way to draw the models, their number and the number of queries:

    consecutive   models of consecutive ranks: close to each other, as a shortlist is
    equal         the same, right answers failed at random down to the lowest mean: ties
    random        any models
    shuffled      consecutive, the outcomes' rows shuffled against the queries: nothing can be learnt
    planted       shuffled and equal, then one model made better on a third of the space of queries and worse elsewhere

The truth is what the recommended selector, trained on the sample and deployed on all remaining queries, gains there
over the model that the verdict names, and over the truly best one. It has a standard error of its own: covered is
|truth - centre| <= sqrt(half^2 + (1.96 se)^2). The choices are kept with every repeat: the tables show what the package
as it is says of them, what its rule and its intervals said before, and other recipes. Seeds are numbered; those of
`--seeds held-out` are for looking at the end, not for tuning anything.
"""

import argparse
import itertools
import json
import time
from dataclasses import asdict
from pathlib import Path

from routing_quality import default_folder, read_pools
from verdict_repeats import SEEDS, repeat
from verdict_tables import print_tables
from verdict_worlds import KINDS, POOLS, cells

from vsr.evaluation.settings import N_SPLITS
from vsr.selectors import registry


def main() -> None:
    """Add repeats until the time is over, then print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="JSON Lines file that repeats are added to.")
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--label", default="", help="Put before the name of the table.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--algorithm", action="append", choices=registry.names())
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--models", action="append", type=int)
    parser.add_argument("--queries", action="append", type=int)
    parser.add_argument("--pool", action="append", choices=POOLS)
    parser.add_argument("--quality-weight", type=float, default=1.0)
    parser.add_argument("--categories", action="append", choices=("given", "predicted"), help="Both without it.")
    parser.add_argument("--splits", type=int, default=N_SPLITS)
    parser.add_argument("--seeds", choices=list(SEEDS), default="tuning")
    options = parser.parse_args()
    options.algorithm = options.algorithm or list(registry.learning())
    names = "+".join(options.algorithm)
    sources = tuple(options.categories or ("given", "predicted"))
    labels = {
        source: f"{options.label} {names}, weight {options.quality_weight:g}, {source}, {options.seeds}".strip()
        for source in sources
    }
    rows = []
    if options.results.exists():
        rows = [json.loads(line) for line in options.results.read_text().splitlines()]
    pools = {pool.name: pool for pool in read_pools(options.data)}
    drawn = {name: pool for name, pool in pools.items() if name in (options.pool or POOLS)}
    wanted = list(
        cells(drawn, options.kind or list(KINDS), options.models or [4, 8, 16], options.queries or [300, 600, 1500])
    )
    done = {(row["label"], row["data"], row["kind"], row["n_models"], row["n_queries"], row["run"]) for row in rows}
    end = time.monotonic() + 60.0 * options.minutes
    with options.results.open("a") as results:
        for run in itertools.count():
            for cell in wanted:
                keys = {(labels[source], *asdict(cell).values(), run) for source in sources}
                if keys <= done or time.monotonic() >= end:
                    continue
                for source, found in repeat(pools[cell.data], cell, options, run, sources).items():
                    row = {
                        "label": labels[source],
                        "run": run,
                        "seeds": options.seeds,
                        "quality_weight": options.quality_weight,
                    } | found
                    results.write(json.dumps(row) + "\n")
                    results.flush()
                    rows.append(row)
            if time.monotonic() >= end:
                break
    print_tables(rows, pools)


if __name__ == "__main__":
    main()
