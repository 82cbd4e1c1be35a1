"""What a training keeps of its held-out choices, for whoever watches the traffic later: shares and how they vary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vsr.selectors.artefact_fields import Fields

_MOMENTS = ("residual", "log_latency", "log_cost")


@dataclass(frozen=True)
class Moments:
    """Number, mean and standard deviation of some values.

    Attributes:
        n: how many; a fraction where a query counts in some of the splits only.
        mean: their mean.
        sd: their standard deviation.
    """

    n: float
    mean: float
    sd: float


@dataclass(frozen=True)
class HeldModel:
    """One model where an algorithm chose it for held-out queries.

    Attributes:
        share: of the held-out queries for which it was chosen, a mean over the splits.
        spread: standard deviation of that share from one split to another: selectors differ with what they learn from.
        residual: quality as measured less as predicted; None where predictions were not kept.
        log_latency: natural logarithm of the latency in seconds; None where none was measured.
        log_cost: natural logarithm of the cost in USD; None where none is known.
    """

    share: float
    spread: float
    residual: Moments | None = None
    log_latency: Moments | None = None
    log_cost: Moments | None = None


@dataclass(frozen=True)
class HeldOut:
    """What a training keeps of held-out queries.

    Attributes:
        n_queries: held-out queries.
        n_distances: distances of training queries of which the quantiles are kept.
        categories: number of held-out queries by the category that was predicted for them, a mean over the splits.
        models: by algorithm and model, what was chosen.
    """

    n_queries: int
    n_distances: int
    categories: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, HeldModel]] = field(default_factory=dict)


def held_out_document(held_out: HeldOut) -> dict[str, Any]:
    """Turn it into plain JSON values."""
    return {
        "n_queries": held_out.n_queries,
        "n_distances": held_out.n_distances,
        "categories": dict(held_out.categories),
        "models": {
            algorithm: {
                model: {
                    "share": each.share,
                    "spread": each.spread,
                    **{name: _numbers(getattr(each, name)) for name in _MOMENTS},
                }
                for model, each in models.items()
            }
            for algorithm, models in held_out.models.items()
        },
    }


def read_held_out(fields: Fields) -> HeldOut:
    """Read it back.

    Raises:
        ArtefactError: The fields are damaged.
    """
    categories, listed = fields.object("categories"), fields.object("models")
    return HeldOut(
        n_queries=fields.get("n_queries", int),
        n_distances=fields.get("n_distances", int),
        categories={name: categories.get(name, float) for name in categories.content},
        models={
            algorithm: {model: _model(listed.object(algorithm).object(model)) for model in models}
            for algorithm, models in listed.content.items()
        },
    )


def _model(fields: Fields) -> HeldModel:
    moments = {}
    for name in _MOMENTS:
        kept = fields.nullable(name, dict)
        row = None if kept is None else fields.object(name)
        moments[name] = (
            None if row is None else Moments(row.get("n", float), row.get("mean", float), row.get("sd", float))
        )
    return HeldModel(fields.get("share", float), fields.get("spread", float), **moments)


def _numbers(moments: Moments | None) -> dict[str, float] | None:
    return None if moments is None else {"n": moments.n, "mean": moments.mean, "sd": moments.sd}
