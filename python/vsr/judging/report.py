"""How far judges are to be trusted: agreement with what is known, with each other and with themselves, and biases."""

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from vsr.judging.agreement import Agreement, CalibrationPoint, agreement, calibration_map
from vsr.judging.bias import (
    Difference,
    LengthBias,
    Share,
    length_bias,
    own_family_gain,
    own_family_gain_of_pairs,
    position_flips,
    self_agreement,
)
from vsr.judging.modes import Mode
from vsr.judging.opinions import Opinions, PairOpinion
from vsr.judging.run import Judge, Judging, Verdicts

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JudgeReport:
    """One judge.

    Attributes:
        name: the judge.
        family: who made it; None where nobody says.
        n_verdicts: what it said that can be read, what was asked again aside.
        n_unreadable: of what it said nothing that can be read, the second time neither.
        truth: agreement with the true quality; of comparisons, of the points with the sign of the true difference.
        position: share of pairs whose verdict changes with the order; None but for comparisons.
        own_family: what it gives to its own family beyond others; None where it cannot be told.
        length: how its scores go with length.
        self_agreement: share of verdicts that were the same when it was asked again.
    """

    name: str
    family: str | None
    n_verdicts: int
    n_unreadable: int
    truth: Agreement
    position: Share | None
    own_family: Difference | None
    length: LengthBias | None
    self_agreement: Share | None


@dataclass(frozen=True)
class JudgingReport:
    """All judges of a run.

    Attributes:
        mode: what they were asked.
        judges: each of them.
        between: agreement of every two judges, by their names.
        truth: agreement of the joined quality with the true one.
        calibration: what a judged quality is worth, where enough of the true one is known.
        models: mean judged quality by model, of so many responses.
    """

    mode: str
    judges: tuple[JudgeReport, ...]
    between: Mapping[tuple[str, str], Agreement]
    truth: Agreement
    calibration: tuple[CalibrationPoint, ...]
    models: Mapping[str, tuple[float, int]]

    def to_json(self) -> dict[str, object]:
        """Give everything as plain values."""
        return {
            "mode": self.mode,
            "judges": [asdict(judge) for judge in self.judges],
            "between_judges": [{"judges": list(names), **asdict(held)} for names, held in self.between.items()],
            "truth": asdict(self.truth),
            "calibration": [asdict(point) for point in self.calibration],
            "models": {name: {"judged": mean, "n": n} for name, (mean, n) in self.models.items()},
        }


def report_on(judging: Judging, verdicts: Verdicts, opinions: Opinions, judged: Floats) -> JudgingReport:
    """Measure what judges of a run get wrong, as far as that shows.

    Args:
        judging: who judged what.
        verdicts: what they said.
        opinions: the same by response or by pair.
        judged: (n_responses,) joined quality, NaN where nobody said anything.
    """
    responses = judging.judged.responses
    truth = np.array([np.nan if each.truth is None else each.truth for each in responses])
    values = _pair_values(opinions) if opinions.pairs else opinions.scores
    known = agreement(judged, truth)
    models = {
        name: (float(judged[places].mean()), len(places))
        for name in dict.fromkeys(each.model for each in responses)
        if (places := [i for i, each in enumerate(responses) if each.model == name and np.isfinite(judged[i])])
    }
    return JudgingReport(
        mode=str(judging.judged.task.mode),
        judges=tuple(_report_of(judge, judging, verdicts, opinions, truth) for judge in judging.judges),
        between={
            (first, second): agreement(values[first], values[second], of_pairs=bool(opinions.pairs))
            for first, second in itertools.combinations(values, 2)
        },
        truth=known,
        calibration=calibration_map(judged, truth),
        models=models,
    )


def _report_of(judge: Judge, judging: Judging, verdicts: Verdicts, opinions: Opinions, truth: Floats) -> JudgeReport:
    responses = judging.judged.responses
    is_own = np.array(
        [judge.family is not None and judging.families.get(each.model) == judge.family for each in responses]
    )
    lengths = np.log2([max(1, len(each.text.split())) for each in responses])
    if judging.judged.task.mode is Mode.PAIRWISE:
        pairs = opinions.pairs[judge.name]
        known, own, length = _of_pairs(judge, opinions, is_own, lengths, truth)
        position = position_flips(pairs, responses)
    else:
        scores = opinions.scores[judge.name]
        others = [held for name, held in opinions.scores.items() if name != judge.name]
        known = agreement(scores, truth)
        own = own_family_gain(scores, is_own, truth, _mean(others) if others else None)
        length = length_bias(scores, lengths, truth)
        position = None
    said = verdicts.by_judge[judge.name]
    firsts = [item.key for item in judging.items if not item.is_recheck]
    unreadable = verdicts.unreadable(judge.name)
    return JudgeReport(
        name=judge.name,
        family=judge.family,
        n_verdicts=sum(key in said for key in firsts),
        n_unreadable=sum(key in unreadable for key in firsts),
        truth=known,
        position=position,
        own_family=own,
        length=length,
        self_agreement=self_agreement(opinions.rechecks[judge.name]),
    )


def _of_pairs(
    judge: Judge, opinions: Opinions, is_own: NDArray[np.bool_], lengths: Floats, truth: Floats
) -> tuple[Agreement, Difference | None, LengthBias | None]:
    pairs = [pair for pair in opinions.pairs[judge.name] if pair.points is not None]
    points = _points(pairs)
    first = np.array([pair.first for pair in pairs], dtype=np.int64)
    second = np.array([pair.second for pair in pairs], dtype=np.int64)
    signs = np.sign(truth[first] - truth[second])
    theirs: dict[tuple[int, int], list[float]] = {}
    for name, held in opinions.pairs.items():
        for pair in held if name != judge.name else ():
            if pair.points is not None:
                theirs.setdefault((pair.first, pair.second), []).append(pair.points)
    others = {places: float(np.mean(given)) for places, given in theirs.items()}
    # Where two responses are equally good, no verdict is right or wrong.
    told = np.abs(signs) == 1
    return (
        agreement(points[told], (signs[told] + 1) / 2, of_pairs=True),
        own_family_gain_of_pairs(pairs, is_own, truth, others or None),
        length_bias(points, lengths[first] - lengths[second], signs),
    )


def _points(pairs: list[PairOpinion]) -> Floats:
    return np.array([np.nan if pair.points is None else pair.points for pair in pairs], dtype=np.float64)


def _pair_values(opinions: Opinions) -> dict[str, Floats]:
    """Give the points of the first of every pair by judge, in one order of pairs, NaN where a judge said nothing."""
    places = dict.fromkeys((pair.first, pair.second) for held in opinions.pairs.values() for pair in held)
    return {
        name: np.array([given.get(each, np.nan) for each in places], dtype=np.float64)
        for name, held in opinions.pairs.items()
        for given in ({(pair.first, pair.second): _value(pair) for pair in held},)
    }


def _value(pair: PairOpinion) -> float:
    return np.nan if pair.points is None else pair.points


def _mean(series: list[Floats]) -> Floats:
    stacked = np.array(series)
    n = np.isfinite(stacked).sum(axis=0)
    means: Floats = np.where(n > 0, np.where(np.isfinite(stacked), stacked, 0).sum(axis=0) / np.maximum(n, 1), np.nan)
    return means
