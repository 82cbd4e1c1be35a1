"""Does a target hold? Draw a sample of real queries, find the objective for a target, deploy it on all the others.

    python benches/python/targets.py [--data FOLDER] [--resamples 40] [--queries 600] [--first-seed 40] [--pool NAME]

Five targets per data set: a mean cost at 30 % and at 70 % of the way from the cheapest model to the best one, a mean
latency at half of it, and at most 30 % and 10 % of the queries for the best model. A kNN is trained on the sample; the
objective and what it is said to need on new queries (95 % interval) come from its held-out choices; the truth is what
the kNN trained on the whole sample needs on all remaining queries. The truth has a standard error of its own: held is
|truth - centre| <= sqrt(half^2 + (1.96 se)^2).

Latency is derived as in `routing_quality.py`. So is cost: a token per four characters of the answer, at made-up
prices that grow with the size of the model (0.04 + 0.02 x billions of parameters USD for a million tokens).
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from routing_quality import Pool, default_folder, model_billions, read_pools, seconds_per_token

from vsr.choice.chooser import Chooser
from vsr.choice.target import Target
from vsr.data.categories import MISSING, category_codes
from vsr.data.outcomes import Outcomes
from vsr.errors import TrainingError
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.settings import ComparisonSettings
from vsr.evaluation.sliding.targets import meet
from vsr.features import join_features, resolve_categories
from vsr.training.trainer import Trainer

Float = npt.NDArray[np.float64]


@dataclass(eq=False)
class Tally:
    """What one target gave over the resamples; everything relative to the target.

    Attributes:
        held: whether the truth lay within the interval.
        truth: what choices needed on the remaining queries.
        off: centre of the interval less the truth.
        half: half the width of the interval.
        in_sample: the truth less what was needed on the very queries on which the objective was found.
        quality: on the remaining queries.
        said: quality that was said beforehand.
        n_unlimited: targets that were no limit.
        n_unreached: targets that could not be reached.
    """

    held: list[bool] = field(default_factory=list)
    truth: list[float] = field(default_factory=list)
    off: list[float] = field(default_factory=list)
    half: list[float] = field(default_factory=list)
    in_sample: list[float] = field(default_factory=list)
    quality: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    n_unlimited: int = 0
    n_unreached: int = 0

    def line(self, name: str) -> str:
        """One Markdown row."""
        return (
            f"| {name} | {len(self.held)} | {self.n_unlimited} | {self.n_unreached} | {np.mean(self.held):.3f} | "
            f"{np.mean(self.truth):.3f} | {np.std(self.truth):.3f} | {np.mean(self.half):.3f} | "
            f"{np.mean(self.off):+.3f} | {np.mean(self.in_sample):+.3f} | {np.mean(self.quality):.3f} | "
            f"{np.mean(self.said):.3f} |"
        )


def with_cost(pool: Pool) -> Pool:
    """Add made-up costs, by the length of the answers and the size of the models."""
    outcomes = pool.outcomes
    tokens = (outcomes.latency_s - 0.2) / np.array([seconds_per_token(model) for model in outcomes.models])
    price = np.array([0.04 + 0.02 * model_billions(model) for model in outcomes.models]) / 1e6
    return replace(
        pool,
        outcomes=Outcomes(
            queries=outcomes.queries,
            categories=outcomes.categories,
            models=outcomes.models,
            quality=outcomes.quality,
            latency_s=outcomes.latency_s,
            cost_usd=tokens * price,
        ),
    )


def targets(outcomes: Outcomes) -> Iterator[tuple[str, Target]]:
    """The five targets of a data set."""
    best = int(outcomes.quality.mean(axis=0).argmax())
    cost, latency = outcomes.cost_usd.mean(axis=0), outcomes.latency_s.mean(axis=0)
    for way in (0.3, 0.7):
        # The best model may be the cheapest one: then it is the way to the model in the middle.
        dear = max(float(cost[best]), float(np.median(cost)))
        yield f"cost, {way:.0%} of the way", Target("cost", float(cost.min()) + way * (dear - float(cost.min())))
    slow = max(float(latency[best]), float(np.median(latency)))
    yield "latency, half of the way", Target("latency", float(latency.min()) + 0.5 * (slow - float(latency.min())))
    for share in (0.3, 0.1):
        yield f"best model {share:.0%}", Target("share", share, outcomes.models[best])


def resample(pool: Pool, n_queries: int, seed: int, tallies: dict[str, Tally]) -> None:
    """Find the objectives on one sample, deploy them on the rest."""
    outcomes = pool.outcomes
    order = np.random.default_rng(seed).permutation(outcomes.n_queries)
    sample, rest = np.sort(order[:n_queries]), np.sort(order[n_queries:])
    codes = category_codes(outcomes.categories)
    own = outcomes.take(sample)
    features = join_features(pool.vectors[sample], codes[sample], 1.0)
    held, selectors = hold_out(features, own, ComparisonSettings(algorithms=("knn",), seed=seed))
    table = Trainer.prepare(features, own, seed)
    unknown = np.full(len(rest), MISSING)
    arriving = resolve_categories(pool.vectors[rest], unknown, table.classifier).categories
    scores = selectors[0].scores(join_features(pool.vectors[rest], arriving, 1.0))
    deployed = outcomes.take(rest)
    rows = np.arange(len(rest))
    for name, target in targets(outcomes):
        tally = tallies.setdefault(name, Tally())
        try:
            met = meet(target, held, "predicted", seed)
        except TrainingError:
            tally.n_unreached += 1
            continue
        columns = Chooser.prepare(table.statistics, met.objective).best(scores, arriving)
        needed = _needed(target, deployed)[rows, columns] / target.value
        truth, error = float(needed.mean()), float(needed.std() / np.sqrt(len(rest)))
        expected = met.expected
        half, centre = (expected.high - expected.low) / 2.0 / target.value, expected.mean / target.value
        tally.held.append(bool(abs(truth - centre) <= np.hypot(half, 1.96 * error)))
        tally.truth.append(truth)
        tally.off.append(centre - truth)
        tally.half.append(half)
        tally.in_sample.append(truth - met.held_out / target.value)
        tally.quality.append(float(deployed.quality[rows, columns].mean()))
        tally.said.append(met.quality)
        tally.n_unlimited += met.objective == target.under(0.0)


def _needed(target: Target, outcomes: Outcomes) -> Float:
    if target.model is not None:
        is_model = np.array([float(model == target.model) for model in outcomes.models])
        return np.broadcast_to(is_model, outcomes.quality.shape)
    return outcomes.cost_usd if target.kind == "cost" else outcomes.latency_s


def main() -> None:
    """Print one table per data set."""
    parser = argparse.ArgumentParser(description="Does a target hold on queries not seen?")
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--resamples", type=int, default=40)
    parser.add_argument("--queries", type=int, default=600)
    parser.add_argument("--first-seed", type=int, default=40, help="seeds below 40 were used to tune the interval")
    parser.add_argument("--pool", action="append", help="data set; may be repeated")
    arguments = parser.parse_args()
    print(
        "| target | found | no limit | unreached | held | truth / target | sd of it | half width | off | "
        "truth - in sample | quality | quality said |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    every: list[bool] = []
    for pool in map(with_cost, read_pools(arguments.data)):
        if arguments.pool and pool.name not in arguments.pool:
            continue
        tallies: dict[str, Tally] = {}
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.resamples):
            resample(pool, arguments.queries, seed, tallies)
        for name, tally in tallies.items():
            print(tally.line(f"{pool.name}: {name}") if tally.held else f"| {pool.name}: {name} | 0 |", flush=True)
            every += tally.held
    print(f"\nHeld in all: {np.mean(every):.3f} of {len(every)}")


if __name__ == "__main__":
    main()
