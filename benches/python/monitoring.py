"""How often does `vsr-train monitor` alarm by chance, and how soon does it notice a change? On simulated days.

    python benches/python/monitoring.py [--data FOLDER] [--trainings 100] [--cache FILE] ...

Queries, vectors and outcomes are real: each training draws its own queries, learns from them as `vsr-train train`
does, and routes the others; a day is a draw among these. Quiet days are judged at several ages of a log, from its first
day to its sixth week. Two changes are planted after quiet weeks: a category that training never saw takes a share of
the traffic, and the model that is chosen most answers worse. Days to notice are counted from the change on.

The data folder is the one of `routing_quality.py`.
"""

import argparse
import pickle
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from routing_quality import Pool, default_folder, read_pools

from vsr.choice.chooser import Chooser
from vsr.choice.objective import Objective
from vsr.data.categories import CATEGORIES, MISSING, most_probable
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.held_reference import held_categories, held_models
from vsr.evaluation.preparation import prepare_training
from vsr.evaluation.settings import ComparisonSettings
from vsr.features import join_features, resolve_categories
from vsr.persistence.held_out import HeldOut
from vsr.persistence.yardstick import Yardstick
from vsr.traffic.monitor import Verdict, Windows, judge
from vsr.traffic.tally import Sums, Tally

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

AGES = (1, 2, 4, 7, 10, 14, 21, 28, 35, 42)
QUIET_DAYS = 28  # before a change
WINDOWS = Windows()
NEW_CATEGORY = "law"


@dataclass(frozen=True, eq=False)
class Routed:
    """A training, and what its selector makes of queries that it has not seen: arrays of one entry a query."""

    held_out: HeldOut
    algorithm: str
    models: tuple[str, ...]
    is_unlike: npt.NDArray[np.bool_]
    predicted: Ints
    true: Ints
    chosen: Ints
    score: Floats
    quality: Floats
    log_latency: Floats

    def take(self, rows: Ints) -> "Routed":
        """Keep some of the queries, which may repeat."""
        names = ("is_unlike", "predicted", "true", "chosen", "score", "quality", "log_latency")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def route(pool: Pool, algorithm: str, n_queries: int, seed: int, unseen: str | None = None) -> Routed:
    """Train on some queries, none of which is of the category `unseen`, and route the others."""
    order = np.random.default_rng(seed).permutation(len(pool.vectors))
    if unseen is not None:
        is_unseen = np.array([category == unseen for category in pool.outcomes.categories])
        order = np.concatenate([order[~is_unseen[order]], order[is_unseen[order]]])
    own, rest = pool.take(np.sort(order[:n_queries])), pool.take(np.sort(order[n_queries:]))
    prepared = prepare_training(own.outcomes, own.vectors)
    settings = ComparisonSettings(
        algorithms=(algorithm,), objective=Objective(), seed=seed, parameters={}, classifier=prepared.classifier
    )
    held, [selector] = hold_out(prepared.features, prepared.outcomes, settings)
    yardstick = Yardstick.of(own.vectors, seed)
    models = held_models(held, algorithm, "predicted")
    resolved = resolve_categories(rest.vectors, np.full(len(rest.vectors), MISSING), selector.classifier)
    scores = selector.scores(join_features(rest.vectors, resolved.categories, selector.category_weight))
    chosen = Chooser.prepare(selector.statistics, Objective()).best(scores, resolved.categories)
    rows = np.arange(len(chosen))
    categories = rest.outcomes.categories
    return Routed(
        held_out=HeldOut(len(held.rows), yardstick.n_distances, held_categories(held), {algorithm: models}),
        algorithm=algorithm,
        models=selector.models,
        is_unlike=yardstick.distances_of(rest.vectors) > yardstick.limit,
        predicted=most_probable(resolved.categories),
        true=np.array([CATEGORIES.index(category or "other") for category in categories]),
        chosen=chosen,
        score=scores[rows, chosen],
        quality=rest.outcomes.quality[rows, chosen],
        log_latency=np.log(rest.outcomes.latency_s[rows, chosen]),
    )


