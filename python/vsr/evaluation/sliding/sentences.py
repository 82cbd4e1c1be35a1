"""The curve in three sentences: the same quality for less, more quality for the same, and the objective in force.

A point that was picked because it looked good on some queries looks worse on others. So the points of the first two
sentences are picked on four fifths of the held-out queries and measured on the last fifth, in turn: the figures are
those of the way to pick, not of the luckiest point. How much the picks differ makes the intervals wider (the jackknife,
Quenouille 1956, that leaves out one part at a time).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from vsr.choice.objective import Objective
from vsr.evaluation.sliding.beside import Beside, Reference, shown_points
from vsr.evaluation.sliding.replay import Replay, Slide
from vsr.evaluation.statistics.intervals import widened
from vsr.prior.category_means import FloatArray, IntArray

# Of the mean quality and the mean price of every objective, and those of the model it is compared with, to the
# objective that is picked.
_Rule = Callable[[FloatArray, FloatArray, float, float], int]


def sentences_of(
    replay: Replay, objectives: Sequence[Objective], slide: Slide, in_force: Objective, seed: int
) -> tuple[str, ...]:
    """Say what the curve means for somebody who would use the model of highest quality for everything.

    Args:
        replay: the judged selector.
        objectives: those of the curve.
        slide: what each of them gives.
        in_force: the objective in force.
        seed: seed of the estimates for missing cells.
    """
    reference = Reference.of(replay, seed)
    by_default = reference.beside(replay.columns(in_force))
    said = []
    if reference.price is not None:
        if reference.mean_price > 0.0:
            same_quality = _picked(replay, objectives, slide, reference, _cheapest_as_good)
            said.append(_same_quality(reference, same_quality))
        same_price = _picked(replay, objectives, slide, reference, _best_as_cheap)
        said.append(_same_price(reference, same_price))
    return (*said, _in_force(reference, by_default, in_force))


def _picked(replay: Replay, objectives: Sequence[Objective], slide: Slide, reference: Reference, rule: _Rule) -> Beside:
    """Pick an objective on all parts but one, take its choices on that one, in turn."""
    columns: IntArray | None = None
    chosen: dict[int, IntArray] = {}
    picks: list[int] = []

    def pick(parts: IntArray) -> int:
        rows = np.isin(slide.parts, parts)
        price = 0.0 if reference.price is None else float(reference.price[rows, reference.column].mean())
        quality = float(reference.quality[rows, reference.column].mean())
        return rule(slide.quality_on(parts), slide.price_on(parts), quality, price)

    every = np.arange(slide.n_parts)
    for part in every:
        number = pick(every[every != part]) if slide.n_parts > 1 else pick(every)
        picks.append(number)
        if number not in chosen:
            chosen[number] = replay.columns(objectives[number])
        columns = chosen[number].copy() if columns is None else columns
        inside = slide.parts == part
        columns[:, inside] = chosen[number][:, inside]
    assert columns is not None, "there is no part"
    found = reference.beside(columns, objectives[pick(every)])
    gain = widened(found.gain, _jackknife(slide.quality_on(every)[picks]))
    saving = found.saving
    if saving is not None:
        saving = widened(saving, _jackknife(slide.price_on(every)[picks] / reference.mean_price))
    return replace(found, gain=gain, saving=saving)


def _jackknife(values: FloatArray) -> float:
    """Variance of a figure, from what it is with one part left out at a time."""
    return float((len(values) - 1) * values.var())


def _cheapest_as_good(quality: FloatArray, price: FloatArray, wanted: float, _: float) -> int:
    """The cheapest objective of at least a quality; of those that fall short, the best."""
    enough = quality >= wanted
    if not enough.any():
        return int(np.lexsort((price, -quality))[0])
    return int(np.lexsort((-quality, np.where(enough, price, np.inf)))[0])


def _best_as_cheap(quality: FloatArray, price: FloatArray, _: float, allowed: float) -> int:
    """The best objective of at most a price; of those beyond it, the cheapest."""
    cheap = price <= allowed
    if not cheap.any():
        return int(np.lexsort((-quality, price))[0])
    return int(np.lexsort((price, -np.where(cheap, quality, -np.inf)))[0])


def _same_quality(reference: Reference, found: Beside) -> str:
    """Say what the quality of the reference costs by routing."""
    assert found.saving is not None, "there is a price"
    surely = "" if found.saving.low > 0.0 else " is not surely to be had for less"
    lead = f"The quality of {reference.name}{surely or f' for {reference.less(found.saving)}'}"
    told = f": {reference.less(found.saving)}" if surely else ""
    prices = f"{reference.shown(found.price)} instead of {reference.number(reference.mean_price)}"
    return f"{lead}{told}, {prices}, at {shown_points(found.gain)} of quality{_under(found.objective)}."


def _same_price(reference: Reference, found: Beside) -> str:
    """Say what quality the price of the reference buys by routing."""
    surely = "" if found.gain.is_above_zero else " no surely better quality"
    return (
        f"For the {reference.unit} of {reference.name}{surely}: {shown_points(found.gain)} of quality, "
        f"{found.quality:.3f} instead of {reference.mean_quality:.3f}, at {reference.shown(found.price)}"
        f"{_under(found.objective)}."
    )


def _in_force(reference: Reference, found: Beside, objective: Objective) -> str:
    """Say what the objective in force does."""
    said = f"As it is set{_under(objective)}: {shown_points(found.gain)} of quality beside {reference.name}"
    if found.price is None:
        return f"{said}."
    saving = "" if found.saving is None else f" for {reference.less(found.saving)}"
    return f"{said},{saving} at {reference.shown(found.price)}."


def _under(objective: Objective | None) -> str:
    if objective is None:
        return ""
    share = "" if objective.quality_weight == 1.0 else f", cost share {objective.cost_share:.3g}"
    return f" (quality weight {objective.quality_weight:.4g}{share})"
