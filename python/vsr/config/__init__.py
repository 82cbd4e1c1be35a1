"""The router's configuration file, as far as measuring and training need it: typed, checked whole, secrets kept."""

from vsr.config.loading import load_config, parse_config
from vsr.config.sections import (
    TRAINED_ALGORITHMS,
    Algorithm,
    Decision,
    Endpoint,
    ModelEntry,
    ModelReference,
    ModelSelection,
    Pricing,
    RouterConfig,
)

__all__ = [
    "TRAINED_ALGORITHMS",
    "Algorithm",
    "Decision",
    "Endpoint",
    "ModelEntry",
    "ModelReference",
    "ModelSelection",
    "Pricing",
    "RouterConfig",
    "load_config",
    "parse_config",
]
