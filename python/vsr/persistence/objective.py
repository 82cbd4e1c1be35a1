"""The objective in a file: two weights, and penalties of single models where there are some."""

from vsr.choice.objective import DEFAULT_SWITCH_MARGIN, Objective
from vsr.errors import SelectionError
from vsr.selectors.artefact_fields import Fields


def read_objective(fields: Fields) -> Objective:
    """Read the field `objective`.

    Raises:
        ArtefactError: It is missing, or is no objective.
    """
    weights = fields.object("objective")
    penalties = weights.object("model_penalty") if weights.has("model_penalty") else None
    try:
        return Objective(
            weights.get("quality_weight", float),
            weights.get("cost_share", float),
            {} if penalties is None else {model: penalties.get(model, float) for model in penalties.content},
            weights.get("switch_margin", float) if weights.has("switch_margin") else DEFAULT_SWITCH_MARGIN,
        )
    except SelectionError as error:
        raise fields.error("objective", f"cannot be: {error}") from error
