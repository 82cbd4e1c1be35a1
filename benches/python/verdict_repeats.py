"""One repeat of `verdict_truth.py`: ask for the verdict on a sample, deploy it on all other queries, keep the choices.

The held-out choices are kept with the row, packed, and a world is drawn again from its seed: so what another recipe
would have said of the same choices is known without training anything again.
"""

import argparse
import base64
import time
import zlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from routing_quality import Pool
from verdict_worlds import KINDS, POOLS, Cell, World, draw

from vsr.choice.chooser import Chooser
from vsr.choice.objective import EfficiencyScale, Objective, measured_utilities
from vsr.data.categories import MISSING, category_codes
from vsr.data.outcomes import Outcomes
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.held import CATEGORY_TABLE, JUDGED
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.summary import summarise
from vsr.features import join_features, resolve_categories
from vsr.training.trainer import Trainer

Float = npt.NDArray[np.float64]
Columns = npt.NDArray[np.int64]
Source = Literal["given", "predicted"]

SEEDS = {"tuning": 0, "held-out": 1}


def world_of(pool: Pool, cell: Cell, seeds: str, run: int) -> World:
    """Draw the world of a repeat: always the same one."""
    place = POOLS.index(cell.data), KINDS.index(cell.kind), cell.n_models, cell.n_queries
    return draw(pool, cell, np.random.default_rng([SEEDS[seeds], *place, run]))


def repeat(
    pool: Pool, cell: Cell, options: argparse.Namespace, run: int, sources: tuple[Source, ...]
) -> dict[Source, dict[str, Any]]:
    """Ask for the verdict of one sample, deploy it, and say both, for each way to know categories."""
    world = world_of(pool, cell, options.seeds, run)
    objective = Objective(quality_weight=options.quality_weight)
    categories = pool.outcomes.categories
    features = join_features(pool.vectors, category_codes(categories), 1.0)[world.sample]
    outcomes = Outcomes(
        queries=[pool.outcomes.queries[row] for row in world.sample],
        categories=[categories[row] for row in world.sample],
        models=world.models,
        quality=world.quality[world.sample],
        latency_s=world.latency_s[world.sample],
    )
    settings = ComparisonSettings(
        algorithms=tuple(options.algorithm), splits=options.splits, objective=objective, seed=run
    )
    started = time.process_time()
    held, selectors = hold_out(features, outcomes, settings)
    seconds = time.process_time() - started
    table = Trainer.prepare(features, outcomes, run, objective)
    selector = next(each for each in selectors if each.name == held.recommended)
    chooser = Chooser.prepare(table.statistics, objective)
    utility = utility_of_world(world, objective)
    named = int(utility[world.sample].mean(axis=0).argmax())
    best = int(utility.mean(axis=0).argmax())
    utility = utility[world.rest]
    rows = {}
    for source in sources:
        evaluation = summarise(held, objective, source, run)
        known = category_codes(categories)[world.rest]
        if source == "predicted" and len(set(categories)) > 1:
            known = np.full(len(world.rest), MISSING)
        arrived = resolve_categories(pool.vectors[world.rest], known, table.classifier).categories
        deployed = join_features(pool.vectors[world.rest], arrived, 1.0)
        chosen = np.take_along_axis(utility, chooser.best(selector.scores(deployed), arrived)[:, None], axis=1)[:, 0]
        by_table = np.take_along_axis(utility, chooser.best(table.data.prior.rows(arrived), arrived)[:, None], axis=1)[
            :, 0
        ]
        interval = evaluation.method(JUDGED).gain
        rows[source] = asdict(cell) | {
            "named": named,
            "low": None if interval is None else interval.low,
            "high": None if interval is None else interval.high,
            "verdict": evaluation.verdict.kind,
            "recommended": held.recommended,
            "is_identical": bool((held.deployed[JUDGED].columns(source) == named).all()),
            "is_table_identical": bool((held.deployed[CATEGORY_TABLE].columns(source) == named).all()),
            **_truth("named", chosen - utility[:, named]),
            **_truth("best", chosen - utility[:, best]),
            **_truth("table", by_table - utility[:, named]),
            **_truth("over_table", chosen - by_table),
            # What an estimate from a sample of this size is off by, whoever estimates.
            "unit": float(np.std(chosen - utility[:, named]) / np.sqrt(cell.n_queries)),
            "seconds": round(seconds, 3),
            "judged": _packed(held.choices[JUDGED].columns(source)),
            "by_table": _packed(held.choices[CATEGORY_TABLE].columns(source)),
            "folds": _packed(np.array(held.folds)),
        }
    return rows


def utility_of_world(world: World, objective: Objective) -> Float:
    """(n_queries, n_models) utility of all queries, on the scale of the sample."""
    unknown = np.full(world.quality.shape, np.nan)
    scale = EfficiencyScale.of_outcomes(world.latency_s[world.sample], unknown[world.sample])
    return measured_utilities(world.quality, world.latency_s, unknown, scale, objective)


@dataclass(frozen=True, eq=False)
class Kept:
    """The held-out choices of a repeat, with what the models did.

    Attributes:
        utility: (n_queries, n_models) of the sample.
        named: column of the model that the verdict names.
        judged: (n_splits, n_queries) chosen columns.
        by_table: the same of the category table.
        folds: the same, number of the fold in which each query was held out.
    """

    utility: Float
    named: int
    judged: Columns
    by_table: Columns
    folds: Columns


def kept(pool: Pool, row: dict[str, Any]) -> Kept:
    """Draw the world of a row again, and put its choices beside it."""
    cell = Cell(row["data"], row["kind"], row["n_models"], row["n_queries"])
    world = world_of(pool, cell, row["seeds"], row["run"])
    utility = utility_of_world(world, Objective(quality_weight=row["quality_weight"]))[world.sample]
    n_queries = len(utility)
    return Kept(utility, row["named"], *(_unpacked(row[name], n_queries) for name in ("judged", "by_table", "folds")))


def _truth(name: str, differences: Float) -> dict[str, float]:
    return {
        f"truth_{name}": float(differences.mean()),
        f"truth_{name}_se": float(np.std(differences) / np.sqrt(len(differences))),
    }


def _packed(columns: Columns) -> str:
    return base64.b64encode(zlib.compress(columns.astype(np.int8).tobytes(), 9)).decode("ascii")


def _unpacked(packed: str, n_queries: int) -> Columns:
    flat = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.int8)
    return flat.reshape(-1, n_queries).astype(np.int64)
