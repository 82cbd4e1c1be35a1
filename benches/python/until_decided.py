"""When does `benchmark --until-decided` stop, how often wrongly, and what is lost? Offline, on real outcomes.

    python benches/python/until_decided.py RESULTS.jsonl [--minutes 10] [--pool NAME] [--kind KIND] [--models 4] ...
    python benches/python/until_decided.py RESULTS.jsonl --minutes 0     # print what was pooled so far

Every repeat draws models and a sample (`verdict_worlds.py`; `best` makes one model right wherever another is), deals
the sample to four looks as the command does, and asks for the verdict after each, with intervals of 98.75 % as the
command has and of 95 % as somebody has who looks again and again. What the verdict says is deployed on all remaining
queries. In `shuffled`, `ties` (the same, all models equally good) and `best` routing cannot bring anything: whatever
says there that it pays is wrong. MiniLM vectors, quality alone, KNN.
"""

import argparse
import itertools
import json
import time
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from routing_quality import Pool, default_folder, read_pools
from verdict_worlds import Cell, World, draw

from vsr.benchmark.allocation import N_LOOKS, Allocation
from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import MISSING, category_codes
from vsr.data.outcomes import Outcomes
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.learning_curve import train_on_less
from vsr.evaluation.looks import LOOKED_AT, ending, level_of, see
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.statistics.intervals import Interval
from vsr.features import join_features, resolve_categories
from vsr.training.trainer import Trainer

NOTHING = ("shuffled", "ties", "best")
KINDS = (*NOTHING, "consecutive", "random", "planted")
#: How a kind of here is drawn there.
_DRAWN_AS = {"best": "consecutive", "ties": "equal"}


def world_of(pool: Pool, cell: Cell, run: int) -> World:
    """Draw the world of a repeat: always the same one."""
    name = "|".join((cell.data, cell.kind, str(cell.n_models), str(cell.n_queries)))
    generator = np.random.default_rng([zlib.crc32(name.encode()), run])
    world = draw(
        pool, Cell(cell.data, _DRAWN_AS.get(cell.kind, cell.kind), *(cell.n_models, cell.n_queries)), generator
    )
    if cell.kind == "best":
        best = int(world.quality.mean(axis=0).argmax())
        world.quality[:, best] = world.quality.max(axis=1)
    if cell.kind == "ties":
        world.quality[:] = generator.permutation(world.quality)
    return world


def repeat(pool: Pool, cell: Cell, run: int) -> dict[str, Any]:
    """Look four times; say what each look saw at both levels, and what following it gains on the remaining queries."""
    world = world_of(pool, cell, run)
    codes = category_codes(pool.outcomes.categories)
    features = join_features(pool.vectors, codes, 1.0)
    allocation = Allocation.in_looks(
        pool.vectors[world.sample], codes[world.sample], cell.n_models, cell.n_queries * cell.n_models, run
    )
    rows, looks = np.zeros(0, dtype=np.int64), []
    for own in allocation.rounds:
        rows = np.sort(np.concatenate([rows, world.sample[own.rows]]))
        looks.append(_look(pool, world, features, rows, cell.n_queries, run))
    return {"looks": looks}


def _look(
    pool: Pool, world: World, features: npt.NDArray[np.float32], rows: npt.NDArray[np.int64], n_ceiling: int, run: int
) -> dict[str, Any]:
    objective = Objective(quality_weight=1.0)
    outcomes = Outcomes(
        queries=[pool.outcomes.queries[row] for row in rows],
        categories=[pool.outcomes.categories[row] for row in rows],
        models=world.models,
        quality=world.quality[rows],
    )
    settings = ComparisonSettings(algorithms=LOOKED_AT, objective=objective, seed=run)
    held, selectors = hold_out(features[rows], outcomes, settings)
    less = train_on_less(features[rows], held, settings)
    now, naive = (see(held, less, settings, n_ceiling, level) for level in (level_of(N_LOOKS), level_of(1)))
    table = Trainer.prepare(features[rows], outcomes, run, objective)
    chooser = Chooser.prepare(table.statistics, objective)
    quality, vectors = world.quality[world.rest], pool.vectors[world.rest]
    named = int(outcomes.quality.mean(axis=0).argmax())
    missing = np.full(len(world.rest), MISSING)
    arrived = resolve_categories(vectors, missing, table.classifier).categories
    selector = next(each for each in selectors if each.name == held.recommended)
    columns = {
        "route": chooser.best(selector.scores(join_features(vectors, arrived, 1.0)), arrived),
        "category_table": chooser.best(table.data.prior.rows(arrived), arrived),
    }

    columns["static"] = np.full(len(quality), named)
    return {
        "n": len(rows),
        "quality": {
            verdict: float(np.take_along_axis(quality, chosen[:, None], axis=1).mean())
            for verdict, chosen in columns.items()
        },
        "now": asdict(now),
        "naive": asdict(naive),
    }