def day_of(routed: Routed, rows: Ints, share_fed_back: float, generator: np.random.Generator) -> Tally:
    """Count a day on which these queries came."""
    day = routed.take(rows)
    fed_back = generator.random(len(rows)) < share_fed_back
    return Tally(
        n_decisions=len(rows),
        n_measured=len(rows),
        n_unlike=int(day.is_unlike.sum()),
        predicted=_counted(day.predicted, CATEGORIES),
        models=_counted(day.chosen, routed.models),
        residuals=_sums(day.quality - day.score, day.chosen, fed_back, routed.models),
        log_latencies=_sums(day.log_latency, day.chosen, fed_back, routed.models),
    )


def _counted(codes: Ints, names: Sequence[str]) -> Counter[str]:
    counts = np.bincount(codes, minlength=len(names)).tolist()
    return Counter({name: count for name, count in zip(names, counts, strict=False) if count})


def _sums(values: Floats, chosen: Ints, fed_back: npt.NDArray[np.bool_], models: Sequence[str]) -> dict[str, Sums]:
    found = {}
    for column, model in enumerate(models):
        own = values[fed_back & (chosen == column)]
        if own.size:
            found[model] = Sums(len(own), float(own.sum()), float(np.square(own).sum()))
    return found


def rows_of_days(
    routed: Routed, n_days: int, n_a_day: int, unevenness: float, generator: np.random.Generator
) -> Iterator[Ints]:
    """Draw queries day after day; with `unevenness`, each day favours some categories (standard deviation of a log)."""
    known = np.flatnonzero(routed.true >= 0)
    for _ in range(n_days):
        favour = np.exp(unevenness * generator.standard_normal(len(CATEGORIES)))
        weights = favour[routed.true[known]]
        yield generator.choice(known, n_a_day, p=weights / weights.sum())


def verdict_of(routed: Routed, days: Sequence[Tally]) -> Verdict:
    """Judge the last of some days."""
    return judge(days, routed.held_out, {}, routed.algorithm, WINDOWS)


@dataclass(eq=False)
class Quiet:
    """Alarms on quiet days: by training, by check, by age of the log."""

    n_days: int
    by_training: list[int]
    by_check: Counter[str]
    by_age: Counter[int]


def quiet(trainings: Sequence[Routed], n_a_day: int, share_fed_back: float, unevenness: float) -> Quiet:
    """Judge quiet days."""
    found = Quiet(0, [], Counter(), Counter())
    for number, routed in enumerate(trainings):
        generator = np.random.default_rng(10_000 + number)
        days = [
            day_of(routed, rows, share_fed_back, generator)
            for rows in rows_of_days(routed, max(AGES), n_a_day, unevenness, generator)
        ]
        n_alarms = 0
        for age in AGES:
            alarms = verdict_of(routed, days[:age]).alarms
            n_alarms += bool(alarms)
            found.by_check.update(each.name for each in alarms)
            found.by_age[age] += bool(alarms)
        found.n_days += len(AGES)
        found.by_training.append(n_alarms)
    return found


def days_to_notice(
    trainings: Sequence[Routed],
    change: Callable[[Routed, Ints, np.random.Generator], tuple[Routed, Ints]],
    n_a_day: int,
    share_fed_back: float,
    most_days: int,
) -> tuple[list[int], Counter[str]]:
    """Count the days from a change to the first alarm, `most_days + 1` for never, and the checks that alarmed first."""
    waited, first = [], Counter[str]()
    for number, routed in enumerate(trainings):
        generator = np.random.default_rng(20_000 + number)
        days = [
            day_of(routed, rows, share_fed_back, generator)
            for rows in rows_of_days(routed, QUIET_DAYS, n_a_day, 0.0, generator)
        ]
        for count, rows in enumerate(rows_of_days(routed, most_days, n_a_day, 0.0, generator), 1):
            days.append(day_of(*change(routed, rows, generator), share_fed_back, generator))
            alarms = verdict_of(routed, days).alarms
            if alarms:
                first.update(each.name for each in alarms)
                waited.append(count)
                break
        else:
            waited.append(most_days + 1)
    return waited, first


def without(routed: Routed, category: str) -> tuple[Routed, Ints]:
    """Keep the queries of a category out of the days, and give their rows."""
    is_new = routed.true == CATEGORIES.index(category)
    return replace(routed, true=np.where(is_new, -1, routed.true)), np.flatnonzero(is_new)


