"""The objective that meets a target by what the statistics of a selector expect: no outcomes are needed."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vsr.choice.chooser import Chooser, score_matrix
from vsr.choice.objective import Objective
from vsr.choice.target import Target, search
from vsr.data.categories import category_codes
from vsr.errors import SelectionError
from vsr.prior.category_means import FloatArray
from vsr.prior.statistics import Statistics


def as_target(cost_usd: float | None, latency_s: float | None, share: tuple[str, float] | None) -> Target:
    """Take the one target that is given.

    Raises:
        SelectionError: None or several are, or it cannot be one.
    """
    targets: list[Target] = []
    if cost_usd is not None:
        targets.append(Target("cost", cost_usd))
    if latency_s is not None:
        targets.append(Target("latency", latency_s))
    if share is not None:
        if not isinstance(share, tuple) or len(share) != 2:
            raise SelectionError(f"share is {share!r}; expected a model and its share, ('name', 0.3)")
        targets.append(Target("share", share[1], share[0]))
    if len(targets) != 1:
        raise SelectionError(f"{len(targets)} targets; expected one of cost_usd, latency_s and share")
    return targets[0]


def objective_for(
    scores: npt.ArrayLike,
    statistics: Statistics,
    categories: Sequence[str | None] | None,
    *,
    cost_usd: float | None,
    latency_s: float | None,
    share: tuple[str, float] | None,
) -> Objective:
    """Find it; see `Objective.for_target`.

    Raises:
        SelectionError: As there.
    """
    target = as_target(cost_usd, latency_s, share)
    matrix = score_matrix(scores, statistics)
    if not len(matrix):
        raise SelectionError("there are no scores; expected those of some hundreds of queries")
    if categories is not None and len(categories) != len(matrix):
        raise SelectionError(f"{len(matrix)} rows of scores but {len(categories)} categories; expected one per row")
    codes = category_codes([None] * len(matrix) if categories is None else categories)
    needed = _needed(target, statistics)[codes]

    def attained(objective: Objective) -> FloatArray:
        columns = Chooser.prepare(statistics, objective).best(matrix, codes)
        return np.array([needed[np.arange(len(matrix)), columns].mean()])

    return search(target, attained, np.array([len(matrix)])).objective


def _needed(target: Target, statistics: Statistics) -> FloatArray:
    """(n_categories + 1, n_models) what a choice counts against the target."""
    if target.model is not None:
        require_model(target.model, statistics.models)
        is_model = np.array([float(model == target.model) for model in statistics.models])
        return np.broadcast_to(is_model, statistics.latency_s.shape)
    values = statistics.cost_usd if target.kind == "cost" else statistics.latency_s
    require_known(target, statistics.models, np.isfinite(values[-1]).tolist())
    return values


def require_model(model: str, models: Sequence[str]) -> None:
    """Refuse a share of a model that is not there.

    Raises:
        SelectionError: It is not.
    """
    if model not in models:
        raise SelectionError(f"the target share is of {model!r}; expected one of {', '.join(models)}")


def require_known(target: Target, models: Sequence[str], is_known: Sequence[bool]) -> None:
    """Refuse a target of what was not measured of every model.

    Raises:
        SelectionError: It was not.
    """
    unknown = [model for model, known in zip(models, is_known, strict=True) if not known]
    if unknown:
        who = "any model" if len(unknown) == len(models) else ", ".join(unknown)
        raise SelectionError(
            f"a target {target.kind} needs the {target.kind} of every model, and no record has that of {who}. "
            "Measure it, or leave the target out"
        )
