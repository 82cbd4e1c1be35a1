"""How true is the verdict where most qualities are judged by an LLM and few are known?

    python benches/python/judged_verdict.py RESULTS.jsonl [--minutes 10] [--seeds held-out]
    python benches/python/judged_verdict.py RESULTS.jsonl --minutes 0     # print what was pooled so far

Worlds are drawn as in `verdict_truth.py`: models of consecutive ranks, a sample of real queries, all others as truth.
Of the sample every answer is judged by a simulated judge who is right with a probability and takes some wrong answers
of one model, its own family, for right; the truth of a few random queries is known. What is trained on these labels is
deployed on all remaining queries, where the truth is known. The verdict's interval is held against it, and its width
against the width that the known queries alone give, and what the correlation of true and judged gain allows.
"""

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from routing_quality import Pool, default_folder, read_pools
from verdict_repeats import SEEDS
from verdict_worlds import KINDS, POOLS, Cell, World, draw

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import MISSING, category_codes
from vsr.data.judgements import Judgements
from vsr.data.outcomes import Outcomes
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.held import JUDGED
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.summary import summarise
from vsr.features import join_features, resolve_categories
from vsr.selectors.base import TrainedSelector
from vsr.training.trainer import Trainer

Float = npt.NDArray[np.float64]
RIGHT = (0.60, 0.75, 0.90)
LABELS = (50, 100, 200, 500)
# Share of the wrong answers of its own family that a judge takes for right, beside its errors.
_OWN_FAMILY = 0.3
_Z = 1.96


