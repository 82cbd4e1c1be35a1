"""Exploration: now and then another model than the best, with a known probability, so that a log can judge others."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vsr._checks import require_number
from vsr.choice.objective import DEFAULT_SWITCH_MARGIN
from vsr.errors import SelectionError

DEFAULT_EXPLORE_MARGIN = DEFAULT_SWITCH_MARGIN
"""A conversation that begins with an explored model stays with it then, as it would with any."""

_FROM_SYSTEM = random.SystemRandom().random  # safe from several threads, and different in every process


@dataclass(frozen=True)
class Exploration:
    """How often another model than the best is taken, and which ones may be.

    With `probability` one of the candidates whose utility is within `margin` of the best is taken, each of them, the
    best included, as probably as the others. Candidates that limits leave out are never taken, and neither is another
    model in the middle of a conversation (a request that names its `previous` model).

    Attributes:
        probability: from 0, never, to 1, always.
        margin: how much utility a taken model may have less than the best.
        uniform: gives random numbers in [0, 1); `random.Random(seed).random` makes the same draws again.
    """

    probability: float = 0.0
    margin: float = DEFAULT_EXPLORE_MARGIN
    uniform: Callable[[], float] = field(default=_FROM_SYSTEM, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check the range.

        Raises:
            SelectionError: The probability is none, or the margin is no number of 0 or more.
        """
        require_number(self.probability, "explore", "a probability from 0 to 1", SelectionError)
        if not 0.0 <= self.probability <= 1.0:
            raise SelectionError(f"explore is {self.probability}; expected a probability from 0 to 1")
        require_number(self.margin, "explore_margin", "a number of 0 or more", SelectionError)
        if not 0.0 <= self.margin < float("inf"):
            raise SelectionError(f"explore_margin is {self.margin}; expected a number of 0 or more")

    def draw(self, utility: Sequence[float], places: Sequence[int], best: int) -> tuple[int, float]:
        """Draw the place of a model: the place, and the probability with which it is drawn.

        Args:
            utility: of all candidates.
            places: of those that may be taken, `best` among them.
            best: place of the highest utility.
        """
        near = [place for place in places if utility[best] - utility[place] <= self.margin]
        drawn = self.uniform()
        taken = best
        if drawn < self.probability:  # then drawn / probability is uniform in [0, 1)
            taken = near[min(int(drawn / self.probability * len(near)), len(near) - 1)]
        each = self.probability / len(near)
        return taken, (1.0 - self.probability + each if taken == best else each) if len(near) > 1 else 1.0


def as_exploration(explore: "Exploration | float | None") -> Exploration | None:
    """Take what a caller says of exploration: a probability will do; None where nothing is left to chance.

    Raises:
        SelectionError: It is something else.
    """
    if explore is None:
        return None
    exploration = explore if isinstance(explore, Exploration) else Exploration(explore)
    return exploration if exploration.probability > 0.0 else None
