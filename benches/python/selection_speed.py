"""How fast are neighbours, clusters, support vector machines and networks beside faiss and scikit-learn?

    make peers
    .venv-peers/bin/python benches/python/selection_speed.py [--only knn kmeans svm mlp] [--named ' 1,000 rows']
    .venv-peers/bin/python benches/python/selection_speed.py --only million
    .venv-peers/bin/python benches/python/selection_speed.py --exact 10000

Ours and the peer's run in turn in one process (A, B, A, B, ...), on the same made-up features: 768 columns of unit
length around 40 topics and a one-hot of 14 categories. The table gives medians, their ratio and the goal. Single
queries run on one thread on both sides, everything else on --threads; --threads also limits BLAS and OpenMP.

`--only million`, which needs 12 GB of memory, asks single queries of a million rows; it is left out otherwise.
`--exact N` measures nothing: it compares the neighbours of N queries with those of a scan in float64.

A comparison is one `Comparison` from one function in `SUITES`.
"""

import argparse
import functools
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt
from made_up import N_CATEGORIES, features, outcomes
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from vsr import _core
from vsr.prior.category_means import MeanTable
from vsr.selectors import mlp as our_mlp
from vsr.selectors.optimization.adam import Schedule
from vsr.selectors.training_data import TrainingData

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

K = 100
GAMMA = 1.0
# Ratios to faiss that are promised, by rows: 14 categories, then one.
ONE_QUERY_GOALS = {1_000: (0.5, 0.8), 10_000: (0.15, 1.0), 100_000: (0.10, None)}
MILLION_GOAL = 0.06
BATCH_GOALS = {1_000: (1.0, 1.0), 10_000: (0.5, 1.0), 100_000: (0.5, 1.0)}


@dataclass(frozen=True)
class Comparison:
    """Two ways to do the same work.

    Attributes:
        name: What is done.
        peer: Whose work ours is compared with.
        ours: Does it once.
        theirs: Does it once.
        goal: The ratio of the times that is promised; None where nothing is.
        n_threads: How many threads both may use.
        n_rounds: How often both run at least; fewer than asked for where one run takes long.
        n_inside: How many pieces of work one call does; times are given for one of them.
        agreement: Says how well the two results agree, after the runs.
    """

    name: str
    peer: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    goal: float | None
    n_threads: int
    n_rounds: int
    agreement: Callable[[], str]
    n_inside: int = 1


@dataclass(frozen=True)
class Measured:
    """Median times of one comparison, in seconds for one piece of work."""

    comparison: Comparison
    ours_s: float
    theirs_s: float

    @property
    def is_met(self) -> bool:
        """Whether the ratio is what is promised."""
        return self.comparison.goal is None or self.ours_s / self.theirs_s <= self.comparison.goal

    @property
    def row(self) -> str:
        """One row of the table."""
        comparison = self.comparison
        cells = (
            comparison.name,
            str(comparison.n_threads),
            seconds(self.ours_s),
            f"{seconds(self.theirs_s)} ({comparison.peer})",
            f"{self.ours_s / self.theirs_s:.3f}",
            "-" if comparison.goal is None else f"<= {comparison.goal:g}, {'met' if self.is_met else 'missed'}",
            comparison.agreement(),
        )
        return f"| {' | '.join(cells)} |"


def seconds(value: float) -> str:
    """Write a time with three digits in a fitting unit."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1.0:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def knn(n_threads: int, n_rounds: int) -> Iterator[Comparison]:
    """Exact neighbours beside faiss's exact index: alone and 256 at once, with and without categories."""
    singles = [row[np.newaxis] for row in features(50, 1)]
    batch = features(256, 2)
    for n_rows in (1_000, 10_000, 100_000):
        rows = features(n_rows, 0)
        peer = faiss.IndexFlatL2(rows.shape[1])
        peer.add(rows)
        for n_columns, label, goal, batch_goal in zip(
            (N_CATEGORIES, 0),
            ("14 categories", "one category"),
            ONE_QUERY_GOALS[n_rows],
            BATCH_GOALS[n_rows],
            strict=True,
        ):
            index = _core.KnnIndex(rows, n_columns)

            agreement = functools.partial(_agreement, index, peer, batch)
            yield _one_query(f"{n_rows:,} rows, {label}", index, peer, singles, goal, n_rounds, agreement)
            yield Comparison(
                name=f"KNN, {n_rows:,} rows, {label}, k = {K}, 256 queries",
                peer="faiss IndexFlatL2",
                ours=lambda index=index: index.search(batch, K),
                theirs=lambda peer=peer: peer.search(batch, K),
                goal=batch_goal,
                n_threads=n_threads,
                n_rounds=n_rounds,
                agreement=agreement,
            )


