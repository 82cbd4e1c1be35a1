"""The gateway's configuration file, parameters of the algorithms included: typed, checked whole, secrets kept."""

from vsr.config.loading import load_config, parse_config
from vsr.config.sections import (
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
