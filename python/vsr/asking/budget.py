"""What calls may cost: the most that one can, and a limit that a run does not exceed."""

from dataclasses import replace

from vsr.asking.models import AskedModel
from vsr.providers.call import Answer

MOST_USD = 1e6
MOST_TOKENS = 10_000_000
"""More cannot be true of one call; without such limits one odd answer could make every sum infinite."""

# A prompt has at most about one token per two bytes (code, digits, scripts other than Latin), usually one per four.
_FEWEST_BYTES_PER_TOKEN = 2
TEMPLATE_TOKENS = 32
"""Tokens that a server adds around a prompt."""
# What an answer without a limit may be expected to stay under.
_UNLIMITED_TOKENS = 4096


def highest_cost_usd(model: AskedModel, prompt: str) -> float:
    """Return what a call can cost at most: every token of its limit used."""
    n_bytes = len(prompt.encode("utf-8", "surrogatepass"))
    n_input = n_bytes // _FEWEST_BYTES_PER_TOKEN + TEMPLATE_TOKENS
    return model.cost_usd(n_input, model.max_tokens or _UNLIMITED_TOKENS) or 0.0


def believable(answer: Answer) -> Answer:
    """Return an answer without counts and costs that cannot be true."""
    n_input, n_output = (
        n if n is not None and 0 <= n <= MOST_TOKENS else None for n in (answer.input_tokens, answer.output_tokens)
    )
    cost_usd = answer.cost_usd if answer.cost_usd is not None and 0 <= answer.cost_usd <= MOST_USD else None
    return replace(answer, input_tokens=n_input, output_tokens=n_output, cost_usd=cost_usd)


class Budget:
    """Money for a run: what is spent, and what the calls under way may still cost."""

    def __init__(self, limit_usd: float | None, spent_usd: float) -> None:
        """Begin with what the output has cost already.

        Args:
            limit_usd: never exceeded; None for no limit.
            spent_usd: cost of the records that are there.
        """
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        self._reserved_usd = 0.0

    def reserve(self, cost_usd: float) -> bool:
        """Put money aside for a call; return whether there was enough."""
        if self.limit_usd is not None and self.spent_usd + self._reserved_usd + cost_usd > self.limit_usd:
            return False
        self._reserved_usd += cost_usd
        return True

    def settle(self, reserved_usd: float, spent_usd: float) -> None:
        """Replace what was put aside for a call by what it cost."""
        self._reserved_usd -= reserved_usd
        self.spent_usd += spent_usd
