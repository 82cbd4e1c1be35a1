"""The folds of a comparison as tasks on Ray, one core each; what they share lies in the object store once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from vsr._threads import set_n_threads
from vsr.cluster.session import failure_of, living_nodes, require_ray
from vsr.errors import ClusterError, TrainingError, VsrError
from vsr.evaluation.fold_work import FoldResult, FoldTask, FoldWork

_MOST_RETRIES = 5  # nodes may be lost; a fold that takes down every worker shall not do so for ever


def on_the_cluster(
    work: FoldWork, tasks: Sequence[FoldTask], progress: Callable[[str, int], None]
) -> Iterator[FoldResult]:
    """Work on all folds at a time, as an engine of `hold_out`; results are those of one process bit by bit.

    Connect first (`vsr.cluster.session.connected`). A fold whose node is lost is worked on again.

    Args:
        work: what all folds share.
        tasks: the folds.
        progress: told which fold is waited for, and how many fits are done.

    Raises:
        TrainingError: A selector cannot be trained.
        ClusterError: The cluster failed, or no node has a core.
    """
    ray = require_ray()
    if not any(node.n_cores for node in living_nodes()):
        raise ClusterError("no node of the cluster has a core to work on; `ray start` one with `--num-cpus`")
    fold = ray.remote(num_cpus=1, max_retries=_MOST_RETRIES)(_work_on)
    shared = ray.put(work)
    waiting = [fold.remote(shared, task) for task in tasks]
    n_fits = len(work.settings.algorithms)
    try:
        for number, each in enumerate(waiting):
            progress(f"fold {number + 1} of {len(tasks)}", number * n_fits)
            result: Any = ray.get(each)
            if isinstance(result, str):
                raise TrainingError(result)
            yield result
    except ray.exceptions.RayError as error:
        raise ClusterError(f"the cluster failed ({failure_of(error)}); run it again") from error
    finally:
        for each in waiting:
            ray.cancel(each, force=True)


def _work_on(work: FoldWork, task: FoldTask) -> FoldResult | str:
    """Work on a fold; what cannot be trained is said, so that the driver can say it in one line."""
    set_n_threads(1)
    try:
        return work.run(task)
    except VsrError as error:
        return str(error)
