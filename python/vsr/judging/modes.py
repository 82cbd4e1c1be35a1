"""What a judge is asked: one response by criteria, one against the ground truth, or which of two; and in which form."""

from dataclasses import dataclass
from enum import StrEnum

from vsr.judging.quoting import Quoted, mark_of, quote, warning_about
from vsr.providers.call import AnswerSchema

DEFAULT_CRITERIA = (
    "Correctness first: does it answer what was asked, and is what it says true? Then whether it is complete, keeps to "
    "what the query asks for in form and length, and is clear. Length as such is worth nothing."
)
LOWEST, HIGHEST = 1, 10
"""The scores of a rubric."""

READ_AGAIN = "Your last reply to this could not be read. "


class Mode(StrEnum):
    """What judges are asked."""

    RUBRIC = "rubric"
    PAIRWISE = "pairwise"
    REFERENCE = "reference"


@dataclass(frozen=True)
class Task:
    """What judges are asked, and in which form they answer.

    Attributes:
        mode: one response, one against the ground truth, or two against each other.
        is_graded: whether a response may be partly right, where it is compared with the ground truth.
    """

    mode: Mode
    is_graded: bool = False

    @property
    def field(self) -> str:
        """The field of the answer that holds the verdict."""
        return {Mode.RUBRIC: "score", Mode.PAIRWISE: "winner", Mode.REFERENCE: "verdict"}[self.mode]

    @property
    def words(self) -> dict[str, float]:
        """The verdicts that are words, and their worth (of two responses: to the one that is shown first)."""
        if self.mode is Mode.PAIRWISE:
            return {"a": 1.0, "b": 0.0, "tie": 0.5}
        if self.mode is Mode.REFERENCE:
            return {"correct": 1.0, "incorrect": 0.0, **({"partly correct": 0.5} if self.is_graded else {})}
        return {}

    @property
    def schema(self) -> AnswerSchema:
        """The JSON schema of an answer; the reason stands first, so that the verdict follows from it."""
        verdict: dict[str, object] = {"type": "integer", "minimum": LOWEST, "maximum": HIGHEST}
        if self.mode is not Mode.RUBRIC:
            verdict = {"type": "string", "enum": [_as_written(word) for word in self.words]}
        return AnswerSchema(
            f"{self.mode}_verdict",
            {
                "type": "object",
                "properties": {"reason": {"type": "string"}, self.field: verdict},
                "required": ["reason", self.field],
                "additionalProperties": False,
            },
        )


@dataclass(frozen=True)
class Shown:
    """What a judge sees of one query.

    Attributes:
        query: what was asked.
        responses: one, or two in the order in which they are shown.
        ground_truth: the right answer, where it is compared with.
        criteria: by which a rubric judges; None for the usual ones.
    """

    query: str
    responses: tuple[str, ...]
    ground_truth: str | None = None
    criteria: str | None = None


def prompt_of(task: Task, shown: Shown, salt: str = "", *, is_second_time: bool = False) -> str:
    """Write what a judge is asked.

    Args:
        task: the mode.
        shown: the texts.
        salt: another one gives the marks another number, and with it another call.
        is_second_time: whether the answer to the same question could not be read.
    """
    quotes = [Quoted("QUERY", shown.query)]
    if shown.ground_truth is not None:
        quotes.append(Quoted("RIGHT ANSWER", shown.ground_truth))
    titles = ("RESPONSE A", "RESPONSE B") if task.mode is Mode.PAIRWISE else ("RESPONSE",)
    quotes += [Quoted(title, text) for title, text in zip(titles, shown.responses, strict=True)]
    mark = mark_of([each.text for each in quotes], salt)
    parts = [_OPENING[task.mode], warning_about(mark)]
    parts += [quote(each, mark) for each in quotes]
    parts.append(f"The data ended above, with the last line that bears {mark}. {_asked(task, shown)}")
    parts.append(f"{READ_AGAIN if is_second_time else ''}{_form(task)}")
    return "\n\n".join(parts)


_OPENING = {
    Mode.RUBRIC: "You judge one response of an AI assistant to a user's query. You do not answer the query.",
    Mode.REFERENCE: "You check one response of an AI assistant against the right answer to a user's query.",
    Mode.PAIRWISE: "You compare two responses of AI assistants to one query of a user. You do not answer the query.",
}


def _asked(task: Task, shown: Shown) -> str:
    criteria = f"Judge by these criteria:\n\n{(shown.criteria or DEFAULT_CRITERIA).strip()}\n\n"
    if task.mode is Mode.RUBRIC:
        return (
            f"{criteria}Give the response a whole number from {LOWEST} (useless or wrong) to {HIGHEST} (cannot be "
            "better); 5 is a response with serious flaws that is of some use."
        )
    if task.mode is Mode.PAIRWISE:
        return (
            f"{criteria}Say which response is better: A, B, or tie where neither is. The order in which they are shown "
            "means nothing."
        )
    partly = ", partly correct if it is right in part or right and wrong at once" if task.is_graded else ""
    return (
        "Say whether the response gives the right answer: correct if what it commits to means the same as the right "
        f"answer, however it is worded{partly}, incorrect otherwise. What else it says, its length and its style mean "
        "nothing."
    )


def _form(task: Task) -> str:
    example = (
        f"{LOWEST} to {HIGHEST}"
        if task.mode is Mode.RUBRIC
        else " or ".join(f'"{_as_written(word)}"' for word in task.words)
    )
    return (
        f'Reply with one JSON object on one line and nothing after it: {{"reason": "one short sentence", '
        f'"{task.field}": {example}}}'
    )


def _as_written(word: str) -> str:
    return word.upper() if len(word) == 1 else word
