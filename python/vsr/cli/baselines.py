"""Which routers of others a comparison has beside its own lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vsr.evaluation.rivals.rival import RivalRouter

LITELLM = "litellm"
BASELINES = ("knn-votes", "kmeans-best", LITELLM)
NO_BASELINES = "none"


def rivals_of(names: Sequence[str]) -> "tuple[RivalRouter, ...]":
    """Give the routers that were asked for.

    Args:
        names: of `BASELINES`, or `NO_BASELINES` alone; empty: all that are installed.

    Raises:
        TrainingError: LiteLLM was asked for and is not installed.
    """
    from vsr.evaluation.rivals.documented import KMeansBestModel, KnnByVotes
    from vsr.evaluation.rivals.litellm import LiteLlmComplexity

    if LITELLM in names:
        LiteLlmComplexity.require_installed()  # better said before the comparison than behind it
    if not names:
        names = [name for name in BASELINES if name != LITELLM or LiteLlmComplexity.is_installed()]
    routers: tuple[RivalRouter, ...] = (KnnByVotes(), KMeansBestModel(), LiteLlmComplexity())
    return tuple(router for router in routers if router.name in names)
