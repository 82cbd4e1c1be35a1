"""What a judge said, read: an object of the wanted form, or the same on the last line; anything else is unreadable."""

import json
import re
from dataclasses import dataclass

from vsr.judging.modes import HIGHEST, LOWEST, Mode, Task

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^`{3,}\w*$")
_LONGEST = 20_000  # characters: a verdict is short, and its last line stands at its end


@dataclass(frozen=True)
class Verdict:
    """What one judge said of one response, or of two.

    Attributes:
        value: the quality of the response, in [0, 1]; of two, what the one that was shown first gets: 1, 0.5 or 0.
        said: the verdict as the judge wrote it: a score, or a word.
        reason: why, as far as it says so.
    """

    value: float
    said: float | str
    reason: str | None = None


def read_verdict(task: Task, text: str) -> Verdict | None:
    """Read an answer; None where it holds no verdict of the wanted form. Nothing is guessed.

    Args:
        task: what was asked.
        text: the whole answer.
    """
    text = _THOUGHT.sub("", text[-_LONGEST:]).strip()
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _FENCE.match(line.strip())]
    if not lines:
        return None
    for candidate in ("\n".join(lines), lines[-1], _tail_object(lines[-1])):
        found = _of_object(task, candidate)
        if found is not None:
            return found
    return _of_line(task, lines[-1])


def _tail_object(line: str) -> str:
    """Give the object that a line ends with, if any."""
    start = line.rfind("{")
    return line[start:] if start >= 0 else ""


def _of_object(task: Task, text: str) -> Verdict | None:
    if not (text.startswith("{") and text.endswith("}")):
        return None
    try:
        value = json.loads(text, strict=False, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or task.field not in value:
        return None
    reason = value.get("reason")
    return _verdict(task, value[task.field], reason if isinstance(reason, str) else None)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Take an object whose keys differ: of two verdicts, nobody knows which is meant."""
    held = dict(pairs)
    if len(held) < len(pairs):
        raise ValueError("a key stands twice")
    return held


def _of_line(task: Task, line: str) -> Verdict | None:
    """Read `Score: 7`, `**Winner: A**`, `verdict - partly correct.`."""
    bare = line.strip("*_`# .")
    found = re.fullmatch(
        rf"(?:(?:final|my|the)\s+)*{task.field}\W{{1,6}}([\w. ]{{1,20}}?)(?:\s*/\s*10)?", bare, re.IGNORECASE
    )
    return None if found is None else _verdict(task, found[1].strip(), None)


def _verdict(task: Task, said: object, reason: str | None) -> Verdict | None:
    if task.mode is Mode.RUBRIC:
        try:
            score = float(said) if isinstance(said, str | int | float) and not isinstance(said, bool) else None
        except ValueError:
            return None
        if score is None or not LOWEST <= score <= HIGHEST:
            return None
        return Verdict((score - LOWEST) / (HIGHEST - LOWEST), score, reason)
    word = said.strip().lower() if isinstance(said, str) else ""
    value = task.words.get(word)
    return None if value is None else Verdict(value, word, reason)
