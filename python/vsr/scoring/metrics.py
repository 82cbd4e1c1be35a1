"""The names by which a file asks for a scoring rule, and what a misspelt one may mean."""

from vsr._spelling import nearest
from vsr.scoring.score import Kind

_KIND_OF_METRIC: dict[str, Kind] = {
    "em_mc": "multiple_choice",
    "multiple_choice": "multiple_choice",
    "gsm8k": "numeric",
    "math": "numeric",
    "numeric": "numeric",
    "f1_score": "text",
    "f1": "text",
    "code_eval": "code",
    "exact_match": "exact",
    "em": "exact",
    "contains": "contains",
    "cem": "contains",
    "commongen_coverage": "coverage",
}

METRICS = tuple(_KIND_OF_METRIC)
"""The known names; case, blanks and hyphens do not count."""


def kind_of_metric(name: object) -> Kind | None:
    """Give the rule that a metric asks for, None where the name is not known or there is none."""
    return _KIND_OF_METRIC.get(folded_name(name))


def is_unknown_metric(name: object) -> bool:
    """Tell whether something is a name that no rule has; a blank one is no name."""
    folded = folded_name(name)
    return bool(folded) and folded not in _KIND_OF_METRIC


def meant_metric(name: str) -> str | None:
    """Give the metric that an unknown name is nearly, if there is one."""
    return nearest(folded_name(name), METRICS)


def folded_name(value: object) -> str:
    """Give a name as it is compared: lower case, underscores; empty for what is no text."""
    return value.strip().lower().replace("-", "_").replace(" ", "_") if isinstance(value, str) else ""