def million(n_threads: int, n_rounds: int) -> Iterator[Comparison]:  # noqa: ARG001 -- one thread
    """Exact neighbours of single queries among a million rows in 14 categories."""
    singles = [row[np.newaxis] for row in features(20, 1)]
    width, n_rows, n_a_block = singles[0].shape[1], 1_000_000, 10_000
    rows = np.empty((n_rows, width), dtype=np.float32)
    peer = faiss.IndexFlatL2(width)
    for number, start in enumerate(range(0, n_rows, n_a_block)):
        rows[start : start + n_a_block] = features(n_a_block, 10 + number)
        peer.add(rows[start : start + n_a_block])
    index = _core.KnnIndex(rows, N_CATEGORIES)
    del rows

    agreement = functools.partial(_agreement, index, peer, np.concatenate(singles))
    yield _one_query(f"{n_rows:,} rows, 14 categories", index, peer, singles, MILLION_GOAL, n_rounds, agreement)


def _one_query(
    rows: str,
    index: _core.KnnIndex,
    peer: faiss.IndexFlatL2,
    singles: list[Float32],
    goal: float | None,
    n_rounds: int,
    agreement: Callable[[], str],
) -> Comparison:
    return Comparison(
        name=f"KNN, {rows}, k = {K}, one query",
        peer="faiss IndexFlatL2",
        ours=lambda: [index.search(query, K) for query in singles],
        theirs=lambda: [peer.search(query, K) for query in singles],
        goal=goal,
        n_threads=1,
        n_rounds=n_rounds,
        n_inside=len(singles),
        agreement=agreement,
    )


def _agreement(index: _core.KnnIndex, peer: faiss.IndexFlatL2, queries: Float32) -> str:
    found, expected = index.search(queries, K)[0], peer.search(queries, K)[1]
    same = [len(np.intersect1d(*pair)) for pair in zip(found, expected, strict=True)]
    return f"{100 * sum(same) / expected.size:.2f} % of neighbours equal"


def kmeans(n_threads: int, n_rounds: int) -> Iterator[Comparison]:
    """The whole fit with ten starts beside scikit-learn's, 10,000 rows."""
    rows = features(10_000, 0)
    for n_clusters in (8, 64):
        inertias: dict[str, float] = {}

        def ours(n_clusters: int = n_clusters, inertias: dict[str, float] = inertias) -> None:
            inertias["ours"] = _core.kmeans_fit(rows, n_clusters, 10, 300, 1e-4, 0)[2]

        def theirs(n_clusters: int = n_clusters, inertias: dict[str, float] = inertias) -> None:
            inertias["theirs"] = KMeans(n_clusters, n_init=10, random_state=0).fit(rows).inertia_

        yield Comparison(
            name=f"KMeans, 10,000 rows, k = {n_clusters}, 10 starts",
            peer="scikit-learn KMeans",
            ours=ours,
            theirs=theirs,
            goal=0.5,
            n_threads=n_threads,
            n_rounds=n_rounds,
            agreement=lambda inertias=inertias: f"inertia {inertias['ours'] / inertias['theirs']:.4f} x",
        )


