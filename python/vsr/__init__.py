"""Measure LLMs on your own queries, learn which of them answers which query how well, and route.

Every public name is here, and is imported from its module when it is first used: `import vsr` itself costs next to
nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vsr.choice.chooser import Choice, choose
    from vsr.choice.exploration import Exploration
    from vsr.choice.limits import Limits
    from vsr.choice.objective import Objective
    from vsr.data.categories import CATEGORIES
    from vsr.data.outcomes import Outcomes
    from vsr.data.records import Query, Record, read_queries, read_records
    from vsr.diagnosis import Diagnosis, doctor
    from vsr.embedding import Embedder, Fingerprint, load_embedder
    from vsr.errors import (
        ArtefactError,
        BenchmarkError,
        ConfigError,
        EmbeddingError,
        OutputError,
        RecordError,
        SelectionError,
        TrainingError,
        VsrError,
    )
    from vsr.evaluation import Evaluation, cross_validate
    from vsr.evaluation.deployed.folder import evaluate
    from vsr.evaluation.deployed.judging import DeployedEvaluation
    from vsr.features import build_features
    from vsr.persistence import load_selector, save_selector, selector_from_dict, selector_to_dict
    from vsr.routing import DecisionRouter, DisabledRouter, Request, Router
    from vsr.scoring import Score, score_response
    from vsr.selectors.base import Selector
    from vsr.training.pairs import train_with_preferences
    from vsr.training.trainer import train_selector

    __version__: str

__all__ = [
    "CATEGORIES",
    "ArtefactError",
    "BenchmarkError",
    "Choice",
    "ConfigError",
    "DecisionRouter",
    "DeployedEvaluation",
    "Diagnosis",
    "DisabledRouter",
    "Embedder",
    "EmbeddingError",
    "Evaluation",
    "Exploration",
    "Fingerprint",
    "Limits",
    "Objective",
    "Outcomes",
    "OutputError",
    "Query",
    "Record",
    "RecordError",
    "Request",
    "Router",
    "Score",
    "SelectionError",
    "Selector",
    "TrainingError",
    "VsrError",
    "build_features",
    "choose",
    "cross_validate",
    "doctor",
    "evaluate",
    "load_embedder",
    "load_selector",
    "read_queries",
    "read_records",
    "save_selector",
    "score_response",
    "selector_from_dict",
    "selector_to_dict",
    "train_selector",
    "train_with_preferences",
]

_HOMES = {
    "vsr.scoring": ("Score", "score_response"),
    "vsr.data.categories": ("CATEGORIES",),
    "vsr.choice": ("Choice", "Exploration", "Limits", "Objective", "choose"),
    "vsr.embedding": ("Embedder", "Fingerprint", "load_embedder"),
    "vsr.errors": (
        "ArtefactError",
        "BenchmarkError",
        "ConfigError",
        "EmbeddingError",
        "OutputError",
        "RecordError",
        "SelectionError",
        "TrainingError",
        "VsrError",
    ),
    "vsr.diagnosis": ("Diagnosis", "doctor"),
    "vsr.evaluation": ("Evaluation", "cross_validate"),
    "vsr.evaluation.deployed.folder": ("evaluate",),
    "vsr.evaluation.deployed.judging": ("DeployedEvaluation",),
    "vsr.features": ("build_features",),
    "vsr.data.outcomes": ("Outcomes",),
    "vsr.persistence": ("load_selector", "save_selector", "selector_from_dict", "selector_to_dict"),
    "vsr.data.records": ("Query", "Record", "read_queries", "read_records"),
    "vsr.routing": ("DecisionRouter", "DisabledRouter", "Request", "Router"),
    "vsr.selectors.base": ("Selector",),
    "vsr.training.pairs": ("train_with_preferences",),
    "vsr.training.trainer": ("train_selector",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:
    # A type checker that saw this would take every name for a public one.
    def __getattr__(name: str) -> object:
        """Import a public name from its module on first use (PEP 562)."""
        if name == "__version__":
            from importlib.metadata import version  # noqa: PLC0415 (it costs more than everything else here)

            return version("vsr-train")
        module = _HOME_OF.get(name)
        if module is None:
            raise AttributeError(f"module 'vsr' has no attribute {name!r}")
        value: object = getattr(import_module(module), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
