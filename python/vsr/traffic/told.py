"""What feedback says of decisions: one rule for everybody who joins the two.

Of a decision the first word holds, once for each thing that can be said: a quality, a preference, how long the answer
took, what it cost; in one line or several. A line that names another model than the one that answered is counted, not
used, and takes no other line's place. A decision that stands in the log twice is told once.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vsr.data.feedback import Feedback
from vsr.traffic.decisions import LoggedDecision


@dataclass(frozen=True)
class Told:
    """What feedback says of one decision.

    Attributes:
        grade: the line that says how good the answer was; None without one.
        preference: the line that says which of two models is better; None without one.
        latency_s: seconds that the answer took; None where nobody says.
        cost_usd: what it cost; None likewise.
        n_repeated: lines with a grade or a preference that came after another one; not used.
        n_other_model: lines with a grade or a preference that name another model than answered; not used.
    """

    grade: Feedback | None = None
    preference: Feedback | None = None
    latency_s: float | None = None
    cost_usd: float | None = None
    n_repeated: int = 0
    n_other_model: int = 0

    @property
    def quality(self) -> float | None:
        """How good the answer was, in [0, 1]; None where nobody says."""
        return None if self.grade is None else self.grade.quality

    @property
    def is_measured(self) -> bool:
        """Whether the answer's quality, latency or cost is known."""
        return not (self.quality is self.latency_s is self.cost_usd is None)


class FeedbackByDecision:
    """Lines of feedback, until their decisions come by.

    Attributes:
        of_queries: lines that name no decision, but a query.
    """

    def __init__(self, feedback: Iterable[Feedback] = ()) -> None:
        self.of_queries: list[Feedback] = []
        self._waiting: dict[str, list[Feedback]] = {}
        for line in feedback:
            (self.of_queries if line.id is None else self._waiting.setdefault(line.id, [])).append(line)

    def take(self, decision: LoggedDecision) -> Told | None:
        """Give what is said of a decision, and forget it; None where nothing is, or where it came by before."""
        lines = self._waiting.pop(decision.id, None)
        if lines is None:
            return None
        own = [line for line in lines if line.model in (None, decision.model)]
        grades = [line for line in own if line.quality is not None]
        preferences = [line for line in own if line.preferred is not None]
        return Told(
            grade=next(iter(grades), None),
            preference=next(iter(preferences), None),
            latency_s=next((line.latency_s for line in own if line.latency_s is not None), None),
            cost_usd=next((line.cost_usd for line in own if line.cost_usd is not None), None),
            n_repeated=max(len(grades) - 1, 0) + max(len(preferences) - 1, 0),
            n_other_model=sum(map(has_label, lines)) - len(grades) - len(preferences),
        )

    def waiting(self) -> Iterator[Feedback]:
        """Give the lines about decisions that have not come by."""
        for lines in self._waiting.values():
            yield from lines


def has_label(line: Feedback) -> bool:
    """Whether a line holds a grade or a preference."""
    return line.quality is not None or line.preferred is not None
