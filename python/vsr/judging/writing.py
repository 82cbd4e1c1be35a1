"""The judged records: every record as it was, with what judges said of it; true labels stay."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vsr.data.json_lines import write_json_lines
from vsr.data.records import read_objects
from vsr.errors import OutputError, RecordError
from vsr.judging.modes import Mode
from vsr.judging.opinions import Opinions
from vsr.judging.responses import Response, is_rough, open_records
from vsr.judging.run import Judging, Verdicts

_OURS = ("judged", "judge", "judge_mode", "judge_verdicts", "judge_unreadable")


@dataclass
class Written:
    """What became of the records.

    Attributes:
        n_records: how many there are.
        n_judged: how many have a `judged` quality.
        n_labelled: how many of these have it as their `performance`.
        n_true: how many keep a quality that was known without judges.
    """

    n_records: int = 0
    n_judged: int = 0
    n_labelled: int = 0
    n_true: int = 0


def journal_of(output: Path) -> Path:
    """Name the file beside an output in which every answer of a judge is written at once."""
    return output.with_name(f"{output.name.removesuffix('.gz').removesuffix('.jsonl')}.verdicts.jsonl")


def check_output(output: Path) -> None:
    """Make sure that an output may be replaced: there is none, or it was written by an earlier run.

    Raises:
        OutputError: It holds something else.
    """
    if not output.exists():
        return
    problem = "is there already, and no earlier run of `judge` wrote it"
    if journal_of(output).exists():
        try:
            first = next(iter(read_objects(output, noun="records")))
        except RecordError:
            first = {}
        if "model_name" in first:
            return
        problem = "is no file of judged records"
    raise OutputError(f"{output}: {problem}; it stays as it is. Name another output.")


def write_judged(
    output: Path,
    judging: Judging,
    verdicts: Verdicts,
    opinions: Opinions,
    judged: NDArray[np.float64],
    *,
    source: str | os.PathLike[str],
    skip_bad_lines: bool = False,
) -> Written:
    """Write the records anew, whole or not at all.

    Args:
        output: the new file.
        judging: who judged what.
        verdicts: what they said.
        opinions: the same by response or by pair.
        judged: (n_responses,) quality, NaN where nobody said anything.
        source: the records.
        skip_bad_lines: leave out lines that cannot be read.

    Raises:
        RecordError: The records are not those any more that were judged.
        OutputError: The output cannot be written.
    """
    written = Written()
    said = _said(judging, verdicts, opinions)
    place_of_row = {response.row: place for place, response in enumerate(judging.judged.responses)}

    def rows() -> Iterator[dict[str, object]]:
        for row, record in enumerate(open_records(source, skip_bad_lines=skip_bad_lines)):
            written.n_records += 1
            place = place_of_row.get(row)
            if place is None:
                yield _without_ours(record)
                continue
            response = judging.judged.responses[place]
            if record.get("model_name") != response.model or record.get("response") != response.text:
                raise RecordError(
                    f"{os.fspath(source)}: was changed while it was judged; run the same command again: what judges "
                    "said of responses that are still there is kept"
                )
            yield _judged(record, response, float(judged[place]), said.get(place, []), judging, written)

    write_json_lines(output, rows())
    return written


def _judged(
    record: dict[str, object],
    response: Response,
    quality: float,
    said: list[dict[str, object]],
    judging: Judging,
    written: Written,
) -> dict[str, object]:
    record = _without_ours(record)
    written.n_true += response.truth is not None
    if np.isnan(quality):
        return record | ({"judge_unreadable": True} if said else {})
    written.n_judged += 1
    quality = round(quality, 6)
    record |= {
        "judged": quality,
        "judge": ", ".join(dict.fromkeys(str(each["judge"]) for each in said if "said" in each)),
        "judge_mode": str(judging.judged.task.mode),
        "judge_verdicts": said,
    }
    is_replaced = judging.judged.task.mode is Mode.REFERENCE and is_rough(record)
    if response.truth is None and (record.get("performance") is None or record.get("unscored") or is_replaced):
        written.n_labelled += 1
        if is_replaced:
            record["scored_performance"] = record["performance"]
        record.pop("unscored", None)
        record |= {"performance": quality, "is_judged": True}
    return record


def _without_ours(record: Mapping[str, object]) -> dict[str, object]:
    """Take out what an earlier judging wrote."""
    kept = {name: value for name, value in record.items() if name not in _OURS}
    if kept.pop("is_judged", False):
        kept["performance"] = kept.pop("scored_performance", None)
    return kept


def _said(judging: Judging, verdicts: Verdicts, opinions: Opinions) -> dict[int, list[dict[str, object]]]:
    """Say by place of a response what each judge said of it, or that it cannot be read."""
    found: dict[int, list[dict[str, object]]] = {}
    responses = judging.judged.responses
    for judge in judging.judges:
        for pair in opinions.pairs.get(judge.name, ()):
            if pair.points is None:
                continue
            for mine, other, points in (
                (pair.first, pair.second, pair.points),
                (pair.second, pair.first, 1 - pair.points),
            ):
                outcome = {"judge": judge.name, "against": responses[other].model, "said": _OUTCOME[points]}
                found.setdefault(mine, []).append({**outcome, **({"flips": True} if pair.flips else {})})
        if opinions.pairs:
            continue
        unreadable = verdicts.unreadable(judge.name)
        for item in judging.items:
            verdict = verdicts.by_judge[judge.name].get(item.key)
            if item.is_recheck or (verdict is None and item.key not in unreadable):
                continue
            entry: dict[str, object] = {"judge": judge.name}
            if verdict is None:
                entry["unreadable"] = True
            else:
                entry |= {"said": verdict.said, **({"reason": verdict.reason} if verdict.reason else {})}
            for (place,) in item.shown:
                if judging.may_judge(judge, (place,)):
                    found.setdefault(place, []).append(entry)
    return found


_OUTCOME = {1.0: "win", 0.5: "tie", 0.0: "loss"}