def worse(points: float) -> Callable[[Routed, Ints, np.random.Generator], tuple[Routed, Ints]]:
    """Let the model that is chosen most fail more often."""

    def change(routed: Routed, rows: Ints, generator: np.random.Generator) -> tuple[Routed, Ints]:
        day = routed.take(rows)
        most = int(np.bincount(routed.chosen).argmax())
        level = routed.quality[routed.chosen == most].mean()
        fails = (day.chosen == most) & (generator.random(len(rows)) < points / 100.0 / level)
        return replace(day, quality=np.where(fails, 0.0, day.quality)), np.arange(len(rows))

    return change


def mixed_in(new: Ints, share: float) -> Callable[[Routed, Ints, np.random.Generator], tuple[Routed, Ints]]:
    """Let queries of a new category take the place of some others."""

    def change(routed: Routed, rows: Ints, generator: np.random.Generator) -> tuple[Routed, Ints]:
        is_new = generator.random(len(rows)) < share
        return routed, np.where(is_new, generator.choice(new, len(rows)), rows)

    return change


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--trainings", type=int, default=100, help="of each kind")
    parser.add_argument("--queries", type=int, default=1_000, help="of a training")
    parser.add_argument("--a-day", type=int, default=1_000)
    parser.add_argument("--fed-back", type=float, default=0.05)
    parser.add_argument("--cache", type=Path, help="keep trainings in this file")
    arguments = parser.parse_args()
    trainings = _trainings(arguments)
    for name in ("LLMRouter 9, svm", "MMLU-Pro 16, knn"):
        for label, unevenness in (("even days", 0.0), ("uneven days", 0.3)):
            found = quiet(trainings[name], arguments.a_day, arguments.fed_back, unevenness)
            print(
                f"{name}, {label}: {sum(found.by_training)} of {found.n_days:,} quiet days alarm, in "
                f"{sum(map(bool, found.by_training))} of {len(found.by_training)} trainings (at most "
                f"{max(found.by_training)} of {len(AGES)} days); by check {dict(found.by_check)}; by age "
                f"{dict(sorted(found.by_age.items()))}"
            )
    for name in ("LLMRouter 9, svm", "MMLU-Pro 16, knn"):
        for points in (10.0, 20.0):
            _print_days(
                f"{name}, a model {points:.0f} points worse",
                *days_to_notice(trainings[name], worse(points), arguments.a_day, arguments.fed_back, 60),
                60,
            )
    for share in (0.05, 0.2):
        waited: list[int] = []
        first = Counter[str]()
        for each in trainings[f"MMLU-Pro 16 without {NEW_CATEGORY}, knn"]:
            routed, new = without(each, NEW_CATEGORY)
            days, checks = days_to_notice([routed], mixed_in(new, share), arguments.a_day, arguments.fed_back, 30)
            waited += days
            first += checks
        _print_days(f"MMLU-Pro 16, knn, {NEW_CATEGORY} takes {share:.0%}", waited, first, 30)


def _trainings(arguments: argparse.Namespace) -> dict[str, list[Routed]]:
    if arguments.cache is not None and arguments.cache.exists():
        return dict(pickle.loads(arguments.cache.read_bytes()))
    llmrouter, _, mmlu = read_pools(arguments.data)
    kinds = {
        "LLMRouter 9, svm": (llmrouter, "svm", None, arguments.trainings),
        "MMLU-Pro 16, knn": (mmlu, "knn", None, arguments.trainings),
        f"MMLU-Pro 16 without {NEW_CATEGORY}, knn": (mmlu, "knn", NEW_CATEGORY, max(1, arguments.trainings // 4)),
    }
    found = {
        name: [route(pool, algorithm, arguments.queries, seed, unseen) for seed in range(number)]
        for name, (pool, algorithm, unseen, number) in kinds.items()
    }
    if arguments.cache is not None:
        arguments.cache.write_bytes(pickle.dumps(found))
    return found


def _print_days(label: str, waited: Sequence[int], first: Counter[str], most_days: int) -> None:
    days = np.array(waited)
    quartiles = ", ".join(f"{each:.0f}" for each in np.quantile(days, (0.25, 0.5, 0.75), method="higher"))
    print(
        f"{label}: noticed after {quartiles} days (quartiles of {len(days)}), within {most_days} days by "
        f"{(days <= most_days).mean():.0%}; first by {dict(first)}"
    )


if __name__ == "__main__":
    main()
