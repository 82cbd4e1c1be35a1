"""The complexity heuristics of LiteLLM: its own code sorts queries into tiers, the training folds name their models.

The only module that knows LiteLLM. Importing it takes seconds, so that happens where somebody asks for it alone.
"""

import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, cast

import numpy as np

from vsr.data.outcomes import Outcomes
from vsr.errors import TrainingError, install
from vsr.evaluation.rivals.rival import RivalFold
from vsr.prior.category_means import IntArray

_MODULE = "litellm.router_strategy.complexity_router.complexity_router"
# Unless told otherwise LiteLLM fetches a list of prices and reads `.env` where it is imported.
_QUIET_IMPORT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}


class LiteLlmComplexity:
    """Tiers by LiteLLM's rules (length, key words, question marks); each tier's model is the best on the training part.

    LiteLLM leaves the models of its tiers to its operator. Here they are the ones of highest mean utility among the
    training queries of the tier, whatever they are: the most that somebody could do who has measured them.
    """

    name = "litellm"
    label = "LiteLLM complexity tiers"

    def __init__(self) -> None:
        self._tiers: IntArray = np.empty(0, dtype=np.int64)
        self._n_tiers = 1

    @staticmethod
    def is_installed() -> bool:
        """Whether LiteLLM is there, without importing it."""
        return importlib.util.find_spec("litellm") is not None

    @classmethod
    def require_installed(cls) -> None:
        """Check that LiteLLM is there, without importing it.

        Raises:
            TrainingError: It is not.
        """
        if not cls.is_installed():
            raise TrainingError(
                "the baseline litellm needs the package litellm, which is not installed; "
                f"{install('litellm')}, or leave the baseline out"
            )

    def prepare(self, outcomes: Outcomes) -> float:
        """Sort all queries into tiers.

        Raises:
            TrainingError: LiteLLM is not installed, or is a version without these rules.
        """
        router = _router()
        started = time.perf_counter()
        names = [str(router.classify(query)[0]) for query in outcomes.queries]
        seconds = (time.perf_counter() - started) / len(names)
        tiers, self._tiers = np.unique(names, return_inverse=True)
        self._n_tiers = len(tiers)
        return seconds

    def choose(self, fold: RivalFold) -> IntArray:
        """Give every tier its best model, and look it up."""
        best = fold.best_by_group(self._tiers[fold.train_rows], self._n_tiers)
        return np.asarray(best[self._tiers[fold.test_rows]])


class _ComplexityRouter(Protocol):
    """What is used of LiteLLM's class of that name."""

    def classify(self, prompt: str) -> tuple[object, float, list[str]]:
        """Give the tier, the score and what it was given for."""


def _router() -> _ComplexityRouter:
    """LiteLLM's router with its default rules; it has no network and no models, `classify` needs neither."""
    LiteLlmComplexity.require_installed()
    try:
        with _environment(_QUIET_IMPORT):
            module = importlib.import_module(_MODULE)
        return cast("_ComplexityRouter", module.ComplexityRouter(model_name="complexity", ctx=None))
    except (ImportError, AttributeError, TypeError) as error:
        raise TrainingError(
            f"this version of litellm has no complexity router that can be used ({error}); expected 1.110 or a "
            "later one of the same kind. Install that, or leave the baseline out"
        ) from error


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables that are not set, for a while."""
    missing = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)