class Look:
    """A look as it stands in the file, and what the rules as they are now make of it."""

    def __init__(self, row: dict[str, Any], seen: str, n_ceiling: int) -> None:
        """Apply the rule for ends."""
        own, quality = row[seen], row["quality"]
        gain, table = (Interval(**own[name]) for name in ("gain", "table"))
        self.n_queries = row["n"]
        self.end = ending(own["verdict"], gain, table, own["rise"], row["n"] / n_ceiling, own["level"])
        self.pays = own["verdict"] in ("route", "category_table")
        self.followed, self.named = quality.get(own["verdict"], quality["static"]), quality["static"]


class Stopped:
    """Where a repeat stopped, by one rule."""

    def __init__(self, row: dict[str, Any], rule: str) -> None:
        """Follow the looks until one ends it; `once` looks at the end alone."""
        last = Look(row["looks"][-1], "naive", row["n_queries"])
        looks = [Look(each, "now" if rule == "looks" else "naive", row["n_queries"]) for each in row["looks"]]
        own = next((each for each in looks if each.end is not None), looks[-1]) if rule != "once" else last
        self.pays = own.pays
        self.is_wrong = own.pays and own.followed <= own.named
        self.end = own.end or "at the ceiling"
        self.share = own.n_queries / last.n_queries
        self.lost = last.followed - own.followed


RULES = {"looks": "four looks at 98.75 %", "naive": "four looks at 95 %", "once": "all asked, one look at 95 %"}


def print_tables(rows: list[dict[str, Any]]) -> None:
    """Print a row for every group of worlds and every rule."""
    print(
        "| worlds | repeats | rule | says that it pays | and following it gains nothing | share of the calls | "
        "ends: pays, not worth it, flat | points lost against all calls |\n|---|---|---|---|---|---|---|---|"
    )
    groups = [("nothing to gain", [row for row in rows if row["kind"] in NOTHING])]
    groups += [(kind, [row for row in rows if row["kind"] == kind]) for kind in KINDS]
    for field in ("data", "n_queries"):
        for value in sorted({row[field] for row in rows}):
            own = [row for row in rows if row[field] == value]
            groups.append((f"nothing to gain, {value}", [row for row in own if row["kind"] in NOTHING]))
            groups.append((f"others, {value}", [row for row in own if row["kind"] not in NOTHING]))
    for name, own in groups:
        for rule, told in RULES.items() if own else ():
            stopped = [Stopped(row, rule) for row in own]
            lost = 100.0 * np.array([each.lost for each in stopped])
            share = np.mean([each.share for each in stopped])
            ends = [np.mean([each.end == end for each in stopped]) for end in ("pays", "not worth it", "flat")]
            print(
                f"| {name} | {len(own)} | {told} | {np.mean([each.pays for each in stopped]):.1%} | "
                f"{np.mean([each.is_wrong for each in stopped]):.1%} | {share:.0%} | "
                f"{', '.join(f'{own_share:.0%}' for own_share in ends)} | "
                f"{lost.mean():+.2f} ± {lost.std() / np.sqrt(len(lost)):.2f} |"
            )


def main() -> None:
    """Add repeats until the time is over, then print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="JSON Lines file that repeats are added to.")
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--pool", action="append", help="data set; may be repeated")
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--models", action="append", type=int)
    parser.add_argument("--queries", action="append", type=int)
    parser.add_argument("--first-run", type=int, default=0, help="Number of the first repeat, which is its seed.")
    options = parser.parse_args()
    names = options.pool or ["LLMRouter 9", "MMLU-Pro 28"]
    rows = []
    if options.results.exists():
        rows = [json.loads(line) for line in options.results.read_text().splitlines()]
    end = time.monotonic() + 60.0 * options.minutes
    done = {(row["data"], row["kind"], row["n_models"], row["n_queries"], row["run"]) for row in rows}
    sizes = list(
        itertools.product(options.queries or [400, 1200], options.models or [4, 8], options.kind or KINDS, names)
    )
    if options.minutes > 0.0:
        pools = {pool.name: pool for pool in read_pools(options.data)}
        with options.results.open("a") as results:
            for run in itertools.count(options.first_run):
                for n_queries, n_models, kind, name in sizes:
                    if (name, kind, n_models, n_queries, run) in done or time.monotonic() >= end:
                        continue
                    cell = Cell(name, kind, n_models, n_queries)
                    keys = {"data": name, "kind": kind, "n_models": n_models, "n_queries": n_queries, "run": run}
                    rows.append({**keys, **repeat(pools[name], cell, run)})
                    results.write(json.dumps(rows[-1]) + "\n")
                    results.flush()
                if time.monotonic() >= end:
                    break
    print_tables(rows)


if __name__ == "__main__":
    main()
