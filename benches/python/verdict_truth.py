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
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from routing_quality import Pool, default_folder, read_pools
from verdict_worlds import KINDS, Cell, World, cells, draw

from vsr.choice.chooser import Chooser
from vsr.choice.objective import EfficiencyScale, Objective, measured_utilities
from vsr.data.categories import MISSING, category_codes
from vsr.data.outcomes import Outcomes
from vsr.evaluation.cross_validation import N_SPLITS, ComparisonSettings, hold_out
from vsr.evaluation.held import JUDGED, Held
from vsr.evaluation.intervals import luck_in_gain, luck_of_the_pick
from vsr.evaluation.summary import summarise
from vsr.features import join_features, resolve_categories
from vsr.selectors import registry
from vsr.training.trainer import Trainer

Float = npt.NDArray[np.float64]

SEEDS = {"tuning": 0, "held-out": 1}
#: Edges of the power curve, in standard errors of the true gain on a sample of that size.
_POWER_EDGES = (0.0, 1.0, 2.0, 2.7, 3.7, 5.0, np.inf)


def repeat(pool: Pool, cell: Cell, world: World, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Ask for the verdict of one sample, deploy it, and say both."""
    objective = Objective(quality_weight=options.quality_weight)
    categories = pool.outcomes.categories
    codes = category_codes(categories)
    features = join_features(pool.vectors, codes, 1.0)
    outcomes = Outcomes(
        queries=[pool.outcomes.queries[row] for row in world.sample],
        categories=[categories[row] for row in world.sample],
        models=world.models,
        quality=world.quality[world.sample],
        latency_s=world.latency_s[world.sample],
    )
    settings = ComparisonSettings(
        algorithms=tuple(options.algorithm),
        splits=options.splits,
        objective=objective,
        categories=options.categories,
        seed=seed,
    )
    started = time.perf_counter()
    held, selectors = hold_out(features[world.sample], outcomes, settings)
    evaluation = summarise(held, objective, settings.categories, seed)
    seconds = time.perf_counter() - started
    interval = evaluation.method("judged").gain

    table = Trainer.prepare(features[world.sample], outcomes, seed, objective)
    selector = next(each for each in selectors if each.name == evaluation.recommended)
    known = np.full(len(world.rest), MISSING) if options.categories == "predicted" else codes[world.rest]
    rest = resolve_categories(pool.vectors[world.rest], known, table.classifier).categories
    deployed = join_features(pool.vectors[world.rest], rest, 1.0)
    chooser = Chooser.prepare(table.statistics(), objective)
    by_selector = chooser.best(selector.scores(deployed), rest)
    by_table = chooser.best(table.data.prior.rows(rest), rest)
    scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)
    unknown = np.full(world.quality.shape, np.nan)
    utility = measured_utilities(world.quality, world.latency_s, unknown, scale, objective)
    best = int(utility.mean(axis=0).argmax())
    named = world.models.index(evaluation.best_single)
    utility = utility[world.rest]
    rows = np.arange(len(utility))
    over_named = utility[rows, by_selector] - utility[:, named]
    over_best = utility[rows, by_selector] - utility[:, best]
    table_over_named = utility[rows, by_table] - utility[:, named]
    kind = evaluation.verdict.kind
    followed = {"route": over_named.mean(), "category_table": table_over_named.mean()}.get(kind, 0.0)
    return asdict(cell) | {
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "verdict": kind,
        "truth_named": float(over_named.mean()),
        "truth_named_se": _standard_error(over_named),
        "truth_best": float(over_best.mean()),
        "truth_best_se": _standard_error(over_best),
        "truth_table": float(table_over_named.mean()),
        "followed": float(followed),
        # What an estimate from a sample of this size is off by, whoever estimates.
        "unit": float(np.std(over_named) / np.sqrt(cell.n_queries)),
        "seconds": round(seconds, 3),
        "recipes": {} if interval is None else recipes(held, utility_of(outcomes, objective), named, options),
    }


def utility_of(outcomes: Outcomes, objective: Objective) -> Float:
    """(n_queries, n_models) utility as measured."""
    scale = EfficiencyScale.of_outcomes(outcomes.latency_s, outcomes.cost_usd)
    return measured_utilities(outcomes.quality, outcomes.latency_s, outcomes.cost_usd, scale, objective)


def recipes(held: Held, utility: Float, named: int, options: argparse.Namespace) -> dict[str, tuple[float, float]]:
    """Work out the interval over the named model by other recipes: name -> low, high."""
    columns = held.choices[JUDGED].columns(options.categories)
    n_queries = len(utility)
    differences = utility[np.arange(n_queries), columns] - utility[:, named][None, :]
    mean = float(differences.mean())
    plain = 1.96 * float(np.sqrt(differences.var(axis=1).mean() / n_queries))
    floored = 1.96 * float(np.sqrt(differences.var(axis=1).mean() / n_queries + 4.0 / n_queries**2))
    luck, differing = luck_of_the_pick(utility, named), float((columns != named).mean())
    # Nadeau and Bengio (2003): the variance of the folds' means, held-out over training queries 1 : n_folds - 1.
    parts = np.array([split[fold].mean() for split, fold in _parts(differences, held)])
    corrected = 1.96 * float(np.sqrt(parts.var(ddof=1) * (1.0 / len(parts) + 1.0 / (held.n_folds - 1))))
    anew = _luck_by_bootstrap(utility)
    every = {
        "plain": (0.0, plain),
        "corrected resampled variance": (0.0, corrected),
        "1.2 x as wide": (0.0, 1.2 * floored),
        "bootstrap that picks anew, 1.2 x": (anew, 1.2 * floored),
        "bootstrap that picks anew, corrected resampled": (anew, corrected),
        "empirical Bayes, 1.0 x": (luck, floored),
        "empirical Bayes, corrected resampled": (luck, corrected),
        "empirical Bayes, 1.2 x": (luck, 1.2 * floored),
        "empirical Bayes x share of other choices, 1.2 x": (luck * differing, 1.2 * floored),
        "empirical Bayes x min(1, 3 share), 1.0 x": (luck_in_gain(luck, differing), floored),
        "empirical Bayes x min(1, 3 share), 1.2 x": (luck_in_gain(luck, differing), 1.2 * floored),
    }
    return {name: (mean + shift - half, mean + shift + half) for name, (shift, half) in every.items()}


def _parts(differences: Float, held: Held) -> Iterator[tuple[Float, npt.NDArray[np.bool_]]]:
    """Differences of every split, with the rows of every fold of it."""
    for split, folds in zip(differences, held.folds, strict=True):
        for number in range(held.n_folds):
            yield split, folds == number


def _luck_by_bootstrap(utility: Float, n_resamples: int = 400) -> float:
    """What the best mean of a resample is above the same model's mean in the sample, on average."""
    n_queries = len(utility)
    counts = np.random.default_rng(0).multinomial(n_queries, np.full(n_queries, 1.0 / n_queries), n_resamples)
    resampled = counts @ utility / n_queries
    picked = resampled.argmax(axis=1)
    return float((resampled[np.arange(n_resamples), picked] - utility.mean(axis=0)[picked]).mean())


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
    parser.add_argument("--label", default="", help="Name of the table; default: algorithms, weight, categories.")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--algorithm", action="append", choices=registry.names())
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--models", action="append", type=int)
    parser.add_argument("--queries", action="append", type=int)
    parser.add_argument("--quality-weight", type=float, default=1.0)
    parser.add_argument("--categories", choices=("given", "predicted"), default="predicted")
    parser.add_argument("--splits", type=int, default=N_SPLITS)
    parser.add_argument("--seeds", choices=list(SEEDS), default="tuning")
    options = parser.parse_args()
    options.algorithm = options.algorithm or list(registry.learning())
    names = "+".join(options.algorithm)
    label = f"{options.label} {names}, weight {options.quality_weight:g}, {options.categories}, {options.seeds}".strip()
    rows = []
    if options.results.exists():
        rows = [json.loads(line) for line in options.results.read_text().splitlines()]
    pools = {pool.name: pool for pool in read_pools(options.data) if pool.name != "MMLU-Pro 16"}
    wanted = list(
        cells(pools, options.kind or list(KINDS), options.models or [4, 8, 16], options.queries or [300, 600, 1500])
    )
    done = {(row["label"], row["data"], row["kind"], row["n_models"], row["n_queries"], row["run"]) for row in rows}
    end = time.monotonic() + 60.0 * options.minutes
    with options.results.open("a") as results:
        run = 0
        while time.monotonic() < end:
            for cell in wanted:
                key = (label, *asdict(cell).values(), run)
                if key in done or time.monotonic() >= end:
                    continue
                place = list(pools).index(cell.data), KINDS.index(cell.kind), cell.n_models, cell.n_queries
                generator = np.random.default_rng([SEEDS[options.seeds], *place, run])
                world = draw(pools[cell.data], cell, generator)
                row = {"label": label, "run": run} | repeat(pools[cell.data], cell, world, options, run)
                results.write(json.dumps(row) + "\n")
                results.flush()
                rows.append(row)
            run += 1
    print_tables(rows)


if __name__ == "__main__":
    main()