def main() -> None:
    """Add repeats until the time is over, then print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="JSON Lines file that repeats are added to.")
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--models", type=int, default=6)
    parser.add_argument("--queries", type=int, default=1500)
    parser.add_argument("--kind", choices=KINDS, default="consecutive")
    parser.add_argument("--seeds", choices=list(SEEDS), default="tuning")
    options = parser.parse_args()
    rows = []
    if options.results.exists():
        rows = [json.loads(line) for line in options.results.read_text().splitlines()]
    pools = [pool for pool in read_pools(options.data) if pool.name in POOLS]
    done = {(row["seeds"], row["kind"], row["data"], row["run"], row["right"], row["labels"]) for row in rows}
    end = time.monotonic() + 60.0 * options.minutes
    with options.results.open("a") as results:
        for run in itertools.count():
            for pool, right, labels in itertools.product(pools, RIGHT, LABELS):
                if time.monotonic() >= end:
                    break
                if (options.seeds, options.kind, pool.name, run, right, labels) in done:
                    continue
                row = {
                    "seeds": options.seeds, "kind": options.kind, "data": pool.name, "run": run, "right": right,
                    "labels": labels,
                } | repeat(pool, options, run, right, labels)  # fmt: skip
                results.write(json.dumps(row) + "\n")
                results.flush()
                rows.append(row)
            if time.monotonic() >= end:
                break
    _print(rows)


def repeat(pool: Pool, options: argparse.Namespace, run: int, right: float, n_labels: int) -> dict[str, Any]:
    """Ask for the verdict of one judged sample and deploy it."""
    cell = Cell(pool.name, options.kind, options.models, options.queries)
    place = POOLS.index(pool.name), KINDS.index(options.kind), int(100 * right), n_labels
    generator = np.random.default_rng([SEEDS[options.seeds], *place, run])
    world = draw(pool, cell, generator)
    truth = world.quality[world.sample]
    judged = judge(truth, right, int(generator.integers(0, options.models)), generator)
    is_known = np.zeros(len(truth), dtype=bool)
    is_known[generator.permutation(len(truth))[:n_labels]] = True
    stand_in = np.broadcast_to(~is_known[:, None], truth.shape)
    categories = pool.outcomes.categories
    features = join_features(pool.vectors, category_codes(categories), 1.0)[world.sample]
    outcomes = Outcomes(
        queries=[pool.outcomes.queries[row] for row in world.sample],
        categories=[categories[row] for row in world.sample],
        models=world.models,
        quality=np.where(stand_in, judged, truth),
        judgements=Judgements(judged, stand_in.copy()),
    )
    objective = Objective(quality_weight=1.0)
    held, selectors = hold_out(features, outcomes, ComparisonSettings(("knn",), objective=objective, seed=run))
    evaluation = summarise(held, objective, "predicted", run)
    named = world.models.index(evaluation.best_single)
    interval = evaluation.method(JUDGED).gain
    columns = held.choices[JUDGED].columns("predicted")
    gains = _gain(truth, columns, named)
    known = gains[:, is_known]
    correlation = _correlation(gains.mean(axis=0), _gain(judged, columns, named).mean(axis=0))
    deployed = _deployed(pool, world, outcomes, features, objective, run, held.recommended, selectors)
    differences = deployed - world.quality[world.rest, named]
    variance = float(np.mean([split.var() / len(split) for split in known])) + (2.0 / n_labels) ** 2
    n, n_judged = n_labels, len(truth) - n_labels
    return {
        "truth": float(differences.mean()),
        "truth_se": float(differences.std() / np.sqrt(len(differences))),
        "low": np.nan if interval is None else interval.low,
        "high": np.nan if interval is None else interval.high,
        "half_of_labels": _Z * float(np.sqrt(variance)),
        "ratio_allowed": float(np.sqrt(1.0 - correlation**2 * n_judged / (n_judged + n))),
        "correlation": correlation,
        "verdict": evaluation.verdict.kind,
        "is_truly_best": bool(named == world.quality.mean(axis=0).argmax()),
    }


def judge(truth: Float, right: float, own: int, generator: np.random.Generator) -> Float:
    """Judge answers of quality 0 or 1: right with a probability, and in favour of one model."""
    judged = np.where(generator.random(truth.shape) < right, truth, 1.0 - truth)
    favoured = generator.random(len(truth)) < _OWN_FAMILY
    judged[favoured, own] = np.maximum(judged[favoured, own], 1.0)
    return judged


def _deployed(
    pool: Pool,
    world: World,
    outcomes: Outcomes,
    features: npt.NDArray[np.float32],
    objective: Objective,
    run: int,
    recommended: str,
    selectors: tuple[TrainedSelector, ...],
) -> Float:
    """True quality of what the selector chooses for the remaining queries."""
    table = Trainer.prepare(features, outcomes, run, objective)
    selector = next(each for each in selectors if each.name == recommended)
    unknown = np.full(len(world.rest), MISSING)
    arrived = resolve_categories(pool.vectors[world.rest], unknown, table.classifier).categories
    scores = selector.scores(join_features(pool.vectors[world.rest], arrived, 1.0))
    chosen = Chooser.prepare(table.statistics, objective).best(scores, arrived)
    return np.asarray(world.quality[world.rest, chosen])


def _gain(quality: Float, columns: npt.NDArray[np.int64], named: int) -> Float:
    return np.asarray(quality[np.arange(len(quality)), columns] - quality[:, named])


def _correlation(one: Float, other: Float) -> float:
    return float(np.corrcoef(one, other)[0, 1]) if one.std() > 0.0 and other.std() > 0.0 else 0.0


def _print(rows: list[dict[str, Any]]) -> None:
    print("right  labels  repeats   holds  half width  of labels alone  ratio  allowed x 1.1  identical  route wrongly")
    for right, labels in itertools.product(RIGHT, LABELS):
        own = [row for row in rows if row["right"] == right and row["labels"] == labels]
        judged = [row for row in own if np.isfinite(row["low"])]
        if not judged:
            continue
        centre = np.array([(row["low"] + row["high"]) / 2.0 for row in judged])
        half = np.array([(row["high"] - row["low"]) / 2.0 for row in judged])
        truth, error = (np.array([row[name] for row in judged]) for name in ("truth", "truth_se"))
        holds = np.abs(truth - centre) <= np.hypot(half, _Z * error)
        alone = np.array([row["half_of_labels"] for row in judged])
        allowed = np.array([row["ratio_allowed"] for row in judged])
        wrongly = sum(row["verdict"] == "route" and row["truth"] <= 0.0 for row in own)
        print(
            f"{right:5.2f}  {labels:6}  {len(own):7}   {holds.mean():5.3f}  {100 * half.mean():10.2f}  "
            f"{100 * alone.mean():15.2f}  {(half / alone).mean():5.3f}  {1.1 * allowed.mean():13.3f}  "
            f"{len(own) - len(judged):9}  {wrongly:13}"
        )


if __name__ == "__main__":
    main()
