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
|truth - centre| <= sqrt(half^2 + (1.96 se)^2). Seeds are numbered; those of `--seeds held-out` are for looking at the
end, not for tuning anything.
"""

import argparse
import itertools
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from routing_quality import default_folder, read_pools
from verdict_repeats import SEEDS, repeat
from verdict_worlds import KINDS, POOLS, cells

from vsr.evaluation.settings import N_SPLITS
from vsr.selectors import registry

Float = npt.NDArray[np.float64]

#: Edges of the power curve, in standard errors of the true gain on a sample of that size.
_POWER_EDGES = (0.0, 1.0, 2.0, 2.7, 3.7, 5.0, np.inf)


def _standard_error(values: Float) -> float:
    return float(np.std(values) / np.sqrt(len(values)))


def _is_covered(row: dict[str, Any], target: str) -> bool:
    centre, half = (row["high"] + row["low"]) / 2.0, (row["high"] - row["low"]) / 2.0
    return bool(abs(row[f"truth_{target}"] - centre) <= np.hypot(half, 1.96 * row[f"truth_{target}_se"]))


def _line(name: str, rows: list[dict[str, Any]]) -> str:
    """One row of the table: coverage over both, width, verdicts, false alarms, what following them gained."""
    if not rows:
        return f"| {name} | 0 | | | | | | | | |"
    bounded = [row for row in rows if not _is_identical(row)]
    # "Identical", or an interval without a width, claims that the gain over the named model is exactly 0.
    identical = [abs(row["truth_named"]) <= 1.96 * row["truth_named_se"] for row in rows if _is_identical(row)]
    off = [(row["high"] + row["low"]) / 2.0 - row["truth_named"] for row in bounded]
    width = [row["high"] - row["low"] for row in bounded]
    routes = [row["verdict"] == "route" for row in rows]
    false = [row["verdict"] == "route" and row["truth_named"] <= 0.0 for row in rows]
    followed = 100.0 * np.array([row["followed"] for row in rows])
    return (
        f"| {name} | {len(rows)} | {len(identical)}, {_share(identical)} | "
        f"{_share([_is_covered(row, 'named') for row in bounded])} | "
        f"{_share([_is_covered(row, 'best') for row in bounded])} | "
        f"{100.0 * np.mean(off) if off else 0.0:+.2f} | {100.0 * np.mean(width) if width else 0.0:.2f} | "
        f"{_share(routes)} | {_share(false)} | {followed.mean():+.2f} ± {_standard_error(followed):.2f} |"
    )


def _is_identical(row: dict[str, Any]) -> bool:
    return row["low"] is None or row["high"] - row["low"] < 1e-9


def _share(flags: list[bool]) -> str:
    return f"{np.mean(flags):.3f}" if flags else "-"


HEAD = (
    "| cell | repeats | identical, right | holds truth over named | over truly best | centre off by | width | route | "
    "false alarms | following it, points over named |\n|---|---|---|---|---|---|---|---|---|---|"
)


def print_tables(rows: list[dict[str, Any]]) -> None:
    """Print one table per label: by cell, by kind, by size, pooled; then the power curve."""
    for label in dict.fromkeys(row["label"] for row in rows):
        own = [row for row in rows if row["label"] == label]
        print(f"\n### {label}\n\n{HEAD}")
        natural = [row for row in own if row["kind"] != "planted"]
        for key in dict.fromkeys((row["data"], row["kind"], row["n_models"], row["n_queries"]) for row in own):
            data, kind, n_models, n_queries = key
            print(_line(f"{data}, {kind}, {n_models} models, {n_queries:,} queries", _of(own, *key)))
        for field in ("data", "kind", "n_models", "n_queries"):
            for value in dict.fromkeys(row[field] for row in natural):
                print(_line(f"**{field} {value}**", [row for row in natural if row[field] == value]))
        print(_line("**all but planted**", natural))
        print(_line("**all**", own))
        print(
            "\n| planted: gain, standard errors | repeats | `route` | `route` or `category_table` | surely above 0 |\n"
            "|---|---|---|---|---|"
        )
        learnable = [row for row in own if row["kind"] == "planted" and row["unit"] > 0.0]
        for low, high in itertools.pairwise(_POWER_EDGES):
            inside = [row for row in learnable if low <= row["truth_named"] / row["unit"] < high]
            routes = [row["verdict"] == "route" for row in inside]
            pays = [row["verdict"] in ("route", "category_table") for row in inside]
            sure = [row["low"] is not None and row["low"] > 0.0 for row in inside]
            if inside:
                print(f"| {low:g} to {high:g} | {len(inside)} | {_share(routes)} | {_share(pays)} | {_share(sure)} |")
        _print_recipes(own)


def _print_recipes(rows: list[dict[str, Any]]) -> None:
    """Print what other recipes would have said of the same choices."""
    rows = [row for row in rows if row.get("recipes")]
    if all(row["kind"] == "planted" for row in rows):
        return
    print(
        "\n| interval over the named model | repeats | holds truth over named | over truly best | by queries (named) | "
        "worst kind (named) | centre off by | width | above 0 where the truth is not | above 0 at 2.7 to 3.7 |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    for name in rows[0]["recipes"]:
        own = [row | dict(zip(("low", "high"), row["recipes"][name], strict=True)) for row in rows]
        natural = [row for row in own if row["kind"] != "planted"]
        by_size, by_kind = (
            {
                value: float(np.mean([_is_covered(row, "named") for row in natural if row[field] == value]))
                for value in sorted({row[field] for row in natural})
            }
            for field in ("n_queries", "kind")
        )
        off = [(row["high"] + row["low"]) / 2.0 - row["truth_named"] for row in natural]
        high = [
            row["low"] > 0.0
            for row in own
            if row["kind"] == "planted" and row["unit"] > 0.0 and 2.7 <= row["truth_named"] / row["unit"] < 3.7
        ]
        sizes = ", ".join(f"{value:.3f}" for value in by_size.values())
        print(
            f"| {name} | {len(natural)} | {_share([_is_covered(row, 'named') for row in natural])} | "
            f"{_share([_is_covered(row, 'best') for row in natural])} | {sizes} | {min(by_kind.values()):.3f} | "
            f"{100.0 * np.mean(off):+.2f} | {100.0 * np.mean([row['high'] - row['low'] for row in natural]):.2f} | "
            f"{_share([row['low'] > 0.0 and row['truth_named'] <= 0.0 for row in natural])} | "
            f"{_share(high)} of {len(high)} |"
        )


def _of(rows: list[dict[str, Any]], data: str, kind: str, n_models: int, n_queries: int) -> list[dict[str, Any]]:
    cell = (data, kind, n_models, n_queries)
    return [row for row in rows if (row["data"], row["kind"], row["n_models"], row["n_queries"]) == cell]


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
    pools = {pool.name: pool for pool in read_pools(options.data) if pool.name in (options.pool or POOLS)}
    wanted = list(
        cells(pools, options.kind or list(KINDS), options.models or [4, 8, 16], options.queries or [300, 600, 1500])
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
    print_tables(rows)


if __name__ == "__main__":
    main()
