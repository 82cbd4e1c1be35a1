"""Folds and the algorithms in them as tasks on Ray, one core each; what they share lies in the object store once."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vsr._threads import set_n_threads
from vsr.cluster.session import failure_of, living_nodes, require_ray
from vsr.errors import ClusterError, VsrError
from vsr.evaluation.fold_work import Fit, FoldResult, FoldTask, FoldWork, TableResult, fit_each, table_result
from vsr.selectors.base import TrainedSelector

_MOST_RETRIES = 5  # nodes may be lost; a task that takes down every worker shall not do so for ever


@dataclass(frozen=True)
class _Promised:
    """References to what makes a `FoldResult`, by the same names."""

    table: Any
    selectors: dict[str, Any]
    trained: list[Any]


def on_the_cluster(
    folds: Sequence[tuple[FoldWork, FoldTask]], progress: Callable[[str, int], None]
) -> Iterator[FoldResult]:
    """Train every algorithm of every fold at a time, as an engine of `hold_out`; what combines others waits for them.

    Results are those of one process bit by bit. Connect first (`vsr.cluster.session.connected`). What is lost with its
    node is computed again; what still runs after a failure ends with the connection.

    Args:
        folds: what each shares with others, and what it is.
        progress: told how many fits are left, and how many are done.

    Raises:
        VsrError: A selector cannot be trained: the error of one process.
        ClusterError: The cluster failed, or no node has a core.
    """
    ray = require_ray()
    if not any(node.n_cores for node in living_nodes()):
        raise ClusterError("no node of the cluster has a core to work on; `ray start` one with `--num-cpus`")
    to_table = ray.remote(num_cpus=1, max_retries=_MOST_RETRIES)(_table)
    to_fit = ray.remote(num_cpus=1, max_retries=_MOST_RETRIES, num_returns=2)(_fit)
    shared = {work: ray.put(work) for work in {work for work, _ in folds}}

    def promise(work: FoldWork, task: FoldTask) -> _Promised:
        given = shared[work], ray.put(task)

        def fit(name: str, parts: Sequence[list[Any]]) -> list[Any]:
            return list(to_fit.remote(*given, name, *(trained for trained, _ in parts)))

        fits = fit_each(work.settings.algorithms, work.n_train(task), fit)
        selectors = {name: result for name, (_, result) in fits.items()}
        # Of what is not for use, only what combines it gets hold: the object store forgets it then.
        trained = [selector for selector, _ in fits.values()] if task.is_for_use else []
        return _Promised(to_table.remote(*given), selectors, trained)

    # What is for use takes longest, on all queries and with nothing spared: it starts first.
    in_order = sorted(folds, key=lambda fold: not fold[1].is_for_use)
    promised = {task: promise(work, task) for work, task in in_order}
    results = waiting = [each for fold in promised.values() for each in fold.selectors.values()]
    # After a failure, nothing is cancelled: what runs ends with the connection, and Ray 2.60.0 ends the whole
    # process where a task that is being cancelled completes at that moment.
    try:
        while waiting:
            progress(f"{len(waiting)} fits on the cluster", len(results) - len(waiting))
            done, waiting = ray.wait(waiting)
            ray.get(done)  # a failure is known as soon as it is there
        for _, task in folds:
            fold = promised[task]
            selectors = {name: ray.get(fold.selectors[name]) for name in fold.selectors}
            yield FoldResult(ray.get(fold.table), selectors, tuple(ray.get(fold.trained)))
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)
        if isinstance(cause, VsrError):
            raise cause from error
        raise ClusterError(f"the cluster failed ({failure_of(error)}); run it again") from error


def _table(work: FoldWork, task: FoldTask) -> TableResult:
    """Give what a fold has without a selector."""
    set_n_threads(1)
    return table_result(work.prepare(task))


def _fit(work: FoldWork, task: FoldTask, name: str, *parts: TrainedSelector) -> Fit:
    """Prepare a fold and train a selector on it."""
    set_n_threads(1)
    return work.fit(task, work.prepare(task), name, parts)