def svm(n_threads: int, n_rounds: int) -> Iterator[Comparison]:
    """One-vs-all machines of four models, kernel matrix included, beside scikit-learn's."""
    held_out = features(500, 3)
    for n_rows in (1_000, 5_000, 10_000):
        rows = features(n_rows, 0)
        quality = outcomes(rows, 4)
        decisions: dict[str, Float64] = {}

        def ours(rows: Float32 = rows, quality: Float64 = quality, decisions: dict[str, Float64] = decisions) -> None:
            matrix = _core.KernelMatrix(rows, "rbf", GAMMA)
            coefficients, biases = matrix.fit(np.arange(len(rows), dtype=np.uint32), quality, 1.0)
            machines = _core.SupportVectors(rows, coefficients, biases, "rbf", GAMMA)
            decisions["ours"] = machines.decisions(held_out)

        def theirs(rows: Float32 = rows, quality: Float64 = quality, decisions: dict[str, Float64] = decisions) -> None:
            machines = OneVsRestClassifier(SVC(kernel="rbf", C=1.0, gamma=GAMMA, cache_size=1000), n_jobs=n_threads)
            decisions["theirs"] = machines.fit(rows, quality).decision_function(held_out)

        yield Comparison(
            name=f"SVM RBF, {n_rows:,} rows, 4 models, fit and 500 decisions",
            peer="scikit-learn OneVsRest(SVC)",
            ours=ours,
            theirs=theirs,
            goal=0.1 if n_rows > 1_000 else None,
            n_threads=n_threads,
            n_rounds=n_rounds if n_rows == 1_000 else min(n_rounds, 10_000 // n_rows + 1),
            agreement=lambda decisions=decisions: (
                f"largest difference {np.abs(decisions['ours'] - decisions['theirs']).max():.1e}"
            ),
        )


def mlp(n_threads: int, n_rounds: int) -> Iterator[Comparison]:
    """Twenty epochs of a 256,128 network for four models beside scikit-learn's, equal batches and validation rows."""
    n_epochs, batch_size, held_out_share = 20, 128, 0.15
    # Without patience to lose, both run all epochs.
    our_mlp._SCHEDULE = Schedule(1e-3, 0.1, batch_size, n_epochs, patience=n_epochs)  # noqa: SLF001
    rows = features(10_000, 0)
    quality = outcomes(rows, 4)
    codes = rows[:, -N_CATEGORIES:].argmax(axis=1)
    data = TrainingData(rows, codes, quality, MeanTable.fit(quality, codes, N_CATEGORIES, 30.0))

    def theirs() -> None:
        network = MLPClassifier(
            (256, 128),
            batch_size=batch_size,
            max_iter=n_epochs,
            early_stopping=True,
            validation_fraction=held_out_share,
            n_iter_no_change=n_epochs,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # twenty epochs are what was asked for
            network.fit(rows, quality)

    yield Comparison(
        name=f"MLP 256,128, 10,000 rows, 4 models, {n_epochs} epochs",
        peer="scikit-learn MLPClassifier",
        ours=lambda: our_mlp.Mlp.of().fit(data, our_mlp.MlpSetting((256, 128)), 0),
        theirs=theirs,
        goal=1.0,
        n_threads=n_threads,
        n_rounds=n_rounds,
        agreement=lambda: "",
    )


SUITES: dict[str, Callable[[int, int], Iterator[Comparison]]] = {
    "knn": knn,
    "kmeans": kmeans,
    "svm": svm,
    "mlp": mlp,
    "million": million,
}


def measure(comparison: Comparison) -> Measured:
    """Run both in turn, after one run of each that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    _core.set_n_threads(comparison.n_threads)
    faiss.omp_set_num_threads(comparison.n_threads)
    with threadpool_limits(comparison.n_threads):
        long = False
        for round_number in range(comparison.n_rounds + 1):
            for work, own_times in zip((comparison.ours, comparison.theirs), times, strict=True):
                start = time.perf_counter()
                work()
                elapsed = time.perf_counter() - start
                long |= elapsed > 20.0
                if round_number > 0 or elapsed > 20.0:  # a run of many seconds needs no warming up
                    own_times.append(elapsed / comparison.n_inside)
            if long and round_number + 1 >= comparison.n_rounds and all(times):
                break
        ours_s, theirs_s = (statistics.median(own) for own in times)
        return Measured(comparison, ours_s, theirs_s)


def exactness(n_queries: int, n_rows: int = 10_000) -> str:
    """Compare neighbours with those of a scan in float64, ties by row as ours."""
    rows = features(n_rows, 0)
    wide = rows.astype(np.float64)
    norms = np.einsum("ij,ij->i", wide, wide)
    indices = [_core.KnnIndex(rows, n_columns) for n_columns in (N_CATEGORIES, 0)]
    different, gap = 0, 0.0
    for seed, start in enumerate(range(0, n_queries, 500)):
        queries = features(min(500, n_queries - start), 100 + seed)
        squared = norms - 2.0 * (queries.astype(np.float64) @ wide.T)
        expected = np.sort(np.argsort(squared, axis=1, kind="stable")[:, :K], axis=1)
        for index in indices:
            found = np.sort(index.search(queries, K)[0], axis=1)
            for row in np.flatnonzero((found != expected).any(axis=1)).tolist():
                farthest = [squared[row, neighbours[row]].max() + norms[0] for neighbours in (found, expected)]
                different, gap = different + 1, max(gap, farthest[0] / farthest[1] - 1.0)
    return (
        f"{n_queries:,} queries, {n_rows:,} rows, k = {K}, with and without groups: {different} of {2 * n_queries:,} "
        f"searches differ from float64, by rows whose squared distances are {gap:.0e} apart at most (float32: 6e-08)"
    )


def main() -> None:
    """Print the table, row by row."""
    parser = argparse.ArgumentParser(description="Compare with faiss and scikit-learn.")
    parser.add_argument(
        "--only", nargs="+", choices=sorted(SUITES), default=[name for name in SUITES if name != "million"]
    )
    parser.add_argument("--named", nargs="+", default=[""], help="only comparisons whose name contains one of these")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--exact", type=int, metavar="N", help="compare neighbours of N queries with float64 instead")
    arguments = parser.parse_args()
    if arguments.exact:
        print(exactness(arguments.exact))
        return
    print(f"load before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
    print("| work | threads | ours | peer | ratio | goal | agreement |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.only:
        for comparison in SUITES[name](arguments.threads, arguments.rounds):
            if any(named in comparison.name for named in arguments.named):
                print(measure(comparison).row, flush=True)
    print(f"load after: {os.getloadavg()[0]:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
