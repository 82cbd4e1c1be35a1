"""How far does a comparison spread over a cluster? Its tasks, the longest chain of them, and what starting them costs.

    python benches/python/cluster_folds.py [--data FOLDER] [--queries 2000] [--splits 3] [--part tasks|whole]

All algorithms that learn, stacking among them, on a sample of MMLU-Pro with 28 LLMs: 5 folds a split, and trained on
all queries. First every task is timed alone on one thread, in processor time. From these times follows what the
comparison takes with a core for every task, and what it would take if only whole folds were tasks and the last
trainings followed one after the other where the command runs. Then the same in this process with all its threads, and
on a cluster of this machine alone, interleaved; start-up counts on its own, and what was chosen is compared.
"""

import argparse
import os
import pickle
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from routing_quality import default_folder, read_pools

from vsr._threads import set_n_threads
from vsr.cluster.folds import on_the_cluster
from vsr.cluster.session import connected
from vsr.data.categories import category_codes
from vsr.data.outcomes import Outcomes
from vsr.evaluation.cross_validation import hold_out
from vsr.evaluation.fold import Fold
from vsr.evaluation.fold_work import Fit, FoldResult, FoldTask, FoldWork, in_this_process
from vsr.evaluation.held import Held
from vsr.evaluation.settings import ComparisonSettings
from vsr.features import join_features
from vsr.selectors import registry
from vsr.selectors.base import TrainedSelector


class Timer:
    """An engine that notes what preparing each fold and each fit in it takes, in seconds of the processor."""

    def __init__(self) -> None:
        self.prepared_s: list[float] = []
        self.fitted_s: list[dict[str, float]] = []
        self.fold_bytes = self.result_bytes = self.selector_bytes = 0

    def __call__(
        self, folds: Sequence[tuple[FoldWork, FoldTask]], progress: Callable[[str, int], None]
    ) -> Iterator[FoldResult]:
        """Work on one fold after the other."""
        return in_this_process(
            [(_TimedWork(work.features, work.outcomes, work.settings, self), task) for work, task in folds], progress
        )

    def chains(self) -> tuple[float, float]:
        """Longest chain in seconds: whole folds as tasks with all else behind them, and a task for every fit."""
        whole = [prepared + sum(fits.values()) for prepared, fits in zip(self.prepared_s, self.fitted_s, strict=True)]
        alone = []
        for prepared, fits in zip(self.prepared_s, self.fitted_s, strict=True):
            of_kind = {True: [0.0], False: [0.0]}
            for name, took_s in fits.items():
                of_kind[registry.algorithm(name).combines].append(prepared + took_s)
            alone.append(max(of_kind[False]) + max(of_kind[True]))
        return max(whole[:-1]) + whole[-1], max(alone)


@dataclass(frozen=True, eq=False)
class _TimedWork(FoldWork):
    timer: Timer

    def prepare(self, task: FoldTask) -> Fold:
        started_s = time.process_time()
        fold = super().prepare(task)
        self.timer.prepared_s.append(time.process_time() - started_s)
        self.timer.fitted_s.append({})
        if len(self.timer.fitted_s) == 1:
            self.timer.fold_bytes = _crossing(fold)
        return fold

    def fit(self, task: FoldTask, fold: Fold, name: str, parts: Sequence[TrainedSelector]) -> Fit:
        started_s = time.process_time()
        selector, result = super().fit(task, fold, name, parts)
        self.timer.fitted_s[-1][name] = time.process_time() - started_s
        if len(self.timer.fitted_s) == 1:
            self.timer.selector_bytes += _crossing(selector)
            self.timer.result_bytes += _crossing(result)
        return selector, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_folder())
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--part", choices=("tasks", "whole"), help="only the tasks alone, or only the whole both ways")
    options = parser.parse_args()
    pool = read_pools(options.data)[1]
    pool = pool.take(np.sort(np.random.default_rng(0).permutation(pool.outcomes.n_queries)[: options.queries]))
    features = join_features(pool.vectors, category_codes(pool.outcomes.categories), 1.0)
    features.flags.writeable = False
    settings = ComparisonSettings(registry.learning(), splits=options.splits)
    if options.part != "whole":
        time_tasks(features, pool.outcomes, settings)
    if options.part != "tasks":
        time_whole(features, pool.outcomes, settings, options.repeats)


def time_tasks(features: npt.NDArray[np.float32], outcomes: Outcomes, settings: ComparisonSettings) -> None:
    """Time every task alone, and print what follows from that."""
    set_n_threads(1)
    timer = Timer()
    started_s = time.perf_counter()
    hold_out(features, outcomes, settings, _note, timer)
    print(f"one thread, timed: {time.perf_counter() - started_s:.1f} s by the clock; load {os.getloadavg()[0]:.1f}")
    for name in registry.parts_first(settings.algorithms):
        each_s = [took_s[name] for took_s in timer.fitted_s]
        print(f"  {name:22} median of folds {statistics.median(each_s[:-1]):6.2f} s   on all {each_s[-1]:6.2f} s")
    median_s = statistics.median(timer.prepared_s[:-1])
    print(f"  {'preparing':22} median of folds {median_s:6.2f} s   on all {timer.prepared_s[-1]:6.2f} s")
    n_folds, n_fits = len(timer.fitted_s), sum(map(len, timer.fitted_s))
    before_s, after_s = timer.chains()
    print(f"tasks: {n_folds - 1} folds before; now {n_fits} fits and {n_folds} tables")
    print(f"longest chain: {before_s:.1f} s before, {after_s:.1f} s now")
    sizes = (timer.fold_bytes, timer.selector_bytes, timer.result_bytes)
    print("a fold {:.1f} MB, its selectors {:.1f} MB, what they chose {:.2f} MB".format(*(n / 1e6 for n in sizes)))


def time_whole(
    features: npt.NDArray[np.float32], outcomes: Outcomes, settings: ComparisonSettings, n_repeats: int
) -> None:
    """Time the whole here and on a cluster of this machine, interleaved, and print it."""
    # 15 without this: beside other work on the machine, workers would wait where this process does not.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    set_n_threads(len(os.sched_getaffinity(0)))
    took_s: dict[str, list[float]] = {"local": [], "start": [], "ray": []}
    for _ in range(n_repeats):
        started_s = time.perf_counter()
        local, _ = hold_out(features, outcomes, settings, _note)
        took_s["local"].append(time.perf_counter() - started_s)
        started_s = time.perf_counter()
        with connected(None):
            took_s["start"].append(time.perf_counter() - started_s)
            started_s = time.perf_counter()
            there, _ = hold_out(features, outcomes, settings, _note, on_the_cluster)
            took_s["ray"].append(time.perf_counter() - started_s)
        _require_same(local, there)
        print(f"load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print("  ".join(f"{way} {statistics.median(each):.1f} s" for way, each in took_s.items()))


def _crossing(what: object) -> int:
    """Bytes of it on the wire."""
    return len(pickle.dumps(what, protocol=5))


def _note(what: str, n_done: int, n_steps: int) -> None:
    print(f"{n_done}/{n_steps} {what}    ", end="\r", file=sys.stderr)


def _require_same(local: Held, there: Held) -> None:
    for name, choices in local.choices.items():
        np.testing.assert_array_equal(there.choices[name].predicted, choices.predicted)
        np.testing.assert_array_equal(there.deployed[name].predicted, local.deployed[name].predicted)


if __name__ == "__main__":
    main()
