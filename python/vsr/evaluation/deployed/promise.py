"""What a training promised of an artefact: its line of the held-out table, read back from the file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vsr.evaluation.statistics.intervals import Interval
from vsr.persistence import Artefact
from vsr.persistence.training_queries import CategorySelection, TrainingQueries


@dataclass(frozen=True)
class Promise:
    """What a training promised of an artefact, on queries that were held out.

    Attributes:
        quality: mean quality of the chosen models.
        utility: mean utility of the chosen models.
        latency_s: mean latency in seconds, None where none was measured.
        cost_usd: mean cost per query in USD, None where none is known.
        gain: utility less that of the single model that training named; None where it always chooses that one.
        selection: share of the choices that each model has.
        by_category: the same by category; empty where the folder does not say.
    """

    quality: float
    utility: float
    latency_s: float | None
    cost_usd: float | None
    gain: Interval | None
    selection: Mapping[str, float]
    by_category: tuple[CategorySelection, ...]

    def is_kept_by(self, found: Interval | None) -> bool | None:
        """Whether a gain that was found later is no less than the promised one, as far as both are sure.

        None where one of the two is not there.
        """
        if self.gain is None or found is None:
            return None
        half = math.hypot((self.gain.high - self.gain.low) / 2.0, (found.high - found.low) / 2.0)
        return found.mean >= self.gain.mean - half


def promise_of(artefact: Artefact, training: TrainingQueries | None) -> Promise | None:
    """Read what a training promised of an artefact; None where it promised nothing, or in another form.

    Args:
        artefact: the artefact.
        training: what the folder keeps of the queries of the same training.
    """
    held_out = None if artefact.header is None else artefact.header.held_out
    if held_out is None:
        return None
    try:
        line = _line(held_out, artefact)
        return Promise(
            quality=float(line["quality"]),
            utility=float(line["utility"]),
            latency_s=line.get("latency_s"),
            cost_usd=line.get("cost_usd"),
            gain=None if line.get("gain") is None else Interval(**line["gain"]),
            selection=dict(line["selection"]),
            by_category=() if training is None else training.selection.get(artefact.selector.name, ()),
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return None  # a file of another version: nothing is promised in a form that is known


def _line(held_out: Mapping[str, Any], artefact: Artefact) -> Mapping[str, Any]:
    """Find an artefact's line; the table stands there as a baseline, or as one model for everything."""
    lines = {line["name"]: line for line in held_out["methods"]}
    name, prior = artefact.selector.name, artefact.selector.prior
    if name == "table" and prior is not None:
        name = "best single" if math.isinf(prior.shrinkage) else "category table"
    found: Mapping[str, Any] = lines[name]
    return found
