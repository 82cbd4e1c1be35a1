"""From verdicts to numbers: what each judge gave every response, or every pair of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vsr.judging.bradley_terry import Comparisons, fit_strengths
from vsr.judging.modes import Mode
from vsr.judging.run import Judge, Judging, Verdicts

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairOpinion:
    """What a judge said of one pair, in both orders.

    Attributes:
        first: place of the one response.
        second: place of the other.
        shown_first: points of `first` when it was shown first; None where that verdict is missing.
        shown_second: its points when it was shown second.
    """

    first: int
    second: int
    shown_first: float | None
    shown_second: float | None

    @property
    def is_whole(self) -> bool:
        """Whether both orders have a verdict."""
        return self.shown_first is not None and self.shown_second is not None

    @property
    def flips(self) -> bool:
        """Whether the verdict is another one in the other order."""
        return self.is_whole and self.shown_first != self.shown_second

    @property
    def points(self) -> float | None:
        """Points of `first`: what both orders say; a tie where they disagree; None where one of them is missing."""
        if not self.is_whole:
            return None
        return 0.5 if self.flips else self.shown_first


@dataclass(frozen=True)
class Opinions:
    """What judges gave, by judge.

    Attributes:
        scores: (n_responses,) in [0, 1], NaN where a judge said nothing; empty for comparisons.
        pairs: what they said of pairs; empty unless they compared.
        rechecks: (first, second) value of what was asked twice.
    """

    scores: Mapping[str, Floats]
    pairs: Mapping[str, tuple[PairOpinion, ...]]
    rechecks: Mapping[str, tuple[tuple[float, float], ...]]


def read_opinions(judging: Judging, verdicts: Verdicts) -> Opinions:
    """Sort what judges said by response, or by pair."""
    n_responses = len(judging.judged.responses)
    is_pairwise = judging.judged.task.mode is Mode.PAIRWISE
    scores: dict[str, Floats] = {}
    pairs: dict[str, tuple[PairOpinion, ...]] = {}
    rechecks: dict[str, tuple[tuple[float, float], ...]] = {}
    for judge in judging.judges:
        said = verdicts.by_judge[judge.name]
        values = {key: verdict.value for key, verdict in said.items()}
        rechecks[judge.name] = tuple(
            (values[item.first_key], values[item.key])
            for item in judging.items
            if item.is_recheck and item.key in values and item.first_key in values
        )
        if is_pairwise:
            pairs[judge.name] = _pairs(judging, judge, values)
            continue
        scores[judge.name] = given = np.full(n_responses, np.nan)
        for item in judging.items:
            if not item.is_recheck and item.key in values:
                for (place,) in item.shown:
                    if judging.may_judge(judge, (place,)):
                        given[place] = values[item.key]
    return Opinions(scores, pairs, rechecks)


def _pairs(judging: Judging, judge: Judge, values: Mapping[str, float]) -> tuple[PairOpinion, ...]:
    said: dict[tuple[int, int], float] = {}
    for item in judging.items:
        if not item.is_recheck and item.key in values:
            said |= dict.fromkeys(((shown[0], shown[1]) for shown in item.shown), values[item.key])
    found = []
    responses = judging.judged.responses
    for first, second in judging.judged.pairs():
        if not judging.may_judge(judge, (first, second)):
            continue
        if responses[first].text == responses[second].text:
            found.append(PairOpinion(first, second, 0.5, 0.5))  # nobody is asked which of two equal texts is better
            continue
        one, other = said.get((first, second)), said.get((second, first))
        if one is not None or other is not None:
            found.append(PairOpinion(first, second, one, None if other is None else 1.0 - other))
    return tuple(found)


def qualities(judging: Judging, opinions: Opinions, *, is_majority: bool = False) -> Floats:
    """Join what judges gave: the mean, or what most of them say; of comparisons, the strengths that fit them.

    Args:
        judging: who judged what.
        opinions: what they gave.
        is_majority: 1 or 0 by what more judges say, 0.5 where as many say this as that.

    Returns:
        (n_responses,) quality in [0, 1], NaN where no judge said anything.
    """
    if judging.judged.task.mode is Mode.PAIRWISE:
        return _by_strength(judging, opinions)
    given = np.array([opinions.scores[judge.name] for judge in judging.judges])
    n_given = np.isfinite(given).sum(axis=0)
    total = np.where(np.isfinite(given), given, 0.0)
    if is_majority:
        margin = np.where(np.isfinite(given), np.sign(given - 0.5), 0.0).sum(axis=0)
        joined = (np.sign(margin) + 1) / 2
    else:
        joined = total.sum(axis=0) / np.maximum(n_given, 1)
    return np.where(n_given > 0, joined, np.nan)


def _by_strength(judging: Judging, opinions: Opinions) -> Floats:
    responses = judging.judged.responses
    models = {name: number for number, name in enumerate(dict.fromkeys(each.model for each in responses))}
    queries = {key: number for number, key in enumerate(dict.fromkeys(each.key for each in responses))}
    whole = [(pair, pair.points) for held in opinions.pairs.values() for pair in held if pair.points is not None]
    judged = np.full(len(responses), np.nan)
    if not whole:
        return judged
    category_of_query: dict[int, str] = {}
    for response in responses:
        category_of_query.setdefault(queries[response.key], response.category or "")
    names = {name: number for number, name in enumerate(dict.fromkeys(category_of_query.values()))}
    categories = np.array([names[category_of_query[number]] for number in range(len(queries))])
    strengths = fit_strengths(
        Comparisons(
            np.array([queries[responses[pair.first].key] for pair, _ in whole]),
            np.array([models[responses[pair.first].model] for pair, _ in whole]),
            np.array([models[responses[pair.second].model] for pair, _ in whole]),
            np.array([points for _, points in whole]),
        ),
        categories,
        len(names),
        len(models),
    )
    against = judging.judged.against
    quality = strengths.quality(None if against is None else models[against])
    for place in {place for pair, _ in whole for place in (pair.first, pair.second)}:
        response = responses[place]
        judged[place] = quality[queries[response.key], models[response.model]]
    return judged
