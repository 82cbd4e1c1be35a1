"""A choice as JSON, the same from `select`, from a server and for whoever keeps it."""

from typing import Any

from vsr.choice.chooser import Choice
from vsr.config import ModelReference


def choice_document(choice: Choice) -> dict[str, Any]:
    """Turn a choice into an object that `json` takes."""
    return {
        "model": choice.model,
        "quality": choice.quality,
        "utility": choice.utility,
        "margin": choice.margin,
        "reason": choice.reason,
        "propensity": choice.propensity,
        "category": choice.category,
        "category_source": choice.category_source,
        "scores": choice.scores,
        "utilities": choice.utilities,
        "ranking": list(choice.ranking),
        "decision": choice.decision,
        "reference": _reference(choice),
        "excluded": choice.excluded,
        "missing_signals": list(choice.missing_signals),
    }


def _reference(choice: Choice) -> dict[str, Any] | None:
    """Give the reference of a decision that the chosen model came from."""
    reference = choice.reference
    return reference.model_dump() if isinstance(reference, ModelReference) else None
