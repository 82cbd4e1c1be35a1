"""Does the log tell what another policy would have brought? Simulated traffic on real outcomes, so the truth is known.

    python benches/python/off_policy.py [--data FOLDER] [--repeats 300] [--algorithm knn]

A selector is trained on 3,000 queries of LLMRouter (9 LLMs). The other queries are the world: every decision draws one
of them, the selector chooses under quality weight 0.9, exploring or not, and the feedback is the outcome of the model
that was taken, as it was measured. Judged are two other objectives, by `vsr.traffic`. The truth is the mean outcome of
their choices over the whole world, on the queries that exploration covers. Latencies are made up of the models' sizes.

Printed are means over the repeats: the truth, both estimates, half of their 95 % intervals, and in how many repeats
these hold the truth, of the quality and of the gain over the log's own choices; refused repeats are counted.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from routing_quality import default_folder, read_pools

from vsr.choice.chooser import Chooser
from vsr.choice.exploration import DEFAULT_EXPLORE_MARGIN
from vsr.choice.objective import Objective
from vsr.data.categories import category_codes
from vsr.features import build_features
from vsr.traffic.judgement import Figure, PolicyValue, judge
from vsr.traffic.table import LoggedTable
from vsr.training.trainer import train_selector

Float = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

N_TRAINING = 3_000
LOGGED = Objective(0.9)
JUDGED = (1.0, 0.8)


@dataclass(frozen=True, eq=False)
class World:
    """Queries that the selector was not trained on: (n, n_models) outcomes and predictions."""

    models: tuple[str, ...]
    quality: Float
    scores: Float
    utilities: Float
    judged: dict[float, Rows]

    @classmethod
    def of(cls, folder: Path, algorithm: str) -> "World":
        """Train on some queries; the rest is the world."""
        pool = read_pools(folder)[0]
        order = np.random.default_rng(0).permutation(len(pool.outcomes.queries))
        training, rest = order[:N_TRAINING], order[N_TRAINING:]
        features = build_features(pool.vectors, pool.outcomes.categories)
        selector = train_selector(algorithm, features[training], pool.outcomes.take(training))
        scores = selector.scores(features[rest])
        codes = category_codes([pool.outcomes.categories[row] for row in rest])

        def utilities(objective: Objective) -> Float:
            return Chooser.prepare(selector.statistics, objective).utilities(scores, codes)

        judged = {weight: utilities(Objective(weight)).argmax(axis=1) for weight in JUDGED}
        return cls(tuple(pool.outcomes.models), pool.outcomes.quality[rest], scores, utilities(LOGGED), judged)

    def traffic(self, rows: Rows, explore: float, generator: np.random.Generator) -> LoggedTable:
        """Choose for queries as `vsr.Exploration` does, all at once."""
        utilities, n = self.utilities[rows], len(rows)
        best = utilities.argmax(axis=1)
        near = utilities.max(axis=1, keepdims=True) - utilities <= DEFAULT_EXPLORE_MARGIN
        n_near = near.sum(axis=1)
        place = (generator.random(n) * n_near).astype(np.int64) + 1
        drawn = (near.cumsum(axis=1) == place[:, None]).argmax(axis=1)
        taken = np.where(generator.random(n) < explore, drawn, best)
        each = explore / n_near
        propensity = np.where(n_near == 1, 1.0, np.where(taken == best, 1.0 - explore + each, each))
        return LoggedTable(
            models=self.models,
            taken=taken,
            propensity=propensity,
            quality=self.quality[rows, taken],
            scores=self.scores[rows],
            utilities=utilities,
            offered=np.ones(utilities.shape, dtype=bool),
            margin=np.where(propensity < 1.0, DEFAULT_EXPLORE_MARGIN, 0.0),
            objectives=[LOGGED] * n,
            categories=[None] * n,
            given=np.zeros(n, dtype=bool),
            texts=[None] * n,
            run_ids=frozenset(),
        )

    def truth(self, columns: Rows) -> tuple[float, float, float]:
        """Give a policy's mean outcome and gain over the log's choices where it is covered, and how often it is."""
        rows, best = np.arange(len(columns)), self.utilities.argmax(axis=1)
        covered = self.utilities.max(axis=1) - self.utilities[rows, columns] <= DEFAULT_EXPLORE_MARGIN
        own, other = self.quality[rows, best][covered].mean(), self.quality[rows, columns][covered].mean()
        return float(other), float(other - own), float(covered.mean())


def main() -> None:
    """Simulate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--repeats", type=int, default=300, help="Of 10,000 decisions; a fifth of it of 100,000.")
    parser.add_argument("--algorithm", default="knn")
    options = parser.parse_args()
    world = World.of(options.data, options.algorithm)
    print(
        "| judged | decisions | explore | covered | tried | sample size | refused | truth | self-normalised | "
        "doubly robust | holds quality | holds gain |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for weight in JUDGED:
        for n in (10_000, 100_000):
            for explore in (0.0, 0.02, 0.1):
                n_repeats = options.repeats if n == 10_000 else max(options.repeats // 5, 1)
                print(_row(world, weight, n, explore, n_repeats), flush=True)


def _row(world: World, weight: float, n: int, explore: float, n_repeats: int) -> str:
    columns = world.judged[weight]
    values = []
    for repeat in range(n_repeats):
        generator = np.random.default_rng([repeat, n, int(1_000 * weight), int(1_000 * explore)])
        rows = generator.integers(len(columns), size=n)
        values.append(judge(world.traffic(rows, explore, generator), "judged", columns[rows]))
    truth, gain, covered = world.truth(columns)
    said = [value for value in values if value.refusal is None]
    tried, size = (np.mean([getattr(each, name) for each in values]) for name in ("n_tried", "effective_sample_size"))
    cells = [f"weight {weight:g}", f"{n:,}", f"{explore:g}", f"{covered:.3f}", f"{tried:,.0f}", f"{size:,.0f}"]
    cells += [f"{len(values) - len(said)} of {n_repeats}", f"{truth:.4f}"]
    if not said:
        return f"| {' | '.join([*cells, '-', '-', '-', '-'])} |"
    qualities = [_figures(said, name) for name in ("self_normalised", "doubly_robust")]
    gains = [_figures(said, name) for name in ("gain_self_normalised", "gain_doubly_robust")]
    for figures in qualities:
        half = np.mean([(each.high - each.low) / 2.0 for each in figures])
        cells.append(f"{np.mean([each.value for each in figures]):.4f} ± {half:.4f}")
    cells += [" ".join(f"{_holding(each, truth):.3f}" for each in qualities)]
    cells += [" ".join(f"{_holding(each, gain):.3f}" for each in gains)]
    return f"| {' | '.join(cells)} |"


def _figures(values: list[PolicyValue], name: str) -> list[Figure]:
    return [getattr(value, name) for value in values]


def _holding(figures: list[Figure], truth: float) -> float:
    return float(np.mean([each.low <= truth <= each.high for each in figures]))


if __name__ == "__main__":
    main()
